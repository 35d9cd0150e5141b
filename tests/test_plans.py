"""Plans of small nets as text, how often big values cross memory, and that a plan is the same each time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from listings import FOLDER, LISTINGS, listing, plan

from netcompiler import compile
from netcompiler.plan import Plan
from netcompiler.verify import verify
from netcompiler.verify.memory import fullest

ROOT = Path(__file__).parent.parent
PRODUCTS = ("conv", "conv_dx", "conv_dw", "matmul", "window_max", "window_route")


@pytest.mark.parametrize("name", LISTINGS)
def test_a_plan_reads_as_it_did(name: str) -> None:
    assert listing(name) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8"), "if it is meant so, run `python tests/listings.py`"


@pytest.mark.parametrize("name", LISTINGS)
def test_a_plan_is_legal_and_its_arena_no_larger_than_it_must_be(name: str) -> None:
    made = plan(name)
    verify(made)
    least = max(fullest(program, {**made.homes[""], **made.homes[program.name]}) for program in made.programs.values())
    assert made.segments["arena"] == least or any(fact.startswith("arena ") for fact in made.facts)
    assert made.segments["arena"] <= 1.05 * least


def test_two_processes_print_the_same() -> None:
    prints = [
        subprocess.run(
            [sys.executable, "-m", "netcompiler", "plan", "tests/plans/inception.yaml"],
            check=True,
            capture_output=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert prints[0] == prints[1]
    assert len(prints[0]) > 1000


# how often big values cross memory


def spec(*layers: str, tail: str = "global_mean_pool, flatten, linear: 5") -> str:
    lines = "".join(f"  - {layer}\n" for layer in (*layers, *tail.split(", ")))
    return f"netc: 1\nname: passes\ninput: [4, 16, 16]\nlayers:\n{lines}loss: cross_entropy\ntrain: {{optimizer: {{sgd: 0.1}}, batch: 4}}\n"


def passes(tmp_path: Path, text: str, program: str = "gradients") -> tuple[list[str], list[str]]:
    """What reads or writes a value of the size of a layer's output, forward and backward; products and pools aside."""
    path = tmp_path / "passes.yaml"
    path.write_text(text, encoding="utf-8")
    made = compile(str(path), "infer" if program == "infer" else "train", target="numpy")
    verify(made)
    return halves(made, program)


def halves(made: Plan, program: str) -> tuple[list[str], list[str]]:
    instructions = made.programs[program].instructions
    big = max(value.elements for value in instructions[0].results)
    found = [
        (position < made.programs[program].forward, instruction.op)
        for position, instruction in enumerate(instructions)
        if instruction.op not in PRODUCTS and any(value.elements >= big for value in (*instruction.results, *instruction.operands))
    ]
    return [op for ahead, op in found if ahead], [op for ahead, op in found if not ahead]


CONV = "conv: {filters: 8, kernel: 3, padding: 1, bias: false}"


def test_norm_and_relu_are_a_pass_of_statistics_and_one_that_applies_them_either_way(tmp_path: Path) -> None:
    forward, backward = passes(tmp_path, spec(CONV, "batch_norm", "relu", "max_pool: 2"))
    assert forward == ["moments", "map"]
    assert backward == ["fused", "map"]


def test_in_front_of_a_convolution_the_relu_is_computed_once_more_for_its_gradient(tmp_path: Path) -> None:
    forward, backward = passes(tmp_path, spec(CONV, "batch_norm", "relu", CONV, tail="max_pool: 4, flatten, linear: 5"))
    assert forward == ["moments", "map"]
    assert sorted(backward) == ["fused", "map", "map"]


def test_in_inference_a_norm_is_part_of_the_convolution(tmp_path: Path) -> None:
    forward, backward = passes(tmp_path, spec(CONV, "batch_norm", "relu", "max_pool: 2"), "infer")
    assert (forward, backward) == ([], ["map"])


def test_a_row_of_activations_is_one_pass(tmp_path: Path) -> None:
    forward, backward = passes(tmp_path, spec(CONV, "scale", "elu", "map: 2 * x + x * x", "max_pool: 2"))
    assert forward == ["map"]
    assert backward == ["map", "fused", "map"]  # exp takes too long to be computed for both
