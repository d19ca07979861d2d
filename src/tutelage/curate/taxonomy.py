"""What kind of task a row is: its type with sub-type, domain, difficulty and style, told by rules that are data.

Phrases with weights (taxonomy_en.yaml, taxonomy_zh.yaml) are looked up word by word in one pass over a text; a Chinese
character is a word. Evidence adds up per label, and the label with the most evidence wins where there is enough of it:
otherwise the label is `unknown`. What decides most about the type is the verb that opens the instruction, and, where it
is a verb of making, the thing that is to be made. A label that a row brings along in a column wins over the rules.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from math import log2
from pathlib import Path
from typing import Any

import yaml

from tutelage.curate.sample import Sample
from tutelage.text import words

UNKNOWN = "unknown"
AXES = ("type", "domain", "difficulty", "style")

_FOLDER = Path(__file__).parent
_CLAUSES = re.compile(r"[,.;:!?…，。；：！？、\n]+(?!\d)")
_QUOTED = re.compile(r"[\"“‘「《'][^\"”’」》\n]{12,}[\"”’」》']")
_NO_INPUT = re.compile(r"(?i)[\s<\[(]*(?:no ?input|none|n/a|无输入|无)[\s>\]).。]*")
_CODE = re.compile(
    r"```|\bdef \w+\(|\bclass \w+[:({]|#include|\b(?:SELECT|INSERT INTO|UPDATE)\b[^.]{1,80}\b(?:FROM|VALUES|SET)\b"
    r"|\bpublic (?:static|class)\b|\bconsole\.log\(|</?(?:div|html|p|ul|li|h1|body|script|a)\b[^>]*>"
    r"|\b(?:int|var|let|const|float|String) \w+ ?=|\bfor ?\([^)]*;|\breturn [^.;\n]{1,40};|^\s*import \w+\s*$",
    re.MULTILINE,
)
# One of them stands in all that _CODE finds: to look for them first is ten times faster.
_CODE_SIGNS = ("`", "=", "<", ";", "def ", "class ", "#", "console", "import ", "SELECT", "INSERT", "UPDATE", "public ")
_SUM = re.compile(r"\d\s*[-+*/×÷^xX]\s*\d|\d\s*[=<>]\s*\d|[xy]\s*[-+*/^=]\s*\d|\d[xy]\s*[-+=]|√\d|\d\s*%\s*of")

_QUOTED_IN = 2_000  # characters of an instruction in which a quotation is looked for
_SEEN_WORDS = 160  # of the prompt and of the answer each, for domain and style
_TEXT_WORDS = 8  # English words below an instruction that make a text to work on; fewer are its topic
_ANYWHERE = 0.25  # worth of a word of type anywhere in the prompt, where in the instruction it counts 1 more
_ANSWER, _ANSWER_MOST = 0.35, 2.0  # worth of a word of domain in the answer, and the most that all of them count
_BEGINNING = 12  # words of an answer in which it says what it is
_ENOUGH = {"type": 1.5, "domain": 1.0, "style": 1.5}
_MEDIUM, _HARD = 2.0, 4.0  # points of difficulty from which a row is called so


@dataclass(frozen=True, slots=True)
class Labels:
    """What kind of task a row is; `unknown` where the evidence is missing. `subtype` refines `type`."""

    type: str = UNKNOWN
    subtype: str = UNKNOWN
    domain: str = UNKNOWN
    difficulty: str = UNKNOWN
    style: str = UNKNOWN


Labeller = Callable[[Sample, Mapping[str, Any] | None], Labels]
"""How rows get labels: `label`, or a function of the same form that asks somebody else."""


_Marks = Mapping[str, tuple[tuple[str, float], ...]]
"""What a phrase is evidence for: part of the lexicon (`heads`, `domain`, ...) -> label and weight."""


@dataclass(frozen=True, slots=True)
class _Lexicon:
    """The phrases of a language, and how it builds its sentences.

    Attributes:
        starts: first words of phrases.
        lengths: first two words, or first word -> lengths of the phrases that begin so, the longest first.
        last_named: of the things named behind a verb of making, the last is the one to be made.
        inner: worth of a verb that does not open its clause.
    """

    phrases: Mapping[tuple[str, ...], _Marks]
    starts: frozenset[str]
    lengths: Mapping[tuple[str, ...], tuple[int, ...]]
    last_named: bool
    inner: float


@dataclass(frozen=True, slots=True)
class _Hit:
    """A phrase that was found, at words [start, end)."""

    start: int
    end: int
    marks: _Marks


_Evidence = dict[str, float]


def label(sample: Sample, columns: Mapping[str, Any] | None = None) -> Labels:
    """The labels of a row.

    Args:
        columns: the row's own values: `task_type` (or `type`), `subtype`, `domain`, `difficulty`, `style`. They win, by
            their usual names or as they are written (`summarization` is analysis with sub-type summary).

    Texts without a prompt, and languages without a lexicon, get what can be told without: an own column, the
    difficulty by length, code by its form.
    """
    own = _own(columns or {})
    lexicon = _lexicon(sample.language)
    if not sample.prompts:
        return Labels(**own)
    prompt, answer = words(sample.prompt.lower()), words(sample.answer.lower())
    asked, answered = _hits(prompt[:_SEEN_WORDS], lexicon), _hits(answer[:_SEEN_WORDS], lexicon)
    kind, subtype = _type(sample, lexicon, asked=asked, answered=answered)
    size = _taxonomy()["word_length"].get(sample.language, 1.0)
    told = {
        "type": kind,
        "subtype": subtype,
        "domain": _domain(f"{kind}/{subtype}", asked=asked, answered=answered),
        "style": _style(f"{kind}/{subtype}", asked=asked, answered=answered),
        "difficulty": _difficulty(asked, kind, prompt=size * len(prompt), answer=size * len(answer)),
    }
    if "type" in own:
        told["subtype"] = UNKNOWN
    return Labels(**(told | own))


def names(axis: str) -> tuple[str, ...]:
    """The labels that rules may give on an axis, without `unknown`."""
    section = {"type": "types", "domain": "domains", "difficulty": "difficulties", "style": "styles"}[axis]
    return tuple(_taxonomy()[section])


def _own(columns: Mapping[str, Any]) -> dict[str, str]:
    """Labels by axis from a row's own columns; other columns and empty values are passed over."""
    found = dict[str, str]()
    for column, axis in _COLUMNS.items():
        value = columns.get(column)
        if isinstance(value, str) and value.strip():
            name = value.strip().casefold()
            name = _aliases(axis).get(name, name)
            found[axis], _, subtype = name.partition("/")
            if subtype:
                found["subtype"] = subtype
    return found


