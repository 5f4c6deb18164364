"""Parse: bytes are cut into blocks, and each JSON value in them is classified, before records are decoded."""
