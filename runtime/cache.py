"""The user's cache folder: NETC_CACHE, else where the system keeps such things. What lies there can be made again."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path


@cache
def folder(part: str) -> Path | None:
    """A part of it, private to the user; None where it cannot be written."""
    home = Path(os.environ.get("NETC_CACHE") or _caches() / "netc") / part
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid") and home.stat().st_uid != os.getuid():
            return None
        home.chmod(0o700)
        with tempfile.TemporaryFile(dir=home):
            return home
    except OSError:
        return None


def _caches() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or tempfile.gettempdir())
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
