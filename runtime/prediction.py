"""Files of pictures, sounds or arrays -> what a net says about each, prepared as its training prepared its data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from runtime.arrays import Array
from runtime.data import folder, picture, signal
from runtime.data.faults import BadRow, DataError
from runtime.data.fields import Codec
from runtime.data.fit import Form, Resize
from runtime.data.picture import Pictures
from runtime.data.wanted import Wanted
from runtime.panel import answers
from runtime.session import Session

if TYPE_CHECKING:
    from netcompiler.recipe import Data

ENDINGS = picture.ENDINGS | folder.SIGNALS
NUMPY = b"\x93NUMPY"


class Asked(NamedTuple):
    """A file by its name, and how its bytes are had."""

    name: str
    read: Callable[[], bytes]


class Said(NamedTuple):
    """The predictions of each output, (channels, sides), for one file; `why` not, where it cannot be read."""

    name: str
    content: bytes
    outputs: Mapping[str, Array]
    why: str = ""


def asked(names: Iterable[str], standard_input: Callable[[], bytes]) -> Iterator[Asked]:
    """Files as they are; of folders all that netc reads, by the order of their names; `-` is standard input."""
    for name in names:
        path = Path(name)
        if name == "-":
            yield Asked("standard input", standard_input)
        elif path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.suffix[1:].lower() in ENDINGS and not _hidden(file, path))
            if not found:
                raise DataError(f"{path} holds no file that netc reads: {', '.join(sorted(ENDINGS))}")
            yield from (Asked(str(file), file.read_bytes) for file in found)
        else:
            yield Asked(name, path.read_bytes)


def _hidden(file: Path, home: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(home).parts)


class Preparation(NamedTuple):
    """What a file becomes before it is fed. `own` is the side of all training pictures, where they had one."""

    want: Wanted
    resize: Resize
    own: int | None = None
    channels: int | None = None
    rate: int | None = None

    @classmethod
    def of(cls, data: Data, want: Wanted) -> Preparation:
        resize, own, channels, rate = (getattr(data, name, None) for name in ("resize", "side", "channels", "rate"))
        return cls(want, resize or own, own, channels, rate)

    def value(self, content: bytes) -> Array:
        """As the net reads it; BadRow."""
        want = self.want
        if len(want.shape) == 1 and self.own:
            want = Wanted((prod(want.shape) // self.own**2, self.own, self.own))
        values = self._codec(content).fitted(content, Form(want, self.resize, "it"))
        return values.reshape(self.want.shape)

    def _codec(self, content: bytes) -> Codec:
        """By how the file begins: standard input has no name."""
        if content.startswith(b"RIFF") and content[8:12] == b"WAVE":
            return signal.Waves(self.rate, self.channels)
        return signal.Arrays() if content.startswith(NUMPY) else Pictures(self.channels)


def predictions(session: Session, kinds: Mapping[str, str], files: Iterable[Asked], preparation: Preparation) -> Iterator[Said]:
    """In the order of the files, as many at once as the plan takes."""
    waiting = iter(files)
    while some := list(islice(waiting, session.plan.batch)):
        read = [_read(file, preparation) for file in some]
        values = [value for value, _ in read if value is not None]
        found = answers(session, kinds, _fed(session, values)) if values else {}
        row = iter(range(len(values)))
        for file, (value, said) in zip(some, read, strict=True):
            if value is None:
                yield said
                continue
            at = next(row)
            yield said._replace(name=file.name, outputs={name: array[at] for name, array in found.items()})


def _read(file: Asked, preparation: Preparation) -> tuple[Array | None, Said]:
    try:
        content = file.read()
        return preparation.value(content), Said(file.name, content, {})
    except BadRow as error:
        return None, Said(file.name, b"", {}, str(error))
    except OSError as error:
        return None, Said(file.name, b"", {}, f"it cannot be read: {error.strerror or error}")


def _fed(session: Session, values: list[Array]) -> Array:
    """Bytes stay bytes where the plan takes them so."""
    slot = next(state.value for name, state in session.plan.states.items() if name.startswith("in."))
    numbers = [value if slot.dtype == "u8" or value.dtype != np.uint8 else value.astype(np.float32) / np.float32(255) for value in values]
    return np.stack(numbers)
