"""Places, file systems, the Hub's settings and encodings, on real folders, servers and processes."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tutelage.machine.findings import GIB, Finding
from tutelage.machine.storage import (
    Place,
    _rename_faults,
    available_memory,
    examine_file_system,
    examine_place,
    examine_storage,
    file_system,
    memory_limit,
    places,
)
from tutelage.machine.surroundings import examine_hub
from tutelage.recipe import build
from tutelage.run import prepare

SECRET = "hf_neverToBeSeen"


def place(path: Path, *, vital: bool = True) -> Place:
    return Place("runs", path, vital, "choose another")


def test_a_folder_that_is_not_there_yet_is_examined_where_it_will_be(tmp_path: Path) -> None:
    deep = place(tmp_path / "a" / "b")
    assert deep.standing == tmp_path
    assert examine_place(deep).verdict in ("ok", "note")
    assert "GiB free" in examine_place(deep).found
    assert [finding.verdict for finding in examine_file_system(deep)] == ["ok"]
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_wrong_for_runs_and_a_note_for_the_hub() -> None:
    nowhere = Path("/proc/tutelage/runs")  # nobody, not even root, makes a folder here
    found = examine_place(place(nowhere))
    assert (found.verdict, found.remedy) == ("WRONG", "choose another")
    assert "/proc" in found.found
    assert examine_place(place(nowhere, vital=False)).verdict == "note"
    assert list(examine_file_system(place(nowhere))) == [], "one fault is told once"


def test_a_rename_that_fails_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "weights of another").write_text("x")  # no folder replaces one that is not empty
    [fault] = _rename_faults(tmp_path)
    assert fault.startswith("nothing can be renamed: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_wrong(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert examine_place(place(tmp_path)).verdict == "WRONG"


def test_a_file_where_the_folder_should_be_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("x")
    assert examine_place(place(tmp_path / "runs" / "first")).verdict == "WRONG"


def test_a_folder_in_memory_is_noted() -> None:
    shm = Path("/dev/shm")
    if not shm.is_dir() or file_system(shm) != "tmpfs":
        pytest.skip("there is no folder in memory on this system")
    assert examine_place(place(shm)).verdict in ("note", "WRONG")


def test_places_are_those_that_runs_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    by_name = {one.name: one.path for one in places(Path("runs"), os.environ)}
    assert by_name["token cache"] == prepare._cache(build({}))
    code = "import huggingface_hub.constants as c; print(c.HF_HUB_CACHE)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert by_name["Hub cache"] == Path(told)


def test_memory_is_the_machine_s_or_the_container_s(tmp_path: Path) -> None:
    here = available_memory()
    assert here is None or 0 < here.available <= here.total
    assert memory_limit(tmp_path) == (None, 0)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("5\n")
    assert memory_limit(tmp_path) == (None, 5)
    (tmp_path / "memory.max").write_text(f"{4 * GIB}\n")
    assert memory_limit(tmp_path) == (4 * GIB, 5)


def test_storage_is_examined_from_memory_to_locks(tmp_path: Path) -> None:
    found = [finding.what for finding in examine_storage(tmp_path, os.environ)]
    assert found == ["memory", "runs", "token cache", "Hub cache", "temporary files", "locks and renames"]


def hub(environment: dict[str, str], *, online: bool = False) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine_hub(environment, online=online)}


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_a_token_is_told_by_its_place_and_never_shown(name: str, tmp_path: Path) -> None:
    home = {"HF_HOME": str(tmp_path)}
    assert hub(home)["token"].found.startswith("none")
    assert hub({**home, name: SECRET})["token"].found == f"set ({name})"
    (tmp_path / "token").write_text(SECRET)
    assert hub(home)["token"].found == f"set ({tmp_path / 'token'})"
    whole = hub({**home, name: SECRET, "HF_ENDPOINT": f"https://me:{SECRET}@hub.test/x?key={SECRET}"})
    assert SECRET not in json.dumps([str(one) for one in whole.values()])
    assert whole["endpoint"].found == "https://hub.test/x (HF_ENDPOINT)"


@pytest.mark.parametrize("endpoint", [SECRET, "hub.test/x", "http://[", "file:///etc/passwd", "https://"])
def test_an_endpoint_that_is_no_address_is_wrong_and_not_asked(endpoint: str) -> None:
    found = hub({"HF_ENDPOINT": endpoint}, online=True)
    assert found["endpoint"].verdict == "WRONG"
    assert "reachable" not in found


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """An address on this machine that answers with a refusal, and what it was asked."""
    asked: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Refusing) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/hub", asked
        listening.shutdown()
        thread.join()


def test_the_network_is_used_only_where_it_is_asked_for(
    server: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    address, asked = server
    assert "reachable" not in hub({"HF_ENDPOINT": address})
    offline = hub({"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "1"}, online=True)
    assert "not tried" in offline["reachable"].found
    assert asked == []
    assert hub({"HF_ENDPOINT": address}, online=True)["reachable"].verdict == "ok"
    assert asked == ["/hub"]


def test_an_address_where_nobody_answers_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = hub({"HF_ENDPOINT": "http://127.0.0.1:1"}, online=True)["reachable"]
    assert found.verdict == "WRONG"
    assert "127.0.0.1" in found.found
    assert "HF_HUB_OFFLINE=1" in found.remedy


def encodings(**environment: str) -> dict[str, str]:
    code = (
        "import tutelage_start as s; s._machine_start(); import json\n"
        "from tutelage.machine.surroundings import examine_encodings as e\n"
        "print(json.dumps({f.what: f.verdict for f in e()}))"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    env = {**kept, **environment}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    verdicts: dict[str, str] = json.loads(done.stdout)
    return verdicts


def test_encodings_are_those_of_the_process() -> None:
    assert set(encodings(LANG="C").values()) == {"ok"}, "Python takes UTF-8 there by itself"
    plain = encodings(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert plain == {"output": "WRONG", "file names": "WRONG", "files": "WRONG"} or plain["output"] == "WRONG"
    assert encodings(LANG="C", PYTHONIOENCODING="latin-1") == {"output": "WRONG", "file names": "ok", "files": "ok"}
    assert set(encodings(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="1").values()) == {"ok"}
