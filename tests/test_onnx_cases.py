"""ONNX's own cases for every operator that netc shares: a node becomes a spec of a layer or two, and the oracle must give its numbers.

FOREIGN names, by reason, those about something that netc does not have. A case that is new in a later onnx fails until it is sorted.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from interpreter import computed
from onnx.backend.test.case.node import collect_testcases
from onnx.helper import get_attribute_value

from netcompiler.compilation import Job, stages
from netcompiler.loading import load
from netcompiler.passes.lower import lower
from runtime.session import Session

Array = Any
Item = dict[str, Any]


class Net(NamedTuple):
    """Items over inputs (rows, channels, sides), with parameters by name."""

    items: Sequence[Item]
    inputs: Sequence[Array]
    parameters: Mapping[str, Array] = {}

    def spec(self, **more: Any) -> str:
        shapes = {f"x{n}": list(x.shape[1:]) for n, x in enumerate(self.inputs)}
        return json.dumps({"netc": 1, "name": "case", "inputs": shapes, "layers": list(self.items), **more})


def layer(kind: str, x: Array, parameters: Mapping[str, Array] = {}, **options: Any) -> Net:
    return Net([{"name": "layer", kind: options}], [x], {f"layer.{name}": value for name, value in parameters.items()})


def alone(x: Array) -> Array:
    """The whole tensor as one picture."""
    return x[None]


class Node(NamedTuple):
    """An operator with its inputs and what it should give."""

    attributes: Mapping[str, Any]
    inputs: Sequence[Array]
    outputs: Sequence[Array]

    @property
    def x(self) -> Array:
        return self.inputs[0]

    def get(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)

    def window(self, kernel: Sequence[int]) -> Item:
        """kernel, stride and padding; `auto_pad` worked out by ONNX's formula."""
        sides = len(kernel)
        stride = self.get("strides", [1] * sides)
        apart = self.get("dilations", [1] * sides)
        ends = self.get("pads", [0] * 2 * sides)
        pads = [[ends[axis], ends[sides + axis]] for axis in range(sides)]
        same = self.get("auto_pad", b"NOTSET")
        if same in (b"SAME_UPPER", b"SAME_LOWER"):
            totals = [
                max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
                for n, k, s, d in zip(self.x.shape[2:], kernel, stride, apart, strict=True)
            ]
            pads = [sorted((total // 2, total - total // 2), reverse=same == b"SAME_LOWER") for total in totals]
        found: Item = {"kernel": list(kernel), "stride": list(stride), "padding": pads}
        return {**found, "rounding": "ceil"} if self.get("ceil_mode") else found


def conv(node: Node) -> Net:
    w = node.inputs[1]
    options = {"filters": len(w), "groups": node.get("group", 1), "dilation": node.get("dilations", 1), "bias": len(node.inputs) > 2}
    return layer("conv", node.x, _named(node, "weight", "bias"), **options, **node.window(w.shape[2:]))


def _named(node: Node, *names: str) -> dict[str, Array]:
    return dict(zip(names, node.inputs[1:], strict=False))


def conv_transpose(node: Node) -> Net:
    """ONNX may give the output's shape in place of its padding: more cells at the far end, or fewer, which are cropped."""
    w = node.inputs[1]
    sides = w.ndim - 2
    stride, apart = node.get("strides", [1] * sides), node.get("dilations", [1] * sides)
    natural = [(n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(node.x.shape[2:], stride, w.shape[2:], apart, strict=True)]
    ends = node.get("pads", [0] * 2 * sides)
    assert ends[:sides] == ends[sides:]
    over = [m - (n - 2 * p) for m, n, p in zip(node.outputs[0].shape[2:], natural, ends, strict=False)]
    options = {
        "filters": w.shape[1] * node.get("group", 1),
        "kernel": list(w.shape[2:]),
        "stride": stride,
        "padding": ends[:sides],
        "output_padding": [max(0, n) for n in over],
        "dilation": apart,
        "groups": node.get("group", 1),
        "bias": False,
    }
    net = layer("conv_transpose", node.x, {"weight": w}, **options)
    return net._replace(items=[*net.items, {"crop": {"sides": [[0, max(0, -n)] for n in over]}}])


def max_pool(node: Node) -> Net:
    return layer("max_pool", node.x, **node.window(node.get("kernel_shape")), dilation=node.get("dilations", 1))


def mean_pool(node: Node) -> Net:
    return layer("mean_pool", node.x, **node.window(node.get("kernel_shape")), count_padding=bool(node.get("count_include_pad", 0)))


def lp_pool(node: Node) -> Net:
    """ONNX does not divide by the number of cells."""
    window, p = node.window(node.get("kernel_shape")), node.get("p", 2)
    factor = math.prod(window["kernel"]) ** (1 / p)
    return Net([{"lp_pool": {**window, "p": p}}, {"map": f"{factor!r} * x"}], [node.x])


def batch_norm(node: Node) -> Net:
    parameters = _named(node, "weight", "bias", "running_mean", "running_var")
    return layer("batch_norm", node.x, parameters, epsilon=node.get("epsilon", 1e-5), momentum=1 - node.get("momentum", 0.9))


def lrn(node: Node) -> Net:
    options = {"size": node.get("size"), "alpha": node.get("alpha", 1e-4), "beta": node.get("beta", 0.75), "k": node.get("bias", 1.0)}
    return layer("lrn", node.x, **options, divide=True)


def group_norm(node: Node) -> Net:
    groups = node.get("num_groups", node.x.shape[1])
    return layer("group_norm", node.x, _named(node, "weight", "bias"), groups=groups, epsilon=node.get("epsilon", 1e-5))


def layer_norm(node: Node) -> Net:
    """Everything before the axis is rows."""
    axis = node.get("axis", -1) % node.x.ndim
    rows = node.x.reshape(math.prod(node.x.shape[:axis]), *node.x.shape[axis:])
    return layer("layer_norm", rows, _named(node, "weight", "bias"), epsilon=node.get("epsilon", 1e-5))


def softmax(node: Node) -> Net:
    axis = node.get("axis", -1) % node.x.ndim
    return layer("softmax", alone(node.x), axis=axis - 1 if axis else "channels")


def gemm(node: Node) -> Net:
    a, b = (m.T if node.get(f"trans{name}") else m for m, name in zip(node.inputs, "AB", strict=False))
    bias = node.get("beta", 1.0) * np.broadcast_to(node.inputs[2], (1, b.shape[1]))[0] if len(node.inputs) > 2 else None
    parameters = {"weight": node.get("alpha", 1.0) * b.T, **({} if bias is None else {"bias": bias})}
    return layer("linear", a, parameters, units=b.shape[1], bias=bias is not None)


def concat(node: Node) -> Net:
    """Along the first axis the tensors are channels of one picture, along the second they are those of several."""
    inputs = node.inputs if node.get("axis") % node.x.ndim else [alone(x) for x in node.inputs]
    return merge("concat")(node._replace(inputs=inputs), None)


def merge(kind: str) -> Callable[..., Net]:
    def net(node: Node, picture: Callable[[Array], Array] | None = alone) -> Net:
        inputs = [picture(x) for x in node.inputs] if picture else node.inputs
        return Net([{kind: {"of": [f"x{n}" for n in range(len(inputs))]}}], inputs)

    return net


def flatten(node: Node) -> Net:
    axis = node.get("axis", 1)
    axis = axis if axis >= 0 else axis + node.x.ndim
    return layer("flatten", node.x.reshape(math.prod(node.x.shape[:axis]), *node.x.shape[axis:]))


def reshape(node: Node) -> Net:
    """ONNX's 0 stands for the size that was there."""
    shape = [int(n) or node.x.shape[axis] for axis, n in enumerate(node.inputs[1])]
    return layer("reshape", alone(node.x), shape=shape)


def sliced(node: Node) -> Net:
    """A layer for each axis; ends beyond the tensor are taken for its end."""
    starts, ends, *more = (list(map(int, values)) for values in node.inputs[1:])
    axes = more[0] if more else range(len(starts))
    steps = more[1] if len(more) > 1 else [1] * len(starts)
    items = []
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        begin, stop, _ = slice(start, end).indices(node.x.shape[axis])
        side = axis % node.x.ndim
        items.append({"slice": {"begin": begin, "end": stop, "step": step, "axis": side - 1 if side else "channels"}})
    return Net(items, [alone(node.x)])


def upsample(node: Node) -> Net:
    stride = [m // n for n, m in zip(node.x.shape[2:], node.outputs[0].shape[2:], strict=True)]
    return layer("upsample", node.x, stride=stride, mode={b"nearest": "nearest", b"linear": "bilinear"}[node.get("mode")])


def pointwise(kind: str, **options: Any) -> Callable[[Node], Net]:
    """Options are attributes with their defaults."""
    return lambda node: layer(kind, alone(node.x), **{name: node.get(name, default) for name, default in options.items()})


def formula(text: str, **attributes: float) -> Callable[[Node], Net]:
    """A `map`, with attributes as numbers in it."""
    return lambda node: layer(
        "map", alone(node.x), expression=text.format(**{name: node.get(name, default) for name, default in attributes.items()})
    )


def selu(node: Node) -> Net:
    return formula("{gamma} * (x if x > 0 else {alpha} * expm1(x))", gamma=0, alpha=0)(node) if node.attributes else pointwise("selu")(node)


OPERATORS: dict[str, Callable[[Node], Net]] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "AveragePool": mean_pool,
    "LpPool": lp_pool,
    "GlobalAveragePool": lambda node: layer("global_mean_pool", node.x),
    "GlobalMaxPool": lambda node: layer("global_max_pool", node.x),
    "BatchNormalization": batch_norm,
    "LRN": lrn,
    "GroupNormalization": group_norm,
    "InstanceNormalization": group_norm,
    "LayerNormalization": layer_norm,
    "Softmax": softmax,
    "Relu": pointwise("relu"),
    "LeakyRelu": lambda node: layer("leaky_relu", alone(node.x), slope=node.get("alpha", 0.01)),
    "Elu": pointwise("elu", alpha=1.0),
    "Selu": selu,
    "Sigmoid": pointwise("sigmoid"),
    "Tanh": pointwise("tanh"),
    "Softplus": pointwise("softplus"),
    "HardSigmoid": formula("max(0, min(1, {alpha} * x + {beta}))", alpha=0.2, beta=0.5),
    "HardSwish": pointwise("hard_swish"),
    "Gelu": lambda node: layer("gelu", alone(node.x), approximate=node.get("approximate") == b"tanh"),
    "Swish": pointwise("silu"),
    "Mish": formula("x * tanh(softplus(x))"),
    "Abs": formula("abs(x)"),
    "Exp": formula("exp(x)"),
    "Log": formula("log(x)"),
    "Sqrt": formula("sqrt(x)"),
    "Sin": formula("sin(x)"),
    "Cos": formula("cos(x)"),
    "Erf": formula("erf(x)"),
    "Gemm": gemm,
    "MatMul": gemm,
    "Concat": concat,
    "Add": merge("add"),
    "Mul": merge("multiply"),
    "Flatten": flatten,
    "Reshape": reshape,
    "Slice": sliced,
    "Pad": lambda node: layer("pad", node.x),
    "Resize": upsample,
    "Dropout": lambda node: layer("dropout", alone(node.x), rate=node.get("ratio", 0.5)),
}

FOREIGN = {
    "a value is a float": """
        add_int8 add_int16 add_uint8 add_uint16 add_uint32 add_uint64
        mul_int8 mul_int16 mul_uint8 mul_uint16 mul_uint32 mul_uint64""",
    "a merge repeats nothing but a vector beside maps": "add_bcast mul_bcast",
    "concat joins channels, not sides": "concat_3d_axis_2 concat_3d_axis_negative_1",
    "linear multiplies vectors by one matrix": "matmul_3d matmul_4d matmul_bcast matmul_1d_3d matmul_4d_1d matmul_1d_1d",
    "a bias is the same for all pictures": "gemm_default_matrix_bias",
    "a mean has no dilation": """
        averagepool_2d_dilations averagepool_3d_dilations_small
        averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_True
        averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_False
        averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True
        averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_False""",
    "a p-norm has no dilation": "lppool_2d_dilations",
    "a p-norm is divided by the cells of the input in its window, so that cut windows differ": """
        lppool_2d_same_upper lppool_2d_same_lower lppool_2d_pads""",
    "the bits of dropout are netc's own": """
        training_dropout_default training_dropout_default_mask training_dropout training_dropout_mask""",
    "padding is zeros": "constant_pad constant_pad_axes constant_pad_negative_axes edge_pad reflect_pad wrap_pad",
    "a value has at least one cell on each side": "slice_start_out_of_bounds reshape_allowzero_reordered",
    "slices go forwards": "slice_neg_steps",
    "maps grow by whole factors": """
        resize_upsample_sizes_nearest resize_upsample_sizes_nearest_axes_2_3 resize_upsample_sizes_nearest_axes_3_2
        resize_upsample_sizes_nearest_not_larger resize_upsample_sizes_nearest_not_smaller
        resize_upsample_scales_linear_half_pixel_symmetric resize_tf_crop_and_resize resize_tf_crop_and_resize_extrapolation_value
        resize_tf_crop_and_resize_axes_2_3 resize_tf_crop_and_resize_axes_3_2""",
    "maps become smaller by windows and strides": """
        resize_downsample_scales_nearest resize_downsample_sizes_nearest resize_downsample_scales_linear
        resize_downsample_scales_linear_align_corners resize_downsample_sizes_linear_pytorch_half_pixel
        resize_downsample_scales_linear_antialias resize_downsample_sizes_linear_antialias
        resize_downsample_sizes_nearest_not_larger resize_downsample_sizes_nearest_not_smaller
        resize_downsample_scales_linear_half_pixel_symmetric""",
    "upsampling is nearest or bilinear, with half-pixel centres": """
        resize_upsample_scales_linear_align_corners resize_upsample_sizes_nearest_floor_align_corners
        resize_upsample_sizes_nearest_round_prefer_ceil_asymmetric resize_upsample_sizes_nearest_ceil_half_pixel
        resize_upsample_scales_cubic resize_upsample_scales_cubic_align_corners resize_downsample_scales_cubic
        resize_downsample_scales_cubic_align_corners resize_upsample_sizes_cubic resize_downsample_sizes_cubic
        resize_upsample_scales_cubic_A_n0p5_exclude_outside resize_downsample_scales_cubic_A_n0p5_exclude_outside
        resize_upsample_scales_cubic_asymmetric resize_downsample_scales_cubic_antialias resize_downsample_sizes_cubic_antialias""",
}

TRAINING = ("test_batchnorm_example_training_mode", "test_batchnorm_epsilon_training_mode")


def _shared() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = collect_testcases(None)
    nodes = {case.name: [node.op_type for node in case.model.graph.node] for case in found}
    return {case.name: case for case in found if len(nodes[case.name]) == 1 and nodes[case.name][0] in OPERATORS}


SHARED = _shared()
NAMED = {f"test_{name}" for names in FOREIGN.values() for name in names.split()}


def node_of(case: Any) -> tuple[str, Node]:
    [node] = case.model.graph.node
    attributes = {a.name: get_attribute_value(a) for a in node.attribute}
    inputs, outputs = case.data_sets[0]
    floats = [x.astype(np.float32) if n == 0 or x.dtype == np.float16 else x for n, x in enumerate(inputs)]
    return node.op_type, Node(attributes, floats, outputs)


@pytest.mark.parametrize("name", sorted(set(SHARED) - NAMED - set(TRAINING)))
def test_node(name: str) -> None:
    kind, node = node_of(SHARED[name])
    net = OPERATORS[kind](node)
    session = opened(net)
    session.load(net.parameters)
    y = session.run({f"x{n}": x for n, x in enumerate(net.inputs)})
    wanted = node.outputs[0]
    assert y.size == wanted.size
    np.testing.assert_allclose(y.reshape(wanted.shape), wanted, rtol=SHARED[name].rtol, atol=2e-6)


def opened(net: Net) -> Session:
    loaded = load("-", stdin_text=net.spec())
    assert loaded.graph, [d.message for d in loaded.errors]
    assert not loaded.errors, [d.message for d in loaded.errors]
    *_, (_, plan) = stages(Job(loaded.graph, loaded.recipe, "infer", len(net.inputs[0]), "numpy", "f32"))
    return Session(plan)


@pytest.mark.parametrize("name", TRAINING)
def test_batch_norm_in_training(name: str) -> None:
    """ONNX follows the variance of the batch as it is, netc its unbiased estimate, as PyTorch does."""
    _, node = node_of(SHARED[name])
    net = batch_norm(node)
    loaded = load("-", stdin_text=net.spec(loss="l2", train={"optimizer": {"sgd": {"rate": 0.1}}}))
    assert loaded.graph, [d.message for d in loaded.errors]
    plan = lower(loaded.graph, loaded.recipe, "train", len(node.x), "numpy", "f64")
    step = plan.programs["step"]
    numbers = {name: np.zeros(state.value.shape) for name, state in plan.states.items()}
    numbers |= {"in.x0": np.moveaxis(node.x, 1, -1), "valid": np.array(len(node.x)), **net.parameters}
    known = computed(step, numbers)
    y, mean, var = node.outputs
    [normal] = [i.result.name for i in step if i.result.shape == known["in.x0"].shape and i.origin.endswith(" layer")][-1:]
    count = node.x.size / node.x.shape[1]
    unbiased = (var - 0.9 * node.inputs[4]) * count / (count - 1) + 0.9 * node.inputs[4]
    np.testing.assert_allclose(np.moveaxis(known[normal], -1, 1), y, rtol=1e-4, atol=2e-6)
    np.testing.assert_allclose(known[step.successors["layer.running_mean"].name], mean, rtol=1e-5)
    np.testing.assert_allclose(known[step.successors["layer.running_var"].name], unbiased, rtol=1e-5)


def test_the_foreign_cases_are_there() -> None:
    assert set(SHARED) >= NAMED
