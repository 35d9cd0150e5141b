"""From a spec on the command line to a session that can train or be measured; what cannot be done yet is said first."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netcompiler
from netcompiler import zoo
from netcompiler.cli import Refusal
from netcompiler.cli.loading import standard_input
from netcompiler.cli.named_data import kind_of
from netcompiler.compilation import Job, stages
from netcompiler.diagnostics import Diagnostic, SpecError, did_you_mean
from netcompiler.graph import Graph
from netcompiler.loading import is_path, read_file, split_variant
from netcompiler.passes.precision import computed_in
from netcompiler.recipe import DATA, Data, Recipe
from netcompiler.report.expansion import flow
from netcompiler.targets import TARGETS
from runtime.data.wanted import INPUT, TARGET

if TYPE_CHECKING:
    from netcompiler.plan import Facts, Plan


def one_thread() -> None:
    """BLAS at one thread, unless its user says otherwise. Products here are small: a second thread waits more than it works."""
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


class Faulty(Exception):
    """A spec with errors."""

    def __init__(self, found: Sequence[Diagnostic]) -> None:
        super().__init__()
        self.found = found


@dataclass(frozen=True)
class Opened:
    """A net with its recipe, the text of its spec, and the settings that led to it."""

    spec: str
    text: str
    settings: tuple[str, ...]
    graph: Graph
    recipe: Recipe

    def again(self, settings: Sequence[str]) -> Opened:
        """The same spec with other settings."""
        return _open(self.spec, self.text, settings)

    def fields(self) -> dict[str, str]:
        """The data's field for each input and target: B1 of the language."""
        assert self.recipe.data
        return fields(self.graph, self.recipe.data)

    def job(self, target: str, facts: Facts, mode: str = "train") -> Job:
        """For the recipe's batch or a part of it; `facts` are what was measured before."""
        batch = -(-self.recipe.batch // self.recipe.accumulate)
        in_bytes = self.recipe.data is not None and self.recipe.data.in_bytes
        return Job(self.graph, self.recipe, mode, batch, target, "f32", facts, bytes=in_bytes)

    def precision(self, target: str) -> str:
        """What a plan for a target computes in."""
        return computed_in(self.recipe.precision, TARGETS[target].math)

    def plan(self, target: str, facts: Facts | None = None, mode: str = "train") -> Plan:
        try:
            *_, (_, plan) = stages(self.job(target, facts or {}, mode))
        except SpecError as error:
            raise Faulty(error.diagnostics) from None
        except NotImplementedError as error:
            raise Refusal(f"{error} can be checked, but not run yet") from None
        return plan


def open_spec(spec: str, settings: Sequence[str]) -> Opened:
    return _open(spec, _text(spec), settings)


def _open(spec: str, text: str, settings: Sequence[str]) -> Opened:
    loaded = netcompiler.load(spec, settings, text)
    if loaded.errors or loaded.graph is None:
        raise Faulty(loaded.errors)
    if loaded.recipe is None:
        raise Refusal("the spec has no `train` section: write one, or add --data digits --set 'train.optimizer={adam: 1e-3}'")
    return Opened(spec, text, tuple(settings), loaded.graph, loaded.recipe)


def _text(spec: str) -> str:
    name, _ = split_variant(spec)
    try:
        if name == "-":
            return standard_input()
        return read_file(Path(name), name).text if is_path(name) else zoo.read(name)[0]
    except (netcompiler.UnreadableSpec, LookupError) as error:
        raise Refusal(str(error.args[0])) from None


def reopened(folder: Path, summary: Mapping[str, Any], data: str | None = None, more: Sequence[str] = ()) -> Opened:
    """The net of a run, as the run's summary says it was opened; on other data, or with more settings."""
    variant = f":{summary['variant']}" if summary["variant"] else ""
    spec, settings = f"{folder / summary['spec']}{variant}", [*summary["settings"], *more]
    own = [setting for setting in settings if data is None or not setting.startswith("train.data")]
    return opened_on(spec, data, own)


def opened_on(spec: str, data: str | None, settings: Sequence[str]) -> Opened:
    """A spec on other data than its own, if some is named; pictures that are named are scaled to the net's size."""
    if data is None:
        return open_spec(spec, settings)
    named = data_setting(data)
    opened = open_spec(spec, [named, *settings])
    more = scaling(opened, data)
    return opened.again([named, more, *settings]) if more else opened


def check_runnable(recipe: Recipe) -> None:
    """What training takes beside a net."""
    if recipe.optimizer is None:
        raise Refusal("the recipe has no optimizer: write one, or add --set 'train.optimizer={adam: 1e-3}'")
    if recipe.data is None:
        raise Refusal("the recipe has no data: add --data digits")


def fields(graph: Graph, data: Data) -> dict[str, str]:
    columns = data.yields()
    plain = [name for name, column in columns.items() if not column.target]
    aims = [name for name, column in columns.items() if column.target]
    only = len(plain) == 1 == len(graph.inputs)
    inputs = {INPUT + node.name: plain[0] if only else node.name for node in graph.inputs}
    targets = {
        TARGET + output.name: output.target or (aims[0] if len(aims) == 1 else output.name) for output in graph.outputs if output.loss
    }
    return {**inputs, **targets}


# data on the command line


def data_setting(words: str) -> str:
    """--data KIND, PATH or {KIND: options} as a setting."""
    kind = words.replace("-", "_")  # as the names of sets are often written: fashion-mini
    if words.startswith("{") or kind in DATA:
        return f"train.data={words if words.startswith('{') else kind}"
    if found := kind_of(words):
        return f"train.data={flow(found)}"
    raise Refusal(f"there is no data called `{words}`, and no such file: {did_you_mean(words, DATA) or 'kinds are ' + ', '.join(DATA)}")


def scaling(opened: Opened, named: str) -> str | None:
    """Data that was named on the command line, of pictures far from the net's size: the setting that scales them."""
    from runtime.data.fit import FURTHEST

    data, given = opened.recipe.data, opened.graph.inputs[0].shape
    if data is None or named not in DATA or "resize" not in type(data).model_fields:
        return None
    shape = next(iter(data.yields().values())).shape
    if shape is None or None in shape or len(shape) != len(given) or shape[0] != given[0]:
        return None
    far = any(max(a, b or 0) > FURTHEST * min(a, b or 0) for a, b in zip(given[1:], shape[1:], strict=True))
    return f"train.data.{data.kind}.resize={flow(list(given[1:]))}" if far else None


def settings_of(options: Mapping[str, object]) -> list[str]:
    """Options of the command line as settings of the recipe; what was not given is left out."""
    return [f"train.{name}={value}" for name, value in options.items() if value is not None]
