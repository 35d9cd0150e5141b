"""netc predict: what a run's net says about pictures, sounds or arrays in files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netcompiler.cli import FAULTY, FINE, Refusal, arguments, remarks, terminal
from netcompiler.cli.judging import kinds, of_run
from netcompiler.cli.opening import Faulty, one_thread
from netcompiler.cli.prediction import Answers, as_json, as_text
from netcompiler.cli.starting import begun
from netcompiler.targets import AUTO, TARGETS

if TYPE_CHECKING:
    from netcompiler.cli.judging import Judged
    from runtime.prediction import Preparation, Said
    from runtime.session import Session

MOST = 16
"""Pictures at once."""


def main(words: Sequence[str]) -> int:
    args = _parser().parse_args(words)
    one_thread()
    from runtime.atomic import Unwritten
    from runtime.checkpoint import CheckpointError
    from runtime.data.faults import DataError
    from runtime.runs import RunError
    from runtime.session import InputError

    try:
        return _predict(args)
    except Faulty as faulty:
        remarks.write(faulty.found)
        return FAULTY
    except RunError as error:
        raise Refusal(str(error)) from None
    except (CheckpointError, DataError, InputError, Unwritten) as error:
        print(f"netc: {error}", file=sys.stderr)
        return FAULTY


def _parser() -> arguments.Parser:
    parser = arguments.Parser("predict", "What the best weights of a run say about files, prepared as the run prepared its data.")
    parser.add_argument("run", metavar="RUN", help="a run's folder, such as runs/lenet-1, or its name")
    parser.add_argument(
        "files",
        nargs="+",
        metavar="PICTURE",
        help="a picture (JPEG, PNG, BMP, WebP), a sound (WAV), an array (.npy), a folder of them, or - for one on standard input",
    )
    parser.add_argument("--top", type=arguments.count, default=5, metavar="K", help="classes that are named; default: 5")
    parser.add_argument("--draw", type=Path, metavar="DIR", help="write the pictures there, with boxes, joints and maps drawn on them")
    parser.add_settings()
    parser.add_argument("--target", choices=(AUTO, *TARGETS), help="what runs it; default: what the run was trained on")
    parser.add_device()
    parser.add_argument("--json", action="store_true", help="a line of JSON for each file")
    return parser


def _predict(args: argparse.Namespace) -> int:
    from runtime.prediction import asked, predictions

    files = list(asked(args.files, sys.stdin.buffer.read))
    judged = of_run(args.run, None, [*args.set, f"train.batch={min(MOST, len(files))}", "train.accumulate=1"], args.target)
    if len(judged.opened.graph.inputs) > 1:
        raise Refusal(f"the net reads {len(judged.opened.graph.inputs)} inputs, and a file is one")
    if args.draw:
        _made(args.draw)
    session, preparation = _opened(judged)
    told = Answers(judged.opened.graph.outputs, kinds(judged.opened), judged.summary.get("classes") or (), args.top)
    status, taken = FINE, set[Path]()
    for said in predictions(session, told.kinds, files, preparation):
        why = said.why or (_draw(args.draw, told, said, taken) if args.draw else "")
        if why:
            status = FAULTY
            print(f"netc: {said.name}: {why}", file=sys.stderr)
        if args.json:
            print(as_json(told, said), flush=True)
        elif not said.why:
            print("\n".join(as_text(told, said, terminal.style(sys.stdout))), flush=True)
    return status


def _opened(judged: Judged) -> tuple[Session, Preparation]:
    from runtime.data.wanted import INPUT, wanted
    from runtime.prediction import Preparation

    opened = judged.opened
    plan = opened.plan(judged.target, judged.facts, "infer")
    session, _ = begun(opened, plan, judged.facts, {"prepare", "infer"})
    judged.weigh(session)
    assert opened.recipe.data
    return session, Preparation.of(opened.recipe.data, wanted(plan)[INPUT + opened.graph.inputs[0].name])


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"{folder} cannot be made: {error.strerror}") from None


def _draw(folder: Path, told: Answers, said: Said, taken: set[Path]) -> str:
    """NAME.png with marks and maps, NAME.OUTPUT.png for an output that is a picture; why not, if so."""
    from runtime import atomic, drawing
    from runtime.data.faults import BadRow

    stem = _free(folder / Path(said.name).stem.replace(" ", "-"), taken)
    marks, maps = list(told.marks(said)), told.maps(said)
    for name, values in told.pictures(said).items():
        atomic.write(stem.with_name(f"{stem.name}.{name}.png"), drawing.picture(values))
    try:
        if marks or maps:
            atomic.write(stem.with_name(f"{stem.name}.png"), drawing.drawn(said.content, marks, maps))
    except BadRow as error:
        return f"nothing can be drawn on it: {error}"
    return ""


def _free(path: Path, taken: set[Path]) -> Path:
    """Files of one name in several folders are drawn into files of several names."""
    names = (path, *(path.with_name(f"{path.name}-{number}") for number in range(2, len(taken) + 3)))
    free = next(name for name in names if name not in taken)
    taken.add(free)
    return free
