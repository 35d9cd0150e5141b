"""Numbers as people read them, and back."""

from __future__ import annotations

import re
from fractions import Fraction

from netcompiler.layers.layer import Reach

DECIMAL = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
BINARY = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
SIZES = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12} | {
    unit.lower(): size for unit, size in BINARY.items()
}


def exact(count: int) -> str:
    """25,557,032; nothing for 0."""
    return f"{count:,}" if count else ""


def short(count: int) -> str:
    """25.6M; nothing for 0."""
    return _scaled(count, DECIMAL, "") if count else ""


def size(count: int) -> str:
    """97.5 MiB"""
    return _scaled(count, BINARY, " ")


def _scaled(count: int, units: dict[str, int], gap: str) -> str:
    """Three digits and the largest unit that leaves at least 1 in front of it."""
    unit = next(unit for unit in reversed(units) if count >= units[unit] or units[unit] == 1)
    value = count / units[unit]
    decimals = 0 if units[unit] == 1 else 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{decimals}f}{gap}{unit}"


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if part and whole else ""


def bar(eighths: int) -> str:
    """So many eighths of a cell, side by side."""
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def field(reach: Reach | None) -> str:
    """163/16: the size of the receptive field and its step. `all` where it is the whole input."""
    if reach is None:
        return "all"
    if not reach.extent:
        return ""
    return f"{_sides(reach.extent)}/{_sides(reach.step)}"


def _sides(values: tuple[Fraction | int, ...]) -> str:
    texts = [f"{float(value):g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)


def read_count(text: str) -> int:
    """25,557,032 or 25.6M; raises ValueError."""
    return _read(text, {unit.lower(): size for unit, size in DECIMAL.items()})


def read_size(text: str) -> int:
    """A number of bytes: 8GiB, 500MB, 8G (binary); raises ValueError."""
    return _read(text, SIZES)


def _read(text: str, units: dict[str, int]) -> int:
    match = re.fullmatch(r"([0-9]+(?:[,_][0-9]{3})*(?:\.[0-9]+)?) ?([A-Za-z]*)", text.strip())
    if match is None or match[2].lower() not in units:
        raise ValueError(text)
    return int(Fraction(re.sub("[,_]", "", match[1])) * units[match[2].lower()])
