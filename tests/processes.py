"""netc as a process of its own: what it says on standard error, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

WATCH = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
print(child.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)
"""
"""A small process between: Linux counts the memory of the one that starts a process as the new one's."""


class Cost(NamedTuple):
    status: int
    seconds: float
    """Of the processor."""
    megabytes: int
    said: str


def netc(*words: str, folder: Path | None = None) -> Cost:
    command = [sys.executable, "-c", WATCH, sys.executable, "-m", "netcompiler", *words]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    status, seconds, megabytes = done.stdout.split()
    return Cost(int(status), float(seconds), int(megabytes), done.stderr)
