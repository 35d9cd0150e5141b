"""netc plan: the program that a spec becomes, at any stage; its memory; why rewrites did not fire; whether it is right."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netcompiler.cli import FAULTY, FINE, Refusal, arguments, kernels, remarks, terminal
from netcompiler.cli.loading import load
from netcompiler.cli.target import chosen
from netcompiler.cli.tuning import kept
from netcompiler.compilation import DTYPES, STAGES, Job, stages, uncollected
from netcompiler.diagnostics import SpecError, did_you_mean
from netcompiler.listing import program_lines, show_plan
from netcompiler.passes.lower import MODES
from netcompiler.passes.why import silent
from netcompiler.plan import Plan, Program
from netcompiler.recipe import Recipe
from netcompiler.report.columns import Column, as_lines, fit
from netcompiler.report.memory_map import memory_map, segment_table
from netcompiler.targets import AUTO, TARGETS, best
from netcompiler.verify import IllegalPlan

if TYPE_CHECKING:
    from runtime.comparison import Difference

NAMES = ("lower", *(name for name, _ in STAGES))
SHOWN = (*NAMES, kernels.STAGE)
TOLERANCE = {"f32": 1e-3, "f64": 1e-9, "f16": 5e-2, "bf16": 2e-1}
"""Shares of the largest number of a tensor."""


def main(words: Sequence[str]) -> int:
    args = _parser().parse_args(words)
    if args.emit and args.stage != kernels.STAGE:
        raise Refusal(f"--emit goes with --stage {kernels.STAGE}")
    loaded = load(args.spec, args.set)
    if loaded.errors or loaded.graph is None:
        remarks.write(loaded.errors)
        return FAULTY
    mode = args.mode or ("train" if any(output.loss for output in loaded.graph.outputs) else "infer")
    batch = args.batch or _batch(loaded.recipe, mode)
    target = best(DTYPES[args.dtype]) if args.target == AUTO else args.target
    if args.check:
        chosen(target)
    reasons: list[str] = []
    why = reasons.append if args.why else silent
    job = Job(loaded.graph, loaded.recipe, mode, batch, target, DTYPES[args.dtype], kept(target), why=why)
    try:
        with uncollected():
            passed, plan = _until(args.stage, job, args.check)
    except SpecError as error:
        remarks.write(error.diagnostics)
        return FAULTY
    except IllegalPlan as fault:
        print(f"netc: {fault}", file=sys.stderr)
        return FAULTY
    _answer(args, plan, reasons)
    return _checked(passed, plan) if args.check else FINE


def _batch(recipe: Recipe | None, mode: str) -> int:
    """What a step takes at once."""
    return -(-recipe.batch // recipe.accumulate) if recipe and mode == "train" else 1


def _parser() -> arguments.Parser:
    parser = arguments.Parser(
        "plan", "The program that a spec becomes: every instruction, what it reads and writes, and its line in the spec."
    )
    parser.add_spec()
    parser.add_settings()
    parser.add_argument("--mode", choices=MODES, help="default: train where an output has a loss")
    parser.add_argument("--batch", type=arguments.count, metavar="N", help="pictures at once; default: the spec's own to train, else 1")
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="float32", help="what is computed in; default: float32")
    parser.add_argument("--target", choices=(AUTO, *TARGETS), default=AUTO, help="what runs it; default: the best for the dtype")
    parser.add_argument(
        "--stage", choices=SHOWN, default=NAMES[-1], metavar="NAME", help=f"one of {', '.join(SHOWN)}; default: {NAMES[-1]}"
    )
    parser.add_argument("--emit", choices=kernels.EMITS, help=f"behind --stage {kernels.STAGE}: their texts, too")
    parser.add_argument("--program", metavar="NAME", help="one of the plan's programs, such as step or infer; default: all")
    parser.add_argument(
        "--why", action="store_true", help="instead of the program: why a rewrite did not fire or a kernel was chosen, line by line"
    )
    parser.add_argument("--memory", action="store_true", help="instead of the program: segments, and the arena as a picture")
    parser.add_argument("--check", action="store_true", help="instead of the program: verify every stage, run the plan, and compare values")
    return parser


def _until(stage: str, job: Job, checked: bool) -> tuple[list[str], Plan]:
    """The names of the stages up to the one that is asked for, and the plan after it."""
    passed: list[str] = []
    for name, latest in stages(job, checked):
        passed.append(name)
        plan = latest
        if name == stage:
            break
    return passed, plan


def _answer(args: argparse.Namespace, plan: Plan, reasons: Sequence[str]) -> None:
    programs = _programs(plan, args.program)
    if args.stage == kernels.STAGE:
        _print(kernels.lines(plan, programs, bool(args.emit)))
        return
    if args.why:
        _print(reason for reason in reasons if any(reason.startswith(f"{program.name}: ") for program in programs))
    if args.memory:
        _print(_memory(plan, programs))
    if args.program and not (args.why or args.memory or args.check):
        _print(line for program in programs for line in program_lines(plan, program))
    elif not (args.why or args.memory or args.check):
        sys.stdout.write(show_plan(plan))


def _programs(plan: Plan, name: str | None) -> list[Program]:
    if name is not None and name not in plan.programs:
        raise Refusal(f"the plan has no program `{name}`: {did_you_mean(name, plan.programs)}")
    return [program for program in plan.programs.values() if name in (None, program.name)]


def _memory(plan: Plan, programs: Sequence[Program]) -> Iterator[str]:
    if not plan.homes:
        raise Refusal(f"nothing has an address before {NAMES[-1]}: leave --stage out")
    width, style = terminal.width(sys.stdout), terminal.style(sys.stdout)
    yield from segment_table(plan, width, style)
    for program in programs:
        yield ""
        yield from memory_map(plan, program, width, style)


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        print(line)


def _checked(passed: Sequence[str], plan: Plan) -> int:
    """Runs the plan, and says how far its instructions are from what they mean."""
    print(f"every stage is legal: {', '.join(passed)}")
    if not plan.homes:
        return FINE
    from runtime.comparison import compare

    found: dict[str, list[Difference]] = {}
    for difference in compare(plan):
        found.setdefault(difference.program, []).append(difference)
    worst = [max(differences, key=lambda difference: difference.error) for differences in found.values()]
    columns = [
        Column("program", tuple(found)),
        Column("values", tuple(f"{len(differences):,}" for differences in found.values()), right=True),
        Column("apart by", tuple(f"{each.error:.1e}" if each.error else "nothing" for each in worst), right=True),
        Column("", tuple(f"{each.value} {each.instruction.op} {each.instruction.origin}" if each.error else "" for each in worst)),
    ]
    sys.stdout.write("\n".join(as_lines(fit([columns], terminal.width(sys.stdout)), terminal.style(sys.stdout))) + "\n")
    if beyond := sum(not difference.finite for differences in found.values() for difference in differences):
        print(f"{beyond:,} values are more than numbers can hold, with weights that are made up: there is nothing to compare in them")
    limit = TOLERANCE[plan.kept_in]
    wrong = any(not each.error <= limit for each in worst)
    print(f"{'not every' if wrong else 'every'} instruction gives what its body means, within {limit:g}")
    return FAULTY if wrong else FINE
