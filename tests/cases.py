"""Rows of small nets, a layer or two each, with the ugly shapes among them. Compilers, kernels and targets are held against them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Item = dict[str, Any]


class Case(NamedTuple):
    """A net of a few layers over an input of this shape (channels, sides)."""

    title: str
    shape: tuple[int, ...]
    items: tuple[Item, ...]
    rows: int = 3
    numbers: str = "normal"
    """What the layers read: normal; `few` whole numbers, so that there are ties and zeros; `zeros` nothing else."""

    @property
    def smooth(self) -> bool:
        """Whether central differences tell the derivative."""
        return self.numbers == "normal"

    def spec(self, loss: str = "l2") -> str:
        """As YAML. What feeds the layers is a vector with a weight and a bias for each number: their gradients show the input's."""
        size = 1
        for n in self.shape:
            size *= n
        front: list[Item] = [{"name": "front", "scale": {}}, {"name": "a", "reshape": {"shape": list(self.shape)}}]
        return json.dumps({"netc": 1, "name": "case", "input": [size], "layers": [*front, *self.items], "loss": loss})


def one(kind: str, shape: Sequence[int], /, *, title: str = "", rows: int = 3, numbers: str = "normal", **options: Any) -> Case:
    words = title or ", ".join(f"{key} {_brief(value)}" for key, value in options.items())
    words += f" ({numbers})" if numbers != "normal" else ""
    sides = "x".join(map(str, shape))
    return Case(f"{kind} of {sides}" + (f": {words}" if words else ""), tuple(shape), ({"name": "layer", kind: options},), rows, numbers)


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 30 else text[:27] + "..."


def several(title: str, shape: Sequence[int], *items: Item, rows: int = 3, numbers: str = "normal") -> Case:
    return Case(title, tuple(shape), items, rows, numbers)


TABLE = """
    X.X
    XX.
    .XX
    X..
"""
EDGE = [[1, 0, -1], [0, 0.5, 0], [-1, 0, 1]]
QUARTERS = ["identity", {"rotate": 90}, {"rotate": 180}, {"rotate": 270}, {"flip": "rows"}, {"flip": "columns"}]
ANGLES = ["identity", {"rotate": 45}, {"rotate": -30}, {"scale": 1.5}, {"scale": 0.5}, {"rotate": 90}]

