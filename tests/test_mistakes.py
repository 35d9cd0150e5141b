"""Every file in mistakes/ provokes mistakes; what netc says of them stands beside it, as text and as JSON.

A first line `# $ netc check FILE ...` gives the command, else it is `netc check FILE`. A file note-* has no mistake, and
perhaps a note. After a change of the messages `REFRESH=1 pytest tests/test_mistakes.py` writes the texts anew: read them
aloud before they are committed.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
from pathlib import Path

import pytest
from processes import netc

from netcompiler.cli import main

HERE = Path(__file__).parent
FOLDER = HERE / "mistakes"
FILES = sorted(FOLDER.glob("*.yaml"))
PACKAGE = HERE.parent / "netcompiler"
REFRESH = bool(os.environ.get("REFRESH"))


def words(path: Path) -> list[str]:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return shlex.split(first.removeprefix("# $ netc")) if first.startswith("# $ netc") else ["check", path.name]


@pytest.fixture(autouse=True)
def _in_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    monkeypatch.setenv("COLUMNS", "120")


def same(path: Path, have: str) -> None:
    if REFRESH:
        path.write_text(have, encoding="utf-8")
    assert have == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_said(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = 0 if path.stem.startswith("note-") else 1
    assert main(words(path)) == status
    said = capsys.readouterr()
    same(path.with_suffix(".txt"), said.out + said.err)
    assert main([*words(path), "--format", "json"]) == status
    found = json.loads(capsys.readouterr().out)["diagnostics"]
    same(path.with_suffix(".json"), json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert all(d["severity"] == "note" for d in found) == (status == 0)
    assert "Traceback" not in said.err


def test_there_are_many() -> None:
    assert len(FILES) >= 100


REFUSED = [  # what cannot be read at all: arguments, bytes of a file `bad.yaml`, what is said
    (["nowhere.yaml"], None, "nowhere.yaml: there is no such file"),
    (["."], None, "there is no net called `.` in the zoo"),
    (["./"], None, "is a folder: name the file in it"),
    (["resnett"], None, "there is no net called `resnett` in the zoo: did you mean `resnet`?"),
    (["bad.yaml"], b"name: \xff\xfe", "bad.yaml is not UTF-8 (byte 6): save it as UTF-8"),
    (["bad.yaml"], b"#" * 10_000_000, "bad.yaml is larger than 4 MB: this is no spec"),
    (["bad\0.yaml"], None, "no file can be called so"),
    (["n" * 5000 + ".yaml"], None, "File name too long"),
    (["lenet", "--explain", "nothing"], None, "nothing"),
]


@pytest.mark.parametrize(("arguments", "content", "said"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_read(
    arguments: list[str],
    content: bytes | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "bad.yaml").write_bytes(content)
    assert main(["check", *arguments]) == 2
    assert said in capsys.readouterr().err


HEAVY = {  # texts made to exhaust the reader
    "long expression": "layers: [linear: $(" + "1 + " * 25_000 + "1)]",
    "long word": "layers: [" + "x" * 3_000_000 + "]",
    "long name": "layers: [{name: " + "x" * 3_000_000 + ", relu}]",
    "long variable": "vars: {a: " + "x" * 1_000_000 + "}\nlayers: [repeat: {times: 1000, layers: [{name: $a$index, relu: }]}]",
    "hexadecimal": "layers: [linear: 0x" + "f" * 3_000_000 + "]",
    "many numbers": "layers: [reshape: [" + "1, " * 1_000_000 + "1]]",
    "many layers": "layers:\n" + "- reluu\n" * 40_000,
    "many keys": "vars: {" + "".join(f"v{i}: {i}, " for i in range(60_000)) + "}\nlayers: [linear: $w1]",
    "many names": "layers:\n" + "".join(f"- {{name: n{i}, from: m{i}, relu: }}\n" for i in range(20_000)),
    "many blocks": "blocks:\n" + "".join(f"  B{i}: [B{i + 1}]\n" for i in range(20_000)) + "layers: [B0]",
    "block rings": "blocks:\n" + "".join(f"  B{i}: [B{(7 * i + j) % 300} ]\n" for i in range(300) for j in [1]) + "layers: [B0]",
    "nested mappings": "layers: " + "{a: " * 10_000 + "1" + "}" * 10_000,
    "nested lists, open": "[" * 1_000_000,
    "nested blocks and expressions": "blocks:\n"
    + "".join(f"  B{i}: {{args: {{a}}, layers: [B{i + 1}: $(a{' + 1' * 90})]}}\n" for i in range(49))
    + "  B49: {args: {a}, layers: [linear: $("
    + "(" * 45
    + "a"
    + " + a)" * 45
    + ")]}\nlayers: [B0: 1]",
    "quotes": "layers: [" + '"' * 1_000_001,
    "a huge repeat": "layers: [repeat: {times: 999999999, layers: [repeat: {times: 999999999, layers: []}]}]",
    "a wide dense": "layers: [dense: {times: 99999, layers: [linear: 1]}]",
    "a wide column": "layers: [repeat: {over: {a: ["
    + "1, " * 150_000
    + "1]}, layers: [repeat: {over: {b: [1, 2]}, layers: [linear: $(a + b)]}]}]",
    "powers": "layers: [linear: $(" + "(2 ** 62) * " * 80 + "1)]",
    "formula": "layers: [map: " + "x * " * 95 + "x]",
    "aliases": "".join(f"{b}: &{b} [" + ", ".join([f"*{a}"] * 1000) + "]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
}
HEAD = "netc: 1\nname: heavy\ninput: [1]\n"


@pytest.mark.parametrize("text", HEAVY.values(), ids=HEAVY.keys())
def test_a_heavy_file_is_answered_soon(text: str, tmp_path: Path) -> None:
    (tmp_path / "heavy.yaml").write_text(HEAD + text, encoding="utf-8")
    cost = netc("check", "heavy.yaml", folder=tmp_path)
    assert "Traceback" not in cost.said
    assert cost.status in (0, 1)
    assert len(cost.said) < 100_000
    assert cost.seconds < 2
    assert cost.megabytes < 200


def codes(path: Path) -> set[str]:
    """The codes that a module can say: the first text that looks like one in a call that makes a mistake."""
    makers = {"Mistake", "Diagnostic", "error", "_at", "_error"}
    calls = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    made = (call for call in calls if getattr(call.func, "id", getattr(call.func, "attr", "")) in makers)
    words = ([arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)] for call in made)
    return {texts[0] for texts in words if texts and re.fullmatch(r"[a-z]+(-[a-z]+)*", texts[0])}


BEHIND = {"compilation.py", "lowering.py"}  # what `netc check` does not go through
FRONT = [path for folder in (".", "layers", "losses", "optimisers", "recipe") for path in (PACKAGE / folder).glob("*.py")]


def test_every_code_is_provoked() -> None:
    said = {found["code"] for path in FOLDER.glob("*.json") for found in json.loads(path.read_text(encoding="utf-8"))}
    assert set().union(*(codes(path) for path in FRONT if path.name not in BEHIND)) == said
