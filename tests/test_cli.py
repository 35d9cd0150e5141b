"""The command netc: its verbs, formats and exit statuses, and what it does at the ends of pipes."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import readme

from netcompiler import load, zoo
from netcompiler.cli import VERBS, main
from netcompiler.layers import KINDS
from netcompiler.report import expansion
from netcompiler.totals import totals

NETC = [sys.executable, "-m", "netcompiler"]
ROOT = Path(__file__).parent.parent
SMALL = """\
netc: 1
name: small
input: [1, 8, 8]
vars: {classes: 10}
layers:
  - conv: {filters: 4, kernel: 3}
  - relu
  - flatten
  - linear: $classes
loss: cross_entropy
"""
BROKEN = SMALL.replace("  - flatten\n", "  - conv: {filters: 4, kernal: 3}\n")


class Answer:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


Ask = Callable[..., Answer]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    """Runs netc in this process, in an empty folder that holds small.yaml and broken.yaml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    Path("small.yaml").write_text(SMALL, encoding="utf-8")
    Path("broken.yaml").write_text(BROKEN, encoding="utf-8")

    def ask(*words: str, stdin: str = "", columns: int | None = None) -> Answer:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        if columns:
            monkeypatch.setenv("COLUMNS", str(columns))
        try:
            status = main(words)
        except SystemExit as leave:
            status = int(leave.code or 0)
        return Answer(status, *capsys.readouterr())

    return ask


def process(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*NETC, *words], capture_output=True, text=True, cwd=ROOT, timeout=60, **options)  # type: ignore[call-overload]


# exit status


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["check", "small.yaml"], 0),
        (["check", "lenet:1998"], 0),
        (["check", "small.yaml", "--set", "classes=3"], 0),
        (["check", "broken.yaml"], 1),
        (["check", "small.yaml", "--set", "clases=3"], 1),
        (["check", "lenet:1999"], 1),
        (["check", "small.yaml", "--max-params", "10"], 1),
        (["check", "small.yaml", "--max-macs", "1k"], 1),
        (["check", "small.yaml", "--max-memory", "1KiB"], 1),
        (["check", "small.yaml", "--max-params", "1M", "--max-macs", "1M", "--max-memory", "1GB"], 0),
        (["check", "none.yaml"], 2),
        (["check", "lenett"], 2),
        (["check", "."], 2),
        (["check"], 2),
        (["check", "small.yaml", "--max-memory", "much"], 2),
        (["check", "small.yaml", "--batch", "0"], 2),
        (["check", "small.yaml", "--depth", "none"], 2),
        (["check", "small.yaml", "--scan", "8by8"], 2),
        (["check", "small.yaml", "--explain", "nobody"], 2),
        (["check", "small.yaml", "--explain", "0", "--format", "json"], 2),
        (["diff", "small.yaml", "small.yaml"], 0),
        (["diff", "small.yaml", "lenet"], 0),
        (["diff", "small.yaml", "lenet", "--exit-code"], 1),
        (["diff", "small.yaml", "small.yaml", "--exit-code"], 0),
        (["diff", "small.yaml", "broken.yaml"], 1),
        (["diff", "small.yaml", "none.yaml"], 2),
        (["expand", "small.yaml"], 0),
        (["expand", "broken.yaml"], 1),
        (["layers", "conv"], 0),
        (["layers", "convv"], 2),
        (["frob"], 2),
        ([], 2),
        (["--help"], 0),
        (["--version"], 0),
        (["help", "check"], 0),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
)
def test_exit_status(ask: Ask, words: list[str], status: int) -> None:
    answer = ask(*words)
    assert answer.status == status, answer.err
    assert "Traceback" not in answer.err
    if status == 2 and words:
        assert answer.out == ""
        assert answer.err


