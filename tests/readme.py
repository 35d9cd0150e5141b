"""The console blocks of README.md: what each command prints. `python tests/readme.py` prints them anew into the file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"```console\n\$ (.*)\n(?s:.*?)```")
COLUMNS = 96


def refreshed(text: str) -> str:
    return BLOCK.sub(lambda block: f"```console\n$ {block[1]}\n{output(block[1])}```", text)


def output(command: str) -> str:
    script = f'netc() {{ "{sys.executable}" -m netcompiler "$@"; }}\n{command}'
    with tempfile.TemporaryDirectory() as cache:  # nothing that was measured here before
        environment = {**os.environ, "COLUMNS": str(COLUMNS), "NO_COLOR": "1", "NETC_CACHE": cache}
        done = subprocess.run(
            ["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=environment, timeout=60
        )
    return done.stdout


if __name__ == "__main__":
    README.write_text(refreshed(README.read_text(encoding="utf-8")), encoding="utf-8")
