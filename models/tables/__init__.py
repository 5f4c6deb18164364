"""Tables: each one a list of columns, declared once."""