def test_a_status_leaves_the_process() -> None:
    assert process("check", "lenet", "--max-params", "1").returncode == 1
    assert process("check", "nobody").returncode == 2


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["chek", "lenet"], "did you mean `check`?"),
        (["check", "lennet"], "did you mean `lenet`?"),
        (["check", "small.yaml", "--dept", "1"], "did you mean `--depth`?"),
        (["check", "small.yaml", "--explain", "10"], "--depth all"),
        (["layers", "convv"], "did you mean `conv`?"),
        (["frob"], "`netc help` lists them"),
        (["check", "resnet50"], "did you mean `resnet:50`?"),
        (["check", "VGG-d"], "did you mean `vgg:D`?"),
        (["new", "mine.yaml"], "`netc new mine` writes mine.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_misspelled_words_get_a_suggestion(ask: Ask, words: list[str], hint: str) -> None:
    assert hint in ask(*words).err


# the report and the diagnostics


def test_the_report_is_on_stdout_and_diagnostics_on_stderr(ask: Ask) -> None:
    answer = ask("check", "broken.yaml")
    assert answer.out.splitlines()[0] == "small"
    assert "conv 4, kernel 3" in answer.out  # what resolves is shown
    assert "error" not in answer.out.splitlines()[2]
    assert answer.err.startswith("broken.yaml:8:")
    assert "did you mean `kernel`?" in answer.err
    assert answer.err.endswith("1 error\n")


def test_notes_are_counted_and_shown_when_asked(ask: Ask) -> None:
    noted = SMALL.replace("  - relu\n", "  - relu\n  - max_pool: 5\n")
    assert ask("check", "-", stdin=noted).err == "1 note, which --notes shows\n"
    assert "<stdin>:8:5 note[remainder]" in ask("check", "-", "--notes", stdin=noted).err


def test_settings_change_variables(ask: Ask) -> None:
    assert "linear 3 " in ask("check", "small.yaml", "--set", "classes=3").out


def test_null_takes_a_key_away(ask: Ask) -> None:
    """From the command line and in a variant, as if it had not been written."""
    spec = "netc: 1\nname: n\ninput: [4]\nlayers: [linear: 3]\nloss: cross_entropy\nvariants: {plain: {train.ema: null}}\n"
    spec += "train: {batch: 4, ema: 0.9, early_stop: {patience: 3}, optimizer: {sgd: {rate: 0.1, momentum: 0.9}}}\n"
    whole = ask("expand", "-", stdin=spec).out
    assert all(word in whole for word in ("ema: 0.9", "patience: 3", "momentum: 0.9"))
    less = ["--set", "train.early_stop=null", "--set", "train.optimizer.sgd.momentum=~"]
    expanded = ask("expand", "-:plain", *less, stdin=spec).out
    assert not any(word in expanded for word in ("ema", "patience", "momentum"))
    assert "rate: 0.1" in expanded
    assert "a spec needs `layers`" in ask("check", "-", "--set", "layers=null", stdin=spec).err
    assert "there is no `erly_stop` here" in ask("check", "-", "--set", "train.erly_stop=null", stdin=spec).err


def test_a_budget_is_a_diagnostic(ask: Ask) -> None:
    answer = ask("check", "small.yaml", "--max-params", "100", "--format", "json")
    [found] = json.loads(answer.out)["diagnostics"]
    assert (found["code"], found["severity"], found["line"], answer.status) == ("budget", "error", 9, 1)


def test_standard_input_has_variants(ask: Ask) -> None:
    text = SMALL + "variants: {few: {classes: 2}}\n"
    assert ask("check", "-:few", stdin=text).out.startswith("small:few\n")
    assert "did you mean `few`?" in ask("check", "-:fev", "--batch", "2", stdin=text).err


def test_formats_are_alone_on_stdout(ask: Ask) -> None:
    shown = {name: ask("check", "broken.yaml", "--format", name) for name in ("json", "github", "sarif")}
    assert all(answer.err == "" and answer.status == 1 for answer in shown.values())
    assert json.loads(shown["json"].out)["diagnostics"][0]["help"] == "did you mean `kernel`?"
    assert re.fullmatch(r"::error file=broken\.yaml,line=8,.*::.*\n", shown["github"].out)
    [run] = json.loads(shown["sarif"].out)["runs"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 8


def test_markdown(ask: Ask) -> None:
    answer = ask("check", "small.yaml", "--format", "markdown")
    assert "| 0 | conv 4, kernel 3 | 4x6x6 | 40 | 1,296 | 3/1 | 47.4% |" in answer.out
    assert answer.err == ""


def test_batch_scales_the_activations(ask: Ask) -> None:
    def training(*words: str) -> int:
        memory: dict[str, int] = json.loads(ask("check", "small.yaml", "--format", "json", *words).out)["totals"]["memory"]
        return memory["training"]

    one, two, three = (training("--batch", str(batch)) for batch in (1, 2, 3))
    assert training() == one
    assert three - two == two - one > 0


@pytest.mark.parametrize("spec", ["resnet:50", "googlenet:aux", "densenet:121", "tdnn", "lenet:1998", "detector", "residual-mlp"])
@pytest.mark.parametrize("columns", [40, 60, 80])
def test_no_line_is_wider_than_the_terminal(ask: Ask, spec: str, columns: int) -> None:
    lines = ask("check", spec, columns=columns).out.splitlines()
    assert max(map(len, lines)) <= columns
    for words in (["zoo"], ["layers"]) if spec == "tdnn" else ():
        assert max(map(len, ask(*words, columns=columns).out.splitlines())) <= columns


# the other verbs


@pytest.mark.parametrize(
    "spec", [f"{name}:{variant}" if variant else name for name in zoo.names() for variant in ("", *zoo.variants(name))]
)
def test_an_expanded_spec_is_the_same_net(spec: str) -> None:
    loaded = load(spec)
    assert loaded.graph
    again = load("-", (), expansion.as_text(loaded.graph, loaded.recipe))
    assert again.errors == []
    assert again.graph
    assert totals(again.graph) == totals(loaded.graph)
    assert [node.shape for node in again.graph] == [node.shape for node in loaded.graph]
    assert again.recipe == loaded.recipe


EXPANDED = """\
netc: 1             # small.yaml:1
name: small         # small.yaml:2
input: [1, 8, 8]    # small.yaml:3
layers:
  - name: conv_0    # 0
    conv:           # small.yaml:6
      filters: 4    # small.yaml:6
      kernel: 3     # small.yaml:6
  - name: relu_1    # 1
    relu:           # small.yaml:7
  - name: flatten_2 # 2
    flatten:        # small.yaml:8
  - name: linear_3  # 3
    linear:         # small.yaml:9
      units: 10     # small.yaml:9 $classes, classes small.yaml:4
loss: cross_entropy # small.yaml:10
"""


def test_each_expanded_value_has_its_origin(ask: Ask) -> None:
    assert re.sub("  # ", " # ", ask("expand", "small.yaml").out) == EXPANDED


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["lenet"], r"input: \[1, 32, 32\] specs/lenet.yaml:\d+"),
        (["lenet:caffe"], r"input: \[1, 28, 28\] specs/lenet.yaml:\d+"),
        (["lenet", "--set", "input=[1, 36, 36]"], r"input: \[1, 36, 36\] --set"),
        (["resnet:18"], r"filters: 64 specs/resnet.yaml:\d+ \$filters"),
        (["vgg"], r"kernel: 3 specs/vgg.yaml:\d+ \$\(1 if small and index == 2 else 3\), small specs/vgg.yaml:\d+"),
        (["lenet", "--set", "train.optimizer.sgd.rate=0.5"], "rate: 0.5 --set"),
        (["lenet", "--set", "train.batch=7"], "batch: 7 --set"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_origins(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], line: str) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["expand", *words]) == 0
    assert re.search(rf"^ *{line}$", re.sub(" +# ", " ", capsys.readouterr().out), re.MULTILINE)


