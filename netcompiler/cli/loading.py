"""Specs as the command line names them, and what the report needs beside the graph."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import netcompiler
from netcompiler.cli import Refusal
from netcompiler.footprint import Footprint, footprint
from netcompiler.graph import Graph
from netcompiler.recipe import Recipe


def load(spec: str, settings: Sequence[str] = ()) -> netcompiler.Loaded:
    text = standard_input() if spec == "-" else None
    try:
        return netcompiler.load(spec, settings, text)
    except netcompiler.UnreadableSpec as error:
        raise Refusal(str(error)) from None


def standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(f"standard input is not UTF-8 (byte {error.start})") from None


def estimate(graph: Graph, recipe: Recipe | None, batch: int | None) -> Footprint:
    """At the batch of the recipe and with its optimizer, or one picture and momentum."""
    optimizer = recipe.optimizer if recipe else None
    planned = recipe.batch // recipe.accumulate if recipe else 1
    return footprint(graph, batch or max(1, planned), optimizer.slots if optimizer else 1, recipe.precision if recipe else None)
