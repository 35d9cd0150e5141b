"""Weights in the form in which a kernel reads them. Passes put it in; what it means is beside the oracle's kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netcompiler.instructions.op import Op, Types
from netcompiler.plan import Value


class Pack(Op):
    """`form` is the algorithm's, `panel` how many channels stand side by side in it."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [w] = operands
        return [(w.dtype, (attributes["elements"],))]
