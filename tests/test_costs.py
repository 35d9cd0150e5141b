"""What convolutions cost by formula: which algorithm is chosen where, as measured on one machine, and what the counts are."""

from __future__ import annotations

import pytest

from netcompiler.instructions.op import flops
from netcompiler.plan import Axis, Instruction, Value
from netcompiler.targets import TARGETS, Chooser
from netcompiler.targets.costs import by_bands, by_outer_bands, by_outer_rows, by_outer_tiles, by_rows, by_tiles, sizes

CPU = TARGETS["cpu"]


def convolution(
    op: str, n: int, side: int, channels: int, filters: int, kernel: int, stride: int = 1, groups: int = 1, pad: int | None = None
) -> Instruction:
    window = (Axis(kernel, stride, kernel // 2 if pad is None else pad, (kernel - 1) // 2 if pad is None else pad),) * 2
    x = Value("x", "f32", (n, side, side, channels))
    w = Value("w", "f32", (filters, kernel, kernel, channels // groups))
    y = Value("y", "f32", (n, *(axis.size(side) for axis in window), filters))
    result, *operands = {"conv": (y, x, w), "conv_dx": (x, y, w), "conv_dw": (w, x, y)}[op]
    size = {"size": (side, side)} if op == "conv_dx" else {}
    return Instruction((result,), op, tuple(operands), {"window": window, "groups": groups, **size})


@pytest.mark.parametrize(
    ("case", "training", "inference"),
    [
        (("conv", 16, 56, 64, 64, 3), "winograd4", "winograd4"),
        (("conv", 16, 7, 512, 512, 3), "winograd4", "winograd4"),
        (("conv", 1, 14, 256, 256, 3), "winograd4", "winograd4"),
        (("conv", 1, 7, 512, 512, 3), "product", "winograd4"),
        (("conv", 8, 5, 40, 40, 3), "product", "winograd4"),
        (("conv", 8, 56, 64, 256, 1), "product", "product"),
        (("conv", 8, 56, 64, 64, 3, 2), "product", "product"),
        (("conv", 16, 224, 3, 64, 7, 2), "bands", "bands"),
        (("conv", 128, 32, 1, 6, 5), "bands", "bands"),
        (("conv", 32, 224, 3, 64, 11, 4), "bands", "bands"),
        (("conv", 16, 28, 16, 32, 5), "winograd2", "winograd2"),
        (("conv", 8, 27, 64, 192, 5), "winograd2", "winograd2"),
        (("conv_dx", 16, 28, 128, 128, 3), "winograd4", "winograd4"),
        (("conv_dx", 128, 14, 6, 16, 5), "bands", "bands"),
        (("conv_dx", 128, 14, 6, 16, 5, 1, 1, 0), "bands", "bands"),
        (("conv_dw", 16, 28, 128, 128, 3), "winograd4", "winograd4"),
        (("conv_dw", 16, 224, 3, 64, 7, 2), "bands", "bands"),
        (("conv_dw", 16, 14, 24, 64, 5), "winograd2", "winograd2"),
        (("conv", 16, 14, 512, 512, 3, 1, 512), "planes", "planes"),
        (("conv_dw", 16, 28, 512, 512, 3, 2, 512), "planes", "planes"),
        (("conv_dx", 16, 28, 512, 512, 3, 2, 512), "depthwise", "depthwise"),
        (("conv", 16, 14, 512, 512, 3, 1, 32), "product", "product"),
    ],
)
def test_the_algorithm_that_was_measured_to_be_the_fastest(
    case: tuple[str, int, int, int, int, int], training: str, inference: str
) -> None:
    instruction = convolution(*case)
    assert Chooser(CPU).offer(instruction).algorithm == training
    assert Chooser(CPU, repacks=False).offer(instruction).algorithm == inference


@pytest.mark.parametrize("op", ["conv", "conv_dx", "conv_dw"])
@pytest.mark.parametrize("groups", [1, 4])
def test_sizes_are_those_of_the_convolution(op: str, groups: int) -> None:
    found = sizes(convolution(op, 2, 12, 8, 20, 3, 2, groups))
    assert found.pixels == 2 * 6 * 6
    assert (found.inner, found.outer) == ((5, 2) if groups == 4 else (20, 8))[:: 1 if op == "conv_dx" else -1]
    assert 2 * found.pixels * 9 * found.inner * found.outer * groups == flops(convolution(op, 2, 12, 8, 20, 3, 2, groups))


@pytest.mark.parametrize(
    ("op", "costs"),
    [("conv", (by_rows, by_bands)), ("conv_dx", (by_rows, by_bands)), ("conv_dw", (by_outer_rows, by_outer_bands))],
)
def test_direct_algorithms_do_no_less_than_is_asked_for(op: str, costs: tuple[object, ...]) -> None:
    """Beside that they waste: little where channels fill the blocks."""
    full, ragged = convolution(op, 4, 28, 256, 256, 3), convolution(op, 4, 30, 20, 20, 3)
    for cost in costs:
        assert 1 <= cost(full).flops / flops(full) < 1.05  # type: ignore[operator]
        assert 1.2 < cost(ragged).flops / flops(ragged) < 2.5  # type: ignore[operator]


@pytest.mark.parametrize(("op", "cost"), [("conv", by_tiles), ("conv_dx", by_tiles), ("conv_dw", by_outer_tiles)])
def test_winograd_comes_near_a_quarter_where_channels_are_many(op: str, cost: object) -> None:
    """36 products stand for 144; transforms are of channels, products of pairs of them."""
    shares = [cost(i).flops / flops(i) for i in (convolution(op, 16, 28, n, n, 3) for n in (32, 64, 256))]  # type: ignore[operator]
    assert 0.25 < shares[2] <= shares[1] < 0.32 < shares[0] < 0.4


def test_half_of_a_tile_costs_a_whole_one() -> None:
    whole, part = (by_tiles(convolution("conv", 1, side, 64, 64, 3)).flops for side in (8, 5))
    assert whole == part
