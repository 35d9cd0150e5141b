"""Weights of another training to start from: what matches is taken, what starts anew is asked for, and all else is an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from netcompiler.plan import State
from runtime import checkpoint, runs
from runtime.binding import external
from runtime.checkpoint import Array, CheckpointError
from runtime.session import WEIGHTS, Session

PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
UNNOTICED = "num_batches_tracked"
"""What PyTorch's batch norm keeps and nobody reads."""
SHOWN = 4


@dataclass(frozen=True)
class Matched:
    """Tensors by name: those that came from the file, those that start anew, and those of the file that the net lacks."""

    file: Path
    taken: Sequence[str]
    anew: Sequence[str]
    unused: Sequence[str]

    def __str__(self) -> str:
        parts = [f"{len(self.taken)} of {len(self.taken) + len(self.anew)} tensors from {self.file}"]
        parts += [f"{_some(self.anew)} anew"] if self.anew else []
        parts += [f"not used: {_some(self.unused)}"] if self.unused else []
        return "; ".join(parts)


def load(session: Session, weights: str, fresh: Sequence[str] = ()) -> Matched:
    """From a file, or the best weights of a run. `fresh` are names of layers, or their beginnings."""
    file = file_of(weights)
    found, _ = checkpoint.read(file)
    wanted = {state.parameter: state for state in session.plan.states.values() if state.segment in WEIGHTS}
    anew = [name for name in wanted if any(f"{name}.".startswith(f"{layer}.") for layer in fresh)]
    taken = [name for name in wanted if name in found and name not in anew]
    given = [name for name, state in wanted.items() if isinstance(state.start, tuple)]
    _check(session, file, found, {name: wanted[name] for name in wanted if name not in anew and not (name in given and name not in found)})
    session.load({name: found[name] for name in taken})
    unused = [name for name in found if name not in taken and name not in anew and not name.endswith(UNNOTICED)]
    return Matched(file, taken, anew, unused)


def file_of(weights: str) -> Path:
    """A file, or the best weights of a run."""
    path = Path(weights)
    if path.suffix.lower() in PICKLES:
        raise CheckpointError(
            f"{path} may hold a pickle, which can run any program when it is opened: save it from PyTorch as safetensors, with "
            f"safetensors.torch.save_file(torch.load({path.name!r}, weights_only=True), {path.with_suffix('.safetensors').name!r})"
        )
    if path.is_file():
        return path
    run = runs.find(weights)
    if not run.folder.is_dir():
        raise CheckpointError(f"{weights}: there is no such file, and no such run")
    return run.weights()


def _check(session: Session, file: Path, found: Mapping[str, Array], needed: Mapping[str, State]) -> None:
    lacking = [name for name in needed if name not in found]
    if lacking:
        raise CheckpointError(f"{file} has no {_some(lacking)}: {_start_anew(lacking)}")
    shapes = {name: external(state, session.arrays[state.value.name]).shape for name, state in needed.items()}
    others = [name for name, shape in shapes.items() if found[name].shape != shape]
    if others:
        first = others[0]
        raise CheckpointError(
            f"{first} is {list(shapes[first])}, and {list(found[first].shape)} in {file}"
            + (f"; {_some(others[1:])} differs, too" if others[1:] else "")
            + f": {_start_anew(others)}"
        )


def _start_anew(names: Sequence[str]) -> str:
    layers = dict.fromkeys(name.rpartition(".")[0] for name in names)
    return f"let what differs start anew, with --set 'train.fresh=[{', '.join(list(layers)[:SHOWN])}{', …' * (len(layers) > SHOWN)}]'"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
