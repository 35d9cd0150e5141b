"""What a target needs of a program before it is differentiated: first convolutions over more channels.

Strides of a window over few channels go into the channels (space to depth), and channels are filled up with zeros. The weights
are turned likewise, as values made of the state, so that the state stays what it is: y[p] is the sum over taps t = q s + r of
w[t] x[p s + t - low], which is a convolution with stride 1 of cells q over channels (r, c).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from math import prod

from netcompiler.builder import Builder
from netcompiler.passes.hoist import LASTING
from netcompiler.passes.simplify import highest
from netcompiler.plan import Axis, Instruction, Plan, Program, Value
from netcompiler.targets import Target


def legalise(plan: Plan, target: Target) -> Plan:
    if not target.depth and target.channels == 1:
        return plan
    lasting = {state.value for state in plan.states.values() if state.segment in LASTING}
    return plan.with_programs(_legal(program, plan.dtype, target, lasting) for program in plan.programs.values())


def _legal(program: Program, dtype: str, target: Target, lasting: Collection[Value]) -> Program:
    learned = _learned(program, lasting)
    b = Builder(dtype, taken=highest(program))
    for instruction in program:
        b.origin = instruction.origin
        first = instruction.op == "conv" and instruction.attributes["groups"] == 1 and instruction.operands[0] not in learned
        b.append(_widened(b, instruction, target) if first else instruction)
    return replace(program, instructions=tuple(b.instructions))


def _learned(program: Program, lasting: Collection[Value]) -> set[Value]:
    """What depends on a weight, and so is behind the first layer."""
    found = set(lasting)
    for instruction in program:
        if not found.isdisjoint(instruction.operands):
            found.update(instruction.results)
    return found


def _widened(b: Builder, conv: Instruction, target: Target) -> Instruction:
    x, w = conv.operands
    window: tuple[Axis, ...] = conv.attributes["window"]
    strides = [axis.stride for axis in window]
    if prod(strides) > 1 and prod(strides) * x.shape[-1] <= target.depth and all(axis.dilation == 1 for axis in window):
        taps = [-(-axis.kernel // axis.stride) for axis in window]
        cells = [axis.size(n) + more - 1 for axis, n, more in zip(window, x.shape[1:-1], taps, strict=True)]
        x, w = _deep(b, x, [axis.low for axis in window], cells, strides), _deep(b, w, [0] * len(window), taps, strides)
        window = tuple(map(Axis, taps))
    more = -x.shape[-1] % target.channels
    x, w = (_padded(b, value, [0] * len(value.shape), [*[0] * (len(value.shape) - 1), more]) for value in (x, w))
    return replace(conv, operands=(x, w), attributes={**conv.attributes, "window": window})


def _deep(b: Builder, x: Value, low: Sequence[int], cells: Sequence[int], strides: Sequence[int]) -> Value:
    """(n, sides, c) with so many zeros in front -> (n, cells, strides * c)."""
    rows, *sides, channels = x.shape
    high = [cell * stride - side - before for cell, stride, side, before in zip(cells, strides, sides, low, strict=True)]
    whole = _padded(b, x, [0, *low, 0], [0, *high, 0])
    pairs = [size for pair in zip(cells, strides, strict=True) for size in pair]
    apart = b.reshape(whole, (rows, *pairs, channels))
    last = len(pairs) + 1
    turned = b.transpose(apart, (0, *range(1, last, 2), *range(2, last, 2), last))
    return b.reshape(turned, (rows, *cells, prod(strides) * channels))


def _padded(b: Builder, x: Value, low: Sequence[int], high: Sequence[int]) -> Value:
    return b.emit("pad", x, low=tuple(low), high=tuple(high), interior=(0,) * len(low)) if any((*low, *high)) else x
