"""Nets with their weights, opened to be measured: runs, or a spec with a file of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from netcompiler.cli import Refusal
from netcompiler.cli.opening import Opened, opened_on, reopened
from netcompiler.cli.starting import begun
from netcompiler.cli.target import chosen, trained_on
from netcompiler.cli.tuning import kept
from netcompiler.passes.lower import EVALUATE
from netcompiler.plan import Facts
from netcompiler.targets import AUTO

if TYPE_CHECKING:
    from runtime.data.scale import Scale
    from runtime.panel import Member
    from runtime.session import Session

TEN_CROP = "ten_crop"
Scales = Mapping[str, "Scale"]


class Judged(NamedTuple):
    """`file` has the weights; `summary` is the run's, where there is one; `facts` are what kernels are chosen by."""

    opened: Opened
    file: Path
    summary: Mapping[str, Any]
    target: str
    facts: Facts

    def weigh(self, session: Session) -> Scales:
        """Gives the session the weights; what they were trained to be normalized by."""
        from runtime import checkpoint, finetune

        if not self.summary:
            finetune.load(session, str(self.file))
            _, scales = checkpoint.load(self.file)
        else:
            tensors, scales = checkpoint.load(self.file)
            session.load(tensors)
        session.normalize(scales)
        return scales


def of_run(name: str, data: str | None, settings: Sequence[str], target: str | None) -> Judged:
    from runtime.runs import find

    run = find(name)
    summary = run.summary()
    opened = reopened(run.folder, summary, data, settings)
    return Judged(opened, run.weights(), summary, chosen(target) if target else trained_on(summary), run.facts())


def of_spec(spec: str, weights: str, data: str | None, settings: Sequence[str], target: str | None) -> Judged:
    from runtime import finetune

    target = chosen(target or AUTO)
    return Judged(opened_on(spec, data, settings), finetune.file_of(weights), {}, target, kept(target))


def kinds(opened: Opened) -> dict[str, str]:
    """What the scores of each output are that inference gives: they choose, say yes or no each, or are numbers."""
    from runtime.tally import CHOICE

    given = [output for output in opened.graph.outputs if output.only != "train"]
    return {output.name: CHOICE if output.loss and output.loss.picks else output.loss.includes if output.loss else "" for output in given}


def member(judged: Judged, view: str, other: bool) -> tuple[Member, tuple[str, ...]]:
    """A net on what it is measured with in a view, and the names of the classes; `other` data than what it was trained on."""
    from runtime.data.prepare import prepare, to_test
    from runtime.panel import Member

    opened = judged.opened
    if opened.recipe.data is None:
        raise Refusal("there is no data to measure on: add --data digits")
    if view == TEN_CROP and opened.recipe.augment:
        opened = opened.again([*opened.settings, "train.augment=[]"])  # what cuts windows in training does not cut here
    plan = opened.plan(judged.target, judged.facts, EVALUATE)
    session, _ = begun(opened, plan, judged.facts)
    scales = judged.weigh(session)
    fields = opened.fields()
    if _unmeasured(opened, scales):
        material = prepare(plan, opened.recipe, fields)
        session.normalize(material.test.scales)
        return Member(str(judged.file), session, material.test, kinds(opened)), material.classes
    found = to_test(plan, opened.recipe, fields, scales, other, _sides(opened) if view == TEN_CROP else ())
    return Member(str(judged.file), session, found.test, kinds(opened)), found.classes


def _unmeasured(opened: Opened, scales: Scales) -> bool:
    """Weights of another program do not say what the net's input was normalized by: the training pictures do."""
    return opened.recipe.normalize is not None and opened.recipe.normalize.kind == "auto" and not scales


def _sides(opened: Opened) -> tuple[int, ...]:
    """Those of the pictures that windows are cut out of."""
    assert opened.recipe.data
    need = opened.graph.inputs[0].shape[1:]
    have = opened.recipe.data.sides()
    if have is None or len(have) != len(need) or not all(a > b for a, b in zip(have, need, strict=True)):
        kind, larger = opened.recipe.data.kind, ", ".join(str(round(side * 8 / 7)) for side in need)
        raise Refusal(
            f"ten_crop cuts windows of {'x'.join(map(str, need))}, the net's input, out of larger pictures, and the data's "
            f"are {'x'.join(map(str, have)) if have else 'of no known size'}: scale them, with --set 'train.data.{kind}.resize=[{larger}]'"
        )
    return have
