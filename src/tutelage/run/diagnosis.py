"""What `doctor` finds: a chat template with a tokenizer, case by case, as records and in words."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.table import Column, Table
from rich.text import Text

from tutelage.template.battery import SINGLE
from tutelage.terminal import Terminal

STYLES = {"exact, merged": "green", "exact, per turn": "green", "refused": "yellow", "WRONG": "bold red"}

# For each kind of difference: what was trained, and what it is compared with.
_SIDES: dict[Literal["transcript", "decoded"], tuple[str, str]] = {
    "transcript": ("training follows the prompt:", "the transcript would write:"),
    "decoded": ("the text that is encoded:", "decoding its ids gives:"),
}

Verdict = Literal["exact, merged", "exact, per turn", "refused", "WRONG"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where another text leaves the training text for the first time.

    Attributes:
        turn: number of the message that is trained there.
        position: character of the training text.
        before: what both have in front of it.
        training, other: what each goes on with; empty where it ends.
    """

    turn: int
    position: int
    before: str
    training: str
    other: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What came out of one kind of conversation.

    Attributes:
        reason, detail: why it is refused; the detail holds the first diverging characters.
        faults: what the check through transformers found wrong, as sentences; empty but for WRONG.
        asked: what a caller of a server must do so that the model sees what it was trained on.
        notes: what was done to the text and the ids.
        transcript: where the template's own transcript differs from what is trained.
        decoded: where the decoded ids differ from the text that was encoded.
        turns: trained turns whose ids before them were compared with those of a server.
        answer_stops, call_stops: ids of the last trained tokens after answers, and after tool calls.
    """

    case: str
    verdict: Verdict
    reason: str = ""
    detail: str = ""
    faults: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    transcript: Difference | None = None
    decoded: Difference | None = None
    turns: int = 0
    answer_stops: tuple[int, ...] = ()
    call_stops: tuple[int, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether training sees what inference will see."""
        return self.verdict.startswith("exact")


@dataclass(frozen=True, slots=True)
class Token:
    """A token by text and id."""

    text: str
    id: int

    def __str__(self) -> str:
        return f"{self.text} ({self.id})"


@dataclass(frozen=True, slots=True)
class Stops:
    """The tokens that end a trained turn, and where else generation stops.

    Attributes:
        answers, calls: as trained; more than one where cases differ, none where no case is exact.
        eos: the tokenizer's end token.
        served: tokens at which a server stops by the files of the model; None where there are no such files.
    """

    answers: tuple[Token, ...]
    calls: tuple[Token, ...]
    eos: Token | None
    served: tuple[Token, ...] | None

    @property
    def endings(self) -> tuple[Token, ...]:
        """The tokens that end a trained turn, of whatever kind."""
        return tuple(dict.fromkeys((*self.answers, *self.calls)))

    @property
    def missed(self) -> tuple[Token, ...]:
        """Trained stops at which a server would not stop."""
        return tuple(token for token in self.endings if self.served is not None and token not in self.served)

    @property
    def trained(self) -> str:
        """What each ending ends, and whether it is the tokenizer's."""
        if not self.endings:
            return "none: no case is exact"
        kinds = {"answers": self.answers, "tool calls": self.calls}
        ends = [
            f"{token} ends {' and '.join(kind for kind, tokens in kinds.items() if token in tokens)}"
            f"{', and is the eos of the tokenizer' if token == self.eos else ''}"
            for token in self.endings
        ]
        other = [f"the eos of the tokenizer is {self.eos}"] if self.eos and self.eos not in self.endings else []
        return "; ".join([*ends, *other])

    @property
    def served_sentence(self) -> str:
        """Whether a server stops where training does, and what to do where it does not."""
        if self.served is None:
            return "there is no config.json: where a server would stop is not known"
        names = ", ".join(map(str, self.served)) or "nowhere"
        if not self.missed:
            return f"a server stops at {names}, by the files of the model"
        missed = ", ".join(map(str, self.missed))
        ids = [token.id for token in (*self.missed, *self.served)]
        return (
            f"by the files of the model a server would stop at {names}, but not at {missed}; to do: "
            f'"eos_token_id": {ids} in generation_config.json (`tutelage train` writes it for the tuned model)'
        )


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The conformance of a chat template with a tokenizer.

    Attributes:
        tokenizer: its class and size, in words.
        bos: who writes the bos token, in words.
        notes: repairs of the tokenizer.
    """

    model: str
    tokenizer: str
    template: str
    stops: Stops
    bos: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Nothing is wrong, and plain single questions are exact."""
        exact = {finding.case for finding in self.findings if finding.exact}
        return SINGLE in exact and not any(finding.faults for finding in self.findings)

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        exact = sum(finding.exact for finding in self.findings)
        others: dict[str, list[str]] = {}
        for finding in self.findings:
            if not finding.exact:
                why = f"{finding.verdict}, {finding.reason}" if finding.reason else finding.verdict
                others.setdefault(why, []).append(finding.case)
        listed = "".join(f"; {why}: {_listed(cases)}" for why, cases in others.items())
        return f"{exact} of {len(self.findings)} kinds of conversation are exact{listed}"

    def summary(self) -> dict[str, Any]:
        """As `tutelage doctor --json` prints it."""
        return {
            "model": self.model,
            "tokenizer": self.tokenizer,
            "template": self.template,
            "healthy": self.healthy,
            "stops": asdict(self.stops) | {"missed": [asdict(token) for token in self.stops.missed]},
            "bos": self.bos,
            "cases": [asdict(finding) for finding in self.findings],
            "notes": list(self.notes),
            "sentence": self.sentence,
        }