_COLUMNS = {
    "type": "type",
    "task_type": "type",
    "subtype": "subtype",
    "domain": "domain",
    "difficulty": "difficulty",
    "style": "style",
}


@cache
def _aliases(axis: str) -> dict[str, str]:
    """Other names -> labels of an axis: a word may name a type and a style (`creative`)."""
    names = _taxonomy()
    subtypes = {f"{kind}/{sub}" for kind, subs in names["types"].items() for sub in subs}
    of_axis = {
        "type": {*names["types"], *subtypes},
        "domain": set(names["domains"]),
        "difficulty": set(names["difficulties"]),
        "style": set(names["styles"]),
        "subtype": set[str](),
    }[axis]
    aliases = {alias: name for name, others in names["aliases"].items() if name in of_axis for alias in others}
    if axis == "type":
        aliases |= {name.partition("/")[2]: name for name in sorted(subtypes) if name.partition("/")[2] not in _SHARED}
    return aliases


_SHARED = {"answer", "explain"}  # sub-types whose names alone do not tell a type


def _type(sample: Sample, lexicon: _Lexicon, *, asked: Sequence[_Hit], answered: Sequence[_Hit]) -> tuple[str, str]:
    """Type and sub-type, by the first prompt for the most part."""
    instruction, material = _instruction(sample.prompts[0])
    below = len(words(material[:400])) * _taxonomy()["word_length"].get(sample.language, 1.0)
    over_text = below >= _TEXT_WORDS or bool(_QUOTED.search(instruction[:_QUOTED_IN]))
    evidence, verb = _asked(instruction, lexicon, over_text=over_text)
    for hit in asked:
        _count(evidence, hit, part="cues", worth=_ANYWHERE)
    for hit in answered:
        if hit.start < _BEGINNING:
            _count(evidence, hit, part="answered")
    _count_forms(evidence, sample)
    kind = _winner(_by_type(evidence), "type")
    if kind == UNKNOWN:
        return ("generation", "conversation") if len(sample.prompts) > 1 and evidence else (UNKNOWN, UNKNOWN)
    subtypes = {name: worth for name, worth in evidence.items() if name.startswith(f"{kind}/")}
    if subtypes:
        return kind, max(subtypes, key=subtypes.__getitem__).partition("/")[2]
    return kind, str(_taxonomy()["code_by_verb"].get(verb, "write")) if kind == "code" else UNKNOWN


