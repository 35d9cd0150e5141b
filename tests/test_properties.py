"""Laws that hold for anything legal: shapes and counts as JAX has them, arithmetic as Python's, numbers as YAML 1.2 has them;
and text that was changed at random is answered, never a crash."""

from __future__ import annotations

import ast
import math
import operator
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcompiler import load, zoo
from netcompiler.diagnostics import Mistake
from netcompiler.expression import parse_value
from netcompiler.graph import Node
from netcompiler.source import Scalar, Source, parse

LIMITS = settings(max_examples=150, deadline=None, derandomize=True)
Draw = Callable[[st.SearchStrategy[Any]], Any]


def layer(shape: tuple[int, ...], text: str) -> Node:
    """The one layer of a net, written `{kind: options}`."""
    loaded = load("-", stdin_text=f"netc: 1\nname: one\ninput: {list(shape)}\nlayers: [{text}]\n")
    assert not loaded.errors, (text, loaded.errors)
    assert loaded.graph
    return loaded.graph.nodes[0]


def count(*shapes: tuple[int, ...]) -> int:
    return sum(map(math.prod, shapes))


def spatial(rank: int) -> str:
    return "DHW"[-rank:]


def jax_shape(function: Callable[..., Any], *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The result's shape for one picture, without its axis."""
    result = jax.eval_shape(function, *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes))
    return tuple(result.shape[1:])


sizes = st.integers(1, 12)


@st.composite
def windowed(draw: Draw) -> dict[str, Any]:
    """An input of 1 to 3 sides with a window that fits."""
    rank = draw(st.integers(1, 3))
    each = {
        "kernel": [draw(st.integers(1, 4)) for _ in range(rank)],
        "stride": [draw(st.integers(1, 3)) for _ in range(rank)],
        "dilation": [draw(st.integers(1, 3)) for _ in range(rank)],
        "padding": [[draw(st.integers(0, 2)), draw(st.integers(0, 2))] for _ in range(rank)],
    }
    extents = [(k - 1) * d + 1 for k, d in zip(each["kernel"], each["dilation"], strict=True)]
    sides = [max(1, extent - sum(pads)) + draw(st.integers(0, 6)) for extent, pads in zip(extents, each["padding"], strict=True)]
    groups = draw(st.integers(1, 3))
    return each | {"x": (groups * draw(st.integers(1, 3)), *sides), "filters": groups * draw(st.integers(1, 3)), "groups": groups}