def test_the_origin_of_a_setting(ask: Ask) -> None:
    assert re.search(r"units: 3 +# small.yaml:9 \$classes, classes --set\n", ask("expand", "small.yaml", "--set", "classes=3").out)


def test_expanded_defaults(ask: Ask) -> None:
    assert re.search(r"stride: 1 +# default", ask("expand", "small.yaml", "--defaults").out)


def test_diff(ask: Ask) -> None:
    Path("other.yaml").write_text(SMALL.replace("kernel: 3", "kernel: 5"), encoding="utf-8")
    lines = ask("diff", "small.yaml", "other.yaml").out.splitlines()
    assert lines[0] == "~ 0  conv: kernel 3 -> 5; output 4x6x6 -> 4x4x4; params 40 -> 104; MACs 1,296 -> 1,600"
    assert any(re.match(r"params +1,490 +754 +-49\.4%", line) for line in lines)


def test_layers_lists_all_and_explains_one(ask: Ask) -> None:
    listed = {line.split()[0] for line in ask("layers").out.splitlines() if line}
    assert set(KINDS) <= listed
    shown = ask("layers", "conv").out
    assert KINDS["conv"].formula in shown
    assert all(option in shown for option in KINDS["conv"].model_fields)


def test_zoo_lists_every_net(ask: Ask) -> None:
    lines = ask("zoo").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == zoo.names()
    assert any("25.6M" in line and "50-v1" in line for line in lines if line.startswith("resnet "))


