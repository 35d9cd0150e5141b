"""Measured seconds, kept beside the compiled kernels: a file for each machine, number of threads and version of the kernels.

What is damaged, or cannot be written, is as if it had never been: it is measured again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import inf, isinf
from pathlib import Path
from typing import Any

from netcompiler.plan import Facts
from runtime import atomic
from runtime.cache import folder

FACTS, LOCK = "facts", "lock"


def kept(target: str = "cpu") -> Facts:
    """What is known of this machine. LLVM, which knows it, is asked only where something is kept."""
    home = folder(FACTS)
    return _read(_path(home, target)) if home and any(home.glob("*.json")) else {}


def keep(found: Facts, anew: bool = False, target: str = "cpu") -> Facts:
    """Everything that is known now. What another process has measured meanwhile stays, so that both run the same kernels,
    unless it was measured `anew`. Without a home it lasts as long as who has it."""
    home = folder(FACTS)
    if home is None:
        return found
    try:
        with _alone(home):
            path = _path(home, target)
            known = _read(path)
            joined = {
                **known,
                **{site: offers for site, offers in found.items() if anew or not offers.keys() <= known.get(site, {}).keys()},
            }
            atomic.write(path, _text(joined, target).encode())
            return joined
    except (OSError, atomic.Unwritten):
        return found


def as_plain(facts: Facts) -> dict[str, dict[str, float | None]]:
    """For JSON, which has no infinity."""
    return {site: {offer: None if isinf(seconds) else seconds for offer, seconds in offers.items()} for site, offers in facts.items()}


def from_plain(plain: Any) -> Facts:
    """Raises ValueError where they are no facts."""
    offers = plain.values() if isinstance(plain, Mapping) else [None]
    if not all(isinstance(each, Mapping) and all(isinstance(seconds, int | float | None) for seconds in each.values()) for each in offers):
        raise ValueError("seconds by site and offer are expected")
    return {site: {offer: inf if seconds is None else seconds for offer, seconds in offers.items()} for site, offers in plain.items()}


def _about(target: str) -> dict[str, Any]:
    """What the facts hold for."""
    if target == "cuda":
        from runtime.kernels.cuda import presence

        return presence.about()
    from runtime.environment import processor
    from runtime.kernels.cpu.driver import available
    from runtime.kernels.cpu.library import sources
    from runtime.kernels.cpu.machine import machine

    return {"processor": processor(), "code": machine().name, "kernels": sources(), "threads": available()}


def _path(home: Path, target: str) -> Path:
    return home / f"{_digest(_about(target))}.json"


def _text(facts: Facts, target: str) -> str:
    plain = as_plain(facts)
    return json.dumps({"of": _about(target), "seconds": plain, "checksum": _digest(plain)}, indent=1) + "\n"


def _read(path: Path) -> Facts:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        whole = isinstance(found, dict) and "seconds" in found and found.get("checksum") == _digest(found["seconds"])
        return from_plain(found["seconds"]) if whole else {}
    except (OSError, ValueError):
        return {}


def _digest(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=8).hexdigest()


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One process at a time reads, joins and writes."""
    with (home / LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
