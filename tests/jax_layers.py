"""Every layer written out in JAX from the formulas of the lecture, in float64: channels first, windows laid out by index.

It knows options and parameters by their names in a spec, and nothing of how the compiler does it.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # small nets: compiling costs more than running

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from jax.scipy.special import erf

from netcompiler.formula import parse_formula
from netcompiler.grammar import Term
from netcompiler.layers.centers import CENTERS
from runtime.kernels.numpy.philox import philox

jax.config.update("jax_enable_x64", True)

Array = Any
Options = Mapping[str, Any]


class Layer(NamedTuple):
    """What a formula may ask for: options, parameters by name, whether this is training, the layer's full name."""

    o: Options
    p: Mapping[str, Array]
    training: bool
    name: str

    def side(self, option: str, sides: int, default: Any = None) -> list[Any]:
        value = self.o.get(option, default)
        return value if isinstance(value, list) else [value] * sides


def net(items: Sequence[Mapping[str, Any]], parameters: Mapping[str, Array], x: Array, training: bool) -> Array:
    """The value of the last item; an item reads the one above it unless it merges."""
    values = {"a": x}
    for item in items:
        [kind] = set(item) - {"name"}
        options = item[kind] if isinstance(item[kind], dict) else {SHORT[kind]: item[kind]}
        prefix = f"{item['name']}."
        layer = Layer(options, {k.removeprefix(prefix): v for k, v in parameters.items() if k.startswith(prefix)}, training, item["name"])
        inputs = [values[name] for name in options["of"]] if "of" in options else [x]
        x = values[item["name"]] = LAYERS[kind](layer, *inputs)
    return x


SHORT = {"linear": "units"}


# windows


class Slide(NamedTuple):
    kernel: int
    stride: int
    low: int
    high: int
    dilation: int
    size: int


def slides(layer: Layer, a: Array, stride: Any = 1) -> list[Slide]:
    n = a.ndim - 2
    columns = zip(
        a.shape[2:],
        layer.side("kernel", n),
        layer.side("stride", n, stride),
        layer.side("padding", n, 0),
        layer.side("dilation", n, 1),
        strict=True,
    )
    return [_slide(*column, layer.o.get("rounding", "floor")) for column in columns]


def _slide(n: int, k: int, s: int, padding: Any, d: int, rounding: str) -> Slide:
    extent = (k - 1) * d + 1
    if padding == "same":
        size = math.ceil(n / s)
        low = (extent - 1) // 2
        return Slide(k, s, low, max(0, (size - 1) * s + extent - low - n), d, size)
    named = {"full": extent - 1, "valid": 0}
    low, high = padding if isinstance(padding, list) else [named.get(padding, padding)] * 2
    if rounding == "ceil":
        size = math.ceil((n + low + high - extent) / s) + 1
        while (size - 1) * s >= n + low:  # no window begins past the input or its leading pad
            size -= 1
    else:
        size = math.floor((n + low + high - extent) / s) + 1
    return Slide(k, s, low, high, d, size)


def cells(a: Array, windows: Sequence[Slide], outside: float = 0) -> Array:
    """(n, c, *positions, *taps)"""
    sides = len(windows)
    for side, w in reversed(list(enumerate(windows))):
        n = a.shape[2 + side]
        place = np.arange(w.size)[:, None] * w.stride + np.arange(w.kernel) * w.dilation - w.low
        inside = (place >= 0) & (place < n)
        a = jnp.take(a, np.where(inside, place, 0), axis=2 + side)
        shape = [1] * a.ndim
        shape[2 + side : 4 + side] = inside.shape
        a = jnp.where(inside.reshape(shape), a, outside)
        a = jnp.moveaxis(a, 3 + side, 2 + sides)  # taps behind the positions, in the order of the sides
    return a


P, T = "xyz", "ijk"


def _taps(windows: Sequence[Slide]) -> tuple[int, ...]:
    return tuple(range(-len(windows), 0))


def bias(z: Array, b: Array | None) -> Array:
    return z if b is None else z + b.reshape(-1, *[1] * (z.ndim - 2))


# convolutions