def test_new_writes_a_spec_that_checks_and_never_overwrites(ask: Ask) -> None:
    assert ask("new", "mine").status == 0
    assert ask("check", "mine.yaml").status == 0
    assert ask("check", "mine.yaml:wide").err == ""
    before = Path("mine.yaml").read_text(encoding="utf-8")
    answer = ask("new", "mine")
    assert (answer.status, Path("mine.yaml").read_text(encoding="utf-8")) == (2, before)
    assert "is there already" in answer.err
    assert ask("new", "../mine").status == 2


def test_schema_is_a_json_schema(ask: Ask) -> None:
    assert json.loads(ask("schema").out)["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_help_names_every_verb(ask: Ask) -> None:
    shown = ask("--help").out
    assert all(f"\n  {verb} " in shown for verb in VERBS)
    assert all(ask(verb, "--help").status == 0 for verb in VERBS)


# processes


def test_a_closed_pipe_is_no_error() -> None:
    command = f"'{sys.executable}' -m netcompiler expand densenet:201 | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.startswith("netc: 1")
    assert done.stderr == ""


def test_ctrl_c_ends_without_a_traceback() -> None:
    waiting = subprocess.Popen([*NETC, "check", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, text=True)
    time.sleep(1.5)
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=60)
    assert (waiting.returncode, err) == (130, "")


def on_a_terminal(*words: str, **environment: str) -> str:
    """What netc writes when its output is a terminal."""
    ours, theirs = pty.openpty()
    command = [*NETC, *(words or ("check", "lenet"))]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, cwd=ROOT, env={**os.environ, **environment}) as running:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # Linux ends a terminal that way
            pass
        running.wait(timeout=60)
    os.close(ours)
    return shown.decode()


def test_colours_are_for_terminals_that_want_them() -> None:
    assert "\x1b[" in on_a_terminal(NO_COLOR="", TERM="xterm")
    assert "\x1b[" not in on_a_terminal(NO_COLOR="1", TERM="xterm")
    assert "\x1b[" not in on_a_terminal(NO_COLOR="", TERM="dumb")
    assert "\x1b[" not in process("check", "lenet").stdout


@pytest.mark.parametrize("columns", [70, 80])
@pytest.mark.parametrize("words", [["check", "tests/mistakes/foreign-words.yaml"], ["check", "lenet", "--explain", "3"], ["--help"]])
def test_words_stay_whole_on_a_narrow_terminal(words: list[str], columns: int) -> None:
    shown = on_a_terminal(*words, NO_COLOR="1", COLUMNS=str(columns))
    assert max(len(line) for line in shown.splitlines()) <= columns


def test_a_terminal_without_unicode_gets_question_marks() -> None:
    done = process("check", "googlenet", env={**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "60"})
    assert done.returncode == 0
    assert "?" in done.stdout


def test_the_readme_shows_what_netc_prints() -> None:
    text = readme.README.read_text(encoding="utf-8")
    assert readme.refreshed(text) == text, "run `python tests/readme.py`"


def test_the_readme_lists_every_verb() -> None:
    text = readme.README.read_text(encoding="utf-8")
    assert all(re.search(rf"\| `netc {verb}\b.*` \| {re.escape(line)} \|", text) for verb, line in VERBS.items())
