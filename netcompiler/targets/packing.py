"""Forms of packed weights: which operand, how large. One channel of PANEL stands beside the next, the last panel filled with 0."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple

from netcompiler.plan import PANEL, Instruction, Value


class Packing(NamedTuple):
    """What an offer wants of an operand; `elements` of the weights, in so many groups."""

    form: str
    elements: Callable[[Value, int], int]
    operand: int = 1

    def instruction(self, of: Instruction, result: str) -> Instruction:
        w, groups = of.operands[self.operand], of.attributes.get("groups", 1)
        elements = self.elements(w, groups)
        attributes = {"form": self.form, "groups": groups, "elements": elements}
        return Instruction((Value(result, w.dtype, (elements,)),), "pack", (w,), attributes, origin=of.origin)


def _panels(channels: int) -> int:
    return -(-channels // PANEL) * PANEL


def _by_outputs(w: Value, groups: int) -> int:
    return groups * _panels(w.shape[0] // groups) * prod(w.shape[1:])


def _by_inputs(w: Value, groups: int) -> int:
    return _panels(w.shape[-1]) * prod(w.shape[:-1])


CONV = Packing("rows", _by_outputs)
"""[group, panel, tap, c, PANEL of k]"""
CONV_DX = Packing("rows_dx", _by_inputs)
"""[group, panel, tap, k, PANEL of c], the last tap first"""

WINOGRAD4 = Packing("winograd4", lambda w, groups: 36 * _panels(w.shape[0]) * w.shape[-1])
"""[point, panel, c, PANEL of k]"""
WINOGRAD4_DX = Packing("winograd4_dx", lambda w, groups: 36 * _panels(w.shape[-1]) * w.shape[0])
"""[point, panel, k, PANEL of c], the last tap first"""

WINOGRAD2, WINOGRAD2_DX = (Packing(form, of.elements) for form, of in (("winograd2", WINOGRAD4), ("winograd2_dx", WINOGRAD4_DX)))
"""The same of 5x5 filters."""


def _only(form: str) -> Callable[[Instruction], str]:
    return lambda instruction: "" if instruction.attributes["form"] == form else "it is another form"


FORMS = {packing.form: _only(packing.form) for packing in (CONV, CONV_DX, WINOGRAD4, WINOGRAD4_DX, WINOGRAD2, WINOGRAD2_DX)}
