"""The examination of the machine as people read it: a table in reading order, then what is wrong, with its remedy."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from rich.table import Column, Table
from rich.text import Text

from tutelage.machine.findings import Finding, Machine, Verdict
from tutelage.terminal import Terminal

STYLES: dict[Verdict, str] = {"ok": "green", "note": "yellow", "WRONG": "bold red"}
# Of these parts nothing is to be read while all is well: they take one row.
_GATHERED = {"packages": "in the tested range: ", "imports": "can be imported", "encoding": "UTF-8"}


def show_machine(found: Machine, terminal: Terminal) -> None:
    """Print the table, then each note, then each thing that is wrong, then the result."""
    terminal.show(_table(found))
    for verdict in ("note", "WRONG"):
        for finding, names in _alike(found.having(verdict)).items():
            terminal.say((verdict, STYLES[verdict]), " ", (", ".join(names), "bold"), f": {finding.found}")
            terminal.show(_explained(finding))
    terminal.say((f"{found.sentence}.", "bold" if found.healthy else "bold red"))


def _table(found: Machine) -> Table:
    table = Table(Column("", style="bold cyan"), "examined", Column("found", overflow="fold"), "verdict")
    for part, members in groupby(found.findings, key=lambda finding: finding.part):
        for number, (what, text, verdict) in enumerate(_rows(part, list(members))):
            table.add_row("" if number else part, Text(what), Text(text), Text(verdict, STYLES[verdict]))
        table.add_section()
    return table


def _rows(part: str, findings: list[Finding]) -> Iterator[tuple[str, str, Verdict]]:
    """(thing, what was found, verdict); the healthy ones of a gathered part in one row, behind those that are not."""
    plain = part not in _GATHERED
    yield from ((one.what, one.found, one.verdict) for one in findings if plain or one.verdict != "ok")
    well = [one for one in findings if not plain and one.verdict == "ok"]
    if well:
        versions = ", ".join(f"{one.what} {one.found.split(' ')[0]}" for one in well) if part == "packages" else ""
        yield f"{len(well)} of {len(findings)}", _GATHERED[part] + versions, "ok"


def _alike(findings: Sequence[Finding]) -> dict[Finding, list[str]]:
    """Findings that differ only in their thing, as one, with the names of the things: a broken package breaks those
    that import it."""
    names: dict[Finding, list[str]] = {}
    for finding in findings:
        names.setdefault(replace(finding, what=""), []).append(finding.what)
    return names


def _explained(finding: Finding) -> Table:
    """What should be, why it is not, and what to do."""
    lines = {"expected": finding.expected, "cause": finding.cause, "to do": finding.remedy}
    told = Table.grid(padding=(0, 1))
    told.add_column(style="cyan", no_wrap=True, min_width=10)
    told.add_column(overflow="fold")
    for name, text in lines.items():
        if text:
            told.add_row(f"  {name}", Text(text, "bold" if name == "to do" else ""))
    return told
