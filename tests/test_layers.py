"""Layers one by one: shapes, counts, receptive fields, and what each has against its input."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import product

import pytest
from pydantic import ValidationError

from netcompiler.diagnostics import Mistake
from netcompiler.expression import parse_value
from netcompiler.layers import KINDS
from netcompiler.layers.layer import Layer
from netcompiler.layers.window import Window, windows
from netcompiler.options import Expect
from netcompiler.reader import Findings, fields_of, mark_of, read_options
from netcompiler.source import Mapping, Source, parse


def layer(kind: str, **options: object) -> Layer:
    return KINDS[kind].model_validate(options)


MAPS = (6, 28, 28)

C3 = """
    X...XXX..XXXX.XX
    XX...XXX..XXXX.X
    XXX...XXX..X.XXX
    .XXX..XXXX..X.XX
    ..XXX..XXXX.XX.X
    ...XXX..XXXX.XXX
"""

QUARTERS = ["identity", {"rotate": 90}, {"rotate": 180}, {"rotate": 270}]
EDGE = [[1, 0, -1], [0, 0, 0], [-1, 0, 1]]

# kind, options, input, output, params, buffers, macs
ROWS = [
    # LeNet-5, layer by layer
    ("conv", {"filters": 6, "kernel": 5}, (1, 32, 32), (6, 28, 28), 156, 0, 117_600),
    ("max_pool", {"kernel": 2}, (6, 28, 28), (6, 14, 14), 0, 0, 0),
    ("conv", {"filters": 16, "kernel": 5}, (6, 14, 14), (16, 10, 10), 2_416, 0, 240_000),
    ("conv", {"filters": 16, "kernel": 5, "connections": C3}, (6, 14, 14), (16, 10, 10), 1_516, 0, 150_000),
    ("scale", {}, (6, 14, 14), (6, 14, 14), 12, 0, 0),
    ("flatten", {}, (16, 5, 5), (400,), 0, 0, 0),
    ("linear", {"units": 120}, (400,), (120,), 48_120, 0, 48_000),
    ("rbf", {"classes": 10, "centers": "lenet-digits"}, (84,), (10,), 0, 840, 0),
    # windows: even kernels, strides, padding by side and by end, dilation
    ("conv", {"filters": 1, "kernel": 2, "padding": "same"}, (1, 5, 5), (1, 5, 5), 5, 0, 100),
    ("conv", {"filters": 1, "kernel": 4, "padding": "same"}, (1, 5, 5), (1, 5, 5), 17, 0, 400),
    ("conv", {"filters": 1, "kernel": 3, "padding": "same", "stride": 2}, (1, 13, 14), (1, 7, 7), 10, 0, 441),
    ("conv", {"filters": 1, "kernel": 5, "padding": "same", "stride": 2}, (1, 27, 28), (1, 14, 14), 26, 0, 4_900),
    ("conv", {"filters": 64, "kernel": 7, "padding": "same", "stride": 2}, (3, 224, 224), (64, 112, 112), 9_472, 0, 118_013_952),
    ("conv", {"filters": 2, "kernel": 3, "padding": "full", "bias": False}, (1, 4, 4), (2, 6, 6), 18, 0, 648),
    ("conv", {"filters": 2, "kernel": 3, "padding": "valid"}, (1, 4, 4), (2, 2, 2), 20, 0, 72),
    ("conv", {"filters": 2, "kernel": [1, 3], "stride": [1, 2], "padding": [0, [1, 0]]}, (4, 5, 6), (2, 5, 3), 26, 0, 360),
    ("conv", {"filters": 1, "kernel": 3, "dilation": 2}, (1, 7, 7), (1, 3, 3), 10, 0, 81),
    ("conv", {"filters": 1, "kernel": 3, "dilation": 2, "padding": "same"}, (1, 7, 7), (1, 7, 7), 10, 0, 441),
    ("conv", {"filters": 1, "kernel": 2, "stride": 3}, (1, 5), (1, 2), 3, 0, 4),
    ("conv", {"filters": 1, "kernel": 2, "stride": 3, "rounding": "ceil"}, (1, 6), (1, 2), 3, 0, 4),
    ("conv", {"filters": 1, "kernel": 2, "stride": 2, "rounding": "exact"}, (1, 6), (1, 3), 3, 0, 6),
    ("conv", {"filters": 1, "kernel": 3, "stride": 2, "padding": "same", "rounding": "ceil"}, (1, 4), (1, 2), 4, 0, 6),
    ("conv", {"filters": 1, "kernel": 3, "stride": 2, "padding": "same", "rounding": "exact"}, (1, 4), (1, 2), 4, 0, 6),
    # 1-D and 3-D
    ("conv", {"filters": 8, "kernel": 5}, (39, 100), (8, 96), 1_568, 0, 149_760),
    ("conv", {"filters": 2, "kernel": 3, "padding": 1}, (1, 4, 5, 6), (2, 4, 5, 6), 56, 0, 6_480),
    # groups, depthwise, given weights, transforms
    ("conv", {"filters": 256, "kernel": 5, "padding": "same", "groups": 2}, (96, 27, 27), (256, 27, 27), 307_456, 0, 223_948_800),
    ("conv", {"filters": 32, "kernel": 3, "padding": 1, "groups": 32, "bias": False}, (32, 8, 8), (32, 8, 8), 288, 0, 18_432),
    ("conv", {"filters": 1, "kernel": 3, "weights": [EDGE], "bias": False}, (1, 5, 5), (1, 3, 3), 0, 9, 81),
    ("conv", {"filters": 1, "kernel": 3, "weights": [[EDGE, EDGE]]}, (2, 5, 5), (1, 3, 3), 1, 18, 162),
    ("conv", {"filters": 5, "kernel": 3, "transforms": QUARTERS}, (2, 5, 5), (20, 3, 3), 95, 0, 3_240),
    # transposed: S*N for K = S, S*N + 1 for K = S + 1
    ("conv_transpose", {"filters": 1, "kernel": 2, "stride": 2}, (1, 7, 7), (1, 14, 14), 5, 0, 196),
    ("conv_transpose", {"filters": 1, "kernel": 3, "stride": 2}, (1, 3), (1, 7), 4, 0, 9),
    ("conv_transpose", {"filters": 1, "kernel": 3, "stride": 2}, (1, 2, 2), (1, 5, 5), 10, 0, 36),
    ("conv_transpose", {"filters": 4, "kernel": 4, "stride": 2, "padding": 1, "groups": 2}, (6, 5, 5), (4, 10, 10), 196, 0, 4_800),
    ("conv_transpose", {"filters": 1, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1}, (1, 4), (1, 8), 4, 0, 12),
    ("conv_transpose", {"filters": 1, "kernel": 2, "dilation": 3}, (1, 4), (1, 7), 3, 0, 8),
    # allowable edges: n = 5, K = 3
    ("linear", {"units": 5, "bias": False}, (5,), (5,), 25, 0, 25),
    ("local", {"filters": 1, "kernel": 3, "padding": "same", "bias": False}, (1, 5), (1, 5), 13, 0, 13),
    ("conv", {"filters": 1, "kernel": 3, "padding": "same", "bias": False}, (1, 5), (1, 5), 3, 0, 15),
    # a 200x200 picture and 400,000 hidden units
    ("linear", {"units": 400_000, "bias": False}, (40_000,), (400_000,), 16_000_000_000, 0, 16_000_000_000),
    ("local", {"filters": 10, "kernel": 10, "bias": False}, (1, 209, 209), (10, 200, 200), 40_000_000, 0, 40_000_000),
    ("conv", {"filters": 10, "kernel": 10}, (3, 209, 209), (10, 200, 200), 3_010, 0, 120_000_000),
    ("local", {"filters": 2, "kernel": 2, "stride": 2}, (3, 4, 4), (2, 2, 2), 104, 0, 96),
    # the smallest layers with weights
    ("scale", {"bias": False}, (7,), (7,), 7, 0, 0),
    ("scale", {"weight": False}, MAPS, MAPS, 6, 0, 0),
    ("rbf", {"classes": 2, "centers": [[1, 0, 0.5], [0, 1, 0]]}, (3,), (2,), 0, 6, 0),
    # pools
    ("max_pool", {"kernel": 2}, (4, 27, 27), (4, 13, 13), 0, 0, 0),
    ("max_pool", {"kernel": 2, "rounding": "ceil"}, (4, 27, 27), (4, 14, 14), 0, 0, 0),
    ("max_pool", {"kernel": 3, "stride": 2}, (96, 55, 55), (96, 27, 27), 0, 0, 0),
    ("max_pool", {"kernel": 3, "stride": 2, "padding": 1}, (64, 112, 112), (64, 56, 56), 0, 0, 0),
    ("max_pool", {"kernel": 3, "stride": 2, "rounding": "ceil"}, (64, 112, 112), (64, 56, 56), 0, 0, 0),
    ("max_pool", {"kernel": 2, "stride": 2, "padding": 1, "rounding": "ceil"}, (1, 3), (1, 2), 0, 0, 0),
    ("max_pool", {"kernel": 3, "stride": 2, "padding": 1, "rounding": "ceil"}, (1, 4), (1, 3), 0, 0, 0),
    ("max_pool", {"kernel": 2, "dilation": 3, "stride": 1}, (1, 8), (1, 5), 0, 0, 0),
    ("max_pool", {"kernel": 1, "stride": 2, "padding": "same"}, (1, 5), (1, 3), 0, 0, 0),
    ("max_pool", {"kernel": [12, 1]}, (8, 40, 9), (8, 3, 9), 0, 0, 0),
    ("mean_pool", {"kernel": 2}, (6, 28, 28), (6, 14, 14), 0, 0, 0),
    ("mean_pool", {"kernel": 3, "stride": 2, "rounding": "ceil"}, (6, 28, 28), (6, 14, 14), 0, 0, 0),
    ("mean_pool", {"kernel": 3, "stride": 2, "padding": 1, "count_padding": True}, MAPS, (6, 14, 14), 0, 0, 0),
    ("mean_pool", {"kernel": 2, "padding": [[0, 1]]}, (1, 4), (1, 2), 0, 0, 0),  # no window reaches that zero
    ("lp_pool", {"kernel": 2, "p": 5}, (1, 4, 4), (1, 2, 2), 0, 0, 0),
    ("learned_pool", {"kernel": 2}, MAPS, (6, 14, 14), 5, 0, 4_704),
    ("learned_pool", {"kernel": 3, "stride": 2, "hidden": 4, "activation": "relu"}, MAPS, (6, 13, 13), 45, 0, 40_560),
    ("global_mean_pool", {}, (2048, 7, 7), (2048,), 0, 0, 0),
    ("global_max_pool", {}, (8, 5), (8,), 0, 0, 0),
    # resampling
    ("downsample", {"stride": 2}, (3, 13, 14), (3, 7, 7), 0, 0, 0),
    ("downsample", {"stride": [3, 1]}, (3, 7, 7), (3, 3, 7), 0, 0, 0),
    ("upsample", {"stride": 2, "mode": "zeros"}, (3, 7, 7), (3, 14, 14), 0, 0, 0),
    ("upsample", {"stride": [2, 3], "mode": "nearest"}, (3, 7, 7), (3, 14, 21), 0, 0, 0),
    ("upsample", {"stride": 2, "mode": "bilinear"}, (3, 7), (3, 14), 0, 0, 0),
    # normalisation and noise
    ("batch_norm", {}, (64, 8, 8), (64, 8, 8), 128, 128, 0),
    ("batch_norm", {"affine": False, "momentum": 0.01, "epsilon": 1e-3}, (64,), (64,), 0, 128, 0),
    ("group_norm", {"groups": 32}, (64, 8, 8), (64, 8, 8), 128, 0, 0),
    ("layer_norm", {}, (3, 4, 4), (3, 4, 4), 96, 0, 0),
    ("layer_norm", {"affine": False}, (10,), (10,), 0, 0, 0),
    ("lrn", {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2}, MAPS, MAPS, 0, 0, 0),
    ("dropout", {"rate": 0.5}, (4096,), (4096,), 0, 0, 0),
    ("drop_path", {"rate": 0.1}, MAPS, MAPS, 0, 0, 0),
    # form
    ("flatten", {}, (400,), (400,), 0, 0, 0),
    ("reshape", {"shape": [16, 5, 5]}, (400,), (16, 5, 5), 0, 0, 0),
    ("reshape", {"shape": [16, -1]}, (4, 10, 10), (16, 25), 0, 0, 0),
    ("pad", {"sides": 1}, (3, 4, 4), (3, 6, 6), 0, 0, 0),
    ("pad", {"sides": [[1, 2], 0], "channels": [0, 5]}, (3, 4, 4), (8, 7, 4), 0, 0, 0),
    ("pad", {"channels": 2}, (3,), (7,), 0, 0, 0),
    ("crop", {"sides": 1}, (3, 4, 4), (3, 2, 2), 0, 0, 0),
    ("crop", {"sides": [[1, 2], 0]}, (3, 4, 4), (3, 1, 4), 0, 0, 0),
    ("slice", {"end": 32}, (64, 7, 7), (32, 7, 7), 0, 0, 0),
    ("slice", {"begin": -3, "end": 8, "step": 2}, (8, 7, 7), (2, 7, 7), 0, 0, 0),
    ("slice", {"begin": 1, "end": -1, "axis": 1}, (8, 7, 9), (8, 7, 7), 0, 0, 0),
    ("slice", {"end": 3}, (10,), (3,), 0, 0, 0),
    # activations
    *(
        (kind, {}, shape, shape, 0, 0, 0)
        for shape in [MAPS, (10,)]
        for kind in ["relu", "relu6", "elu", "selu", "sigmoid", "tanh", "softplus", "gelu", "silu", "hard_swish", "hard_sigmoid", "softmax"]
    ),
    ("leaky_relu", {"slope": 0.1}, MAPS, MAPS, 0, 0, 0),
    ("gelu", {"approximate": True}, MAPS, MAPS, 0, 0, 0),
    ("softmax", {"axis": "channels"}, MAPS, MAPS, 0, 0, 0),
    ("softmax", {"axis": 1}, MAPS, MAPS, 0, 0, 0),
    ("map", {"expression": "x * tanh(softplus(x))"}, MAPS, MAPS, 0, 0, 0),
    # the Neocognitron
    ("s_cells", {"filters": 24, "kernel": 5, "padding": "same"}, (1, 16, 16), (24, 16, 16), 624, 25, 160_000),
    ("s_cells", {"filters": 4, "kernel": 3}, (2, 5, 5), (4, 3, 3), 76, 18, 810),
    ("c_cells", {"kernel": 5, "stride": 2}, (24, 17, 17), (24, 7, 7), 0, 25, 29_400),
    ("c_cells", {"kernel": 2}, (3, 8), (3, 4), 0, 2, 24),
]


def label(row: tuple) -> str:
    kind, options, x, *_ = row
    return f"{kind} {' '.join(f'{key}={value}'.split(chr(10))[0] for key, value in options.items())} {'x'.join(map(str, x))}"[:100]


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_shape_and_counts(row):
    kind, options, x, y, params, buffers, macs = row
    one = layer(kind, **options)
    assert one.shape(x) == y
    parameters = one.parameters(x)
    assert sum(p.size for p in parameters if p.learnable) == params
    assert sum(p.size for p in parameters if not p.learnable) == buffers
    cost = one.cost(x, y)
    assert cost.macs == macs
    assert cost.flops == 2 * macs + cost.work
    assert len({p.name for p in parameters}) == len(parameters)


@pytest.mark.parametrize("row", [row for row in ROWS if row[0] != "map"], ids=label)
def test_an_explanation_is_arithmetic_that_holds(row):
    kind, options, x, y, *_ = row
    lines = list(layer(kind, **options).explain(x, y))
    assert lines
    for line in lines:
        sides = [figure(side) for side in line.rpartition(": ")[2].split(" = ") if " = " in line]
        assert len(set(sides)) <= 1, line


def figure(text: str) -> Fraction:
    """The value of a formula in an explanation: its words are left out, 28x28 is a product."""
    words = re.sub(r"\b(?!(floor|ceil)\b)[a-z_.]+", " ", re.sub(r"(?<=\d)x(?=\d)", "*", text.replace(",", "")))
    return parse_value(f"$({words.strip()})").evaluate(lambda name: None)


def test_every_layer_has_rows():
    merges = {kind for kind, cls in KINDS.items() if cls.family == "merge"}
    assert {row[0] for row in ROWS} | merges == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_describes_itself(kind):
    cls = KINDS[kind]
    assert cls.__doc__
    assert cls.family
    assert cls.formula
    assert cls.keeps in ("nothing", "input", "output", "index")
    for key, field in fields_of(cls).items():
        assert field.description, key
        assert mark_of(field, Expect), key


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_layer_is_a_layer(kind):
    node = parse(Source("example", KINDS[kind].example))
    options = node.entries[kind] if isinstance(node, Mapping) else None
    findings = Findings()
    assert read_options(KINDS[kind], options, node.place, kind, findings), findings.list


# sizes

SIZES = [  # N, K, S, padding, rounding -> M and the zeros before and behind
    (5, 2, 1, "same", "floor", 5, (0, 1)),
    (5, 4, 1, "same", "floor", 5, (1, 2)),
    (13, 3, 2, "same", "floor", 7, (1, 2)),
    (27, 5, 2, "same", "floor", 14, (2, 3)),
    (224, 7, 2, "same", "floor", 112, (3, 3)),
    (5, 3, 1, "full", "floor", 7, (2, 2)),
    (5, 3, 1, "valid", "floor", 3, (0, 0)),
    (5, 3, 2, 0, "floor", 2, (0, 0)),
    (5, 2, 3, 0, "floor", 2, (0, 0)),
    (27, 2, 2, 0, "ceil", 14, (0, 0)),
    (27, 2, 2, 0, "floor", 13, (0, 0)),
    (6, 2, 3, 0, "ceil", 2, (0, 0)),
    (227, 11, 4, 0, "exact", 55, (0, 0)),
    (224, 7, 2, 1, "floor", 110, (1, 1)),
]


@pytest.mark.parametrize("row", SIZES, ids=str)
def test_size(row):
    n, kernel, stride, padding, rounding, size, pads = row
    [window] = windows((1, n), kernel, stride, padding, rounding=rounding)
    assert (window.low, window.high) == pads
    assert window.size(n) == size


def reads(window: Window, n: int, size: int) -> list[list[int]]:
    """The cells that each window reads, padding and what ceil cuts off included."""
    return [[i * window.stride - window.low + tap * window.dilation for tap in range(window.kernel)] for i in range(size)]


GRID = [
    Window(kernel, stride, low, high, dilation, rounding)
    for kernel, stride, low, high, dilation, rounding in product((1, 2, 3), (1, 2, 3), (0, 1, 3), (0, 2), (1, 3), ("floor", "ceil"))
]


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_a_window_counts_what_a_loop_counts(n):
    for window in GRID:
        have = n + window.low + window.high
        if window.extent > have:
            continue
        size = window.size(n)
        cells = reads(window, n, size)
        full = sum(begin + window.extent <= have for begin in range(0, have, window.stride))
        more = window.rounding == "ceil" and (have - window.extent) % window.stride and full * window.stride < n + window.low
        assert size == full + bool(more)
        inside = [[cell for cell in one if 0 <= cell < n] for one in cells]
        assert window.taps(n) == sum(map(len, inside))
        assert window.misses(n) == (not all(inside)), window
        end = cells[-1][0] + window.extent
        assert window.unread(n) == (max(0, n - end) if window.extent >= window.stride else 0)
        assert window.pads(n) == (cells[0][0] < 0 or (window.high > 0 and end > n))


def test_pads_tells_padding_from_what_ceil_cuts_off():
    assert not Window(3, 2, 0, 0, rounding="ceil").pads(6)
    assert Window(3, 2, 0, 1).pads(6)
    assert not Window(2, 2, 0, 1).pads(4)
    assert Window(2, 2, 1, 0).pads(4)


# work and connections

COSTS = [  # kind, options, input, work, connections
    ("conv", {"filters": 6, "kernel": 5}, (1, 32, 32), 4_704, 122_304),
    ("conv", {"filters": 6, "kernel": 5, "bias": False}, (1, 32, 32), 0, 117_600),
    ("linear", {"units": 84}, (120,), 84, 10_164),
    ("scale", {}, (6, 14, 14), 2_352, 1_176),
    ("rbf", {"classes": 10, "centers": "lenet-digits"}, (84,), 2_520, 840),
    ("max_pool", {"kernel": 2}, (1, 4, 4), 12, 16),
    ("max_pool", {"kernel": 3, "stride": 2, "rounding": "ceil"}, (1, 4), 3, 5),
    ("max_pool", {"kernel": 3, "stride": 1, "padding": 1}, (2, 4), 12, 20),
    ("mean_pool", {"kernel": 2}, (6, 28, 28), 4_704, 4_704),
    ("mean_pool", {"kernel": 3, "stride": 2, "padding": 1, "count_padding": False}, (1, 4), 5, 5),
    ("lp_pool", {"kernel": 2, "p": 2}, (1, 4), 14, 4),
    ("learned_pool", {"kernel": 2}, (1, 4), 4, 6),
    ("learned_pool", {"kernel": 2, "hidden": 3, "activation": "sigmoid"}, (1, 4), 40, 26),
    ("global_mean_pool", {}, (3, 4, 4), 48, 48),
    ("global_max_pool", {}, (3, 4, 4), 45, 48),
    ("downsample", {"stride": 2}, (3, 4, 4), 0, 0),
    ("upsample", {"stride": 2, "mode": "zeros"}, (1, 4, 4), 0, 0),
    ("upsample", {"stride": 2, "mode": "nearest"}, (1, 4, 4), 0, 0),
    ("upsample", {"stride": 2, "mode": "bilinear"}, (1, 4, 4), 448, 0),
    ("upsample", {"stride": [1, 2], "mode": "bilinear"}, (1, 4, 4), 96, 0),
    ("upsample", {"stride": 1, "mode": "bilinear"}, (1, 4, 4), 0, 0),
    ("batch_norm", {}, (3, 4, 4), 96, 0),
    ("group_norm", {"groups": 2}, (4, 5), 164, 0),
    ("layer_norm", {"affine": False}, (10,), 62, 0),
    ("lrn", {"size": 3, "alpha": 1, "beta": 1, "k": 1}, (4, 1), 32, 0),
    ("dropout", {"rate": 0.5}, (10,), 0, 0),
    ("drop_path", {"rate": 0.5}, (10,), 0, 0),
    ("flatten", {}, MAPS, 0, 0),
    ("pad", {"sides": 1}, MAPS, 0, 0),
    ("relu", {}, (10,), 10, 0),
    ("relu6", {}, (10,), 20, 0),
    ("leaky_relu", {"slope": 0.1}, (10,), 20, 0),
    ("elu", {}, (10,), 40, 0),
    ("selu", {}, (10,), 50, 0),
    ("sigmoid", {}, (10,), 40, 0),
    ("tanh", {}, (10,), 10, 0),
    ("softplus", {}, (10,), 30, 0),
    ("gelu", {}, (10,), 50, 0),
    ("gelu", {"approximate": True}, (10,), 80, 0),
    ("silu", {}, (10,), 40, 0),
    ("hard_swish", {}, (10,), 50, 0),
    ("hard_sigmoid", {}, (10,), 40, 0),
    ("softmax", {}, (10,), 29, 0),
    ("softmax", {"axis": "channels"}, (10, 2, 2), 116, 0),
    ("s_cells", {"filters": 2, "kernel": 3}, (1, 3), 20, 11),
    ("c_cells", {"kernel": 3}, (2, 3), 15, 14),
]


@pytest.mark.parametrize("row", COSTS, ids=label)
def test_work_and_connections(row):
    kind, options, x, work, connections = row
    one = layer(kind, **options)
    cost = one.cost(x, one.shape(x))
    assert (cost.work, cost.connections) == (work, connections)


def test_lenet_of_1998_has_60000_weights_and_340908_connections():
    subsample = [("mean_pool", {"kernel": 2}), ("scale", {})]
    layers = [
        ("conv", {"filters": 6, "kernel": 5}),
        *subsample,
        ("conv", {"filters": 16, "kernel": 5, "connections": C3}),
        *subsample,
        ("conv", {"filters": 120, "kernel": 5}),
        ("flatten", {}),
        ("linear", {"units": 84}),
        ("rbf", {"classes": 10, "centers": "lenet-digits"}),
    ]
    x, weights, connections = (1, 32, 32), 0, 0
    for kind, options in layers:
        one = layer(kind, **options)
        y = one.shape(x)
        weights += sum(p.size for p in one.parameters(x) if p.learnable)
        connections += one.cost(x, y).connections
        x = y
    assert (weights, connections) == (60_000, 340_908)


# receptive fields

half = Fraction(1, 2)
REACHES = [  # kind, options, input, extent and step of each side; None: the whole input
    ("conv", {"filters": 1, "kernel": [3, 5], "stride": [1, 2]}, (1, 9, 9), ((3, 5), (1, 2))),
    ("conv", {"filters": 1, "kernel": 3, "dilation": 4}, (1, 9), ((9,), (1,))),
    ("conv_transpose", {"filters": 1, "kernel": 4, "stride": 2}, (1, 9), ((2,), (half,))),
    ("conv_transpose", {"filters": 1, "kernel": 3, "stride": 2}, (1, 9), ((2,), (half,))),
    ("local", {"filters": 1, "kernel": 3}, (1, 9), ((3,), (1,))),
    ("max_pool", {"kernel": 3, "stride": 2, "dilation": 2}, (1, 9), ((5,), (2,))),
    ("mean_pool", {"kernel": 2}, (1, 9), ((2,), (2,))),
    ("s_cells", {"filters": 1, "kernel": 5}, (1, 9), ((5,), (1,))),
    ("c_cells", {"kernel": 3, "stride": 2}, (1, 9), ((3,), (2,))),
    ("downsample", {"stride": 2}, (1, 9), ((1,), (2,))),
    ("upsample", {"stride": 2, "mode": "nearest"}, (1, 9), ((1,), (half,))),
    ("upsample", {"stride": [2, 1], "mode": "bilinear"}, (1, 9, 9), ((2, 1), (half, 1))),
    ("slice", {"end": 9, "step": 3, "axis": 0}, (1, 9, 9), ((1, 1), (3, 1))),
    ("slice", {"end": 1, "step": 3}, (4, 9, 9), ((1, 1), (1, 1))),
    ("pad", {"sides": 1}, (1, 9), ((1,), (1,))),
    ("relu", {}, (1, 9), ((1,), (1,))),
    ("relu", {}, (9,), ((), ())),
    ("batch_norm", {}, (1, 9), ((1,), (1,))),
    ("lrn", {"size": 5, "alpha": 1, "beta": 1, "k": 1}, (8, 9), ((1,), (1,))),
    ("softmax", {"axis": "channels"}, (8, 9), ((1,), (1,))),
    ("softmax", {"axis": 0}, (8, 9, 7), ((9, 1), (1, 1))),
    *(
        (kind, options, x, None)
        for kind, options, x in [
            ("softmax", {}, (8, 9)),
            ("linear", {"units": 1}, (9,)),
            ("rbf", {"classes": 10, "centers": "lenet-digits"}, (84,)),
            ("global_mean_pool", {}, (8, 9)),
            ("global_max_pool", {}, (8, 9)),
            ("flatten", {}, (8, 9)),
            ("reshape", {"shape": [72]}, (8, 9)),
            ("group_norm", {"groups": 2}, (8, 9)),
            ("layer_norm", {}, (8, 9)),
        ]
    ),
]


@pytest.mark.parametrize("row", REACHES, ids=label)
def test_reach(row):
    kind, options, x, reach = row
    assert layer(kind, **options).reach(x) == reach


# mistakes

LRN = {"alpha": 1e-4, "beta": 0.75, "k": 2}
MISTAKES = [  # kind, options, inputs, code, the option at fault, what the message, its facts or its help must say
    ("conv", {"filters": 1, "kernel": 3}, [(7,)], "rank", "", ["conv reads maps", "a vector of 7", "`flatten`"]),
    ("conv", {"filters": 1, "kernel": [3, 3, 3]}, [MAPS], "rank", "kernel", ["kernel has 3 entries", "2 sides", "a list of 2"]),
    ("conv", {"filters": 1, "kernel": 5}, [(3, 4, 9)], "too-small", "kernel", ["a window of 5", "into 4 cells", "3x5x9", "side 0: 4"]),
    ("conv", {"filters": 1, "kernel": 3, "dilation": 4, "padding": 1}, [(1, 5)], "too-small", "kernel", ["5 and 2 of padding", "1x7"]),
    (
        "conv",
        {"filters": 1, "kernel": 7, "stride": 2, "rounding": "exact"},
        [(3, 224, 224)],
        "not-exact",
        "rounding",
        ["(224 + 0 - 7) / 2"],
    ),
    (
        "conv",
        {"filters": 1, "kernel": 3, "stride": 2, "padding": "same", "rounding": "exact"},
        [(1, 5)],
        "not-exact",
        "rounding",
        ["5 / 2"],
    ),
    ("conv", {"filters": 8, "kernel": 1, "groups": 3}, [(6, 4, 4)], "groups", "groups", ["3 groups", "6 input maps", "one of 1, 2"]),
    (
        "conv",
        {"filters": 2, "kernel": 1, "groups": 2, "connections": "XX XX"},
        [(2, 4)],
        "connections",
        "connections",
        ["leave groups out"],
    ),
    ("conv", {"filters": 2, "kernel": 1, "connections": "XX Xo"}, [(2, 4)], "connections", "connections", ["`Xo`"]),
    ("conv", {"filters": 3, "kernel": 1, "connections": "XX XX"}, [(4, 4)], "connections", "connections", ["2 lines of 2", "needs 4 of 3"]),
    ("conv", {"filters": 2, "kernel": 3, "weights": [EDGE]}, [(1, 5, 5)], "weights", "weights", ["1 filters are given", "filters is 2"]),
    ("conv", {"filters": 1, "kernel": 2, "weights": [EDGE]}, [(4, 5, 5)], "weights", "weights", ["filter 0 is 3x3", "2x2, or 4x2x2"]),
    ("conv", {"filters": 1, "kernel": 2, "weights": [[[1], [1, 2]]]}, [(4, 5, 5)], "weights", "weights", ["filter 0 is ragged"]),
    ("conv", {"filters": 1, "kernel": 2, "weights": [3]}, [(4, 5, 5)], "weights", "weights", ["filter 0 is a number"]),
    ("conv", {"filters": 1, "kernel": 3, "transforms": QUARTERS}, [(1, 9)], "rank", "transforms", ["two sides"]),
    ("conv", {"filters": 1, "kernel": 3, "transforms": [{"flip": "maps"}]}, [(1, 9, 9)], "transforms", "transforms", ["rows or columns"]),
    ("conv", {"filters": 1, "kernel": 3, "transforms": [{"scale": 0}]}, [(1, 9, 9)], "transforms", "transforms", ["above 0"]),
    ("conv_transpose", {"filters": 1, "kernel": 3}, [(7,)], "rank", "", ["conv_transpose reads maps"]),
    (
        "conv_transpose",
        {"filters": 1, "kernel": 3, "stride": 2, "output_padding": 2},
        [(1, 4)],
        "output-padding",
        "output_padding",
        ["most 1"],
    ),
    ("conv_transpose", {"filters": 1, "kernel": 2, "padding": 3}, [(1, 4)], "too-small", "padding", ["leaves 1x-1", "less padding"]),
    ("conv_transpose", {"filters": 4, "kernel": 2, "groups": 3}, [(6, 4)], "groups", "groups", ["one of 1, 2"]),
    ("linear", {"units": 10}, [(16, 5, 5)], "rank", "", ["16 maps of 5x5", "400 inputs, 4,000 weights", "16 inputs, 160 weights"]),
    ("scale", {"weight": False, "bias": False}, [MAPS], "no-effect", "", ["does nothing"]),
    ("rbf", {"classes": 10, "centers": "lenet-digits"}, [(84, 1)], "rank", "", ["rbf reads a vector"]),
    ("rbf", {"classes": 10, "centers": "lenet-digit"}, [(84,)], "centers", "centers", ["`lenet-digits`"]),
    ("rbf", {"classes": 26, "centers": "lenet-digits"}, [(84,)], "centers", "centers", ["10 centers", "classes is 26"]),
    ("rbf", {"classes": 10, "centers": "lenet-digits"}, [(120,)], "centers", "centers", ["84 numbers", "a vector of 120"]),
    ("rbf", {"classes": 2, "centers": [[1, 2], [1]]}, [(2,)], "centers", "centers", ["1 and 2 numbers"]),
    ("max_pool", {"kernel": 2}, [(7,)], "rank", "", ["max_pool reads maps"]),
    ("max_pool", {"kernel": 3}, [(8, 2, 2)], "too-small", "kernel", ["a window of 3", "8x3x3"]),
    ("max_pool", {"kernel": 2, "padding": 2}, [(1, 8)], "padding", "padding", ["2 before and 2 behind", "at most 1"]),
    (
        "max_pool",
        {"kernel": 2, "dilation": 5, "stride": 1, "padding": [[1, 2]]},
        [(1, 3)],
        "padding",
        "padding",
        ["dilation of at most 3"],
    ),
    ("mean_pool", {"kernel": 3, "padding": 1}, [(1, 6, 6)], "count-padding", "padding", ["count_padding: true divides by 9", "1 and 1"]),
    ("mean_pool", {"kernel": 2, "stride": 1, "padding": "same"}, [(1, 6)], "count-padding", "padding", ["0 and 1"]),
    ("lp_pool", {"kernel": 3, "p": 2}, [(1, 2)], "too-small", "kernel", ["1x3"]),
    ("learned_pool", {"kernel": 3}, [(1, 2)], "too-small", "kernel", ["1x3"]),
    ("global_mean_pool", {}, [(7,)], "rank", "", ["global_mean_pool reads maps"]),
    ("global_max_pool", {}, [(7,)], "rank", "", ["global_max_pool reads maps"]),
    ("downsample", {"stride": 2}, [(7,)], "rank", "", ["downsample reads maps"]),
    ("upsample", {"stride": [2, 2, 2], "mode": "zeros"}, [MAPS], "rank", "stride", ["stride has 3 entries"]),
    ("group_norm", {"groups": 5}, [(12, 4)], "groups", "groups", ["5 groups", "12 channels", "one of 1, 2, 3, 4, 6, 12"]),
    ("lrn", {"size": 5, **LRN}, [(7,)], "rank", "", ["lrn reads maps"]),
    ("lrn", {"size": 4, **LRN}, [MAPS], "lrn-size", "size", ["3 or 5"]),
    ("reshape", {"shape": [16, 5]}, [(400,)], "reshape", "shape", ["16x5 has 80 numbers", "400 come in"]),
    ("reshape", {"shape": [-1, 7]}, [(400,)], "reshape", "shape", ["400 numbers", "7 equal parts"]),
    ("reshape", {"shape": [-1, -1]}, [(400,)], "reshape", "shape", ["2 times"]),
    ("pad", {}, [MAPS], "no-effect", "", ["sides or channels"]),
    ("pad", {"sides": 1}, [(7,)], "rank", "", ["pad reads maps"]),
    ("crop", {"sides": 2}, [(3, 4, 9)], "too-small", "sides", ["nothing is left of 4x9: 0x5"]),
    ("crop", {"sides": 2}, [(9,)], "rank", "", ["crop reads maps"]),
    ("slice", {"end": 9}, [(8, 4)], "slice", "end", ["end 9", "the 8 of channels", "-8 to 8"]),
    ("slice", {"begin": -5, "end": 1, "axis": 0}, [(8, 4)], "slice", "begin", ["begin -5", "the 4 of side 0"]),
    ("slice", {"begin": 3, "end": 3}, [(8, 4)], "slice", "end", ["nothing lies between 3 and 3"]),
    ("slice", {"end": 1, "axis": 1}, [(8, 4)], "axis", "axis", ["no side 1", "sides 0 to 0"]),
    ("softmax", {"axis": 0}, [(8,)], "axis", "axis", ["no side 0", "has no sides"]),
    ("s_cells", {"filters": 1, "kernel": 3}, [(7,)], "rank", "", ["s_cells reads maps"]),
    ("c_cells", {"kernel": 3}, [(2, 2)], "too-small", "kernel", ["2x3"]),
    ("concat", {"of": ["a", "b"]}, [(8, 4, 4), (8, 5, 4)], "shape-mismatch", "", ["4x4 and 5x4", "a: 8x4x4", "b: 8x5x4"]),
    ("concat", {"of": ["a", "b"]}, [(8, 4, 4), (8,)], "shape-mismatch", "", ["different numbers of sides", "b: 8"]),
    ("add", {"of": ["a", "b"]}, [(8,), (4,)], "shape-mismatch", "", ["8 and 4", "linear: 8"]),
    ("add", {"of": ["a", "b"]}, [(256, 56, 56), (64, 56, 56)], "shape-mismatch", "", ["64x56x56", "{filters: 256, kernel: 1}"]),
    ("add", {"of": ["a", "b"]}, [(512, 28, 28), (256, 56, 56)], "shape-mismatch", "", ["{filters: 512, kernel: 1, stride: 2}"]),
    ("add", {"of": ["a", "b"]}, [(256, 55, 55), (512, 28, 28)], "shape-mismatch", "", ["{filters: 512, kernel: 1, stride: 2}"]),
    ("add", {"of": ["a", "b"]}, [(8, 4, 9), (8, 4, 3)], "shape-mismatch", "", ["stride: [1, 3]"]),
    ("add", {"of": ["a", "b"]}, [(8, 9, 9), (8, 7, 7)], "shape-mismatch", "", ["8x9x9", "8x7x7", "`crop`"]),
    ("multiply", {"of": ["a", "b"]}, [(8, 4, 4), (7,)], "shape-mismatch", "", ["a vector of 8", "8x4x4 and 7", "`linear: 8`"]),
    ("multiply", {"of": ["a", "b"]}, [(8, 4, 4), (8, 2, 2)], "shape-mismatch", "", ["8x4x4 and 8x2x2"]),
]


@pytest.mark.parametrize("row", MISTAKES, ids=lambda row: f"{row[0]} {row[3]} {row[5][0]}")
def test_mistake(row):
    kind, options, inputs, code, option, words = row
    with pytest.raises(Mistake) as caught:
        layer(kind, **options).shape(*inputs)
    mistake = caught.value
    assert (mistake.code, mistake.option) == (code, option)
    said = " | ".join([mistake.message, *mistake.facts, mistake.help])
    assert [word for word in words if word not in said] == [], said


def test_after_a_mistake_the_shape_that_was_meant_goes_on():
    for kind, options, inputs, guess in [
        ("linear", {"units": 10}, [MAPS], (10,)),
        ("mean_pool", {"kernel": 3, "stride": 1, "padding": 1}, [(1, 6, 6)], (1, 6, 6)),
        ("add", {"of": ["a", "b"]}, [(256, 56, 56), (64, 56, 56)], (256, 56, 56)),
        ("concat", {"of": ["a", "b"]}, [(8, 4), (8, 5)], (16, 4)),
    ]:
        with pytest.raises(Mistake) as caught:
            layer(kind, **options).shape(*inputs)
        assert caught.value.guess == guess


REFUSED = [
    ("conv", {"filters": 0, "kernel": 3}),
    ("conv", {"filters": 8.0, "kernel": 3}),
    ("conv", {"filters": 8}),
    ("conv", {"filters": 8, "kernal": 3}),
    ("conv", {"filters": 8, "kernel": 3, "padding": "SAME"}),
    ("conv", {"filters": 8, "kernel": 3, "padding": -1}),
    ("conv", {"filters": 8, "kernel": 3, "bias": 1}),
    ("conv", {"filters": 8, "kernel": 3, "transforms": [{"shear": 3}]}),
    ("conv", {"filters": 8, "kernel": 3, "transforms": []}),
    ("max_pool", {"kernel": 3, "padding": "full"}),
    ("max_pool", {"kernel": 3, "rounding": "up"}),
    ("lp_pool", {"kernel": 3, "p": 0.5}),
    ("lp_pool", {"kernel": 3}),
    ("learned_pool", {"kernel": 3, "activation": "softmax"}),
    ("upsample", {"stride": 2}),
    ("lrn", {"size": 5}),
    ("dropout", {"rate": 1}),
    ("dropout", {"rate": -0.1}),
    ("batch_norm", {"momentum": 1.5}),
    ("batch_norm", {"epsilon": 0}),
    ("leaky_relu", {}),
    ("leaky_relu", {"slope": -1}),
    ("reshape", {"shape": [0, 4]}),
    ("reshape", {"shape": [-2, 4]}),
    ("reshape", {"shape": []}),
    ("softmax", {"axis": "rows"}),
    ("softmax", {"axis": True}),
    ("slice", {"end": 3, "step": 0}),
    ("add", {"of": ["a"]}),
    ("s_cells", {"filters": 8, "kernel": 3, "selectivity": 0}),
    ("c_cells", {"kernel": 3, "falloff": 1.1}),
]


@pytest.mark.parametrize(("kind", "options"), REFUSED, ids=str)
def test_options_that_are_refused(kind, options):
    with pytest.raises(ValidationError):
        layer(kind, **options)


# merges

MERGES = [  # kind, inputs, output, work
    ("concat", [(64, 28, 28), (128, 28, 28), (32, 28, 28)], (224, 28, 28), 0),
    ("concat", [(3,), (4,)], (7,), 0),
    ("add", [(64, 56, 56), (64, 56, 56)], (64, 56, 56), 200_704),
    ("add", [(5,), (5,), (5,)], (5,), 10),
    ("multiply", [(8, 4, 4), (8,)], (8, 4, 4), 128),
    ("multiply", [(8,), (8, 4, 4)], (8, 4, 4), 128),
    ("multiply", [(8,), (8,)], (8,), 8),
]


@pytest.mark.parametrize(("kind", "inputs", "output", "work"), MERGES, ids=str)
def test_merge(kind, inputs, output, work):
    merge = layer(kind, of=[f"x{index}" for index in range(len(inputs))])
    assert merge.shape(*inputs) == output
    assert merge.cost(inputs[0], output) == (0, work, 0)
    assert merge.parameters(inputs[0]) == ()


# notes

NOTES = [  # kind, options, input, what the note says; "" where there is none
    ("max_pool", {"kernel": 2}, (4, 27, 28), "1 of side 0"),
    ("max_pool", {"kernel": 2, "rounding": "ceil"}, (4, 27, 27), ""),
    ("max_pool", {"kernel": 2}, (4, 28, 28), ""),
    ("conv", {"filters": 1, "kernel": 3, "stride": 2}, (1, 6, 8), "1 of side 0 and 1 of side 1"),
    ("conv", {"filters": 1, "kernel": 3, "stride": 2, "padding": 1}, (1, 6), ""),
    ("conv", {"filters": 1, "kernel": 1, "stride": 2}, (1, 56, 56), ""),
    ("s_cells", {"filters": 1, "kernel": 3, "stride": 2}, (1, 6), "1 of side 0"),
    ("c_cells", {"kernel": 2}, (1, 5), "1 of side 0"),
]


@pytest.mark.parametrize("row", NOTES, ids=label)
def test_note_about_cells_that_no_window_reads(row):
    kind, options, x, words = row
    notes = list(layer(kind, **options).notes(x))
    assert len(notes) == bool(words)
    for note in notes:
        assert note.code == "remainder"
        assert note.message.endswith(f"are never read: {words}")
        assert "ceil" in note.help


def test_a_view_is_its_input_under_another_shape():
    assert {kind for kind, cls in KINDS.items() if cls.view} == {"flatten", "reshape"}


def test_layers_with_weights_make_the_depth():
    weighted = {kind for kind, cls in KINDS.items() if cls.weighted}
    assert weighted == {"conv", "conv_transpose", "local", "linear", "rbf", "learned_pool", "s_cells"}
