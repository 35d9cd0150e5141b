"""What was compiled, under a digest of all that it depends on, in a private folder where the next process finds it.

With a checksum: what is damaged is built again. Without a place to write everything works all the same.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from runtime import atomic
from runtime.cache import folder

DIGEST = 16


def digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=DIGEST).hexdigest()


def sources(package: Path) -> str:
    """What the kernels of a package are written with."""
    files = sorted(package.rglob("*.py"))
    return hashlib.blake2b(b"\0".join(path.read_bytes() for path in files), digest_size=DIGEST).hexdigest()


def keep(part: str, name: str, binary: bytes) -> None:
    home = folder(part)
    if home:
        try:
            atomic.write(home / name, _checksum(binary) + binary)
        except atomic.Unwritten:
            folder.cache_clear()  # a full disk


def stored(part: str, name: str) -> bytes | None:
    home = folder(part)
    try:
        whole = (home / name).read_bytes() if home else b""
    except OSError:
        return None
    checksum, binary = whole[:DIGEST], whole[DIGEST:]
    return binary if binary and checksum == _checksum(binary) else None


def _checksum(binary: bytes) -> bytes:
    return hashlib.blake2b(binary, digest_size=DIGEST).digest()
