"""Winograd's kernels against the oracle in float64, on pictures with awkward sizes and padding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from netcompiler.plan import Axis, Instruction, Value
from netcompiler.scalar import compare, operand, relu, wrap
from netcompiler.targets.convolutions import not_five, not_three
from netcompiler.targets.packing import WINOGRAD2, WINOGRAD2_DX, WINOGRAD4, WINOGRAD4_DX, Packing
from runtime.arrays import aligned
from runtime.kernels.behind import Behind
from runtime.kernels.cpu import KERNELS
from runtime.kernels.cpu.driver import Table
from runtime.kernels.cpu.machine import machine
from runtime.kernels.cpu.winograd_products import cut
from runtime.kernels.numpy import KERNELS as ORACLE
from runtime.session import Session
from tests import small
from tests.oracle import Array, normal, sizes

SHAPES = {
    "one pixel": (1, (1, 1), 16, 16, (1, 1, 1, 1)),
    "one tile": (1, (4, 4), 16, 32, (1, 1, 1, 1)),
    "tiles cut off": (2, (7, 9), 32, 48, (1, 1, 1, 1)),
    "no padding": (2, (11, 6), 17, 16, (0, 0, 0, 0)),
    "three pixels become one": (3, (3, 3), 16, 5, (0, 0, 0, 0)),
    "wide padding": (1, (5, 2), 16, 33, (2, 2, 2, 2)),
    "uneven padding": (2, (6, 5), 20, 70, (0, 2, 2, 1)),
    "one channel": (1, (5, 6), 1, 1, (1, 1, 1, 1)),
    "odd channels": (2, (5, 6), 3, 5, (1, 1, 1, 1)),
    "several blocks": (3, (28, 20), 16, 40, (1, 1, 1, 1)),
    "more filters than caches hold": (1, (4, 4), 272, 260, (1, 1, 1, 1)),
    "many channels": (1, (8, 8), 300, 130, (1, 1, 1, 1)),
}
"""Pictures, their size, channels, filters, and padding: above, below, left, right; with 5 taps one more."""


OPS = ("conv_winograd4", "conv_dx_winograd4", "conv_dw_winograd4", "conv_winograd2", "conv_dx_winograd2", "conv_dw_winograd2")
FORMS = {"conv_winograd4": WINOGRAD4, "conv_dx_winograd4": WINOGRAD4_DX, "conv_winograd2": WINOGRAD2, "conv_dx_winograd2": WINOGRAD2_DX}


class Case(NamedTuple):
    result: tuple[int, ...]
    operands: tuple[Array, Array]
    attributes: dict[str, Any]

    def oracle(self, op: str) -> Array:
        result = np.empty(self.result)
        ORACLE[op.rpartition("_")[0]](result, *(x.astype(np.float64) for x in self.operands), **self.attributes)
        return result

    def run(self, op: str, threads: int = 1, **more: Any) -> Array:
        """The result, which is NaN before, with NaN between its pixels."""
        result = apart(np.full(self.result, np.nan, np.float32))
        packed = {"packed": pack(FORMS[op], self.operands[1])} if op in FORMS else {}
        run(op, threads, result, *self.operands, **self.attributes, **packed, **more)
        assert np.isnan(result.base[..., result.shape[-1] :]).all()
        return result


def run(kernel: str, threads: int, *arrays: Array, **attributes: Any) -> None:
    """Steps hold addresses: the arrays live until they have run."""
    Table(list(KERNELS[kernel](*arrays, **attributes)), threads)()


def pack(form: Packing, w: Array) -> Array:
    how = {"form": form.form, "groups": 1, "elements": form.elements(Value("%w", "f32", w.shape), 1)}
    p = aligned(how["elements"] * 4).view(np.float32)
    p[:] = np.nan
    run(f"pack_{form.form}", 2, p, w, **how)
    return p


def case(op: str, shape: str) -> Case:
    n, size, c, k, padding = SHAPES[shape]
    plain, _, algorithm = op.rpartition("_")
    taps, more = (3, 0) if algorithm == "winograd4" else (5, 1)
    above, below, left, right = (pad + more for pad in padding)
    window = (Axis(taps, 1, above, below), Axis(taps, 1, left, right))
    x, w, y = ((n, *size, c), (k, taps, taps, c), (n, *sizes(window, size), k))
    result, *operands = {"conv": (y, x, w), "conv_dx": (x, y, w), "conv_dw": (w, x, y)}[plain]
    attributes = {"window": window, "groups": 1, **({"size": size} if plain == "conv_dx" else {})}
    first, second = (apart(normal(*one, seed=i, dtype=np.float32)) for i, one in enumerate(operands))
    return Case(result, (first, second), attributes)


def apart(x: Array, gap: int = 5) -> Array:
    """The same numbers with a pitch larger than the channels."""
    holed = np.full((*x.shape[:-1], x.shape[-1] + gap), np.nan, x.dtype)
    holed[..., : x.shape[-1]] = x
    return holed[..., : x.shape[-1]]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("op", OPS)
def test_equals_the_oracle(op: str, shape: str) -> None:
    one = case(op, shape)
    expected = one.oracle(op)
    np.testing.assert_allclose(one.run(op), expected, rtol=0, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("op", FORMS)
@pytest.mark.parametrize("shape", ["tiles cut off", "odd channels", "many channels", "more filters than caches hold"])
def test_filters_are_packed_as_the_oracle_packs_them(op: str, shape: str) -> None:
    w = case(op, shape).operands[1]
    packed = pack(FORMS[op], w)
    expected = np.empty(len(packed))
    ORACLE["pack"](expected, w.astype(np.float64), form=FORMS[op].form, groups=1, elements=len(packed))
    np.testing.assert_allclose(packed, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("op", FORMS)
@pytest.mark.parametrize("shape", ["tiles cut off", "uneven padding"])
def test_a_map_is_computed_behind_the_sums(op: str, shape: str) -> None:
    one = case(op, shape)
    bias, other = normal(one.result[-1], dtype=np.float32), apart(normal(*one.result, dtype=np.float32))
    result, positive = apart(np.full(one.result, np.nan, np.float32)), np.empty(one.result, np.bool_)
    value = operand(0) + operand(1) + 0.5 * operand(2)
    behind = Behind((relu(value), compare("gt", value, wrap(0))), (result, positive), (None, bias, other))
    one.run(op, behind=behind)
    expected = one.oracle(op) + bias + 0.5 * other
    np.testing.assert_allclose(result, np.maximum(expected, 0), rtol=0, atol=2e-5 * np.abs(expected).max())
    np.testing.assert_array_equal(positive, result > 0)


@pytest.mark.parametrize("lanes", ["8", "4"])
def test_vectors_of_other_machines(lanes: str) -> None:
    words = [sys.executable, "tests/narrow.py", lanes, __file__, "-k", "(oracle or behind) and (odd or uneven or blocks)"]
    done = subprocess.run(words, cwd=Path(__file__).parent.parent, capture_output=True, text=True)
    assert not done.returncode, done.stdout
    assert " passed" in done.stdout


@pytest.mark.parametrize("op", OPS)
def test_is_the_same_for_any_number_of_threads(op: str) -> None:
    one = case(op, "several blocks")
    first, *others = (one.run(op, threads).tobytes() for threads in (1, 2, 3))
    assert others == [first, first]


@pytest.mark.parametrize("op", OPS)
def test_not_a_number_is_seen(op: str) -> None:
    one = case(op, "tiles cut off")
    one.operands[0][1, 2, 3, 4] = np.nan
    seen = np.isnan(one.run(op))
    assert seen[np.isnan(one.oracle(op))].all()
    assert not seen.all()


@pytest.mark.parametrize("filters", [1 << 16, 1 << 24])
@pytest.mark.parametrize("panels", [1, 3, 16])
def test_work_is_cut_into_parts_with_little_left_over(panels: int, filters: int) -> None:
    for tiles in range(1, 400):
        block, rows, blocks, groups = cut(tiles, panels, filters)
        assert block % rows == 0
        assert rows < machine().rows
        assert 0 <= blocks * block - tiles < min(blocks * rows, block)
        assert groups <= panels
        assert blocks * groups >= min(8, panels) / 2


NET = """
  - {name: one, conv: {filters: 32, kernel: 3, padding: same}}
  - relu
  - {name: two, conv: {filters: 48, kernel: 3}}
  - {name: bn, batch_norm}
  - relu
  - {name: three, conv: {filters: 16, kernel: 3, padding: 1}}
  - global_mean_pool
  - {name: fc, linear: 5}
