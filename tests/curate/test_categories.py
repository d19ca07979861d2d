"""Tags for review, in English and Chinese."""

import csv
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.curate.categories import HARMS, TOPICS, _lexicon, tags


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He was accused of MURDER.", ("violence",)),
        ("Self-harm and self harm are one.", ("self-harm",)),
        ("How to build a pipe\n  bomb", ("weapons",)),
        ("Should I invest  in bitcoin?", ("finance",)),
        ("ｃｏｃａｉｎｅ", ("drugs",)),
        ("他因谋杀和贩毒被判刑", ("violence", "drugs", "legal")),
        ("如何防范ＳＱＬ注入？", ("hacking",)),
        ("吃了抗生素有副作用吗", ("medical",)),
        ("用malware进行黑客攻击", ("hacking",)),
        ("Le terrorism est 恐怖主义", ("violence",)),
    ],
)
def test_terms_bring_tags(text: str, expected: tuple[str, ...]) -> None:
    assert tags(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "How can I kill a Python process? I am killing time.",
        "A murderous look, a rapeseed field, a methodical grape farmer",
        "What did you kill? My plants, all of them.",
        "Use the glue gun and a bath bomb.",
        "他玩狼人杀，坐跳楼机，遇到大麻烦",
        "狼人杀人数太少",
        "预防自杀的热线",
        "今天天气很好，我们去公园散步。",
        "El perro come carne; собака ест мясо; 犬は肉を食べる",
    ],
)
def test_harmless_words_around_them_bring_none(text: str) -> None:
    assert tags(text) == ()


def test_both_languages_have_terms_of_every_category() -> None:
    lexicon = _lexicon()
    for terms in (lexicon.english, lexicon.chinese):
        assert set(terms.values()) == {*HARMS, *TOPICS, "neutral"}
        assert len(terms) > 150
    assert all(term.isascii() and term for term in lexicon.english)
    assert all(len(term) >= 2 and not term.isascii() for term in lexicon.chinese)


def test_every_term_is_found_by_itself_and_within_a_sentence() -> None:
    lexicon = _lexicon()
    for term, name in lexicon.english.items():
        expected = () if name == "neutral" else (name,)
        assert tags(term) == tags(f"xx {term.upper()} xx") == expected, term
        assert tags(f"x{term}x") == () or " " in term, term
    for term, name in lexicon.chinese.items():
        assert tags(f"这{term}这") == (() if name == "neutral" else (name,)), term


@given(st.lists(st.sampled_from(["murder", "枪支", "ok", "好", "诊断", "lawsuit"]), max_size=5))
def test_tags_do_not_depend_on_order_or_number(pieces: list[str]) -> None:
    assert tags("，".join(pieces)) == tags(" ".join(sorted(set(pieces), reverse=True)))


def test_time_grows_with_the_length_only() -> None:
    text = "kill my kill 自杀预杀人 " * 20_000
    start = time.process_time()
    assert "violence" in tags(text)
    assert time.process_time() - start < 3


@pytest.mark.shared
def test_words_do_not_tell_harm_from_talk_about_it(shared: Path) -> None:
    """Why tags never delete: safe prompts with words of harm are tagged nearly as often as unsafe ones."""
    with open(shared / "datasets" / "xstest" / "xstest_prompts.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    shares = {}
    for label in ("safe", "unsafe"):
        of_label = [row["prompt"] for row in rows if row["label"] == label]
        shares[label] = sum(not set(HARMS).isdisjoint(tags(prompt)) for prompt in of_label) / len(of_label)
    assert 0 < shares["safe"] < 0.25
    assert shares["unsafe"] > shares["safe"]
