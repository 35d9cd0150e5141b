"""The command line of one verb: argparse with suggestions, and the arguments that several verbs share."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from netcompiler.diagnostics import did_you_mean

MODES = ("train", "infer")
SHOWN = "CUDA_VISIBLE_DEVICES"
SPEC = "a net of the zoo (resnet), a file (my/net.yaml), or - for standard input; :VARIANT picks a variant"

DATA = (
    "a set by name (digits, fashion_mini, mnist, ...); a .npz, .csv, .jsonl or .tar file, or shards as train-{000..146}.tar; "
    "a folder with a folder for each class, or of MNIST's or CIFAR's files; or {KIND: OPTIONS} as in a recipe"
)


class Parser(argparse.ArgumentParser):
    def __init__(self, verb: str, description: str) -> None:
        super().__init__(prog=f"netc {verb}", description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        word = re.search(r"unrecognized arguments: (--[\w-]+)", message)
        hint = did_you_mean(word[1], self._option_string_actions) if word else ""
        super().error(f"{message}; {hint}" if hint.startswith("did") else message)

    def _parse_optional(self, arg_string: str) -> Any:
        """`-:caffe` is standard input with a variant, and no option."""
        return None if arg_string.startswith("-:") else super()._parse_optional(arg_string)

    def add_spec(self, name: str = "spec") -> None:
        self.add_argument(name, metavar="SPEC", help=SPEC)

    def add_settings(self) -> None:
        self.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="override a variable or a dotted field, such as classes=10 or train.batch=32; null takes it away; may be given again",
        )

    def add_measured(self, targets: Sequence[str]) -> None:
        """What is run, and on what."""
        self.add_argument("--batch", type=count, default=16, metavar="N", help="pictures at once; default: 16")
        self.add_argument("--mode", choices=MODES, help="a step of SGD with momentum, or the outputs; default: train where there is a loss")
        self.add_argument("--target", choices=targets, default=targets[0], help="what runs it; default: auto, the best that is here")
        self.add_device()
        here = _processors()
        self.add_argument("--threads", type=count, default=here, metavar="N", help=f"default: all processors, here {here}")

    def add_device(self) -> None:
        self.add_argument("--device", type=index, action=_Device, metavar="N", help="which GPU, as nvidia-smi counts them; default: 0")


class _Device(argparse.Action):
    """One GPU is all that CUDA will see: nothing of it is loaded yet."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        shown = os.environ.get(SHOWN, "")
        known = shown.split(",") if shown else []
        if known and values >= len(known):
            parser.error(f"{option} {values}: {SHOWN} shows {len(known)}")
        os.environ[SHOWN] = known[values] if known else str(values)
        os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def converter(read: Callable[[str], int], expected: str) -> Callable[[str], int]:
    """An argparse type that says what it expects."""

    def convert(text: str) -> int:
        try:
            return read(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"`{text}` is not {expected}") from None

    return convert


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


count = converter(_positive, "a whole number, 1 or more")
index = converter(_natural, "a whole number, 0 or more")


def depth(text: str) -> int | None:
    return None if text == "all" else converter(_positive, "a whole number, 1 or more, or all")(text)


def every(text: str) -> tuple[int | None, float | None]:
    """Steps or seconds, as 500 steps or 10 min."""
    from runtime.keeping import read_every

    try:
        return read_every(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"`{text}` is neither steps nor a time: write '500 steps' or '10 min'") from None


def sides(text: str) -> tuple[int, ...]:
    """HxW, or T for a net with one side."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}(x[1-9][0-9]{0,8}){0,2}", text):
        raise argparse.ArgumentTypeError(f"`{text}` is no size: write it as 480x640")
    return tuple(map(int, text.split("x")))