"""


def test_a_net_learns_as_on_the_reference() -> None:
    spec = small.text(NET, shape="[16, 13, 10]", train="optimizer: {sgd: {rate: 0.05, momentum: 0.9}}")
    plan = small.planned(spec, dtype="f32", target="cpu")
    algorithms = {i.core.op for i in plan.programs["step"] if i.algorithm == "winograd4" and i.op != "pack"}
    assert algorithms == {"conv", "conv_dx", "conv_dw"}
    one, other = Session(plan), Session(small.planned(spec))
    other.restore({name: value.astype(np.float64) for name, value in one.state().items()})
    x, y = small.pictures(4, (16, 13, 10)), small.labels(4)
    losses = [(one.step(x, y)["loss"], other.step(x, y)["loss"]) for _ in range(10)]
    np.testing.assert_allclose(*zip(*losses, strict=True), rtol=1e-4)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, ""),
        ({"window": (Axis(3, 2, 1, 1), Axis(3, 1, 1, 1))}, "stride"),
        ({"window": (Axis(3, 1, 1, 1), Axis(1, 1))}, "3x3"),
        ({"window": (Axis(3, 1, 3, 1), Axis(3, 1, 1, 1))}, "padding"),
        ({"groups": 2}, "groups"),
        ({"dtype": "f64"}, "f32"),
        ({"filters": 4}, "fewer than"),
    ],
)
def test_an_offer_says_what_it_cannot_run(changed: dict[str, Any], reason: str) -> None:
    row = {"window": (Axis(3, 1, 1, 1),) * 2, "groups": 1, "dtype": "f32", "filters": 64} | changed
    x, w = Value("%x", row["dtype"], (2, 12, 12, 64)), Value("%w", row["dtype"], (row["filters"], 3, 3, 64))
    y = Value("%y", row["dtype"], (2, 12, 12, row["filters"]))
    conv = Instruction((y,), "conv", (x, w), {"window": row["window"], "groups": row["groups"]})
    refusal = not_three(conv)
    assert reason in refusal
    assert bool(reason) == bool(refusal)
    assert not_five(conv)
