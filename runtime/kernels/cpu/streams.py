"""Sums of many operands: a processor reads a few streams well and many badly, so they are added up a few at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from netcompiler.scalar import Expr, make, nodes, operand
from runtime.arrays import Array
from runtime.kernels.expressions import with_leaves

WIDTHS = (8, 4, 3, 2)
"""Operands that are read side by side; few numbers, so that few kernels serve sums of any length."""

Part = tuple[Expr, Sequence[Array]]
"""A map into the result: its expression, and what it reads."""


def parted(y: Array, read: Sequence[Array], expr: Expr) -> list[Part]:
    """Maps that follow one another; all but the last leave a sum where the result will be. What the result takes the place of is
    read by the first of them, or the map stays in one piece."""
    chain = max(nodes(expr), key=lambda node: len(_plain(node, y, read)))
    plain = sorted(_plain(chain, y, read), key=lambda term: not np.shares_memory(y, read[term.leaf]))
    others = [term for term in _terms(chain) if term not in plain]
    alone = chain is expr and not others
    if y.dtype != np.float32 or len(plain) <= (WIDTHS[1] if alone else WIDTHS[0]) or (alone and len(plain) in WIDTHS):
        return [(expr, read)]
    sum_, arrays = operand(len(read)), [read[term.leaf] for term in plain]
    first = [(reduce(_add, others), read)] if others and _overwritten(y, read, others) else []
    [rest] = with_leaves([expr], {chain: reduce(_add, [sum_] if first else [sum_, *others])})
    if _overwritten(y, read, [rest]) or (first and any(np.shares_memory(y, x) for x in arrays)):
        return [(expr, read)]
    last: list[Part] = [] if rest is sum_ else [(rest, [*read, y])]
    return [*first, *_sums(y, arrays, bool(first)), *last]


def _overwritten(y: Array, read: Sequence[Array], exprs: Sequence[Expr]) -> bool:
    """Whether they read what lies where the result will be."""
    operands = {node.leaf for expr in exprs for node in nodes(expr) if node.op == "operand"} - {len(read)}
    return any(np.shares_memory(y, read[i]) for i in operands)


def _sums(y: Array, arrays: Sequence[Array], begun: bool) -> list[Part]:
    """Several at a time, and then several more with what there is already."""
    parts: list[Part] = []
    while arrays:
        already = [y] if begun else []
        count = max(width for width in WIDTHS if width <= len(arrays) + len(already)) - len(already)
        parts.append((reduce(_add, map(operand, range(count + len(already)))), [*already, *arrays[:count]]))
        arrays, begun = arrays[count:], True
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
