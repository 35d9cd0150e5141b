"""Golden plans: what small nets become. `python tests/listings.py` prints them anew into tests/plans; the diff is what changed."""

from __future__ import annotations

import os
from pathlib import Path

from netcompiler import compile
from netcompiler.listing import program_lines, segment_lines
from netcompiler.plan import Plan

FOLDER = Path(__file__).parent / "plans"

LISTINGS: dict[str, tuple[str, str] | tuple[str, str, str]] = {
    "lenet": ("lenet", "train"),
    "residual": ("residual.yaml", "train"),
    "residual-infer": ("residual.yaml", "infer"),
    "inception": ("inception.yaml", "train"),
    "dense": ("dense.yaml", "train"),
    "signal": ("signal.yaml", "train"),
    "augmented": ("augmented.yaml", "train"),
    "half": ("residual.yaml", "train", "fp16"),
}
"""File -> spec and mode, and a precision where there is one."""

SHOWN = ("step", "infer", "prepare")


def plan(name: str) -> Plan:
    spec, mode, *precision = LISTINGS[name]
    here = Path.cwd()
    os.chdir(FOLDER)  # so that origins read `residual.yaml:5`
    try:
        return compile(spec, mode, batch=2, target="numpy", settings=dict(zip(["train.precision"], precision, strict=False)))
    finally:
        os.chdir(here)


def listing(name: str) -> str:
    made = plan(name)
    programs = [line for program in SHOWN if program in made.programs for line in ("", *program_lines(made, made.programs[program]))]
    return "\n".join([*(f"; {fact}" for fact in made.facts), *segment_lines(made), *programs]).lstrip("\n") + "\n"


if __name__ == "__main__":
    for name in LISTINGS:
        (FOLDER / f"{name}.txt").write_text(listing(name), encoding="utf-8")