def convolve(w: dict[str, Any], padding: list[tuple[int, int]]) -> tuple[int, ...]:
    rank = len(w["kernel"])
    axes = spatial(rank)
    kernel = (w["filters"], w["x"][0] // w["groups"], *w["kernel"])
    numbers = jax.lax.conv_dimension_numbers((1, *w["x"]), kernel, ("NC" + axes, "OI" + axes, "NC" + axes))

    def run(x: Any, k: Any) -> Any:
        return jax.lax.conv_general_dilated(
            x, k, w["stride"], padding, rhs_dilation=w["dilation"], dimension_numbers=numbers, feature_group_count=w["groups"]
        )

    return jax_shape(run, (1, *w["x"]), kernel)


@LIMITS
@given(windowed(), st.booleans())
def test_conv(w: dict[str, Any], bias: bool) -> None:
    options = {key: w[key] for key in ("filters", "kernel", "stride", "dilation", "padding", "groups")}
    node = layer(w["x"], written("conv", options | {"bias": bias}))
    assert node.shape == convolve(w, [tuple(pads) for pads in w["padding"]])
    assert node.params == count((w["filters"], w["x"][0] // w["groups"], *w["kernel"])) + bias * w["filters"]


@LIMITS
@given(windowed(), st.sampled_from(["same", "valid", "full"]))
def test_conv_with_named_padding(w: dict[str, Any], padding: str) -> None:
    extents = [(k - 1) * d + 1 for k, d in zip(w["kernel"], w["dilation"], strict=True)]
    x = (w["x"][0], *(side + extent for side, extent in zip(w["x"][1:], extents, strict=True)))
    node = layer(x, written("conv", {key: w[key] for key in ("filters", "kernel", "stride", "dilation", "groups")} | {"padding": padding}))
    if padding == "same":
        assert node.shape[1:] == tuple(-(-n // s) for n, s in zip(x[1:], w["stride"], strict=True))
    else:
        pads = [(0, 0) if padding == "valid" else (extent - 1, extent - 1) for extent in extents]
        assert node.shape == convolve(w | {"x": x}, pads)


@LIMITS
@given(windowed(), st.data())
def test_conv_transpose(w: dict[str, Any], data: st.DataObject) -> None:
    rank = len(w["kernel"])
    extents = [(k - 1) * d + 1 for k, d in zip(w["kernel"], w["dilation"], strict=True)]
    padding = [data.draw(st.integers(0, (extent - 1) // 2)) for extent in extents]
    extra = [data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(w["stride"], w["dilation"], strict=True)]
    options = {key: w[key] for key in ("filters", "kernel", "stride", "dilation", "groups")}
    node = layer(w["x"], written("conv_transpose", options | {"padding": padding, "output_padding": extra}))
    axes = spatial(rank)
    kernel = (w["filters"], w["x"][0] // w["groups"], *w["kernel"])
    numbers = jax.lax.conv_dimension_numbers((1, *w["x"]), kernel, ("NC" + axes, "OI" + axes, "NC" + axes))
    pads = [(extent - 1 - p, extent - 1 - p + o) for extent, p, o in zip(extents, padding, extra, strict=True)]

    def run(x: Any, k: Any) -> Any:
        return jax.lax.conv_general_dilated(
            x,
            k,
            (1,) * rank,
            pads,
            lhs_dilation=w["stride"],
            rhs_dilation=w["dilation"],
            dimension_numbers=numbers,
            feature_group_count=w["groups"],
        )

    assert node.shape == jax_shape(run, (1, *w["x"]), kernel)
    assert node.params == count(kernel) + w["filters"]


@LIMITS
@given(windowed(), st.sampled_from(["max_pool", "mean_pool", "lp_pool"]))
def test_pools(w: dict[str, Any], kind: str) -> None:
    dilation = w["dilation"] if kind == "max_pool" else [1] * len(w["kernel"])
    padding = [[min(p, k - 1) for p in pads] for pads, k in zip(w["padding"], w["kernel"], strict=True)]
    extents = [(k - 1) * d + 1 for k, d in zip(w["kernel"], dilation, strict=True)]
    x = (w["x"][0], *(n + extent for n, extent in zip(w["x"][1:], extents, strict=True)))
    more = {"max_pool": {"dilation": dilation}, "mean_pool": {"count_padding": True}, "lp_pool": {"p": 2}}[kind]
    node = layer(x, written(kind, {"kernel": w["kernel"], "stride": w["stride"], "padding": padding} | more))

    def run(a: Any) -> Any:
        window, strides, pads = (1, 1, *w["kernel"]), (1, 1, *w["stride"]), [(0, 0), (0, 0), *map(tuple, padding)]
        return jax.lax.reduce_window(a, -jnp.inf, jax.lax.max, window, strides, pads, window_dilation=(1, 1, *dilation))

    assert node.shape == jax_shape(run, (1, *x))
    assert node.params == 0


NORMS = {"batch_norm": lambda x: 2 * x[0], "layer_norm": lambda x: 2 * math.prod(x), "scale": lambda x: 2 * x[0], "relu": lambda x: 0}


@LIMITS
@given(st.lists(sizes, min_size=1, max_size=4).map(tuple), st.sampled_from(sorted(NORMS)))
def test_what_keeps_the_shape(x: tuple[int, ...], kind: str) -> None:
    node = layer(x, kind)
    assert (node.shape, node.params) == (x, NORMS[kind](x))


@LIMITS
@given(st.lists(sizes, min_size=2, max_size=4).map(tuple), sizes, st.sampled_from(["concat", "add", "multiply"]))
def test_merges(x: tuple[int, ...], maps: int, kind: str) -> None:
    other = f"{{name: a, conv: {{filters: {maps if kind == 'concat' else x[0]}, kernel: 1}}}}"
    text = f"netc: 1\nname: two\ninput: {list(x)}\nlayers: [{other}, {kind}: [above, input]]\n"
    graph = load("-", stdin_text=text).graph
    assert graph
    first = (maps if kind == "concat" else x[0], *x[1:])
    run = {"concat": lambda a, b: jnp.concatenate([a, b], 1), "add": jnp.add, "multiply": jnp.multiply}[kind]
    assert graph.nodes[-1].shape == jax_shape(run, (1, *first), (1, *x))


@LIMITS
@given(st.lists(sizes, min_size=1, max_size=4).map(tuple), sizes)
def test_flatten_and_linear(x: tuple[int, ...], units: int) -> None:
    graph = load("-", stdin_text=f"netc: 1\nname: two\ninput: {list(x)}\nlayers: [flatten, linear: {units}]\n").graph
    assert graph
    flat, linear = graph.nodes
    assert flat.shape == jax_shape(lambda a: a.reshape(1, -1), (1, *x))
    assert (linear.shape, linear.params) == ((units,), math.prod(x) * units + units)


def written(kind: str, options: dict[str, Any]) -> str:
    """`{conv: {filters: 3, kernel: [1, 2]}}`"""
    shown = {True: "true", False: "false"}
    return f"{{{kind}: {{{', '.join(f'{key}: {shown.get(v, v) if isinstance(v, bool) else v}' for key, v in options.items())}}}}}"


# arithmetic

OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def python(node: ast.expr) -> Any:
    """What Python's grammar makes of an expression, in fractions."""
    match node:
        case ast.Constant(value=bool() as value):
            return value
        case ast.Constant(value=value):
            return Fraction(str(value))
        case ast.Name(id="true" | "false" as word):
            return word == "true"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -python(operand)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not python(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return python(left) ** int(python(right))
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](python(left), python(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return COMPARISONS[type(op)](python(left), python(right))
        case ast.BoolOp(op=op, values=values):
            return (all if isinstance(op, ast.And) else any)(python(value) for value in values)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return python(body if python(test) else orelse)
        case ast.Call(func=ast.Name(id=name), args=args):
            return {"min": min, "max": max, "abs": abs, "floor": math.floor, "ceil": math.ceil}[name](*map(python, args))
    raise AssertionError(ast.dump(node))


def expression(dice: random.Random, depth: int) -> str:
    """Any expression that is legal in both languages; parentheses are left out as often as they can be."""
    if depth == 0 or dice.random() < 0.2:
        return dice.choice([str(dice.randrange(100)), "0.5", "2.25", "1e2", ".75", "3."])
    a, b, c = (expression(dice, depth - 1) for _ in range(3))
    form = dice.choice(
        ["{a} {sign} {b}"] * 4 + ["({a})", "-{a}", "{f}({a}, {b})", "{g}({a})", "{n} ** {e}", "({a} if ({b}) {test} ({c}) else {b})"]
    )
    return form.format(
        a=a,
        b=b,
        c=c,
        sign=dice.choice(["+", "-", "*", "/", "//", "%"]),
        f=dice.choice(["min", "max"]),
        g=dice.choice(["abs", "floor", "ceil"]),
        n=dice.choice(["2", "3", "(1 / 2)", "-2"]),
        e=dice.choice(["0", "3", "-2", "2 ** 2"]),
        test=dice.choice(["<", "<=", ">", ">=", "==", "!="]),
    )


@pytest.mark.parametrize("depth", range(1, 5))
def test_arithmetic_is_python_s_in_fractions(depth: int) -> None:
    large = 0
    for seed in range(500):
        text = expression(random.Random(seed), depth)
        try:
            expected = python(ast.parse(text, mode="eval").body)
        except ZeroDivisionError:
            expected = "division by zero"
        try:
            have = parse_value(f"$({text})").evaluate(nothing)
        except Mistake as mistake:
            have = mistake.message
        large += isinstance(have, str) and "64 bits" in have
        assert have == expected or "64 bits" in str(have), text
    assert large < 100


def nothing(name: str) -> Any:
    raise LookupError(name)


TRUTHS = [  # what binds how
    ("1 < 2 and 2 < 1 or true", True),
    ("not 1 < 2 or true", True),
    ("not (1 < 2 or true)", False),
    ("true or 1 / 0 > 1", True),
    ("false and 1 / 0 > 1", False),
    ("-2 ** 2", -4),
    ("2 ** 3 ** 2", 512),
    ("2 ** -1", Fraction(1, 2)),
    ("7 // -2", -4),
    ("-7 % 3", 2),
    ("8 - 3 - 2", 3),
    ("8 / 4 / 2", 1),
    ("1 if false else 2 if false else 3", 3),
    ("round(2.5)", 3),
    ("round(-2.5)", -2),
    ("round(20, 8)", 24),
    ("round(19, 8)", 16),
    ('"a" == "a"', True),
    ("0.1 + 0.2 == 0.3", True),
]


@pytest.mark.parametrize(("text", "value"), TRUTHS)
def test_how_operations_bind(text: str, value: object) -> None:
    assert parse_value(f"$({text})").evaluate(nothing) == value


TEXTS = """
    010 0o10 0x10 1_000 1:30 .inf -.Inf .nan 1e 1e+ e3 . + - -- 1.2.3 1e3.5 1e999 ++1 0b1 1d ١ 2024-01-01 12h 50%
    Null NULL True TRUE False FALSE yes no on off y n Yes NO
"""
SCALARS = [  # YAML 1.2's core schema, less what the language leaves to texts
    ("0", 0),
    ("-0", 0),
    ("12", 12),
    ("+12", 12),
    ("-7", -7),
    ("3.", 3),
    (".5", Fraction(1, 2)),
    ("-.5", Fraction(-1, 2)),
    ("+1.25", Fraction(5, 4)),
    ("1e3", 1000),
    ("1E-3", Fraction(1, 1000)),
    ("5e-4", Fraction(1, 2000)),
    ("1.5e+2", 150),
    ("0.1", Fraction(1, 10)),
    ("0e0", 0),
    ("null", None),
    ("~", None),
    ("true", True),
    ("false", False),
    *((text, text) for text in TEXTS.split()),
    ('"64"', "64"),
    ("'true'", "true"),
    ('"\\x41"', "A"),
    ("a b", "a b"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars(text: str, value: object) -> None:
    root = parse(Source("text", f"[{text}]"))
    [scalar] = root.items  # type: ignore[attr-defined]
    assert isinstance(scalar, Scalar)
    assert (scalar.value, type(scalar.value) is bool) == (value, type(value) is bool)


# random damage

PIECES = [
    *"{}[]:,-#&*!|>'\"%@`$()\t\n ",
    "\x00",
    "\x85",
    "\u2028",
    "\ufeff",
    "é",
    "- ",
    ": ",
    "$(",
    "1e99",
    "null",
    "<<: ",
    "---\n",
    "*a",
    "&a ",
]


def damaged(text: str, dice: random.Random) -> str:
    for _ in range(dice.randint(1, 4)):
        at, length = dice.randrange(len(text)), dice.choice([0, 0, 1, 1, 2, 5, 30])
        piece = dice.choice([dice.choice(PIECES), "", text[(other := dice.randrange(len(text))) : other + dice.randint(1, 40)]])
        text = text[:at] + piece + text[at + length :]
    return text


@pytest.mark.parametrize("name", zoo.names())
def test_damage_is_answered(name: str) -> None:
    text = zoo.read(name)[0]
    for seed in range(60):
        loaded = load("-", stdin_text=damaged(text, random.Random(f"{name} {seed}")))
        assert loaded.graph or loaded.errors
        for found in loaded.errors:
            lines = found.place.source.lines
            assert 1 <= found.place.line <= len(lines)
            assert 1 <= found.place.column <= len(lines[found.place.line - 1]) + 1
