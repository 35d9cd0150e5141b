"""netc data: what is in a source of data, what a net sees of it, and the same data unpacked."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netcompiler.cli import FAULTY, FINE, REFUSED, Refusal, arguments, remarks
from netcompiler.cli.opening import Faulty, data_setting, one_thread, opened_on
from netcompiler.overrides import setting
from netcompiler.reader import Findings, read_choice
from netcompiler.recipe import DATA, Column, Data
from netcompiler.report.expansion import flow
from netcompiler.report.figures import read_size

if TYPE_CHECKING:
    from runtime.data.inspection import Look, Part
    from runtime.data.packing import Packed
    from runtime.data.rows import Sets

VERBS = {
    "inspect": "count and measure all rows; name those that cannot be read",
    "preview": "draw what a net sees in training, augmented",
    "pack": "unpack into .npz files that training maps: pictures scaled and of one size",
}


def main(words: Sequence[str]) -> int:
    match words:
        case ["inspect", *rest]:
            return _guarded(_inspect, rest)
        case ["preview", *rest]:
            return _guarded(_preview, rest)
        case ["pack", *rest]:
            return _guarded(_pack, rest)
        case [] | ["-h" | "--help", *_]:
            print("\n".join(["usage: netc data VERB …", "", *(f"  {verb:<8} {line}" for verb, line in VERBS.items())]))
            return FINE if words else REFUSED
    from netcompiler.diagnostics import did_you_mean

    raise Refusal(f"there is no verb `data {words[0]}`: {did_you_mean(words[0], VERBS)}")


def _guarded(verb: Any, words: Sequence[str]) -> int:
    one_thread()
    from runtime.atomic import Unwritten
    from runtime.data.faults import DataError

    try:
        status: int = verb(words)
    except Faulty as faulty:
        remarks.write(faulty.found)
        return FAULTY
    except (DataError, Unwritten) as error:
        print(f"netc: {error}", file=sys.stderr)
        return FAULTY
    return status


def _named(words: str) -> Data:
    """A source on the command line, which no net belongs to."""
    findings = Findings()
    _, node, _ = setting(data_setting(words))
    data = read_choice(DATA, node, findings)
    if not isinstance(data, Data):
        raise Faulty(findings.list)
    return data


# inspect


def _inspect(words: Sequence[str]) -> int:
    parser = arguments.Parser("data inspect", "Counts and measures all rows of a source of data, and names those that cannot be read.")
    parser.add_argument("source", metavar="SOURCE", help=arguments.DATA)
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    args = parser.parse_args(words)
    from runtime.data.faults import Faults
    from runtime.data.inspection import inspect
    from runtime.data.prepare import cores
    from runtime.data.source import read, verify

    data, faults = _named(args.source), Faults("skip")
    sets = read(data, {}, 0, faults)
    verify(data)
    parts = inspect(sets, faults, cores())
    print(_as_json(sets, parts, faults.found) if args.json else _as_text(data.kind, sets, parts, faults.found))
    return FAULTY if faults else FINE


def _as_json(sets: Sets, parts: Mapping[str, Part], bad: Mapping[str, str]) -> str:
    fields = {name: {field: look.as_json() for field, look in part.fields.items()} for name, part in parts.items()}
    counts = {name: {field: look.classes for field, look in part.fields.items() if look.classes} for name, part in parts.items()}
    return json.dumps({"fields": fields, "classes": list(sets.classes), "counts": counts, "bad": dict(bad)}, ensure_ascii=False)


def _as_text(kind: str, sets: Sets, parts: Mapping[str, Part], bad: Mapping[str, str]) -> str:
    from runtime.data.faults import told

    lines = [f"{kind}, " + ", ".join(f"{part.rows:,} rows to {name}{' on' if name == 'train' else ''}" for name, part in parts.items()), ""]
    for name, part in parts.items():
        lines += [f"{name:<6} {field:<8} {line}" for field, look in part.fields.items() for line in _lines(look, sets.classes)]
    return "\n".join([*lines, "", *([f"{len(bad):,} bad:", told(bad, 20)] if bad else ["all rows can be read"])])


def _lines(look: Look, names: Sequence[str]) -> list[str]:
    found = look.as_json()
    if not found["rows"]:
        return ["no row can be read"]
    if classes := look.classes:
        return [
            f"{len(classes):,} class{'es' * (len(classes) != 1)}: "
            + ", ".join(f"{_name(number, names)} {count:,}" for number, count in _some(classes))
        ]
    shape = _by(found["shape"])
    sides = "" if found["smallest"] == found["largest"] else f", from {_by(found['smallest'])} to {_by(found['largest'])}"
    return [f"{found['type']} {shape}{sides}, mean {_few(found['mean'])}, deviation {_few(found['deviation'])}"]


def _few(values: Sequence[float], most: int = 4) -> str:
    return " ".join(f"{value:.4g}" for value in values[:most]) + (" …" if len(values) > most else "")


def _some(classes: Mapping[int, int], most: int = 20) -> list[tuple[int, int]]:
    """All of a few; of many those with the fewest rows, and those with the most."""
    order = sorted(classes.items(), key=lambda item: item[1])
    return list(classes.items()) if len(order) <= most else [*order[: most // 2], *order[-most // 2 :]]


def _name(number: int, names: Sequence[str]) -> str:
    return names[number] if number < len(names) else str(number)


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "number"


# preview


def _preview(words: Sequence[str]) -> int:
    parser = arguments.Parser("data preview", "Draws what a net sees in training: pictures scaled, cut and augmented as its recipe says.")
    parser.add_spec()
    parser.add_settings()
    parser.add_argument("--data", metavar="KIND|PATH", help=arguments.DATA)
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("preview.png"), metavar="FILE", help="the PNG file to write; default: %(default)s"
    )
    parser.add_argument("--count", type=arguments.count, default=64, metavar="N", help="pictures in it; default: 64")
    parser.add_argument(
        "--epoch", type=arguments.count, default=1, metavar="N", help="what is drawn by chance differs from one to the next"
    )
    args = parser.parse_args(words)
    from runtime import atomic
    from runtime.data.prepare import prepare
    from runtime.data.preview import preview
    from runtime.session import Session

    opened = opened_on(args.spec, args.data, [*args.set, f"train.batch={args.count}", "train.accumulate=1"])
    if opened.recipe.data is None:
        raise Refusal("the recipe has no data: add --data digits")
    plan = opened.plan("numpy", mode="look")
    material = prepare(plan, opened.recipe, {name: field for name, field in opened.fields().items() if name in plan.states})
    session = Session(plan, opened.recipe.seed)
    count = min(args.count, len(material.train))
    atomic.write(args.out, preview(session, material, count, args.epoch - 1, opened.recipe.seed))
    print(f"{args.out} shows {count} pictures of epoch {args.epoch}, in its order")
    return FINE


# pack


def _pack(words: Sequence[str]) -> int:
    args = _packing().parse_args(words)
    from runtime.data.faults import Faults
    from runtime.data.packing import pack
    from runtime.data.prepare import cores
    from runtime.data.source import read

    data, faults = _named(args.source), Faults(args.on_bad_data)
    resize = args.resize or getattr(data, "resize", None)
    packed = pack(read(data, {}, 0, faults), data.yields(), args.out, resize, args.size, faults, cores())
    files = sum(map(len, packed.parts.values()))
    print(f"{args.out} has {packed.rows:,} rows in {files:,} files: {flow({'data': _setting(packed, data.yields())})}")
    if faults:
        print(f"netc: {faults}", file=sys.stderr)
    return FINE


def _packing() -> argparse.ArgumentParser:
    parser = arguments.Parser("data pack", "Unpacks a source of data into .npz files, which training maps.")
    parser.add_argument("source", metavar="SOURCE", help=arguments.DATA)
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder to make")
    parser.add_argument("--resize", type=_resize, metavar="N|RxC", help="sides of pictures: N scales the shorter one, and cuts a square")
    size = arguments.converter(read_size, "a size such as 500MB or 1GiB")
    parser.add_argument("--size", type=size, default=128 * 2**20, metavar="SIZE", help="of a file, about; default: 128MiB")
    parser.add_argument("--on-bad-data", choices=("stop", "skip"), default="stop", help="what becomes of rows that cannot be read")
    return parser


def _resize(text: str) -> int | list[int]:
    found = arguments.sides(text)
    if len(found) > 2:
        raise argparse.ArgumentTypeError(f"`{text}` has more than two sides")
    return found[0] if len(found) == 1 else list(found)


def _setting(packed: Packed, columns: Mapping[str, Column]) -> dict[str, Any]:
    from netcompiler.cli.named_data import several

    paths = {"path": several(packed.parts["train"]), **({"test": several(packed.parts["test"])} if "test" in packed.parts else {})}
    if list(packed.names.values()) == ["x", "y"]:
        return {"npz": paths}
    inputs = [name for name in packed.names if not columns[name].target]
    return {"npz": {**paths, "inputs": inputs, "targets": [name for name in packed.names if name not in inputs]}}