CONVOLUTIONS = [
    one("conv", (2, 7, 6), filters=3, kernel=3),
    one("conv", (1, 1, 1), filters=2, kernel=1, rows=1, title="one pixel"),
    one("conv", (1, 1, 1), filters=2, kernel=3, padding=1, rows=1, title="one pixel and padding"),
    one("conv", (2, 5, 6), filters=3, kernel=[2, 4], padding="same", title="even kernels, same"),
    one("conv", (2, 8, 7), filters=2, kernel=[2, 1], stride=[3, 4], title="strides larger than kernels"),
    one("conv", (2, 7, 8), filters=2, kernel=3, stride=2, padding="same"),
    one("conv", (2, 6, 6), filters=2, kernel=2, stride=3, rounding="ceil", bias=False),
    one("conv", (2, 4, 5), filters=2, kernel=3, padding="full"),
    one("conv", (2, 9, 8), filters=2, kernel=3, dilation=[3, 2], padding=[[2, 1], 0]),
    one("conv", (4, 5, 5), filters=6, kernel=3, padding=1, groups=2),
    one("conv", (3, 5, 5), filters=6, kernel=3, padding=1, groups=3, rows=1, title="groups = channels"),
    one("conv", (2, 9), filters=3, kernel=4, stride=2, padding=1),
    one("conv", (2, 4, 3, 5), filters=2, kernel=[2, 3, 2], stride=[1, 2, 2], padding=1),
    one("conv", (2, 5, 6), filters=2, kernel=[3, 2], padding=1, flip=True),
    one("conv", (2, 6), filters=2, kernel=3, flip=True, dilation=2),
    one("conv", (4, 5, 5), filters=3, kernel=3, connections=TABLE),
    one("conv", (4, 5), filters=3, kernel=2, connections=TABLE, flip=True),
    one("conv", (2, 5, 5), filters=2, kernel=3, transforms=QUARTERS, title="quarter turns"),
    one("conv", (2, 5, 5), filters=2, kernel=2, transforms=QUARTERS, padding=1, stride=2, title="quarter turns of an even kernel"),
    one("conv", (2, 6, 7), filters=2, kernel=4, transforms=ANGLES, title="other angles"),
    one("conv", (4, 6, 5), filters=4, kernel=[3, 5], groups=2, transforms=ANGLES, padding=2, flip=True, title="oblong, turned and flipped"),
    one(
        "conv", (2, 5, 5), filters=2, kernel=3, connections="X.\nXX", transforms=["identity", {"rotate": 90}], title="connected and turned"
    ),
    one("conv", (2, 5, 5), filters=2, kernel=3, weights=[EDGE, [EDGE, [[0, 1, 0]] * 3]], title="given weights"),
    one("conv_transpose", (2, 4, 3), filters=3, kernel=3),
    one("conv_transpose", (2, 4, 3), filters=3, kernel=2, stride=2),
    one("conv_transpose", (2, 3, 3), filters=2, kernel=2, stride=3, title="stride larger than the kernel"),
    one("conv_transpose", (4, 3, 4), filters=6, kernel=4, stride=2, padding=1, groups=2),
    one("conv_transpose", (2, 3, 4), filters=2, kernel=3, stride=[2, 3], padding=[1, 0], output_padding=[1, 2]),
    one("conv_transpose", (2, 4), filters=2, kernel=3, stride=2, dilation=2, output_padding=1, bias=False),
    one("conv_transpose", (2, 2, 3, 2), filters=1, kernel=2, stride=2, rows=2),
    one("conv_transpose", (1, 1, 1), filters=1, kernel=3, padding=1, rows=1, title="one pixel"),
    one("local", (2, 5, 4), filters=3, kernel=3),
    one("local", (2, 5), filters=2, kernel=3, padding=1, stride=2),
    one("local", (2, 4, 5), filters=2, kernel=[2, 3], padding="same", bias=False),
    one("local", (1, 7, 6), filters=2, kernel=2, dilation=3, stride=2, rounding="ceil"),
    one("local", (1, 3, 3, 3), filters=2, kernel=2, rows=1),
]

LINEAR = [
    one("linear", (5,), units=3),
    one("linear", (1,), units=1, bias=False, rows=1),
    one("scale", (3, 2, 2)),
    one("scale", (3, 4), bias=False),
    one("scale", (4,), weight=False),
    one("rbf", (3,), classes=2, centers=[[1, 0, 0.5], [0, 1, -1]]),
    one("rbf", (84,), classes=10, centers="lenet-digits", rows=2),
]

WINDOWS: list[tuple[tuple[int, ...], dict[str, Any], int]] = [
    ((2, 6, 6), {"kernel": 2}, 3),
    ((2, 7, 6), {"kernel": 3, "stride": 2}, 3),
    ((2, 8, 7), {"kernel": 2, "stride": 3}, 1),
    ((1, 6, 5), {"kernel": 3, "stride": 2, "padding": 1, "rounding": "ceil"}, 3),
    ((2, 6, 7), {"kernel": 2, "stride": 3, "rounding": "ceil"}, 3),
    ((2, 5, 6), {"kernel": [2, 3], "stride": 1, "padding": [[0, 1], [2, 0]]}, 2),
    ((2, 5, 5), {"kernel": 3, "stride": 2, "padding": "same"}, 2),
    ((1, 1, 1), {"kernel": 1}, 1),
    ((2, 9), {"kernel": 4, "stride": 2, "padding": 1}, 2),
    ((1, 4, 5, 3), {"kernel": 2, "stride": [2, 1, 1], "rounding": "ceil"}, 2),
]


def _other_pools(options: Mapping[str, Any]) -> list[tuple[str, Item]]:
    counted: list[Item] = [{"count_padding": True}, {"count_padding": False}] if "padding" in options else [{}]
    return [*(("mean_pool", how) for how in counted), ("lp_pool", {"p": 2.5}), ("learned_pool", {})]


