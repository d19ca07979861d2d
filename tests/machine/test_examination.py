"""The examination of the machine as a whole: on this one, and on one whose packages are broken, in real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

import tutelage_start
from tutelage.cli import app
from tutelage.machine.findings import Finding, Machine
from tutelage.machine.showing import show_machine
from tutelage.terminal import Terminal

BROKEN = "raise TypeError(\"argument of type 'NoneType' is not iterable\")\n"


def start(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as the console script starts it."""
    command = [sys.executable, "-m", "tutelage_start", *arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(cwd / "cache"), **environment}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)


def found(done: subprocess.CompletedProcess[str]) -> dict[tuple[str, str], dict[str, Any]]:
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["healthy"] == (done.returncode == 0)
    return {(one["part"], one["what"]): one for one in told["findings"]}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """This machine, examined once."""
    folder = tmp_path_factory.mktemp("here")
    return start("doctor", "--json", "--output", str(folder / "deep" / "runs"), cwd=folder)


def test_this_machine_is_ready_since_these_tests_run_on_it(here: subprocess.CompletedProcess[str]) -> None:
    findings = found(here)
    assert here.returncode == 0, here.stderr
    assert {part for part, _ in findings} == {"packages", "imports", "device", "threads", "storage", "hub", "encoding"}
    assert findings["packages", "torch"]["found"] == __import__("torch").__version__
    assert findings["imports", "tutelage"]["verdict"] == "ok"
    assert findings["device", "arithmetic"]
    assert ("hub", "reachable") not in findings, "the network is used only where it is asked for"


def test_with_json_people_read_stderr_and_the_last_line_there_is_the_result(
    here: subprocess.CompletedProcess[str],
) -> None:
    told = json.loads(here.stdout.splitlines()[-1])
    assert len(here.stdout.splitlines()) == 1
    assert here.stderr.splitlines()[-1] == f"{told['sentence']}."
    assert "in the tested range" in here.stderr


def test_nothing_is_left_behind(here: subprocess.CompletedProcess[str]) -> None:
    [folder] = here.args[-1:]
    assert f"{folder}, " in found(here)["storage", "runs"]["found"]
    standing = Path(folder).parents[1]
    assert standing.is_dir()
    assert not Path(folder).parent.exists()
    assert not list(standing.rglob(".tutelage-doctor-*"))


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """A folder for PYTHONPATH with an old transformers and a torchvision of another torch; importing them raises."""
    packages = tmp_path / "packages"
    info = packages / "transformers-4.52.4.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: transformers\nVersion: 4.52.4\n")
    (info / "top_level.txt").write_text("transformers\n")
    (packages / "transformers").mkdir()
    (packages / "transformers" / "__init__.py").write_text(BROKEN)
    beside = packages / "torchvision-0.1.dist-info"
    beside.mkdir()
    (beside / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 0.1\n")
    (beside / "top_level.txt").write_text("torchvision\n")
    (packages / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    return str(packages)


def test_doctor_starts_where_tutelage_cannot_and_names_what_is_broken(broken: str, tmp_path: Path) -> None:
    findings = found(start("doctor", "--json", cwd=tmp_path, PYTHONPATH=broken))
    old, importing = findings["packages", "transformers"], findings["imports", "transformers"]
    assert (old["found"], old["expected"], old["verdict"]) == ("4.52.4", ">=5,<6", "WRONG")
    assert old["remedy"] == f"{sys.executable} -m pip install 'transformers>=5,<6'"
    assert importing["verdict"] == "WRONG"
    assert "different ages" in importing["cause"]
    assert "'transformers>=5,<6'" in importing["remedy"]
    assert findings["imports", "tutelage"]["verdict"] == "WRONG"
    assert findings["imports", "torch"]["verdict"] == "ok"
    beside = findings["imports", "torchvision"]
    assert beside["verdict"] == "note", "Tutelage does not need it"
    assert "another torch" in beside["cause"]
    assert beside["remedy"].startswith(f"{sys.executable} -m pip uninstall torchvision")


def test_other_verbs_name_the_broken_package_without_a_traceback(broken: str, tmp_path: Path) -> None:
    done = start("init", "--data", "rows.jsonl", cwd=tmp_path, PYTHONPATH=broken)
    assert done.returncode == 1
    assert done.stderr.startswith("error: tutelage cannot start: transformers raises TypeError: argument of type")
    assert "cause: packages of different ages" in done.stderr
    assert "'transformers>=5,<6'" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in start("init", "--data", "x", "--debug", cwd=tmp_path, PYTHONPATH=broken).stderr


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--output", "x", "--online"], ["--output=x", "--debug"]])
def test_doctor_without_a_template_is_about_the_machine(arguments: list[str]) -> None:
    assert tutelage_start._machine(["doctor", *arguments]) is not None


@pytest.mark.parametrize("arguments", [["--model", "x"], ["--json", "--template", "x"], ["--help"], ["--jsn"], ["x"]])
def test_templates_help_and_what_is_mistyped_are_the_command_line_s(arguments: list[str]) -> None:
    assert tutelage_start._machine(["doctor", *arguments]) is None
    assert tutelage_start._machine(["train", "--json"]) is None


def test_options_of_machine_and_template_do_not_mix() -> None:
    mixed = CliRunner().invoke(app, ["doctor", "--template", "chatml", "--online"])
    assert mixed.exit_code == 2
    assert "about the machine" in mixed.output


def test_the_command_line_itself_examines_the_machine_too(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--json", "--output", str(tmp_path / "训练")])
    told = json.loads(done.stdout.splitlines()[-1])
    assert done.exit_code == (0 if told["healthy"] else 1)
    [runs] = [one for one in told["findings"] if one["what"] == "runs"]
    assert "训练" in runs["found"]


def test_where_chinese_cannot_be_printed_it_is_told_and_the_examination_goes_on(broken: str, tmp_path: Path) -> None:
    done = start("doctor", "--output", "训练", cwd=tmp_path, PYTHONPATH=broken, PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert "export PYTHONUTF8=1" in done.stdout
    assert r"\u8bad\u7ec3" in done.stdout
    assert "Traceback" not in done.stderr


def shown(machine: Machine) -> str:
    terminal = Terminal()
    terminal.console = Console(width=100, record=True, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    show_machine(machine, terminal)
    terminal.console.file.close()
    return terminal.console.export_text()


def test_people_read_problems_last_with_cause_and_remedy_and_alike_ones_once() -> None:
    fine = Finding("packages", "numpy", "2.1.0 (own build)")
    noted = Finding("threads", "other load", "2.0 of 2", "note", "at most 50%", "busy", "wait")
    same = [Finding("imports", name, "TypeError: [bold]x[/bold]", "WRONG", "", "old", "mend") for name in ("a", "b")]
    machine = Machine((fine, *same, noted))
    text = shown(machine)
    order = ["numpy 2.1.0", "2.0 of 2", "cause    busy", "a, b: TypeError: [bold]x[/bold]", "to do    mend", "2 of 4"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert text.count("to do    mend") == 1
    assert text.rstrip().endswith(f"{machine.sentence}.")
    assert not machine.healthy
    assert Machine((fine, noted)).healthy, "a note is no illness"
