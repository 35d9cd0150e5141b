"""Limits that a net must keep: each one passed is a diagnostic at the layer that takes most of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from netcompiler.diagnostics import Diagnostic
from netcompiler.footprint import Footprint
from netcompiler.graph import Graph, Node
from netcompiler.report import figures
from netcompiler.totals import totals


class Budget(NamedTuple):
    params: int | None = None
    macs: int | None = None
    memory: int | None = None
    """Bytes of training."""


def overruns(graph: Graph, memory: Footprint, budget: Budget) -> list[Diagnostic]:
    whole = totals(graph)
    found = (
        _over(graph, whole.params, budget.params, "{:,} params".format, lambda node: node.params),
        _over(graph, whole.macs, budget.macs, "{:,} MACs".format, lambda node: 0 if node.only else node.cost.macs),
        _over(graph, memory.training, budget.memory, _memory(memory.batch), _share_of_memory(memory)),
    )
    return [diagnostic for diagnostic in found if diagnostic]


def _memory(batch: int) -> Callable[[int], str]:
    return lambda count: f"{figures.size(count)} of memory for training at batch {batch}"


def _share_of_memory(memory: Footprint) -> Callable[[Node], int]:
    """A layer's part: its parameters with gradients and state, and its output."""
    copies = 2 * memory.gradients + memory.state
    each = copies / memory.gradients if memory.gradients else 1
    return lambda node: round(4 * each * node.params) + 4 * memory.batch * math.prod(node.shape)


def _over(graph: Graph, have: int, limit: int | None, say: Callable[[int], str], part: Callable[[Node], int]) -> Diagnostic | None:
    if limit is None or have <= limit:
        return None
    heaviest = max(graph, key=part)
    return Diagnostic(
        "budget",
        heaviest.place,
        f"{say(have)} are over the budget of {say(limit)}",
        (f"{heaviest.name} takes most: {say(part(heaviest))}",),
        f"`--explain {heaviest.name}` shows how its figures come about",
        calls=heaviest.calls,
    )