POOLS = [
    *(one("max_pool", shape, rows=rows, **options) for shape, options, rows in WINDOWS),
    one("max_pool", (2, 8, 7), kernel=3, stride=1, dilation=2, padding=1),
    one("max_pool", (1, 6, 6), kernel=3, stride=2, padding=1, rounding="ceil", numbers="few", title="ties"),
    one("max_pool", (1, 17, 17), kernel=17, rows=1, title="more than 256 cells"),
    *(one(kind, shape, rows=rows, **options, **more) for shape, options, rows in WINDOWS for kind, more in _other_pools(options)),
    *(
        one("lp_pool", (2, 4, 4), kernel=2, p=p, numbers=numbers)
        for p, numbers in [(1, "normal"), (2, "normal"), (3, "normal"), (5, "normal"), (1, "few"), (2, "few"), (1.5, "few"), (2, "zeros")]
    ),
    one("learned_pool", (2, 5, 5), kernel=3, stride=2, hidden=4),
    one("learned_pool", (1, 5), kernel=2, hidden=2, activation="softplus", padding=1),
    one("global_mean_pool", (3, 4, 5)),
    one("global_mean_pool", (2, 7), rows=1),
    one("global_max_pool", (3, 4, 5)),
    one("global_max_pool", (2, 3, 2, 2)),
    one("global_max_pool", (2, 4, 4), numbers="few", title="ties"),
]
RESAMPLING = [
    one("downsample", (2, 7, 6), stride=[2, 3]),
    one("downsample", (2, 5), stride=7),
    one("downsample", (1, 3, 4, 5), stride=2),
    *(
        one("upsample", shape, stride=stride, mode=mode)
        for mode in ("zeros", "nearest", "bilinear")
        for shape, stride in [((2, 3, 4), 2), ((2, 3, 2), [3, 1]), ((2, 5), 4), ((1, 2, 1, 3), 2), ((1, 1, 1), 3)]
    ),
]

NORMS = [
    one("batch_norm", (3, 4, 5)),
    one("batch_norm", (4,), rows=5, epsilon=0.1, affine=False),
    one("batch_norm", (2, 3), rows=1, momentum=0.5),
    one("batch_norm", (2, 2, 3, 2)),
    one("group_norm", (4, 3, 3), groups=2),
    one("group_norm", (4, 3), groups=4, affine=False),
    one("group_norm", (6,), groups=2),
    one("group_norm", (4, 2, 2, 2), groups=1, rows=1),
    one("layer_norm", (3, 4, 5)),
    one("layer_norm", (6,)),
    one("layer_norm", (2, 5), affine=False, epsilon=0.01),
    one("lrn", (7, 3, 2), size=5, alpha=0.5, beta=0.75, k=2),
    one("lrn", (3, 4), size=3, alpha=1.5, beta=0.5, k=1, divide=True),
    one("lrn", (2, 2, 2, 2), size=7, alpha=2.0, beta=2, k=0.5, title="wider than the channels"),
    one("lrn", (3, 2, 2), size=1, alpha=1, beta=1, k=1),
]

NOISE = [
    one("dropout", (3, 4, 5), rate=0.5),
    one("dropout", (7,), rate=0.1, rows=5),
    one("dropout", (5,), rate=0),
    one("drop_path", (2, 3, 3), rate=0.5, rows=8),
    one("drop_path", (4,), rate=0.25, rows=8),
]

FORMS = [
    one("flatten", (3, 4, 5)),
    one("reshape", (3, 4, 5), shape=[5, 2, 6]),
    one("reshape", (4, 6), shape=[2, -1, 2, 2]),
    one("reshape", (8,), shape=[2, 4]),
    one("reshape", (2, 3, 4), shape=[24]),
    one("pad", (2, 3, 4), sides=[1, [0, 2]], channels=[1, 2]),
    one("pad", (3,), channels=2),
    one("pad", (2, 3), sides=1),
    one("pad", (2, 2, 2, 2), sides=[0, 1, [2, 0]]),
    one("crop", (2, 5, 6), sides=[1, [0, 2]]),
    one("crop", (2, 5), sides=2),
    one("slice", (6, 3, 3), begin=1, end=-1, step=2),
    one("slice", (2, 5, 7), begin=-5, end=7, step=3, axis=1),
    one("slice", (7,), end=3),
    one("slice", (2, 2, 3, 4), end=3, begin=1, axis=2),
]

