"""netc: a compiler for neural-network specs. load() gives the graph of a spec and all that is to be said about it."""

from netcompiler.load import Loaded, UnreadableSpec, load

__all__ = ["Loaded", "UnreadableSpec", "load"]
