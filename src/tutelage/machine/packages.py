"""Python and the packages that Tutelage stands on, against the ranges that its own metadata ask for."""

import platform
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tutelage.machine.findings import Finding, Verdict

NAME = "tutelage"
DEVELOPMENT = "dev"  # the extra of those who change Tutelage: nothing that it runs needs these packages


@dataclass(frozen=True, slots=True)
class Needed:
    """A direct dependency.

    Attributes:
        extra: the optional part of Tutelage that needs it; empty where all does.
        installed: its version; None where it is not installed.
    """

    name: str
    range: SpecifierSet
    extra: str
    installed: str | None

    @property
    def fits(self) -> bool:
        """Whether a version of the range is installed. Pre-releases count: who has one chose it."""
        return self.installed is not None and self.range.contains(self.installed, prereleases=True)

    @property
    def asked(self) -> str:
        """As pip is asked for it."""
        return f"{self.name}{readable(self.range)}"


def readable(versions: SpecifierSet) -> str:
    """A range with its lower end first, as `>=5,<6`."""
    return ",".join(sorted(map(str, versions), reverse=True))


def needed() -> list[Needed]:
    """The direct dependencies as the metadata order them, extras last; empty where Tutelage itself is not installed."""
    try:
        own = metadata.metadata(NAME)
        requirements = [Requirement(line) for line in metadata.requires(NAME) or ()]
    except metadata.PackageNotFoundError:
        return []
    found = []
    for extra in ("", *(own.get_all("Provides-Extra") or ())):
        for one in requirements:
            if _belongs(one, extra):
                found.append(Needed(one.name, one.specifier, extra, version_of(one.name)))
    return found


def _belongs(one: Requirement, extra: str) -> bool:
    """Whether a requirement is one of an extra, or, for the extra that has no name, one of everybody."""
    if one.marker is None or one.marker.evaluate({"extra": ""}):
        return not extra
    return bool(extra) and one.marker.evaluate({"extra": extra})


def version_of(name: str) -> str | None:
    """The version of an installed package; None where there is none, or where its metadata are broken."""
    try:
        return metadata.version(name) or None
    except (metadata.PackageNotFoundError, KeyError):
        return None


def installer() -> str:
    """The command that installs packages for this very interpreter."""
    python = shlex.quote(sys.executable)
    return f"{python} -m pip install" if find_spec("pip") is not None else f"uv pip install --python {python}"


def install(names: Iterable[str], *, options: str = "") -> str:
    """The command that installs packages in the ranges that Tutelage needs."""
    ranges = {canonical(one.name): one.asked for one in needed()}
    asked = [shlex.quote(ranges.get(canonical(name), name)) for name in names]
    return " ".join([installer(), *filter(None, [options]), *asked])


def canonical(name: str) -> str:
    """A package's name as indices compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def modules(names: Iterable[str]) -> dict[str, str]:
    """Package -> the module that is imported for it, for those that are installed and hold one."""
    tops: dict[str, list[str]] = {}
    for module, packages in metadata.packages_distributions().items():
        for package in packages:
            if module.isidentifier() and not module.startswith("_"):
                tops.setdefault(canonical(package), []).append(module)
    chosen = {}
    for name in names:
        found = tops.get(canonical(name), [])
        namesake = [module for module in found if canonical(module) == canonical(name)]
        if found:
            chosen[name] = (namesake or sorted(found))[0]
    return chosen


def examine_packages() -> Iterator[Finding]:
    """Python, then each dependency, then the extras."""
    yield _python()
    everything = needed()
    if not everything:
        yield Finding(
            "packages",
            NAME,
            "it runs from a folder; what it needs is not known",
            "WRONG",
            expected="an installed package with its metadata",
            remedy=f"{installer()} -e . (in the folder that holds pyproject.toml)",
        )
    yield from (_needed(one) for one in everything if not one.extra)
    for extra in dict.fromkeys(one.extra for one in everything if one.extra):
        yield from _extra(extra, [one for one in everything if one.extra == extra])


def _python() -> Finding:
    found = f"{platform.python_version()} ({sys.executable})"
    try:
        asked = SpecifierSet(metadata.metadata(NAME)["Requires-Python"] or "")
    except metadata.PackageNotFoundError:
        return Finding("packages", "Python", found)
    if asked.contains(platform.python_version(), prereleases=True):
        return Finding("packages", "Python", found, expected=readable(asked))
    remedy = f"install Python {readable(asked)}, make an environment with it, and install {NAME} there"
    return Finding("packages", "Python", found, "WRONG", expected=readable(asked), remedy=remedy)


def _needed(one: Needed) -> Finding:
    expected = readable(one.range) or "any version"
    if one.fits:
        return Finding("packages", one.name, str(one.installed), expected=expected)
    verdict: Verdict = "note" if one.extra else "WRONG"
    cause = "it is outside the range that Tutelage is tested with" if one.installed else "Tutelage cannot do without it"
    return Finding(
        "packages",
        one.name,
        one.installed or "not installed",
        verdict,
        expected=expected,
        cause=cause,
        remedy=install([one.name]),
    )


def _extra(extra: str, members: list[Needed]) -> Iterator[Finding]:
    """An extra nobody installed is one finding; of one that is there, each package is looked at."""
    present = [one for one in members if one.installed is not None]
    if present:
        yield from (_needed(one) for one in present)
    elif extra != DEVELOPMENT:
        how = f"{installer()} {shlex.quote(f'{NAME}[{extra}]')}"
        names = ", ".join(one.name for one in members)
        yield Finding("packages", f"extra {extra}", f"not installed, optional ({names})", remedy=how)