def _instruction(prompt: str) -> tuple[str, str]:
    """The line that asks, and the material below it. Where the text comes first, the line that asks is the last."""
    lines = [line for line in prompt.split("\n") if line.strip() and not _NO_INPUT.fullmatch(line)]
    if not lines:
        return "", ""
    if len(lines) > 1 and len(lines[0]) > 3 * len(lines[-1]) and lines[-1].rstrip().endswith(("?", "？")):
        return lines[-1], "\n".join(lines[:-1])
    return lines[0], "\n".join(lines[1:])


def _asked(instruction: str, lexicon: _Lexicon, *, over_text: bool) -> tuple[_Evidence, str]:
    """Evidence of the instruction for types, and what its verb asks for."""
    evidence: _Evidence = {}
    clauses = [tokens for clause in _CLAUSES.split(instruction[:1200].lower()) if (tokens := words(clause))]
    found = [_hits(tokens, lexicon) for tokens in clauses]
    quantities = sum(any(map(str.isdigit, token)) for tokens in clauses for token in tokens)
    quantities += sum("quantities" in hit.marks for hits in found for hit in hits)
    verb = _count_verbs(evidence, found, lexicon=lexicon, over_text=over_text)
    for hit in chain.from_iterable(found):
        _count(evidence, hit, part="cues")
        if quantities >= 2 and "amounts" in hit.marks:
            _add(evidence, "reasoning/maths", 5)
    return evidence, verb


def _count_verbs(evidence: _Evidence, clauses: Sequence[Sequence[_Hit]], *, lexicon: _Lexicon, over_text: bool) -> str:
    """Count the verbs at the head of clauses, the first in full and later ones half, with the things to be made.

    Returns:
        What the first verb asks for; empty where none is known.
    """
    heads = [(hit, worth, hits) for hits in clauses for hit, worth in _heads(hits, lexicon)]
    if any(worth == 1 for _, worth, _ in heads):
        heads = [head for head in heads if head[1] == 1]
    first = ""
    for number, (hit, worth, hits) in enumerate(heads[:3]):
        asks, weight = _verb(hit, over_text=over_text)
        worth *= 1 if number == 0 else 0.4
        _add(evidence, asks, worth * weight)
        if asks == "generation":
            _count_object(evidence, hits, after=hit, worth=worth, last=lexicon.last_named)
        first = first or asks
    if not heads:
        for hits in clauses[:1]:
            _count_object(evidence, hits, after=None, worth=0.6, last=lexicon.last_named)
    return first


