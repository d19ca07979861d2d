"""Chat templates against tokenizers: `python -m benchmarks.templates --templates FILE.jsonl --tokenizers DIR [DIR...]`.

Every template of the file ({"name": ..., "template": ...} per line) is examined with every tokenizer as `tutelage
doctor` does it: 16 kinds of conversation, each trained turn compared with the ids that transformers makes for a server.
Exit code 1 where anything is wrong.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tutelage import template as templates
from tutelage.errors import TemplateError, TutelageError
from tutelage.model.loading import TokenizerFacts, load_tokenizer
from tutelage.recipe import ModelSection, TemplateSection
from tutelage.run.assemble import DEFAULT_LENGTH, Speech
from tutelage.run.diagnosis import Finding
from tutelage.run.doctoring import diagnose
from tutelage.template.battery import SINGLE, battery
from tutelage.terminal import Terminal

MARKS = {"exact, merged": "m", "exact, per turn": "t", "refused": "-", "WRONG": "W"}


@dataclass(frozen=True, slots=True)
class Result:
    """One kind of conversation in one template with one tokenizer."""

    template: str
    tokenizer: str
    finding: Finding


def examine(
    sources: Mapping[str, str], tokenizers: Mapping[str, TokenizerFacts], terminal: Terminal
) -> Iterator[Result]:
    """Every template with every tokenizer, with progress."""
    with terminal.progress("templates", len(sources) * len(tokenizers)) as update:
        done = 0
        for folder, facts in tokenizers.items():
            for name, source in sources.items():
                yield from (Result(name, folder, finding) for finding in findings(source, name=name, facts=facts))
                done += 1
                update(done, f"{folder}: {name}")


def findings(source: str, *, name: str, facts: TokenizerFacts) -> list[Finding]:
    """The findings on each kind of conversation; all refused where the template is not valid Jinja."""
    try:
        chat = templates.load(
            None, source, special_tokens=facts.special_tokens, control_tokens=facts.control_tokens, arguments={}
        )
    except TemplateError as error:
        return [Finding(case.name, "refused", "template refused", error.found) for case in battery("")]
    return list(diagnose(Speech(facts, chat, TemplateSection(), DEFAULT_LENGTH, None)))


def table(results: Sequence[Result]) -> Iterator[str]:
    """A line per template: for each tokenizer a letter per kind of conversation."""
    kinds = dict.fromkeys(result.finding.case for result in results)
    tokenizers = dict.fromkeys(result.tokenizer for result in results)
    width = max(len(result.template) for result in results)
    marks: dict[tuple[str, str], str] = {}
    for result in results:
        key = (result.template, result.tokenizer)
        marks[key] = marks.get(key, "") + MARKS[result.finding.verdict]
    yield f"letters, in this order: {', '.join(kinds)}"
    yield "m exact, merged   t exact, one example per turn   - refused   W wrong"
    yield "  ".join(["".ljust(width), *(name.ljust(len(kinds)) for name in tokenizers)])
    for template in dict.fromkeys(result.template for result in results):
        yield "  ".join([template.ljust(width), *(marks[template, name] for name in tokenizers)])


def refusals(results: Iterable[Result]) -> Iterator[str]:
    """Each reason for a refusal with what it met; once for all tokenizers that agree."""
    met: dict[tuple[str, str], dict[str, set[str]]] = {}
    for result in results:
        if result.finding.verdict == "refused":
            why = f"{result.finding.reason}: {result.finding.detail}"
            kinds = met.setdefault((result.template, why), {})
            kinds.setdefault(result.finding.case, set()).add(result.tokenizer)
    for (template, why), kinds in met.items():
        tokenizers = max(map(len, kinds.values()))
        yield f"{template} ({tokenizers} tokenizers; {', '.join(kinds)}): {why}"


def counts(results: Sequence[Result]) -> Iterator[str]:
    """Verdicts per kind of conversation and in all, and templates that are refused on plain questions."""
    for kind in dict.fromkeys(result.finding.case for result in results):
        verdicts = Counter(result.finding.verdict for result in results if result.finding.case == kind)
        yield f"{kind:28} " + ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in MARKS)
    plain = {result.template for result in results if result.finding.case == SINGLE and not result.finding.exact}
    yield f"templates refused on plain questions: {len(plain)} ({', '.join(sorted(plain)) or 'none'})"
    reasons = Counter(result.finding.reason for result in results if result.finding.verdict == "refused")
    yield "reasons of refusals: " + ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    exact = sum(result.finding.exact for result in results)
    turns = sum(result.finding.turns for result in results)
    wrong = sum(bool(result.finding.faults) for result in results)
    refused = len(results) - exact - wrong
    yield f"{len(results)} conversations: {exact} exact, {refused} refused, wrong = {wrong}; {turns} turns compared"


def main() -> int:
    """Command line; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description="chat templates against tokenizers")
    parser.add_argument("--templates", type=Path, required=True, help="JSONL with name and template")
    parser.add_argument("--tokenizers", nargs="+", required=True, help="folders with a tokenizer")
    options = parser.parse_args()
    started, terminal = time.monotonic(), Terminal(json=True)
    rows = [json.loads(line) for line in options.templates.read_text(encoding="utf-8").splitlines() if line.strip()]
    sources = {row["name"]: row["template"] for row in rows}
    try:
        tokenizers = {Path(one).name: load_tokenizer(ModelSection(name_or_path=one)) for one in options.tokenizers}
    except TutelageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    results = list(examine(sources, tokenizers, terminal))
    wrong = [result for result in results if result.finding.faults]
    faults = (f"WRONG {one.template}, {one.tokenizer}, {one.finding.case}: {one.finding.faults[0]}" for one in wrong)
    for line in (*table(results), "", *refusals(results), "", *faults, *counts(results)):
        print(line)
    print(f"{len(sources)} templates, {len(tokenizers)} tokenizers, {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
