"""Parse: bytes are cut into blocks, and each JSON value is recognised for what it is, before anything is decoded."""
