"""The command `netc`: one file per verb, imported when it is asked for, so that a short answer stays quick."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence

VERBS = {
    "check": "everything that can be known about a net without running it",
    "diff": "two nets, layer by layer",
    "expand": "the flat spec, each value with where it came from",
    "plan": "the program that a net becomes, stage by stage",
    "data": "what is in a source of data, what a net sees of it; the same unpacked",
    "train": "train a net as its recipe says",
    "lr": "the learning rate over the time of training, drawn",
    "runs": "the runs that are there, or some of them side by side",
    "report": "a run as one page: curves, mistakes, filters, layers, settings",
    "eval": "measure the weights of a run again, or of several that vote",
    "predict": "what a run's net says about pictures",
    "bench": "how fast a net is, alone or beside PyTorch",
    "profile": "where the time of a net goes, layer by layer",
    "tune": "time the kernels that a net could run on, and keep the figures",
    "doctor": "what this machine can run nets on, what is missing, and how to get it",
    "gradcheck": "gradients against central differences",
    "layers": "the layers of the language, or one of them with its options and formula",
    "zoo": "the nets that come with netc",
    "new": "write a commented spec to start from",
    "schema": "the JSON Schema of the language, for editors",
}
LASTING = ("data", "train", "report", "eval", "predict", "tune")
"""Verbs that run for long."""

FINE, FAULTY, REFUSED, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 130, 141


class Refusal(Exception):
    """What netc cannot begin with: wrong usage, an unreadable file."""


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    _forgive_encodings()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for some takes 12 ms of every call
    try:
        status = _run(words)
        sys.stdout.flush()
        return status
    except Refusal as refusal:
        print(f"netc: {refusal}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # what is still buffered has no reader, and Python flushes once more on its way out
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def _run(words: list[str]) -> int:
    match words:
        case [] | ["-h" | "--help" | "help"]:
            print(_help())
            return FINE if words else REFUSED
        case ["-V" | "--version" | "version"]:
            print(f"netc {version()}")
            return FINE
        case ["help", verb, *_]:
            return _run([verb, "--help"])
        case [verb, *rest] if verb in VERBS:
            if verb not in LASTING:
                gc.disable()  # what a short process makes goes with it: nothing is worth looking for
            status: int = importlib.import_module(f"netcompiler.cli.{verb}").main(rest)
            return status
    from netcompiler.diagnostics import did_you_mean

    raise Refusal(f"there is no verb `{words[0]}`: {did_you_mean(words[0], VERBS) or '`netc help` lists them'}")


def version() -> str:
    from importlib.metadata import version

    return version("netc")


def _help() -> str:
    import textwrap

    from netcompiler.cli import terminal

    width = terminal.width(sys.stdout) or 120
    verbs = [textwrap.fill(f"  {verb:<9} {line}", width, subsequent_indent=" " * 12) for verb, line in VERBS.items()]
    return "\n".join(["usage: netc VERB …", "", *verbs, "", *(textwrap.fill(line, width) for line in CLOSING)])


CLOSING = (
    "`netc VERB --help` tells the rest; `netc check resnet:50` is a good start.",
    "Exit status: 0 fine, 1 the spec has errors or is over a budget, or training failed, 2 wrong usage or an unreadable file, "
    "130 interrupted.",
)


def _forgive_encodings() -> None:
    """A terminal that lacks a character gets a question mark instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="replace")
