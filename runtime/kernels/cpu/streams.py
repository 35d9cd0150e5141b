"""Sums of many operands: a processor reads a few streams well and many badly, so they are added up a few at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from netcompiler.scalar import Expr, make, nodes, operand
from runtime.arrays import Array
from runtime.kernels.cpu.expression import with_leaves

WIDTHS = (8, 4, 2)
"""Operands that are read side by side; few numbers, so that few kernels serve sums of any length."""

Part = tuple[Expr, Sequence[Array]]
"""A map into the result: its expression, and what it reads."""


def parted(y: Array, read: Sequence[Array], expr: Expr) -> list[Part]:
    """Maps that follow one another; all but the last leave a sum where the result will be."""
    chain = max(nodes(expr), key=lambda node: len(_plain(node, y, read)))
    plain = sorted(_plain(chain, y, read), key=lambda term: not np.shares_memory(y, read[term.leaf]))
    others = [term for term in _terms(chain) if term not in plain]
    [rest] = with_leaves([expr], {chain: reduce(_add, [operand(len(read)), *others])})
    in_place = any(np.shares_memory(y, read[node.leaf]) for node in nodes(rest) if node.op == "operand" and node.leaf < len(read))
    if len(plain) <= WIDTHS[0] or y.dtype != np.float32 or in_place:
        return [(expr, read)]
    arrays = [read[term.leaf] for term in plain]
    return [*_sums(y, arrays), *([] if rest is operand(len(read)) else [(rest, [*read, y])])]


def _sums(y: Array, arrays: Sequence[Array]) -> list[Part]:
    """Several at a time, and then several more with what there is already."""
    parts: list[Part] = []
    while arrays:
        already = [y] if parts else []
        width = next(width for width in WIDTHS if width <= len(arrays) + len(already)) - len(already)
        parts.append((reduce(_add, map(operand, range(width + len(already)))), [*already, *arrays[:width]]))
        arrays = arrays[width:]
    return parts


def _terms(node: Expr) -> list[Expr]:
    return [*_terms(node.args[0]), *_terms(node.args[1])] if node.op == "add" else [node]


def _plain(node: Expr, y: Array, read: Sequence[Array]) -> list[Expr]:
    """The terms of a sum that are numbers in memory, one for each of the result."""
    if node.op != "add":
        return []
    return [term for term in _terms(node) if term.op == "operand" and (read[term.leaf].shape, read[term.leaf].dtype) == (y.shape, y.dtype)]


def _add(a: Expr, b: Expr) -> Expr:
    return make("add", a, b)