def _heads(hits: Sequence[_Hit], lexicon: _Lexicon) -> list[tuple[_Hit, float]]:
    """The verb that opens a clause, with its worth, and one behind each `and` or `then`; else the first inside."""
    opens, at = [], 0
    for hit in hits:
        if hit.start == at and "openers" in hit.marks:
            at = hit.end
        elif hit.start == at and "heads" in hit.marks:
            opens.append((hit, 1.0))
        elif "openers" in hit.marks:
            at = hit.end
    if opens:
        return opens[:2]
    inside = [(hit, lexicon.inner) for hit in hits if "heads" in hit.marks]
    return inside[:1]


def _verb(hit: _Hit, *, over_text: bool) -> tuple[str, float]:
    """What a verb asks for, and how surely: the strongest of its meanings; over a text it may mean another."""
    part = "over_text" if over_text and "over_text" in hit.marks else "heads"
    return max(hit.marks[part], key=lambda mark: mark[1])


def _count_object(evidence: _Evidence, hits: Sequence[_Hit], *, after: _Hit | None, worth: float, last: bool) -> None:
    named = [hit for hit in hits if "objects" in hit.marks]
    behind = [hit for hit in named if after is None or hit.start >= after.end] or named
    if behind:
        _count(evidence, behind[-1 if last else 0], part="objects", worth=worth)


def _count_forms(evidence: _Evidence, sample: Sample) -> None:
    """Evidence in how text looks rather than in its words: code, and sums."""
    prompt = sample.prompts[0][:1000]
    if _holds_code(prompt):
        _add(evidence, "code", 4)
    if sample.answers and _holds_code(sample.answers[0][:600]):
        _add(evidence, "code", 3)
    if _SUM.search(prompt):
        _add(evidence, "reasoning/maths", 3)


def _holds_code(text: str) -> bool:
    return any(sign in text for sign in _CODE_SIGNS) and bool(_CODE.search(text))


def _by_type(evidence: _Evidence) -> _Evidence:
    """Evidence of the types: all of what their sub-types have."""
    types: _Evidence = {}
    for name, worth in evidence.items():
        _add(types, name.partition("/")[0], worth)
    return types


def _domain(kind: str, *, asked: Iterable[_Hit], answered: Iterable[_Hit]) -> str:
    evidence = _prior("domain_by_type", kind)
    for hit in asked:
        _count(evidence, hit, part="domain")
    told: _Evidence = {}
    for hit in answered:
        _count(told, hit, part="domain", worth=_ANSWER)
    for name, worth in told.items():
        _add(evidence, name, min(worth, _ANSWER_MOST))
    return _winner(evidence, "domain")


def _style(kind: str, *, asked: Iterable[_Hit], answered: Iterable[_Hit]) -> str:
    evidence = _prior("style_by_type", kind)
    for hit in chain(asked, answered):
        _count(evidence, hit, part="style")
    return _winner(evidence, "style")


def _prior(table: str, kind: str) -> _Evidence:
    """What the type says about another axis."""
    priors = _taxonomy()[table]
    return dict(priors.get(kind) or priors.get(kind.partition("/")[0]) or {})


def _difficulty(asked: Sequence[_Hit], kind: str, *, prompt: float, answer: float) -> str:
    """By points: doubled lengths of prompt (from 25 words) and answer (from 60), constraints, and words of depth.

    Args:
        prompt, answer: lengths in English words.
    """
    points = min(3.0, log2(1 + prompt / 25)) + min(3.0, log2(1 + answer / 60))
    points += 0.4 * min(5, sum("constraints" in hit.marks for hit in asked))
    points += 0.6 * min(3, sum("depth" in hit.marks for hit in asked))
    points += 0.7 * (kind in ("code", "reasoning"))
    return "hard" if points >= _HARD else "medium" if points >= _MEDIUM else "simple"