ACTIVATIONS = [
    *(
        one(kind, (3, 4, 5), **options)
        for kind, options in [
            *((kind, {}) for kind in ("relu", "relu6", "selu", "sigmoid", "tanh", "softplus", "silu", "hard_swish", "hard_sigmoid")),
            ("leaky_relu", {"slope": 0.1}),
            ("elu", {"alpha": 0.7}),
            ("gelu", {}),
            ("gelu", {"approximate": True}),
        ]
    ),
    one("relu", (40,), numbers="few", title="zeros"),
    one("softmax", (3, 2, 2)),
    one("softmax", (5,)),
    one("softmax", (3, 4, 2), axis="channels"),
    one("softmax", (3, 4, 2), axis=0),
    one("softmax", (3, 4, 2), axis=1),
    one("softmax", (2, 3, 2, 4), axis=2),
    *(
        one("map", (2, 5), expression=expression)
        for expression in (
            "x * tanh(softplus(x))",
            "1.7159 * tanh(2 / 3 * x)",
            "x ** 2 + 2 ** x - x ** 3 / 4 + (x * x + 1) ** 0.5 + (x * x + 1) ** -1.5",
            "max(x, 0.5) - min(x, -0.5) + abs(x) + relu(x - 1)",
            "x if x > 0 and x < 1 or not (x >= -1) else -2 * x",
            "log(1 + x * x) + log1p(exp(x)) + expm1(x) + sqrt(1 + exp(x)) + rsqrt(1 + x * x)",
            "sin(x) * cos(x) + erf(x) / (2 + sigmoid(x))",
            "x if true else 1 / x",
        )
    ),
]

NEOCOGNITRON = [
    one("s_cells", (2, 6, 6), filters=3, kernel=3, padding="same"),
    one("s_cells", (1, 7), filters=2, kernel=4, stride=2, selectivity=2, falloff=0.5),
    one("s_cells", (2, 5, 5), filters=2, kernel=3, padding=1, numbers="zeros"),
    one("c_cells", (3, 6, 6), kernel=3, stride=2),
    one("c_cells", (2, 7), kernel=2, stride=3, alpha=0.5, falloff=0.7, rounding="ceil"),
]

MERGES = [
    several("concat", (2, 3, 4), {"name": "b", "conv": {"filters": 3, "kernel": 1}}, {"name": "layer", "concat": {"of": ["a", "b", "a"]}}),
    several("concat of vectors", (4,), {"name": "b", "linear": 3}, {"name": "layer", "concat": {"of": ["b", "a"]}}),
    several("add", (2, 3, 4), {"name": "b", "conv": {"filters": 2, "kernel": 1}}, {"name": "layer", "add": {"of": ["a", "b", "a"]}}),
    several("multiply", (2, 5), {"name": "b", "tanh": {}}, {"name": "layer", "multiply": {"of": ["a", "b"]}}),
    several("add a constant", (2, 5), {"name": "b", "map": {"expression": "3"}}, {"name": "layer", "add": {"of": ["a", "b"]}}),
    several("multiply by itself", (2, 5), {"name": "layer", "multiply": {"of": ["a", "a"]}}),
    several(
        "multiply with a weight for each map",
        (3, 3, 4),
        {"name": "b", "global_mean_pool": {}},
        {"name": "c", "linear": 3},
        {"name": "layer", "multiply": {"of": ["a", "c"]}},
    ),
]

CASES: list[Case] = [
    *(*CONVOLUTIONS, *LINEAR, *POOLS, *RESAMPLING, *NORMS),
    *(*NOISE, *FORMS, *ACTIVATIONS, *NEOCOGNITRON, *MERGES),
]
assert len({case.title for case in CASES}) == len(CASES), "two cases of one title"
