"""What an examination of the machine finds, as records. Nothing here needs more than Python itself."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

GIB = 1 << 30

Verdict = Literal["ok", "note", "WRONG"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        part: of the machine, as "packages"; findings of a part stand together.
        what: the thing, as "transformers".
        found: how it is.
        verdict: `ok`; `note` for what costs speed or a feature; `WRONG` for what breaks a run.
        expected: how it should be; empty where there is nothing to compare with.
        cause: why it is so, where that is known.
        remedy: what mends it, as a command where one does.
    """

    part: str
    what: str
    found: str
    verdict: Verdict = "ok"
    expected: str = ""
    cause: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """All findings about this machine, in reading order."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Nothing is wrong; notes are no illness."""
        return not self.having("WRONG")

    def having(self, verdict: Verdict) -> tuple[Finding, ...]:
        """The findings with a verdict."""
        return tuple(finding for finding in self.findings if finding.verdict == verdict)

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        wrong, notes = len(self.having("WRONG")), len(self.having("note"))
        noted = f", {notes} worth a note" if notes else ""
        if wrong:
            return f"{wrong} of {len(self.findings)} things {'is' if wrong == 1 else 'are'} wrong{noted}"
        return f"the machine is ready: {len(self.findings)} things examined, none wrong{noted}"

    def summary(self) -> dict[str, Any]:
        """As `tutelage doctor --json` prints it."""
        return {
            "healthy": self.healthy,
            "findings": [asdict(finding) for finding in self.findings],
            "sentence": self.sentence,
        }


def gib(size: float) -> str:
    """Bytes in GiB."""
    return f"{size / GIB:,.1f} GiB"
