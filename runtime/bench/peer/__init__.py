"""Nets of netc in PyTorch, built from a description in JSON. Imported by the peer's interpreter, which needs no netc."""
