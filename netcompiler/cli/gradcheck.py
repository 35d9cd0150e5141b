"""netc gradcheck: the generated gradients of a net against central differences."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from netcompiler.cli import FAULTY, FINE, Refusal, arguments, remarks, terminal
from netcompiler.cli.loading import load
from netcompiler.cli.waiting import waiting
from netcompiler.diagnostics import SpecError
from netcompiler.report.columns import Column, as_lines, fit

if TYPE_CHECKING:
    from netcompiler.plan import Plan
    from runtime.gradcheck import Tensor


def main(words: Sequence[str]) -> int:
    args = _parser().parse_args(words)
    plan = _plan(args)
    if plan is None:
        return FAULTY
    tensors = _checked(plan, args)
    lines = as_lines(fit([_columns(tensors)], terminal.width(sys.stdout)), terminal.style(sys.stdout))
    print("\n".join([*lines, "", _verdict(tensors, args.tolerance)]))
    return FAULTY if any(tensor.error > args.tolerance for tensor in tensors) else FINE


def _parser() -> arguments.Parser:
    parser = arguments.Parser("gradcheck", "The gradient of each parameter against central differences, in float64, for a made-up batch.")
    parser.add_spec()
    parser.add_settings()
    parser.add_argument("--batch", type=arguments.count, default=3, metavar="N", help="pictures in the batch; default: 3")
    parser.add_argument("--samples", type=arguments.count, default=3, metavar="N", help="elements of each tensor; default: 3")
    parser.add_argument("--tolerance", type=float, default=1e-6, metavar="E", help="the largest relative error; default: 1e-6")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="starts weights, batch and choice of elements; default: 0")
    return parser


def _plan(args: argparse.Namespace) -> Plan | None:
    """None where the spec has errors, which are shown."""
    from netcompiler.compilation import Job, stages

    loaded = load(args.spec, args.set)
    if loaded.errors or loaded.graph is None:
        remarks.write(loaded.errors)
        return None
    try:
        *_, (_, plan) = stages(Job(loaded.graph, loaded.recipe, "train", args.batch, "numpy", "f64"))
    except SpecError as error:
        remarks.write(error.diagnostics)
        return None
    except NotImplementedError as error:
        raise Refusal(f"{error} can be checked, but not run yet") from None
    return plan


def _checked(plan: Plan, args: argparse.Namespace) -> list[Tensor]:
    import numpy as np

    from runtime.gradcheck import Check, Tensor, made_up
    from runtime.session import Session

    session, rng = Session(plan, args.seed), np.random.default_rng(args.seed)
    with waiting("comparing slopes, tensor by tensor", "; fewer --samples, and a smaller --batch, take less") as say:
        check, found = Check(session, made_up(session, rng), args.samples, rng), list[Tensor]()
        for tensor in check.tensors():
            found.append(tensor)
            say(len(found), len(check.gradients))
    return found


def _columns(tensors: Sequence[Tensor]) -> list[Column]:
    worst = [max(tensor.compared, key=lambda each: each.error, default=None) for tensor in tensors]
    return [
        Column("tensor", tuple(tensor.name for tensor in tensors), least=12, keep="end"),
        Column("shape", tuple("x".join(map(str, tensor.shape)) for tensor in tensors)),
        Column("checked", tuple(str(len(tensor.compared)) for tensor in tensors), right=True),
        Column("corners", tuple(str(tensor.corners or "") for tensor in tensors), right=True),
        Column("worst at", tuple(",".join(map(str, each.at)) if each else "" for each in worst)),
        Column("gradient", tuple(f"{each.gradient:.6g}" if each else "" for each in worst), right=True),
        Column("difference", tuple(f"{each.difference:.6g}" if each else "" for each in worst), right=True),
        Column("error", tuple(f"{each.error:.1e}" if each else "" for each in worst), right=True),
    ]


def _verdict(tensors: Sequence[Tensor], tolerance: float) -> str:
    if not tensors:
        return "no parameter has a gradient"
    worst = max(tensors, key=lambda tensor: tensor.error)
    relation = "past" if worst.error > tolerance else "within"
    return f"worst: {worst.name}, {worst.error:.1e}, {relation} the tolerance of {tolerance:g}"
