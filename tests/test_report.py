"""The report on nets that are put together here, layer by layer: tables, totals, memory, explanations, JSON, differences."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from netcompiler.budget import Budget, overruns
from netcompiler.diagnostics import Call, Style
from netcompiler.footprint import footprint
from netcompiler.graph import Graph, Node, Output
from netcompiler.layers import KINDS
from netcompiler.layers.layer import Reach
from netcompiler.losses import LOSSES
from netcompiler.report import difference, document, explanation, figures
from netcompiler.report.as_json import as_json
from netcompiler.report.columns import Column, as_lines, cut, fit
from netcompiler.report.description import described
from netcompiler.report.rows import relative, rows
from netcompiler.report.summary import first_sentence
from netcompiler.scan import scan
from netcompiler.source import Place, Source
from netcompiler.totals import totals

FILE = Source("net.yaml", "".join(f"line {number}\n" for number in range(1, 40)))
PLAIN = Style()


class Bench:
    """Builds a graph a layer at a time; each layer has a line of its own."""

    def __init__(self, *shape: int) -> None:
        self.input = Node("input", None, (), shape, self.place())
        self.nodes: list[Node] = []

    def place(self) -> Place:
        line = len(getattr(self, "nodes", ())) + 2
        return Place(FILE, line, 5, line, 9)

    def add(self, name: str, kind: str, *inputs: Node, only: str = "", **options: Any) -> Node:
        reads = inputs or ((self.nodes or [self.input])[-1],)
        if kind == "add":
            options["of"] = [x.name for x in reads]
        layer = KINDS[kind](**options)
        calls = (Call(Place(FILE, 30, 3, 30, 8), "Block", "stage.0"),) if name.startswith("stage.0.") else ()
        node = Node(name, layer, reads, layer.shape(*(x.shape for x in reads)), self.place(), calls, only)
        self.nodes.append(node)
        return node

    def graph(self, *outputs: Output, **changes: Any) -> Graph:
        ends = outputs or (output("output", self.nodes[-1]),)
        scopes = {"stage": "repeat", "stage.0": "Block"}
        fields = {"doc": "A net for tests. Nobody trains it."} | changes
        return Graph(
            spec="net.yaml",
            variant="small",
            name="net",
            inputs=(self.input,),
            nodes=tuple(self.nodes),
            outputs=ends,
            scopes=scopes,
            **fields,
        )


def output(name: str, node: Node, weight: float = 1.0, only: str = "") -> Output:
    return Output(name, node, LOSSES["cross_entropy"](), weight, None, only, node.place)


def residual_net(**changes: Any) -> Graph:
    """A stem, one residual block in the scope stage.0, and a head."""
    net = Bench(3, 16, 16)
    stem = net.add("stem", "conv", filters=8, kernel=3, padding="same", bias=False)
    net.add("stage.0.conv1", "conv", filters=8, kernel=3, padding=1)
    net.add("stage.0.norm", "batch_norm")
    body = net.add("stage.0.conv2", "conv", filters=8, kernel=3, padding=1)
    net.add("stage.0.3", "add", body, stem)
    net.add("stage.0.4", "relu")
    net.add("pool", "max_pool", kernel=2)
    net.add("3", "flatten")
    net.add("scores", "linear", units=10)
    return net.graph(**changes)


def text(graph: Graph, depth: int | None = 2, width: int | None = None) -> str:
    return document.as_text(graph, footprint(graph), depth, width, PLAIN)


WIDE = """\
net:small  A net for tests.

name     layer                                        output  params     MACs  field  share
input                                                3x16x16                     1/1
stem     conv 8, kernel 3, padding same, bias false  8x16x16     216   55,296    3/1  15.6%
stage.0  Block, 5 layers                             8x16x16   1,184  294,912    7/1  83.0%
pool     max_pool 2                                    8x8x8                     8/2
3        flatten                                         512                     all
scores   linear 10                                        10   5,130    5,120    all   1.4%

