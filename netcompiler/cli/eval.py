"""netc eval: the weights of a run, of several that vote, or of a file, measured on pictures that they were not trained on."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netcompiler.cli import FAULTY, FINE, Refusal, arguments, remarks, terminal
from netcompiler.cli.judging import Judged, member, of_run, of_spec
from netcompiler.cli.measurement import as_text
from netcompiler.cli.opening import Faulty, one_thread
from netcompiler.targets import AUTO, TARGETS

if TYPE_CHECKING:
    from runtime.metrics import Figures
    from runtime.panel import Member

VIEWS = {"ten-crop": "ten_crop", "flip": "flip", "none": ""}
"""--tta as the recipe's test_time says it."""


def main(words: Sequence[str]) -> int:
    args = _parser().parse_args(words)
    one_thread()
    from runtime.checkpoint import CheckpointError
    from runtime.data.faults import DataError
    from runtime.runs import RunError
    from runtime.session import InputError

    try:
        return _evaluate(args)
    except Faulty as faulty:
        remarks.write(faulty.found)
        return FAULTY
    except RunError as error:
        raise Refusal(str(error)) from None
    except (CheckpointError, DataError, InputError) as error:
        print(f"netc: {error}", file=sys.stderr)
        return FAULTY


def _parser() -> arguments.Parser:
    parser = arguments.Parser(
        "eval", "The loss and the metrics of a run's best weights, on its validation pictures or on other data. Several runs vote."
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder, such as runs/lenet-1, or its name; with --weights a spec")
    parser.add_argument("--weights", metavar="FILE|RUN", help="measure a spec with these: safetensors with PyTorch's names")
    parser.add_argument("--data", metavar="KIND|PATH", help="measure on this instead, as in `netc train`")
    parser.add_settings()
    parser.add_argument(
        "--tta", choices=tuple(VIEWS), help="views of each picture that vote; default: what the recipe says under test_time"
    )
    parser.add_argument("--target", choices=(AUTO, *TARGETS), help="what runs it; default: what the run was trained on")
    parser.add_device()
    parser.add_argument("--json", action="store_true", help="all of it as JSON, the confusion of all classes included")
    return parser


def _evaluate(args: argparse.Namespace) -> int:
    from runtime.evaluation import evaluate

    judged = list(_judged(args))
    recipe = judged[0].opened.recipe
    view = VIEWS[args.tta] if args.tta else recipe.test_time.kind if recipe.test_time else ""
    members, names = zip(*(member(each, view, other=args.data is not None) for each in judged), strict=True)
    single = len(members) == 1 and not view
    trained: Figures = evaluate(members[0].session, members[0].test) if single else {}
    measurement = {**_measured(members, view, trained), "views": view or None, "names": list(names[0])}
    if args.json:
        print(json.dumps(measurement, ensure_ascii=False))
        return FINE
    recorded = _compared(trained, judged[0]) if single and not (args.data or args.set or args.weights) else ""
    print("\n".join(as_text(measurement, recorded, terminal.width(sys.stdout), terminal.style(sys.stdout))))
    if left_out := members[0].test.faults:
        print(f"netc: {left_out}", file=sys.stderr)
    return FINE


def _judged(args: argparse.Namespace) -> list[Judged]:
    if args.weights is None:
        return [of_run(name, args.data, args.set, args.target) for name in args.runs]
    if len(args.runs) > 1:
        raise Refusal("--weights goes with one spec; runs vote by their names alone: netc eval RUN RUN")
    return [of_spec(args.runs[0], args.weights, args.data, args.set, args.target)]


def _measured(members: Sequence[Member], view: str, trained: Figures) -> dict[str, Any]:
    """By output; `trained` are the loss and the metrics as training measures them, where it can: by batches."""
    from runtime.metrics import by_batches
    from runtime.panel import measured

    tallies = measured(members, view)
    several = len(tallies) > 1
    voted = {f"{name}.{key}" if several else key: value for name, each in tallies.items() for key, value in each.figures().items()}
    return {
        "weights": [each.name for each in members],
        "pictures": len(members[0].test),
        "figures": {**trained, **{name: value for name, value in voted.items() if name not in trained or by_batches(name)}},
        "outputs": {name: found for name, each in tallies.items() if (found := each.details())},
    }


def _compared(found: Mapping[str, float], judged: Judged) -> str:
    recorded = judged.summary["best"]
    if recorded is None:
        return "training was ended before its first validation, and recorded nothing to compare with"
    if all(found.get(name) == value for name, value in recorded.items() if name != "epoch"):
        return f"as training recorded it in epoch {recorded['epoch']}"
    return "training recorded " + ", ".join(f"{name} {value:.6g}" for name, value in recorded.items() if name != "epoch")