def _listed(cases: Sequence[str]) -> str:
    """The names of some cases, or how many they are: the table has all names."""
    return ", ".join(cases) if len(cases) <= 4 else f"{len(cases)} kinds"


def show_diagnosis(found: Diagnosis, terminal: Terminal) -> None:
    """Print the head, the table of cases, then in full what was refused, what is wrong, and where texts differ."""
    terminal.show(_head(found))
    numbers = _numbered(found.findings)
    terminal.show(_table(found.findings, numbers))
    for words, number in numbers.items():
        terminal.say((f"{number:2} ", "cyan"), words)
    for note in found.notes:
        terminal.note(note)
    for (verdict, why), cases in _inexact(found.findings).items():
        terminal.say((f"{verdict} ", STYLES[verdict]), (_listed(cases), "bold"), f"\n  {why}")
    for name in _SIDES:
        for difference, cases in _differences(found.findings, name).items():
            terminal.say(*_told(difference, cases, sides=_SIDES[name]))
    terminal.say((f"{found.sentence}.", "bold" if found.healthy else "bold red"))


def _head(found: Diagnosis) -> Table:
    head = Table.grid(padding=(0, 2))
    head.add_column(style="bold cyan", no_wrap=True)
    head.add_column(overflow="fold")
    rows = {"model": f"{found.model} ({found.tokenizer})", "template": found.template, "stop": found.stops.trained}
    for name, text in rows.items():
        head.add_row(name, Text(text))
    if found.stops.endings:
        head.add_row("", Text(found.stops.served_sentence, "yellow" if found.stops.missed else ""))
    head.add_row("bos", Text(found.bos))
    return head


def _words(finding: Finding) -> list[str]:
    """What there is to know about a case, shortly."""
    words = [f"a server is to be asked with {asked}" for asked in finding.asked]
    words += finding.notes
    if finding.transcript is not None:
        words.append("the transcript would write it otherwise, see below")
    if finding.decoded is not None:
        words.append("decoding the ids does not give the text back, see below")
    return [*words, *filter(None, [finding.reason])]


def _numbered(findings: Sequence[Finding]) -> dict[str, int]:
    """Words that are said of several cases, with the number by which the table refers to them."""
    counts = Counter(words for finding in findings for words in _words(finding))
    return {words: n for n, words in enumerate((words for words, count in counts.items() if count > 1), 1)}


def _table(findings: Sequence[Finding], numbers: Mapping[str, int]) -> Table:
    table = Table("conversation", "verdict", Column("what to know", overflow="fold"))
    for finding in findings:
        words = _words(finding)
        known = Text(" ".join(map(str, sorted(numbers[one] for one in words if one in numbers))), "cyan")
        own = "; ".join(one for one in words if one not in numbers)
        what = Text(" ").join(part for part in (known, Text(own)) if part)
        table.add_row(finding.case, Text(finding.verdict, STYLES[finding.verdict]), what)
    return table


def _inexact(findings: Sequence[Finding]) -> dict[tuple[Verdict, str], list[str]]:
    """Names of the cases that are not exact, by what happened to them."""
    alike: dict[tuple[Verdict, str], list[str]] = {}
    for finding in findings:
        if not finding.exact:
            why = "\n  ".join(finding.faults) or f"{finding.reason}: {finding.detail}"
            alike.setdefault((finding.verdict, why), []).append(finding.case)
    return alike


def _differences(findings: Sequence[Finding], name: Literal["transcript", "decoded"]) -> dict[Difference, list[str]]:
    """The first difference of each kind with the names of its cases; a template mostly differs alike everywhere."""
    alike: dict[tuple[str, str], Difference] = {}
    cases: dict[Difference, list[str]] = {}
    for finding in findings:
        found = finding.transcript if name == "transcript" else finding.decoded
        if found is not None:
            first = alike.setdefault((found.before[-2:], found.training[:1]), found)
            cases.setdefault(first, []).append(finding.case)
    return cases


def _told(difference: Difference, cases: Sequence[str], *, sides: tuple[str, str]) -> Iterator[str | tuple[str, str]]:
    """A difference in words, for the first of its cases."""
    yield "differs ", "cyan"
    yield _listed(cases), "bold"
    yield f"\n  {cases[0]}, message {difference.turn}, character {difference.position}, after {difference.before!r}"
    for side, text, style in zip(sides, (difference.training, difference.other), ("green", "yellow"), strict=True):
        yield f"\n  {side:{max(map(len, sides))}} "
        yield repr(text) if text else "nothing: it ends here", style