def _winner(evidence: _Evidence, axis: str) -> str:
    """The label with the most evidence; `unknown` where it is not enough. Of equals the first wins for a type, where
    the verb was counted first; elsewhere they say nothing."""
    if not evidence:
        return UNKNOWN
    best = max(evidence, key=evidence.__getitem__)
    told = axis == "type" or sum(worth == evidence[best] for worth in evidence.values()) == 1
    return best if told and evidence[best] >= _ENOUGH[axis] else UNKNOWN


def _count(evidence: _Evidence, hit: _Hit, *, part: str, worth: float = 1.0) -> None:
    for name, weight in hit.marks.get(part, ()):
        _add(evidence, name, worth * weight)


def _add(evidence: _Evidence, name: str, worth: float) -> None:
    evidence[name] = evidence.get(name, 0.0) + worth


def _hits(tokens: Sequence[str], lexicon: _Lexicon) -> list[_Hit]:
    """The phrases of a lexicon in a text, from left to right, the longest first; none overlaps another."""
    found, at, lengths = list[_Hit](), 0, lexicon.lengths
    for start in [place for place, token in enumerate(tokens) if token in lexicon.starts]:
        if start < at:
            continue
        pair = tuple(tokens[start : start + 2])
        for length in lengths.get(pair) or lengths.get(pair[:1], ()):
            marks = lexicon.phrases.get(tuple(tokens[start : start + length]))
            if marks is not None:
                at = start + length
                found.append(_Hit(start, at, marks))
                break
    return found


@cache
def _taxonomy() -> dict[str, Any]:
    return dict(yaml.safe_load((_FOLDER / "taxonomy.yaml").read_text(encoding="utf-8")))


@cache
def _lexicon(language: str) -> _Lexicon:
    """The lexicon of a language. Chinese text holds English words, so it looks them up as well; a language that has no
    lexicon finds nothing."""
    files = {"en": ("en",), "zh": ("zh", "en")}.get(language, ())
    read = [yaml.safe_load((_FOLDER / f"taxonomy_{name}.yaml").read_text(encoding="utf-8")) for name in files]
    phrases = dict[tuple[str, ...], dict[str, tuple[tuple[str, float], ...]]]()
    for part, phrase, mark in chain.from_iterable(map(_entries, read)):
        marks = phrases.setdefault(tuple(words(phrase)), {})
        marks[part] = tuple(dict.fromkeys((*marks.get(part, ()), mark)))
    for known, marks in phrases.items():  # "determine the" asks for what "determine" asks for, unless it says otherwise
        verbs = (
            phrases[known[:end]]["heads"] for end in range(len(known), 0, -1) if "heads" in phrases.get(known[:end], {})
        )
        if inherited := next(verbs, None):
            marks["heads"] = inherited
    lengths = dict[tuple[str, ...], set[int]]()
    for known in phrases:
        lengths.setdefault(known[:2], set()).add(len(known))
    for pair, found in lengths.items():
        found.update(lengths.get(pair[:1], ()))
    ordered = {pair: tuple(sorted(found, reverse=True)) for pair, found in lengths.items()}
    own: Mapping[str, Any] = read[0] if read else {"named": "first", "inner": 1.0}
    return _Lexicon(phrases, frozenset(known[0] for known in phrases), ordered, own["named"] == "last", own["inner"])


def _entries(parts: Mapping[str, Any]) -> Iterable[tuple[str, str, tuple[str, float]]]:
    """Part, phrase, and what the phrase is evidence for, of a lexicon's file; English nouns in the plural too."""
    for part, content in parts.items():
        if part in ("named", "inner"):
            continue
        tables = content if isinstance(content, Mapping) else {"": {1: content}}
        for name, weights in tables.items():
            for weight, phrases in weights.items():
                for phrase in (one.strip() for one in phrases.split(",")):
                    yield part, phrase, (name, float(weight))
                    if phrase.isascii() and part in ("objects", "domain", "cues"):
                        yield part, f"{phrase}s", (name, float(weight))
