"""A spec -> a plan: the stages in their order."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import reduce

from netcompiler.diagnostics import Diagnostic, SpecError
from netcompiler.graph import Graph
from netcompiler.instructions.op import flops
from netcompiler.loading import load
from netcompiler.passes.commute import commute
from netcompiler.passes.differentiate import differentiate
from netcompiler.passes.fold import fold
from netcompiler.passes.fuse import fuse
from netcompiler.passes.hoist import hoist
from netcompiler.passes.keep import keep
from netcompiler.passes.legalise import legalise
from netcompiler.passes.lower import MODES, lower
from netcompiler.passes.memory import memory
from netcompiler.passes.merge import merge
from netcompiler.passes.optimise import optimise
from netcompiler.passes.precision import precision
from netcompiler.passes.schedule import schedule
from netcompiler.passes.select import select
from netcompiler.passes.simplify import simplify
from netcompiler.passes.why import Why, silent
from netcompiler.plan import Facts, Plan
from netcompiler.recipe import Recipe
from netcompiler.source import Place, Source
from netcompiler.targets import AUTO, TARGETS, Chooser, best
from netcompiler.tensors import spared
from netcompiler.verify import verify


@dataclass(frozen=True)
class Job:
    """What is compiled, for what."""

    graph: Graph
    recipe: Recipe | None
    mode: str
    batch: int
    target: str
    dtype: str
    facts: Facts = field(default_factory=dict)
    saving: int = 0
    """Bytes of kept values to compute again, because a plan came out too large."""
    row: int = 1
    """How many of them may be computed one out of the other."""
    remarks: tuple[str, ...] = ()
    """Facts of the plan that come of how it was compiled."""
    why: Why = silent
    """Hears why rewrites did not fire."""
    bytes: bool = False
    """Pictures are fed as bytes, 0 to 255 for 0 to 1."""

    @property
    def precision(self) -> str | None:
        return self.recipe.precision if self.recipe else None

    @property
    def exact(self) -> bool:
        return self.precision == "exact"

    @property
    def chooser(self) -> Chooser:
        """In inference weights are packed once, before everything else."""
        return Chooser(TARGETS[self.target], self.facts, self.exact, repacks=self.mode != "infer")


Stage = tuple[str, Callable[[Plan, Job], Plan]]

STAGES: tuple[Stage, ...] = (
    ("precision", lambda plan, job: precision(plan, job.precision, TARGETS[job.target].math)),
    ("simplify", lambda plan, job: commute(simplify(plan))),
    ("fold", lambda plan, job: fold(plan, job.why)),
    ("legalise", lambda plan, job: legalise(plan, TARGETS[job.target])),
    ("differentiate", lambda plan, job: simplify(differentiate(plan))),
    ("optimise", lambda plan, job: optimise(plan, job.recipe, spared(job.graph))),
    ("keep", lambda plan, job: keep(plan, job.saving, job.row, job.why)),
    ("fuse", lambda plan, job: fuse(plan, job.why)),
    ("merge", lambda plan, job: merge(plan)),
    ("select", lambda plan, job: select(plan, job.chooser, job.why)),
    ("hoist", lambda plan, job: hoist(plan)),
    ("schedule", lambda plan, job: schedule(plan, TARGETS[job.target])),
    ("memory", lambda plan, job: memory(plan)),
)
"""The stages behind `lower`, in their order."""


DTYPES = {"float32": "f32", "float64": "f64"}
"""What a plan can compute in."""

ALL = ((2**62, 1), (2**62, 2))
"""To save all that can be saved; longer rows than two need more room for themselves than they spare."""


def stages(job: Job, checked: bool = False) -> Iterator[tuple[str, Plan]]:
    """The plan after each stage; with `checked` the verifier looks at each."""
    with uncollected():
        plan = lower(job.graph, job.recipe, job.mode, job.batch, job.target, job.dtype, job.bytes)
    yield "lower", plan
    for name, stage in STAGES:
        with uncollected():
            if name == "keep":
                job = _within_budget(plan, job)
                plan = replace(plan, facts=(*plan.facts, *job.remarks))
            plan = stage(plan, job)
            if checked:
                verify(plan)
        yield name, plan


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector: of the many objects of a plan nearly all stay, and it would look at them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _within_budget(plan: Plan, job: Job) -> Job:
    """The job with what must be saved for its plan to fit into train.memory; tried at most three times."""
    budget = job.recipe.budget if job.recipe and job.mode == "train" else None
    if budget is None:
        return job
    late = [stage for _, stage in STAGES[[name for name, _ in STAGES].index("keep") :]]
    whole = _through(late, plan, replace(job, why=silent))
    if _size(whole) <= budget:
        return job
    sizes = []
    for saving, row in ((_size(whole) - budget, 1), *ALL):
        job = replace(job, saving=saving, row=row)
        small = _through(late, plan, replace(job, why=silent))
        sizes.append(_size(small))
        if sizes[-1] <= budget:
            return replace(job, remarks=(*job.remarks, _price(whole, small)))
    raise SpecError(_too_little(job, min(sizes)))


def _size(plan: Plan) -> int:
    return sum(plan.segments.values())


def _price(whole: Plan, small: Plan) -> str:
    """What computing again costs, as a fact of the plan."""
    before, after = (sum(sum(map(flops, program)) for program in plan.programs.values()) for plan in (whole, small))
    saved = (_size(whole) - _size(small)) / 2**20
    return f"memory {saved:,.0f} MiB less, for {100 * (after / before - 1):.1f}% more arithmetic in all programs"


def _too_little(job: Job, least: int) -> Diagnostic:
    """Points at the setting, wherever it was made."""
    name, value = "train.memory: ", str(job.recipe and job.recipe.memory)
    place = Place(Source("train.memory", name + value), 1, 1 + len(name), 1, 1 + len(name) + len(value))
    message = f"training at batch {job.batch} takes {least / 2**20:,.0f} MiB, however much is computed again"
    return Diagnostic("memory", place, message, (), "take a smaller batch, or accumulate over parts of it")


def _through(late: Sequence[Callable[[Plan, Job], Plan]], plan: Plan, job: Job) -> Plan:
    return reduce(lambda done, stage: stage(done, job), late, plan)


def compile(
    spec: str,
    mode: str = "train",
    batch: int = 0,
    target: str = AUTO,
    dtype: str = "float32",
    settings: Mapping[str, object] | None = None,
    bytes: bool = False,
    facts: Facts | None = None,
) -> Plan:
    """The plan of a spec. Without `batch` it is the recipe's, or 1; where a step accumulates, the plan is for a part of it.

    With `bytes` the pictures are fed as uint8 alone, which is a quarter of the memory. By `facts`, which are measured seconds,
    kernels are chosen; without them by formula."""
    _known("mode", mode, MODES)
    _known("dtype", dtype, DTYPES)
    _known("target", target, (AUTO, *TARGETS))
    if type(batch) is not int or batch < 0:
        raise ValueError(f"batch is a whole number of pictures, or 0 for the recipe's own, not {batch!r}")
    loaded = load(spec, [f"{key}={_text(value)}" for key, value in (settings or {}).items()])
    if loaded.errors or loaded.graph is None:
        raise SpecError(*loaded.errors)
    batch = batch or (loaded.recipe.batch if loaded.recipe else 1)
    if mode == "train" and loaded.recipe:
        batch = -(-batch // loaded.recipe.accumulate)
    target = best(DTYPES[dtype]) if target == AUTO else target
    job = Job(loaded.graph, loaded.recipe, mode, batch, target, DTYPES[dtype], facts or {}, bytes=bytes)
    with uncollected():
        *_, (_, plan) = stages(job)
    return plan


def _text(value: object) -> str:
    """As the command line has it; JSON is YAML."""
    return value if isinstance(value, str) else json.dumps(value)


def _known(option: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise ValueError(f"{option} is {' or '.join(known)}, not {value!r}")
