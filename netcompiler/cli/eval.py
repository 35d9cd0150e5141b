"""netc eval: the best weights of a run, measured again."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from netcompiler.cli import FAULTY, FINE, Refusal, arguments, remarks
from netcompiler.cli.opening import Faulty, one_thread, reopened
from netcompiler.cli.target import begun
from netcompiler.targets import AUTO


def main(words: Sequence[str]) -> int:
    parser = arguments.Parser("eval", "The loss and the metrics of a run's best weights, on its validation pictures or on other data.")
    parser.add_argument("run", metavar="RUN", help="a run's folder, such as runs/lenet-1, or its name")
    parser.add_argument("--data", metavar="KIND|PATH", help="measure on this instead, as in `netc train`")
    args = parser.parse_args(words)
    one_thread()
    from runtime.checkpoint import CheckpointError
    from runtime.data.faults import DataError
    from runtime.runs import RunError
    from runtime.session import InputError

    try:
        return _evaluate(args.run, args.data)
    except Faulty as faulty:
        remarks.write(faulty.found)
        return FAULTY
    except RunError as error:
        raise Refusal(str(error)) from None
    except (CheckpointError, DataError, InputError) as error:
        print(f"netc: {error}", file=sys.stderr)
        return FAULTY


def _evaluate(name: str, data: str | None) -> int:
    from netcompiler.cli.progress import figure
    from runtime import checkpoint
    from runtime.data.prepare import to_test
    from runtime.runs import find
    from runtime.trainer import evaluate

    run = find(name)
    summary = run.summary()
    opened = reopened(run.folder, summary, data)
    tensors, scales = checkpoint.load(run.weights())
    plan = opened.plan(summary.get("target", AUTO))
    session = begun(plan, opened.recipe.seed)
    session.load(tensors)
    session.normalize(scales)
    test = to_test(plan, opened.recipe, opened.fields(), scales)
    found = evaluate(session, test)
    print(f"{run.weights()}, {len(test):,} pictures")
    print("\n".join(f"  {figure_name:<6} {figure(figure_name, value)}" for figure_name, value in found.items()))
    if data is None:
        print(_compared(found, summary["best"]))
    return FINE


def _compared(found: dict[str, float], recorded: dict[str, float] | None) -> str:
    if recorded is None:
        return "training was ended before its first validation, and recorded nothing to compare with"
    if all(found.get(name) == value for name, value in recorded.items() if name != "epoch"):
        return f"as training recorded it in epoch {recorded['epoch']}"
    return "training recorded " + ", ".join(f"{name} {value:.6g}" for name, value in recorded.items() if name != "epoch")
