"""Fuzzer: inputs that nobody wrote, and the law that each byte of them is accounted for."""
