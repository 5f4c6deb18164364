"""The way of the data: read, decode, flatten, load."""
