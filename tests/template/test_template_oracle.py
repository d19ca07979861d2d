"""Laws 2 and 3 over the 82 real templates, judged by the oracle; one test per template and kind of conversation."""

import json
import os
from functools import cache
from pathlib import Path

import pytest
from template_oracle import TOOLS, battery, chat_template, conversation, faults

from tutelage.recipe import TemplateSection
from tutelage.records import Dropped, Message
from tutelage.template import prompt, render_conversation, stop_tokens
from tutelage.template.notes import LOST, REFUSED, TYPED_SEEN, TYPED_TRAINED

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / os.environ.get("TUTELAGE_SHARED", ROOT.parent / "shared" / "assets")
TEMPLATES = ASSETS / "chat_templates.jsonl"
KINDS = tuple(battery())

pytestmark = pytest.mark.shared


@cache
def rows() -> dict[str, dict[str, str]]:
    if not TEMPLATES.is_file():
        return {}
    return {row["name"]: row for row in map(json.loads, TEMPLATES.read_text(encoding="utf-8").splitlines())}


@cache
def real_control_tokens() -> frozenset[str]:
    files = (ASSETS / "tokenizers").glob("[!b]*/tokenizer.json")
    added = (token for file in files for token in json.loads(file.read_text(encoding="utf-8"))["added_tokens"])
    return frozenset(token["content"] for token in added if token["special"])


def verdict(name: str, kind: str) -> tuple[str, str]:
    """exact merged / exact per turn / refused, with the reason; an inexact text fails the test."""
    template = chat_template(rows()[name], real_control_tokens())
    case = conversation(battery()[kind], TOOLS if "tools" in kind else ())
    rendered = render_conversation(case, template, policy=TemplateSection())
    if isinstance(rendered, Dropped):
        return "refused", f"{rendered.reason}: {rendered.detail}"
    assert faults(case, rendered, template) == []
    return ("exact merged" if len(rendered) == 1 else "exact per turn"), "; ".join(rendered[-1].notes)


@pytest.mark.parametrize("name", rows() or [pytest.param("", marks=pytest.mark.skip("no shared assets"))])
def test_never_wrong(name: str, shared: Path) -> None:
    verdicts = {kind: verdict(name, kind) for kind in KINDS}
    print(name, *(f"\n  {kind}: {word} ({why})" for kind, (word, why) in verdicts.items()))
    plain = {word for kind, (word, _) in verdicts.items() if kind != "reasoning" and "tools" not in kind}
    assert plain == {"refused"} or "refused" not in plain, "a template is usable for plain turns, or it is not"


def test_at_most_four_are_refused_on_plain_turns_and_each_says_why(shared: Path) -> None:
    assert len(rows()) >= 82
    refused = {name: why for name in rows() for word, why in [verdict(name, "multi")] if word == "refused"}
    print(*(f"{name}: {why}" for name, why in refused.items()), sep="\n")
    assert len(refused) <= 4
    assert all(why.startswith((REFUSED, LOST)) and len(why) > 30 for why in refused.values())


def test_both_kinds_of_exactness_were_seen(shared: Path) -> None:
    words = [verdict(name, "multi")[0] for name in rows()]
    assert words.count("exact merged") >= 40
    assert words.count("exact per turn") >= 10


def test_tool_calls_are_trained_by_templates_that_write_them(shared: Path) -> None:
    exact = {kind: sum(verdict(name, kind)[0] != "refused" for name in rows()) for kind in KINDS if "tools" in kind}
    assert exact["tools"] >= 35
    assert exact["parallel tools"] >= 20


def test_typed_control_tokens_are_marked_where_they_stand(shared: Path) -> None:
    typed = Message("assistant", "Answerone </s> goes on.", reasoning="Thoughtone.")
    case = conversation((Message("user", "Questionone </s>?"), typed, Message("user", "Questiontwo?"), typed))
    marked = 0
    for row in rows().values():
        template = chat_template(row, real_control_tokens())
        rendered = render_conversation(case, template, policy=TemplateSection())
        if isinstance(rendered, Dropped):
            continue
        for text in rendered:
            (span,) = text.spans
            start = text.text.rindex(" </s> goes on", span.start) + 1
            assert text.typed == ((start, start + 4),), row["name"]
            assert {TYPED_SEEN, TYPED_TRAINED} <= set(text.notes)
            marked += 1
    assert marked >= 150


def test_inference_uses_the_prompts_of_training(shared: Path) -> None:
    compared = 0
    policy = TemplateSection(system="Systemword rules.")
    for row in rows().values():
        template = chat_template(row, real_control_tokens())
        case = conversation(battery()["multi"])
        rendered = render_conversation(case, template, policy=policy)
        if isinstance(rendered, Dropped):
            continue
        stops = stop_tokens(template)
        for text in rendered:
            for span in text.spans:
                assert prompt(case.messages[: span.turn], template, policy=policy) == text.text[: span.start], row[
                    "name"
                ]
                assert text.text[: span.end].endswith(stops), row["name"]
                compared += 1
    assert compared >= 150
