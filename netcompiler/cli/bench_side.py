"""netc's side of a contest, a process of its own: `python -m netcompiler.cli.bench_side`, driven by lines on its standard input."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import netcompiler
from netcompiler.cli.contestants import job_of, plan_of
from netcompiler.cli.target import GPU
from netcompiler.cli.tuning import kept
from netcompiler.diagnostics import SpecError
from runtime.bench.peer.serving import Side, Unable, sample, serve

if TYPE_CHECKING:
    from runtime.session import Session


def begin(job: dict[str, Any]) -> Side:
    loaded = netcompiler.load(job["spec"], job["settings"], job["text"])
    try:
        plan = plan_of(job_of(loaded, job["mode"], job["batch"], job["target"], kept(job["target"])))
    except SpecError as error:
        raise Unable("; ".join(f"{found.message}: {found.help}" for found in error.diagnostics)) from None
    import numpy as np

    from runtime.gradcheck import made_up
    from runtime.session import Session

    session = Session(plan)
    inputs, targets = made_up(session, np.random.default_rng(0))
    _hand_over(job["tensors"], session, inputs, targets)
    if job["mode"] == "infer":
        outputs = session.run(inputs)
        several = outputs.values() if isinstance(outputs, dict) else [outputs]
        return _side(session, "infer", {"first": [sample(y.reshape(-1)) for y in several]})
    measured = [session.evaluate(inputs, targets)["loss"]] if job["noisy"] else []
    losses = [session.step(inputs, targets)["loss"] for _ in range(2)]  # the batch stays in its slots: later steps read it there
    return _side(session, "step", {"first": measured or losses})


def _side(session: Session, program: str, about: dict[str, Any]) -> Side:
    """The memory of a GPU is all taken from the beginning."""
    run = partial(session.binding.run, program)
    if session.plan.target != GPU:
        return Side(run, about)
    taken = session.device.takes(session.plan.segments)
    return Side(run, about, session.device.wait, lambda: taken, bool)


def _hand_over(path: str, session: Session, inputs: dict[str, Any], targets: dict[str, Any]) -> None:
    """Weights and pictures for the other side."""
    from safetensors.numpy import save_file

    given = {f"{prefix}.{name}": value for prefix, values in (("in", inputs), ("target", targets)) for name, value in values.items()}
    plain = {name: value.astype("f4" if value.dtype.kind == "f" else "i8") for name, value in given.items()}
    save_file({**session.parameters(), **plain}, path)


if __name__ == "__main__":
    serve(begin)
