"""What expressions of maps have in common for all who write code for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netcompiler.scalar import COSTLY, ZERO, Expr, index, make, nodes
from runtime.kernels.layout import Layout

UNSIGNED = ("u8", "u16", "u32", "b1")
FLOATS = ("f32", "f64")
PLAIN = frozenset((0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5))
"""Literals that stay in the code; the others are numbers of the table, so that one kernel serves them all."""
QUARTERS = 16
"""Powers up to four in steps of a quarter are made of roots and products."""


def number_of(dtypes: Sequence[str]) -> str:
    """What to compute in, for operands and results of these dtypes: f64 holds whole numbers exactly."""
    return "f32" if "f64" not in dtypes and not {"f32", "f16", "bf16"}.isdisjoint(dtypes) else "f64"


def is_quarter(exponent: Expr) -> bool:
    return exponent.op == "literal" and abs(4 * exponent.leaf) <= QUARTERS and float(4 * exponent.leaf).is_integer()


def canonical(exprs: Sequence[Expr]) -> tuple[tuple[Expr, ...], list[int], list[float]]:
    """Expressions with operands in order of their first use, and literals as operands behind those: equal for all that one
    kernel can serve. With it the old numbers of the operands, and the literals."""
    seen = dict.fromkeys(node for expr in exprs for node in nodes(expr))
    kept = {node.args[1] for node in seen if node.op == "pow" and is_quarter(node.args[1])}
    order = [node.leaf for node in seen if node.op == "operand"]
    literals = [node for node in seen if node.op == "literal" and node.leaf not in PLAIN and node not in kept]
    leaves = {node: make("operand", leaf=len(order) + i) for i, node in enumerate(literals)}
    leaves |= {make("operand", leaf=old): make("operand", leaf=new) for new, old in enumerate(order)}
    return with_leaves(exprs, leaves), order, [node.leaf for node in literals]


def with_leaves(exprs: Sequence[Expr], leaves: Mapping[Expr, Expr]) -> tuple[Expr, ...]:
    """The same operations over other leaves, as they stand."""
    made = dict(leaves)
    for node in (node for expr in exprs for node in nodes(expr)):
        if node not in made:
            made[node] = make(node.op, *(made[arg] for arg in node.args), leaf=node.leaf)
    return tuple(made[expr] for expr in exprs)


def weight(exprs: Sequence[Expr]) -> int:
    """Operations on vectors, roughly."""
    return sum(20 if node.op in COSTLY else 1 for node in {node for expr in exprs for node in nodes(expr)} if node.args)


def indexes(exprs: Sequence[Expr]) -> dict[int, int]:
    """The axes whose positions expressions ask for: labels that keep them apart."""
    return {node.leaf: node.leaf for expr in exprs for node in nodes(expr) if node.op == "index"}


def with_positions(exprs: Sequence[Expr], layout: Layout) -> tuple[Expr, ...]:
    """Expressions that ask for positions along the axes of a layout, counted from the last."""
    axes = {axis: layout.position(axis) for axis in indexes(exprs)}
    return with_leaves(exprs, {index(axis): ZERO if place is None else index(place) for axis, place in axes.items()})