def conv(own: Layer, a: Array) -> Array:
    w = own.p["weight"]
    windows = slides(own, a)
    sides = len(windows)
    if "weights" in own.o:
        w = jnp.stack([jnp.broadcast_to(jnp.array(f, float), w.shape[1:]) for f in own.o["weights"]])
    if "connections" in own.o:
        table = np.array([[mark == "X" for mark in row] for row in own.o["connections"].split()], float)
        w = w * table.T.reshape(*table.T.shape, *[1] * sides)
    b = own.p.get("bias")
    if "transforms" in own.o:
        w = jnp.stack([jax.vmap(lambda f, t=t: transformed(f, t))(w) for t in own.o["transforms"]], 1)
        w = w.reshape(-1, *w.shape[2:])
        b = jnp.repeat(b, len(own.o["transforms"]))
    if own.o.get("flip"):
        w = jnp.flip(w, _taps(windows))
    groups = own.o.get("groups", 1)
    p, t = P[:sides], T[:sides]
    each = [
        jnp.einsum(f"nm{p}{t},fm{t}->nf{p}", c, f)
        for c, f in zip(jnp.split(cells(a, windows), groups, 1), jnp.split(w, groups), strict=True)
    ]
    return bias(jnp.concatenate(each, 1), b)


def transformed(f: Array, transform: Any) -> Array:
    """One filter (m, i, j), plane by plane."""
    if transform == "identity":
        return f
    [(name, value)] = transform.items()
    if name == "flip":
        return jnp.flip(f, 1 if value == "rows" else 2)
    if name == "rotate" and value % (90 if f.shape[1] == f.shape[2] else 180) == 0:
        return jnp.rot90(f, value // 90, (1, 2))
    centre = (np.array(f.shape[1:]) - 1) / 2
    y, x = np.meshgrid(*(np.arange(n) - c for n, c in zip(f.shape[1:], centre, strict=True)), indexing="ij")
    if name == "scale":
        y, x = y / value, x / value
    else:  # the place that comes here by an anticlockwise turn; rows count downwards
        turn = np.exp(-1j * math.radians(value)) * (x - 1j * y)
        y, x = np.round(-turn.imag, 12), np.round(turn.real, 12)
    places = [y + centre[0], x + centre[1]]
    return jax.vmap(lambda plane: map_coordinates(plane, places, order=1, mode="constant", cval=0.0))(f)


def conv_transpose(own: Layer, a: Array) -> Array:
    """Each value stamps the filter; then P cells are cut off."""
    w, sides = own.p["weight"], a.ndim - 2
    kernel, stride, cut, extra, apart = (
        own.side(option, sides, default)
        for option, default in [("kernel", None), ("stride", 1), ("padding", 0), ("output_padding", 0), ("dilation", 1)]
    )
    groups = own.o.get("groups", 1)
    whole = [(n - 1) * s + (k - 1) * d + 1 + e for n, s, k, d, e in zip(a.shape[2:], stride, kernel, apart, extra, strict=True)]
    p, t = P[:sides], T[:sides]
    stamps = jnp.einsum(f"ngm{p},gmf{t}->ngf{p}{t}", a.reshape(len(a), groups, -1, *a.shape[2:]), w.reshape(groups, -1, *w.shape[1:]))
    where = []
    for side, (n, s, k, d) in enumerate(zip(a.shape[2:], stride, kernel, apart, strict=True)):
        shape = [1] * 2 * sides
        shape[side], shape[sides + side] = n, k
        where.append((np.arange(n)[:, None] * s + np.arange(k) * d).reshape(shape))
    z = jnp.zeros((len(a), groups, w.shape[1], *whole)).at[(slice(None),) * 3 + tuple(where)].add(stamps)
    z = z.reshape(len(a), -1, *whole)[(..., *(slice(c, n - c) for c, n in zip(cut, whole, strict=True)))]
    return bias(z, own.p.get("bias"))


def local(own: Layer, a: Array) -> Array:
    windows = slides(own, a)
    p, t = P[: len(windows)], T[: len(windows)]
    z = jnp.einsum(f"nm{p}{t},fm{t}{p}->nf{p}", cells(a, windows), own.p["weight"])
    return z + own.p["bias"] if "bias" in own.p else z


def linear(own: Layer, a: Array) -> Array:
    return bias(a @ own.p["weight"].T, own.p.get("bias"))


def scale(own: Layer, a: Array) -> Array:
    each = (-1, *[1] * (a.ndim - 2))
    z = a * own.p["weight"].reshape(each) if "weight" in own.p else a
    return bias(z, own.p.get("bias"))


def rbf(own: Layer, a: Array) -> Array:
    given = own.o["centers"]
    centers = np.array(CENTERS[given] if isinstance(given, str) else given, float)
    return -jnp.sum((a[:, None] - centers) ** 2, 2)


# pools


def _pooled(own: Layer, a: Array) -> list[Slide]:
    return slides(own, a, own.o["kernel"])


def max_pool(own: Layer, a: Array) -> Array:
    """The first largest cell gets the derivative."""
    windows = _pooled(own, a)
    flat = cells(a, windows, -np.inf).reshape(*a.shape[:2], *(w.size for w in windows), -1)
    return jnp.take_along_axis(flat, jnp.argmax(flat, -1, keepdims=True), -1)[..., 0]


def _count(a: Array, windows: Sequence[Slide], padding: bool) -> Array:
    """How many cells of each window count; with padding those up to its end, no further."""
    ones = np.ones((1, 1, *a.shape[2:]))
    if padding:
        ones = np.ones((1, 1, *(n + w.low + w.high for n, w in zip(a.shape[2:], windows, strict=True))))
        windows = [w._replace(low=0, high=0) for w in windows]
    return cells(jnp.array(ones), windows).sum(_taps(windows))


def mean_pool(own: Layer, a: Array) -> Array:
    windows = _pooled(own, a)
    return cells(a, windows).sum(_taps(windows)) / _count(a, windows, own.o.get("count_padding") or False)


def lp_pool(own: Layer, a: Array) -> Array:
    """Its derivative by the lecture's formula, 0 where the norm is 0."""
    windows, p = _pooled(own, a), own.o["p"]
    count = _count(a, windows, False)
    return lp_norm(cells(a, windows).reshape(*a.shape[:2], *(w.size for w in windows), -1), count[..., None], p)[..., 0]


@jax.custom_vjp
def lp_norm(a: Array, count: Array, p: float) -> Array:
    return jnp.sum(jnp.abs(a) ** p / count, -1, keepdims=True) ** (1 / p)


def _lp_forward(a: Array, count: Array, p: float) -> tuple[Array, Any]:
    out = lp_norm(a, count, p)
    return out, (a, count, p, out)


def _lp_backward(kept: Any, dout: Array) -> tuple[Array, None, None]:
    a, count, p, out = kept
    safe = jnp.where(out == 0, 1.0, out)
    return jnp.where(out == 0, 0.0, dout * jnp.sign(a) * jnp.abs(a) ** (p - 1) * safe ** (1 - p) / count), None, None


lp_norm.defvjp(_lp_forward, _lp_backward)


def learned_pool(own: Layer, a: Array) -> Array:
    windows = _pooled(own, a)
    y = cells(a, windows).reshape(*a.shape[:2], *(w.size for w in windows), -1)
    f = ACTIVATIONS[own.o.get("activation", "tanh")]
    for prefix in ("hidden.", "out.") if own.o.get("hidden") else ("",):
        y = f({}, y @ own.p[f"{prefix}weight"].T + own.p[f"{prefix}bias"])
    return y[..., 0]


def global_mean_pool(own: Layer, a: Array) -> Array:
    return a.reshape(*a.shape[:2], -1).mean(-1)


def global_max_pool(own: Layer, a: Array) -> Array:
    flat = a.reshape(*a.shape[:2], -1)
    return jnp.take_along_axis(flat, jnp.argmax(flat, -1, keepdims=True), -1)[..., 0]


# fewer and more cells


def downsample(own: Layer, a: Array) -> Array:
    return a[(..., *(slice(None, None, s) for s in own.side("stride", a.ndim - 2)))]


def upsample(own: Layer, a: Array) -> Array:
    for axis, s in enumerate(own.side("stride", a.ndim - 2), 2):
        a = {"zeros": _apart, "nearest": _copied, "bilinear": _between}[own.o["mode"]](jnp.moveaxis(a, axis, -1), s)
        a = jnp.moveaxis(a, -1, axis)
    return a


def _apart(a: Array, s: int) -> Array:
    return jnp.zeros((*a.shape[:-1], a.shape[-1] * s)).at[..., ::s].set(a)


def _copied(a: Array, s: int) -> Array:
    return jnp.repeat(a, s, -1)


def _between(a: Array, s: int) -> Array:
    n = a.shape[-1]
    matrix = np.zeros((n * s, n))
    for i in range(n * s):
        place = min(max((i + 0.5) / s - 0.5, 0), n - 1)
        for j in range(n):
            matrix[i, j] = max(0, 1 - abs(place - j))
    return a @ matrix.T


# norms


def _normal(a: Array, axes: Sequence[int], epsilon: float) -> Array:
    mean = a.mean(axes, keepdims=True)
    return (a - mean) / jnp.sqrt(((a - mean) ** 2).mean(axes, keepdims=True) + epsilon)


def batch_norm(own: Layer, a: Array) -> Array:
    each = (-1, *[1] * (a.ndim - 2))
    epsilon = own.o.get("epsilon", 1e-5)
    if own.training:
        y = _normal(a, (0, *range(2, a.ndim)), epsilon)
    else:
        y = (a - own.p["running_mean"].reshape(each)) / jnp.sqrt(own.p["running_var"].reshape(each) + epsilon)
    return scale(own, y)


def group_norm(own: Layer, a: Array) -> Array:
    groups = a.reshape(len(a), own.o["groups"], -1)
    return scale(own, _normal(groups, (2,), own.o.get("epsilon", 1e-5)).reshape(a.shape))


def layer_norm(own: Layer, a: Array) -> Array:
    y = _normal(a, tuple(range(1, a.ndim)), own.o.get("epsilon", 1e-5))
    return y * own.p["weight"] + own.p["bias"] if own.p else y


def lrn(own: Layer, a: Array) -> Array:
    size, alpha = own.o["size"], own.o["alpha"] / (own.o["size"] if own.o.get("divide") else 1)
    sums = [jnp.sum(a[:, max(0, n - size // 2) : n + size // 2 + 1] ** 2, 1) for n in range(a.shape[1])]
    return a / (own.o["k"] + alpha * jnp.stack(sums, 1)) ** own.o["beta"]


# noise: the bits of Philox, keyed by the layer's name and kind, for seed 0 and tick 0


def _kept(own: Layer, kind: str, rows: int, columns: int) -> Array:
    digest = hashlib.blake2b(f"{own.name}\0{kind}".encode(), digest_size=8).digest()
    key = int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")
    words = philox((np.arange(-(-columns // 4)), np.arange(rows)[:, None], np.array(0), np.array(0)), key)
    bits = np.stack(np.broadcast_arrays(*words), -1).reshape(rows, -1)[:, :columns]
    return (bits >> 8) / 2**24 >= own.o["rate"]


def dropout(own: Layer, a: Array) -> Array:
    if not own.training:
        return a
    mask = _kept(own, "dropout", len(a), math.prod(a.shape[1:])).reshape(len(a), *a.shape[2:], a.shape[1])
    return a * np.moveaxis(mask, -1, 1) / (1 - own.o["rate"])


def drop_path(own: Layer, a: Array) -> Array:
    if not own.training:
        return a
    return a * _kept(own, "drop_path", len(a), 1).reshape(-1, *[1] * (a.ndim - 1)) / (1 - own.o["rate"])


# forms


def flatten(own: Layer, a: Array) -> Array:
    return a.reshape(len(a), -1)


def reshape(own: Layer, a: Array) -> Array:
    return a.reshape(len(a), *own.o["shape"])


def _margins(own: Layer, a: Array) -> list[tuple[int, int]]:
    ends = [own.o.get("channels", 0), *own.side("sides", a.ndim - 2, 0)]
    return [tuple(end) if isinstance(end, list) else (end, end) for end in ends]


def pad(own: Layer, a: Array) -> Array:
    return jnp.pad(a, [(0, 0), *_margins(own, a)])


def crop(own: Layer, a: Array) -> Array:
    return a[(slice(None), *(slice(low, n - high) for n, (low, high) in zip(a.shape[1:], _margins(own, a), strict=True)))]


def slice_(own: Layer, a: Array) -> Array:
    where = [slice(None)] * a.ndim
    axis = own.o.get("axis", "channels")
    where[1 if axis == "channels" else 2 + axis] = slice(own.o.get("begin", 0), own.o["end"], own.o.get("step", 1))
    return a[tuple(where)]


# activations


def softmax(own: Layer, a: Array) -> Array:
    axis = own.o.get("axis")
    axes = tuple(range(1, a.ndim)) if axis is None else 1 if axis == "channels" else 2 + axis
    e = jnp.exp(a - jax.lax.stop_gradient(a.max(axes, keepdims=True)))
    return e / e.sum(axes, keepdims=True)


def mapped(own: Layer, a: Array) -> Array:
    return jnp.broadcast_to(_term(parse_formula(own.o["expression"]).root, a), a.shape)


def _term(term: Term, x: Array) -> Any:
    if term.op == "value":
        return float(term.leaf) if not isinstance(term.leaf, bool) else term.leaf
    if term.op == "name":
        return x
    return FUNCTIONS[term.op](*(_term(arg, x) for arg in term.args))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "negate": lambda a: -a,
    "if": jnp.where,
    "and": jnp.logical_and,
    "or": jnp.logical_or,
    "not": jnp.logical_not,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "rsqrt": lambda a: 1 / jnp.sqrt(a),
    "sigmoid": lambda a: 1 / (1 + jnp.exp(-a)),
    "softplus": lambda a: jnp.log(1 + jnp.exp(a)),
    "relu": lambda a: jnp.where(a > 0, a, 0),
    "max": lambda a, b: jnp.where(a > b, a, b),
    "min": lambda a, b: jnp.where(a < b, a, b),
    "erf": erf,
    **{name: getattr(jnp, name) for name in ("abs", "exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos")},
}

ACTIVATIONS: dict[str, Callable[[Options, Array], Array]] = {
    "relu": lambda o, x: jnp.where(x > 0, x, 0),
    "relu6": lambda o, x: jnp.where(x > 0, jnp.where(x < 6, x, 6), 0),
    "leaky_relu": lambda o, x: jnp.where(x > 0, x, o["slope"] * x),
    "elu": lambda o, x: jnp.where(x > 0, x, o.get("alpha", 1) * (jnp.exp(x) - 1)),
    "selu": lambda o, x: 1.0507009873554805 * jnp.where(x > 0, x, 1.6732632423543772 * (jnp.exp(x) - 1)),
    "sigmoid": lambda o, x: 1 / (1 + jnp.exp(-x)),
    "tanh": lambda o, x: jnp.tanh(x),
    "softplus": lambda o, x: jnp.log(1 + jnp.exp(x)),
    "gelu": lambda o, x: (
        0.5 * x * (1 + jnp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        if o.get("approximate")
        else 0.5 * x * (1 + erf(x / math.sqrt(2)))
    ),
    "silu": lambda o, x: x / (1 + jnp.exp(-x)),
    "hard_swish": lambda o, x: x * jnp.clip(x + 3, 0, 6) / 6,
    "hard_sigmoid": lambda o, x: jnp.clip(x + 3, 0, 6) / 6,
}


# Fukushima's cells


def _falling(kernel: Sequence[int], falloff: float) -> np.ndarray[Any, Any]:
    grid = np.meshgrid(*(np.arange(k) - (k - 1) / 2 for k in kernel), indexing="ij")
    return np.asarray(falloff ** np.sqrt(sum(g * g for g in grid)))


def s_cells(own: Layer, u: Array) -> Array:
    windows = slides(own, u)
    p, t = P[: len(windows)], T[: len(windows)]
    seen = cells(u, windows)
    c = _falling([w.kernel for w in windows], own.o.get("falloff", 0.9))
    c = c / (c.sum() * u.shape[1])
    v2 = jnp.einsum(f"nm{p}{t},{t}->n{p}", seen**2, c)[:, None]
    v = jnp.where(v2 > 0, jnp.sqrt(jnp.where(v2 > 0, v2, 1)), 0)
    r = own.o.get("selectivity", 1.0)
    b = own.p["inhibitory.weight"].reshape(-1, *[1] * len(windows))
    excited = jnp.einsum(f"nm{p}{t},fm{t}->nf{p}", seen, own.p["excitatory.weight"])
    return r * jax.nn.relu((1 + excited) / (1 + 2 * r / (1 + r) * b * v) - 1)


def c_cells(own: Layer, s: Array) -> Array:
    windows = _pooled(own, s)
    p, t = P[: len(windows)], T[: len(windows)]
    sums = jnp.einsum(f"nm{p}{t},{t}->nm{p}", cells(s, windows), _falling([w.kernel for w in windows], own.o.get("falloff", 0.9)))
    answer = jax.nn.relu((1 + sums) / (1 + sums.mean(1, keepdims=True)) - 1)
    return answer / (own.o.get("alpha", 1.0) + answer)


def pointwise(f: Callable[[Options, Array], Array]) -> Callable[..., Array]:
    return lambda own, x: f(own.o, x)


LAYERS: dict[str, Callable[..., Array]] = {
    **{name: pointwise(f) for name, f in ACTIVATIONS.items()},
    **{f.__name__: f for f in (conv, conv_transpose, local, linear, scale, rbf, max_pool, mean_pool, lp_pool, learned_pool)},
    **{f.__name__: f for f in (global_mean_pool, global_max_pool, downsample, upsample, batch_norm, group_norm, layer_norm, lrn)},
    **{f.__name__: f for f in (dropout, drop_path, flatten, reshape, pad, crop, softmax, s_cells, c_cells)},
    "slice": slice_,
    "map": mapped,
    "concat": lambda own, *xs: jnp.concatenate(xs, 1),
    "add": lambda own, *xs: sum(xs),
    "multiply": lambda own, *xs: math.prod(x.reshape(*x.shape, *[1] * (max(y.ndim for y in xs) - x.ndim)) for x in xs),
}