output  scores, cross_entropy

params         6,530  learnable, beside 16 in buffers
neurons        6,154  outputs of layers with weights
connections  361,482  values that the units read, a bias being one
depth              4  layers with weights on the longest path
MACs         355,328  multiply-accumulates of convolutions and linear layers, biases not counted
FLOPs        724,490  2 x MACs + 1 for every other addition, product, comparison and function

memory     parameters  gradients  optimizer  activations     total
inference    25.6 KiB                           24.0 KiB  49.6 KiB
training     25.6 KiB   25.5 KiB   25.5 KiB     37.5 KiB   114 KiB

An estimate at batch 1 in float32; activations: the most that live at once, and those kept for the backward pass. All
outputs together take 50.0 KiB. `--plan` compiles, and tells it to the byte.
"""

UNFOLDED = """\
name           layer                        input         output  params     MACs  field  share
input                                                    3x16x16                     1/1
stem           conv 8, kernel 3, …                       8x16x16     216   55,296    3/1  15.6%
stage.0.conv1  conv 8, kernel 3, padding 1               8x16x16     584  147,456    5/1  41.5%
stage.0.norm   batch_norm                                8x16x16      16             5/1
stage.0.conv2  conv 8, kernel 3, padding 1               8x16x16     584  147,456    7/1  41.5%
stage.0.3      add                          conv2, stem  8x16x16                     7/1
stage.0.4      relu                                      8x16x16                     7/1
pool           max_pool 2                                  8x8x8                     8/2
3              flatten                                       512                     all
scores         linear 10                                      10   5,130    5,120    all   1.4%
"""

BARS = """\
name     layer                                        output  params     MACs  field  share
input                                                3x16x16                     1/1
stem     conv 8, kernel 3, padding same, bias false  8x16x16     216   55,296    3/1  15.6%  ██▎
stage.0  Block, 5 layers                             8x16x16   1,184  294,912    7/1  83.0%  ████████████
pool     max_pool 2                                    8x8x8                     8/2
3        flatten                                         512                     all
scores   linear 10                                        10   5,130    5,120    all   1.4%  ▎
"""

AT_60 = """\
name     layer        output  params     MACs  field  share
input                3x16x16                     1/1
stem     conv 8, …   8x16x16     216   55,296    3/1  15.6%
stage.0  Block, …    8x16x16   1,184  294,912    7/1  83.0%
pool     max_pool 2    8x8x8                     8/2
3        flatten         512                     all
scores   linear 10        10   5,130    5,120    all   1.4%
"""

AT_40 = """\
name      output  params   MACs
input    3x16x16
stem     8x16x16     216  55.3k
stage.0  8x16x16   1.18k   295k
pool       8x8x8
3            512
scores        10   5.13k  5.12k
"""


def test_the_whole_text() -> None:
    assert text(residual_net()) == WIDE


@pytest.mark.parametrize(
    ("depth", "width", "golden"), [(None, 96, UNFOLDED), (2, 110, BARS), (2, 60, AT_60), (2, 40, AT_40)], ids=["all", "bars", "60", "40"]
)
def test_the_table(depth: int | None, width: int, golden: str) -> None:
    assert text(residual_net(), depth, width).split("\n\n")[1] + "\n" == golden


@pytest.mark.parametrize("width", range(34, 130, 7))
@pytest.mark.parametrize("depth", [1, 2, None])
def test_no_line_is_wider_than_the_terminal(width: int, depth: int | None) -> None:
    assert max(map(len, text(residual_net(), depth, width).splitlines())) <= width


def test_markdown() -> None:
    lines = document.as_markdown(residual_net(), footprint(residual_net()), 1).splitlines()
    assert lines[:10] == [
        "## net:small",
        "",
        "A net for tests. Nobody trains it.",
        "",
        "| name | layer | output | params | MACs | field | share |",
        "| :-- | :-- | --: | --: | --: | --: | --: |",
        "| input |  | 3x16x16 |  |  | 1/1 |  |",
        "| stem | conv 8, kernel 3, padding same, bias false | 8x16x16 | 216 | 55,296 | 3/1 | 15.6% |",
        "| stage | repeat, 5 layers | 8x16x16 | 1,184 | 294,912 | 7/1 | 83.0% |",
        "| pool | max_pool 2 | 8x8x8 |  |  | 8/2 |  |",
    ]
    assert "- params: **6,530** learnable, beside 16 in buffers" in lines
    assert "| training | 25.6 KiB | 25.5 KiB | 25.5 KiB | 37.5 KiB | 114 KiB |" in lines


def test_a_broken_graph_shows_what_there_is_and_no_totals() -> None:
    graph = residual_net(broken=True)
    shown = text(graph)
    assert "stage.0" in shown
    assert "params  " in shown.splitlines()[2]
    assert "learnable" not in shown
    assert shown.rstrip().endswith(document.UNFINISHED)
    assert json.loads(as_json("net.yaml", graph, footprint(graph), []))["totals"] is None


def test_colours_stay_out_of_the_widths() -> None:
    lines = document.as_text(residual_net(), footprint(residual_net()), 2, 110, Style(True)).splitlines()
    assert lines[2].startswith("\x1b[1mname\x1b[0m     \x1b[1mlayer")
    bare = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert bare == text(residual_net(), 2, 110).splitlines()


# rows


def test_a_row_names_its_input_where_it_is_not_the_one_above() -> None:
    net = Bench(4, 8, 8)
    left = net.add("left", "relu")
    right = net.add("right", "tanh", net.input)
    net.add("join", "add", right, left, net.input)
    assert [row.reads for row in rows(net.graph())] == ["", "", "input", "right, left, input"]


def test_a_folded_row_is_the_sum_of_its_layers_and_ends_like_the_last() -> None:
    graph = residual_net()
    folded = next(row for row in rows(graph, 1) if row.name == "stage")
    assert (folded.params, folded.macs, folded.shape) == (1184, 294_912, (8, 16, 16))
    assert sum(row.params for row in rows(graph, 1)) == sum(row.params for row in rows(graph, None)) == totals(graph).params


@pytest.mark.parametrize(
    ("name", "reader", "short"),
    [
        ("a.b.conv", "a.b.add", "conv"),
        ("a.b.conv", "a.c.add", "b.conv"),
        ("a.b.0", "a.b.1", "a.b.0"),
        ("stem", "a.b", "stem"),
        ("a.b", "a", "a.b"),
    ],
)
def test_names_are_as_the_reader_may_write_them(name: str, reader: str, short: str) -> None:
    assert relative(name, reader) == short


@pytest.mark.parametrize(
    ("kind", "options", "line"),
    [
        ("relu", {}, "relu"),
        ("max_pool", {"kernel": 3, "stride": 2}, "max_pool 3, stride 2"),
        ("conv", {"filters": 8, "kernel": [3, 5], "bias": False}, "conv 8, kernel [3, 5], bias false"),
        ("conv", {"filters": 2, "kernel": 1, "connections": "XX\nX.\n"}, "conv 2, kernel 1, connections …"),
        ("reshape", {"shape": [4, 2, 2]}, "reshape [4, 2, 2]"),
        ("add", {"of": ["a", "b"]}, "add"),
        ("lrn", {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2.0}, "lrn 5, alpha 0.0001, beta 0.75, k 2"),
    ],
)
def test_a_layer_in_one_line(kind: str, options: dict[str, Any], line: str) -> None:
    assert described(KINDS[kind](**options)) == line


# totals and memory


def test_what_only_training_needs_counts_in_params_alone() -> None:
    net = Bench(8)
    trunk = net.add("trunk", "linear", units=4)
    net.add("aux", "linear", trunk, units=4, only="train")
    graph = net.graph(output("main", trunk))
    whole, alone = totals(graph), totals(replace(graph, nodes=(trunk,)))
    assert whole.params == alone.params + 20
    assert whole._replace(params=alone.params) == alone
    assert footprint(graph).inference == footprint(replace(graph, nodes=(trunk,))).inference
    assert footprint(graph).training > footprint(replace(graph, nodes=(trunk,))).training


def test_depth_is_the_longest_path_to_an_output() -> None:
    net = Bench(4, 8, 8)
    a = net.add("a", "conv", filters=4, kernel=1)
    b = net.add("b", "conv", filters=4, kernel=1)
    shortcut = net.add("shortcut", "conv", net.input, filters=4, kernel=1)
    net.add("join", "add", b, shortcut)
    end = net.add("end", "relu")
    assert totals(net.graph(output("end", end))).depth == 2
    assert totals(net.graph(output("early", a))).depth == 1


def test_memory_by_hand() -> None:
    """float32: input 3 KiB, maps of 8x16x16 8 KiB each, the pooled ones 2 KiB, flatten is a view."""
    memory = footprint(residual_net(), batch=2, slots=2)
    assert memory.live == 2 * 3 * 8192  # the stem waits for the sum, which stands beside its two terms
    kept = 3 * 1024 + 4 * 8192 + 512 + 2048  # input, stem, conv1, norm, relu; a byte for each maximum; what scores reads
    assert memory.kept == 2 * kept
    assert memory.parameters == 4 * (6530 + 16)
    assert memory.gradients == 4 * 6530
    assert memory.state == 2 * memory.gradients
    assert memory.inference == memory.parameters + memory.live
    assert memory.training == memory.parameters + 3 * memory.gradients + memory.kept


def test_a_value_lives_until_its_last_reader() -> None:
    net = Bench(1, 10, 10)
    first = net.add("first", "relu")
    for index in range(5):
        net.add(f"next{index}", "tanh")
    assert footprint(net.graph()).live == 2 * 400
    net.add("last", "add", net.nodes[-1], first)
    assert footprint(net.graph()).live == 3 * 400


# numbers


@pytest.mark.parametrize(
    ("count", "short"),
    [
        (0, ""),
        (999, "999"),
        (1000, "1.00k"),
        (9_408, "9.41k"),
        (9_999, "10.0k"),
        (25_557_032, "25.6M"),
        (118_013_952, "118M"),
        (15_470_264_320, "15.5G"),
    ],
)
def test_short_counts(count: int, short: str) -> None:
    assert figures.short(count) == short


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (102_228_128, "97.5 MiB"), (2**31, "2.00 GiB"), (2**30 - 1, "1024 MiB")],
)
def test_sizes(count: int, shown: str) -> None:
    assert figures.size(count) == shown


@pytest.mark.parametrize(
    ("written", "count"),
    [("25000000", 25_000_000), ("25,557,032", 25_557_032), ("25.5M", 25_500_000), ("4g", 4_000_000_000), ("1_000", 1000)],
)
def test_counts_are_read(written: str, count: int) -> None:
    assert figures.read_count(written) == count


@pytest.mark.parametrize(
    ("written", "count"), [("512", 512), ("8GiB", 8 * 2**30), ("8 GB", 8 * 10**9), ("8G", 8 * 2**30), ("1.5MiB", 3 * 2**19)]
)
def test_sizes_are_read(written: str, count: int) -> None:
    assert figures.read_size(written) == count


@pytest.mark.parametrize("written", ["", "many", "-1", "1e9", "12,3", "8GX", "1.2.3"])
def test_what_is_no_number_is_refused(written: str) -> None:
    for read in (figures.read_count, figures.read_size):
        with pytest.raises(ValueError, match="^" + re.escape(written) + "$"):
            read(written)


@pytest.mark.parametrize(
    ("reach", "shown"),
    [
        (None, "all"),
        (Reach((), ()), ""),
        (Reach((163, 163), (16, 16)), "163/16"),
        (Reach((7, 9), (2, 4)), "7x9/2x4"),
        (Reach((3,), (1,)), "3/1"),
    ],
)
def test_receptive_fields(reach: Reach | None, shown: str) -> None:
    assert figures.field(reach) == shown


# columns


@pytest.mark.parametrize(
    ("keep", "shown"), [("start", "conv 64, ker…"), ("end", "…7, stride 22"), ("parts", "conv 64, …"), ("parts, short", "conv…")]
)
def test_texts_are_cut(keep: str, shown: str) -> None:
    line = "conv 64, kernel 7, stride 22"
    assert cut(line, 13 if keep != "parts, short" else 5, keep.split(",")[0]) == shown


def test_the_first_layout_that_fits_is_taken() -> None:
    name, long = Column("name", ("a", "b")), Column("long", ("x" * 20, "y"))
    assert len(as_lines(fit([[name, long], [name]], 30))[0]) == len("name  long")
    assert as_lines(fit([[name, long], [name]], 10)) == ["name", "a", "b"]
    assert as_lines(fit([[name, long]], 12)) == ["name  long", "a     xxxxx…", "b     y"]


def test_empty_columns_are_left_out() -> None:
    assert as_lines(fit([[Column("a", ("1",)), Column("none", ("",))]], None)) == ["a", "1"]


@pytest.mark.parametrize(
    ("doc", "sentence"),
    [
        ("One. Two.", "One."),
        ("He et al. 2015, table 1. The stride sits.", "He et al. 2015, table 1."),
        ("Version 1.5 is here\nand goes on.", "Version 1.5 is here and goes on."),
        ("No stop", "No stop"),
        ("", ""),
    ],
)
def test_the_first_sentence(doc: str, sentence: str) -> None:
    assert first_sentence(doc) == sentence


# explanation

EXPLAINED = """\
stage.0.conv2  conv 8, kernel 3, padding 1
  written  net.yaml:5:5, in Block, called as stage.0 at net.yaml:30:3
  input    8x16x16 from stage.0.norm
  output   8x16x16 to stage.0.3
  field    7 cells of the input, 1 from one output to the next

  z[n, x, y] = b[n] + sum over m, i, j of w[n, m, i, j] * a[m, x*S + i - P, y*S + j - P]
  side 0: floor((16 + 2 - 3) / 1) + 1 = 16
  side 1: floor((16 + 2 - 3) / 1) + 1 = 16
  params: 8 * 8 * 3*3 + 8 = 584
  MACs: 8 * 8 * 3*3 * 16x16 positions = 147,456
  FLOPs: 2 * 147,456 MACs + 2,048 other operations = 296,960
