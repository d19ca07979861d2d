"""Versions against the ranges of the metadata, and known traps, on folders made like installed packages."""

import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tutelage.machine import packages as installed
from tutelage.machine.findings import Finding
from tutelage.machine.imports import try_imports
from tutelage.machine.packages import examine_packages, install, modules, needed, readable, version_of
from tutelage.machine.traps import TRAPS, explain


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands before all others, for this process and its children."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def put(folder: Path, name: str, version: str, *, requires: tuple[str, ...] = (), more: str = "") -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {one}" for one in requires)]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, more, ""]))


def examined() -> dict[str, Finding]:
    return {finding.what: finding for finding in examine_packages()}


def test_every_dependency_of_the_project_is_examined_and_fits_here() -> None:
    names = {one.name for one in needed()}
    assert {"torch", "transformers", "peft", "pytest"} <= names
    assert len(names) == len(needed())
    for one in needed():
        assert one.fits or one.extra, one


@pytest.mark.parametrize("version", ["4.57.1", "6.0.0"])
def test_a_version_outside_the_range_is_wrong_and_the_command_mends_it(packages: Path, version: str) -> None:
    put(packages, "transformers", version)
    found = examined()["transformers"]
    assert (found.verdict, found.found, found.expected) == ("WRONG", version, ">=5,<6")
    assert found.remedy == f"{sys.executable} -m pip install 'transformers>=5,<6'"


def test_prereleases_and_own_builds_of_the_range_fit(packages: Path) -> None:
    put(packages, "transformers", "5.9.0.dev0")
    put(packages, "torch", "2.9.0+cu128")
    found = examined()
    assert found["transformers"].verdict == found["torch"].verdict == "ok"
    assert found["torch"].found == "2.9.0+cu128"


def test_what_is_missing_is_wrong_and_a_missing_extra_is_not(packages: Path) -> None:
    more = "Provides-Extra: more\nProvides-Extra: dev\nRequires-Python: >=3.99"
    asked = ("nowhere>=2", 'neither>=1; extra == "more"', 'numpy<1; extra == "dev"')
    put(packages, "tutelage", "9.9", requires=asked, more=more)
    found = examined()
    assert (found["nowhere"].verdict, found["nowhere"].found) == ("WRONG", "not installed")
    assert "'nowhere>=2'" in found["nowhere"].remedy
    assert found["extra more"].verdict == "ok"
    assert "'tutelage[more]'" in found["extra more"].remedy
    assert found["numpy"].verdict == "note", "an extra can be done without"
    assert (found["Python"].verdict, found["Python"].expected) == ("WRONG", ">=3.99")


def test_metadata_that_are_broken_or_not_there_are_told(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (packages / "transformers-5.1.dist-info").mkdir()
    assert version_of("transformers") is None
    assert examined()["transformers"].verdict == "WRONG"
    monkeypatch.setattr(installed, "NAME", "tutelage-that-nobody-installed")
    found = examined()
    assert [one.verdict for one in found.values()] == ["ok", "WRONG"]
    assert "-e ." in found["tutelage-that-nobody-installed"].remedy


def test_the_module_of_a_package_is_found_whatever_its_name() -> None:
    assert modules(["PyYAML", "huggingface-hub", "nowhere"]) == {"PyYAML": "yaml", "huggingface-hub": "huggingface_hub"}
    assert readable(SpecifierSet("<6,>=5")) == ">=5,<6"


def test_a_crash_or_an_exit_in_an_import_is_named_and_the_others_are_tried(packages: Path) -> None:
    programs = {
        "fine": "",
        "crashes": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
        "quits": "raise SystemExit('no licence')\n",
        "vanishes": "import os\nos._exit(0)\n",
        "noisy": "print('doctor: {', end='')\nprint('words')\n",
        "last": "",
    }
    for name, program in programs.items():
        (packages / f"{name}.py").write_text(program)
    tried = try_imports(list(programs))
    assert tried.errors.keys() == programs.keys()
    assert {name for name, error in tried.errors.items() if not error} == {"fine", "noisy", "last"}
    assert "SIGSEGV" in tried.errors["crashes"]
    assert "no licence" in tried.errors["quits"]
    assert tried.errors["vanishes"]
    assert tried.torch is None


def test_an_import_that_never_ends_is_given_up(packages: Path) -> None:
    (packages / "sleeps.py").write_text("import time\ntime.sleep(600)\n")
    (packages / "awake.py").write_text("")
    tried = try_imports(["sleeps", "awake"], limit=2)
    assert "within 2 s" in tried.errors["sleeps"]
    assert tried.errors["awake"] == ""


# As the packages' trackers have them: the error, and words of the cause and of the remedy.
ERRORS = {
    "old transformers": ("TypeError: argument of type 'NoneType' is not iterable", "ages", "transformers>=5,<6"),
    "hub": ("ImportError: cannot import name 'cached_x' from 'huggingface_hub' (/a.py)", "ages", "huggingface_hub>=1"),
    "versions": (
        "ImportError: tokenizers>=0.22.0,<=0.23.0 is required for a normal functioning of this module, found 0.15.2",
        "refuses",
        "tokenizers>=0.22",
    ),
    "nvjitlink": (
        "ImportError: /x/libcusparse.so.12: undefined symbol: __nvJitLinkComplete_12_4, version libnvJitLink.so.12",
        "LD_LIBRARY_PATH",
        "unset LD_LIBRARY_PATH",
    ),
    "cudart": ("OSError: libcudart.so.12: cannot open shared object file: No such file", "CUDA", "torch>=2.8"),
    "tls": ("OSError: /x/libgomp-d22c.so.1: cannot allocate memory in static TLS block", "thread-local", "LD_PRELOAD"),
    "gomp": ("OSError: libgomp.so.1: cannot open shared object file: No such file", "OpenMP", "libgomp1"),
    "libstdc++": ("ImportError: /lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found", "C++ library", "libstdc"),
    "libc": ("ImportError: /lib64/libc.so.6: version `GLIBC_2.29' not found", "C library", "container"),
    "abi": ("ImportError: /x/flash.so: undefined symbol: _ZN3c104cuda9SetDeviceEa", "another torch", "peft>=0.18"),
    "numpy": ("AttributeError: _ARRAY_API not found", "NumPy", "numpy>=2"),
    "missing": ("ModuleNotFoundError: No module named 'kernels.sub'", "not installed", "install kernels"),
    "missing extra": ("ModuleNotFoundError: No module named 'bitsandbytes'", "not installed", "'tutelage[quant]'"),
    "shadowed": (
        "AttributeError: partially initialized module 'datasets' has no attribute 'x' (most likely due to a circular "
        "import)",
        "a file of your own",
        "datasets.py",
    ),
    "driver": ("RuntimeError: CUDA driver version is insufficient for CUDA runtime version", "older", "newer driver"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_known_traps_are_explained(name: str) -> None:
    error, cause, remedy = ERRORS[name]
    found = explain(error, "peft")
    assert cause in found[0]
    assert remedy in found[1]
    assert "{" not in found[1].replace("${", "")


def test_an_unknown_error_has_no_invented_cause() -> None:
    cause, remedy = explain("ZeroDivisionError: division by zero", "peft")
    assert cause == ""
    assert "--force-reinstall" in remedy
    assert remedy.endswith("'peft>=0.18'")


def test_every_command_of_the_table_asks_for_what_pip_understands() -> None:
    for trap in TRAPS:
        assert trap.cause
        assert bool(trap.reinstall) != bool(trap.remedy), trap
    assert Requirement(install(["transformers"]).rsplit(" ", 1)[1].strip("'")).name == "transformers"
