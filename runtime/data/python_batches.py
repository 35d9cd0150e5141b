"""What CIFAR's batches for Python hold: a dictionary of texts, numbers, lists and an array of bytes.

Such a file is a program for Python's stack machine, and could do anything. Here it only says what data is: names of functions and
what they are given are written down, nothing is ever called or imported, and an instruction that plain data does not need is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from runtime.data.faults import DataError
from runtime.data.fit import Array

BYTE = ("u1", "|u1", "uint8")


@dataclass
class Made:
    """A call that is not made: the function's name, what it is given, and what its result is to be filled with."""

    name: str
    given: Any
    filling: Any = None


def read(path: Path) -> dict[str, Any]:
    try:
        found = _Machine(path.read_bytes()).run()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is no batch of CIFAR for Python, or is damaged: {error or type(error).__name__}") from None
    if not isinstance(found, dict):
        raise DataError(f"{path} is no batch of CIFAR for Python: it holds no dictionary")
    return {_text(key): value for key, value in found.items()}


def rows(path: Path, label: str, width: int) -> tuple[Array, Array]:
    """The bytes of each picture, and its class number."""
    found = read(path)
    data, labels = _bytes(found.get("data")), found.get(label)
    if data is None or not isinstance(labels, list) or not all(isinstance(n, int) and 0 <= n < 256 for n in labels):
        raise DataError(f"{path} holds no `data` of bytes and no `{label}`: it has {', '.join(found)}")
    shape, by_columns, content = data
    if shape != (len(labels), width) or len(content) != prod(shape):
        raise DataError(f"{path}: data is {list(shape)} in {len(content):,} bytes, for {len(labels):,} labels and rows of {width:,}")
    return np.frombuffer(content, np.uint8).reshape(shape, order="F" if by_columns else "C"), np.array(labels, np.uint8)


def _bytes(data: Any) -> tuple[tuple[int, ...], bool, bytes] | None:
    """Shape, order and content, where it is an array of bytes."""
    match data:
        case Made(filling=(_, tuple(shape), Made("numpy dtype", (kind, *_)), bool(by_columns), bytes(content))) if _text(kind) in BYTE:
            return shape, by_columns, content
    return None


def names(path: Path, key: str) -> tuple[str, ...]:
    found = read(path).get(key)
    return tuple(map(_text, found)) if isinstance(found, list) else ()


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class _Machine:
    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memory: dict[int, Any] = {}

    def run(self) -> Any:
        while (code := self.take(1)) != STOP:
            if code not in STEPS:
                raise ValueError(f"byte {self.at - 1:,} is {code.hex()}, which plain data does not need")
            STEPS[code](self)
        return self.stack.pop()

    def begin(self) -> None:
        if (protocol := self.number(1)) not in PROTOCOLS:
            raise ValueError(f"it is written by protocol {protocol}")

    def take(self, count: int) -> bytes:
        found = self.content[self.at : self.at + count]
        if len(found) < count:
            raise ValueError(f"it ends inside of what begins at byte {self.at:,}")
        self.at += count
        return found

    def number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def line(self) -> str:
        return self.take(self.content.index(b"\n", self.at) + 1 - self.at)[:-1].decode("ascii")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def since_mark(self) -> list[Any]:
        begin = self.marks.pop()
        found, self.stack = self.stack[begin:], self.stack[:begin]
        return found

    def last(self, count: int) -> tuple[Any, ...]:
        return tuple(self.stack.pop() for _ in range(count))[::-1]

    def remember(self, place: int) -> None:
        self.memory[place] = self.stack[-1]

    def extend(self) -> None:
        found = self.since_mark()
        self.stack[-1].extend(found)

    def put(self, pairs: list[Any]) -> None:
        self.stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))

    def make(self) -> None:
        name, given = self.last(2)
        self.push(Made(str(name), given))

    def fill(self) -> None:
        filling = self.stack.pop()
        self.stack[-1].filling = filling


STOP = b"."
PROTOCOLS = (2, 3)
STEPS: Mapping[bytes, Callable[[_Machine], None]] = {
    b"\x80": _Machine.begin,
    b"(": lambda m: m.marks.append(len(m.stack)),
    b"}": lambda m: m.push({}),
    b"]": lambda m: m.push([]),
    b")": lambda m: m.push(()),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"K": lambda m: m.push(m.number(1)),
    b"M": lambda m: m.push(m.number(2)),
    b"J": lambda m: m.push(m.number(4, signed=True)),
    b"U": lambda m: m.push(m.take(m.number(1))),
    b"T": lambda m: m.push(m.take(m.number(4))),
    b"C": lambda m: m.push(m.take(m.number(1))),
    b"B": lambda m: m.push(m.take(m.number(4))),
    b"X": lambda m: m.push(m.take(m.number(4)).decode()),
    b"q": lambda m: m.remember(m.number(1)),
    b"r": lambda m: m.remember(m.number(4)),
    b"h": lambda m: m.push(m.memory[m.number(1)]),
    b"j": lambda m: m.push(m.memory[m.number(4)]),
    b"\x85": lambda m: m.push(m.last(1)),
    b"\x86": lambda m: m.push(m.last(2)),
    b"\x87": lambda m: m.push(m.last(3)),
    b"t": lambda m: m.push(tuple(m.since_mark())),
    b"a": lambda m: m.stack[-2].append(m.stack.pop()),
    b"e": _Machine.extend,
    b"s": lambda m: m.put([*m.last(2)]),
    b"u": lambda m: m.put(m.since_mark()),
    b"c": lambda m: m.push(f"{m.line()} {m.line()}"),
    b"R": _Machine.make,
    b"b": _Machine.fill,
}
"""The instructions that dictionaries, lists, numbers, texts and arrays are written with."""