"""


def test_a_layer_is_explained() -> None:
    assert explanation.as_text(residual_net(), "stage.0.conv2", None, PLAIN) == EXPLAINED


def test_a_scope_is_explained_layer_by_layer() -> None:
    shown = explanation.as_text(residual_net(), "stage.0", None, PLAIN)
    assert [line.split()[0] for line in shown.splitlines() if line.startswith("stage")] == [
        "stage.0.conv1",
        "stage.0.norm",
        "stage.0.conv2",
        "stage.0.3",
        "stage.0.4",
    ]


def test_an_unknown_layer_gets_a_suggestion() -> None:
    with pytest.raises(LookupError, match="did you mean `scores`"):
        explanation.as_text(residual_net(), "score", None, PLAIN)


# JSON

INTEGERS = {"type": "array", "items": {"type": "integer", "minimum": 1}}
COUNT = {"type": "integer", "minimum": 0}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


FIELD = closed(size=INTEGERS, stride={"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}})
NODE = closed(
    name={"type": "string"},
    layer={"enum": ["input", *KINDS]},
    options={"type": "object"},
    inputs={"type": "array", "items": {"type": "string"}},
    output=INTEGERS,
    params=COUNT,
    buffers=COUNT,
    macs=COUNT,
    flops=COUNT,
    receptive_field={"anyOf": [{"type": "null"}, FIELD]},
    line={"type": "integer", "minimum": 1},
    column={"type": "integer", "minimum": 1},
)
MEMORY = closed(parameters=COUNT, inference=COUNT, training=COUNT)
TOTALS = closed(params=COUNT, buffers=COUNT, neurons=COUNT, depth=COUNT, macs=COUNT, flops=COUNT, memory=MEMORY)
DIAGNOSTIC = closed(
    code={"type": "string"},
    severity={"enum": ["error", "note"]},
    message={"type": "string"},
    file={"type": "string"},
    line=COUNT,
    column=COUNT,
    end_line=COUNT,
    end_column=COUNT,
    facts={"type": "array", "items": {"type": "string"}},
    help={"type": ["string", "null"]},
)
REPORT = closed(
    netc={"const": 1},
    spec={"type": "string"},
    variant={"type": ["string", "null"]},
    name={"type": ["string", "null"]},
    nodes={"type": "array", "items": NODE},
    totals={"anyOf": [{"type": "null"}, TOTALS]},
    diagnostics={"type": "array", "items": DIAGNOSTIC},
)


def keys_in_order(record: Any, schema: dict[str, Any]) -> bool:
    """Keys come in the order of the schema, all the way down."""
    if isinstance(record, list):
        return all(keys_in_order(item, schema.get("items", {})) for item in record)
    if not isinstance(record, dict) or "properties" not in schema:
        return all(keys_in_order(record, option) for option in schema.get("anyOf", ()) if option.get("type") != "null")
    properties = schema["properties"]
    return list(record) == list(properties) and all(keys_in_order(value, properties[key]) for key, value in record.items())


def test_json_has_the_keys_of_its_version() -> None:
    graph = residual_net()
    memory = footprint(graph)
    report = json.loads(as_json("asked", graph, memory, overruns(graph, memory, Budget(params=1))))
    jsonschema.validate(report, REPORT)
    assert keys_in_order(report, REPORT)
    assert (report["spec"], report["variant"], report["name"]) == ("net.yaml", "small", "net")
    assert [node["name"] for node in report["nodes"]][:2] == ["input", "stem"]
    assert sum(node["params"] for node in report["nodes"]) == report["totals"]["params"]
    assert sum(node["flops"] for node in report["nodes"]) == report["totals"]["flops"]


def test_json_without_a_net() -> None:
    report = json.loads(as_json("asked", None, None, []))
    jsonschema.validate(report, REPORT)
    assert report == {"netc": 1, "spec": "asked", "variant": None, "name": None, "nodes": [], "totals": None, "diagnostics": []}


# budgets


@pytest.mark.parametrize(
    ("budget", "message", "line"),
    [
        (Budget(params=6_529), "6,530 params, and the budget is 6,529", 10),
        (Budget(macs=10_000), "355,328 MACs, and the budget is 10,000", 3),
        (Budget(memory=2**16), "114 KiB of memory for training at batch 1, and the budget is 64.0 KiB", 10),
        (Budget(params=6_530, macs=355_328, memory=2**20), None, 0),
    ],
)
def test_a_budget_points_at_the_layer_that_takes_most(budget: Budget, message: str | None, line: int) -> None:
    found = overruns(residual_net(), footprint(residual_net()), budget)
    assert [(d.code, d.message, d.place.line) for d in found] == ([("budget", message, line)] if message else [])


# difference


def test_equal_nets_differ_in_nothing() -> None:
    assert difference.changes(residual_net(), residual_net()) == []


def plain_net(kernel: int = 3, extra: bool = False, units: int = 10) -> Graph:
    net = Bench(1, 12, 12)
    net.add("0", "conv", filters=4, kernel=kernel)
    if extra:
        net.add("1", "batch_norm")
    for kind in ("relu", "flatten"):
        net.add(str(len(net.nodes)), kind)
    net.add(str(len(net.nodes)), "linear", units=units)
    return net.graph()


def test_a_layer_put_in_does_not_change_those_behind_it() -> None:
    assert difference.changes(plain_net(), plain_net(extra=True))[0] == ("+", "1", "batch_norm; 8 params")
    assert [change.sign for change in difference.changes(plain_net(), plain_net(extra=True))] == ["+", "~"]  # and the output's name


def test_changes_of_options_shapes_and_counts() -> None:
    changed = difference.changes(plain_net(), plain_net(kernel=5))
    assert changed[0] == ("~", "0", "conv: kernel 3 -> 5; output 4x10x10 -> 4x8x8; params 40 -> 104; MACs 3,600 -> 6,400")
    assert changed[1:] == [
        ("~", "1", "relu: output 4x10x10 -> 4x8x8"),
        ("~", "2", "flatten: output 400 -> 256"),
        ("~", "3", "linear: params 4,010 -> 2,570; MACs 4,000 -> 2,560"),
    ]


def test_a_scope_that_only_one_net_has_is_one_line() -> None:
    with_block = residual_net()
    stem, *block, pool, flat, scores = with_block.nodes
    bypass = replace(pool, inputs=(stem,))
    flat, old = replace(flat, inputs=(bypass,)), scores
    scores = replace(old, inputs=(flat,))
    without = replace(with_block, nodes=(stem, bypass, flat, scores), outputs=(output("output", scores),))
    assert difference.changes(without, with_block) == [("+", "stage.0", "Block, 5 layers; 1,184 params; 294,912 MACs")]
    assert len(difference.changes(without, with_block, None)) == len(block)


def test_turns_of_a_named_repeat_are_matched_by_name() -> None:
    def net(turns: int) -> Graph:
        bench = Bench(4, 8, 8)
        for turn in range(turns):
            start = bench.nodes[-1] if bench.nodes else bench.input
            body = bench.add(f"stage.{turn}.conv", "conv", filters=4, kernel=3, padding=1)
            bench.add(f"stage.{turn}.1", "add", body, start)
        return replace(bench.graph(), scopes={"stage": "repeat"} | {f"stage.{turn}": "Block" for turn in range(turns)})

    found = difference.changes(net(2), net(4))
    assert [(change.sign, change.name) for change in found] == [("+", "stage.2"), ("+", "stage.3"), ("~", "output")]


# scan


def test_a_scanned_net_has_the_same_weights_and_a_score_at_every_position() -> None:
    graph, mistakes = scan(plain_net(), (20, 14))
    assert mistakes == []
    assert [node.kind for node in graph] == ["conv", "relu", "conv"]
    assert graph.outputs[0].node.shape == (10, 9, 3)  # 20 - 12 + 1 and 14 - 12 + 1 places for the 12x12 picture
    assert totals(graph).params == totals(plain_net()).params
    assert graph.fields[graph.outputs[0].node] == Reach((12, 12), (1, 1))


def test_a_scan_on_the_old_size_gives_one_position() -> None:
    graph, _ = scan(plain_net(), (12, 12))
    assert graph.outputs[0].node.shape == (10, 1, 1)
    assert totals(graph) == totals(plain_net())


def test_padding_in_a_scan_is_noted() -> None:
    graph, found = scan(residual_net(), (32, 32))
    assert [(d.code, d.severity) for d in found] == [("scan-padding", "note")]
    assert graph.outputs[0].node.shape == (10, 9, 9)


def test_what_cannot_be_scanned_is_an_error_at_its_layer() -> None:
    net = Bench(2, 4, 4)
    net.add("0", "flatten")
    net.add("1", "layer_norm")
    graph, [found] = scan(net.graph(), (8, 8))
    assert (found.code, found.place.line, graph.broken) == ("scan", 3, True)


def test_a_scan_needs_a_number_for_each_side() -> None:
    _, [found] = scan(plain_net(), (8,))
    assert "does not fit" in found.message
