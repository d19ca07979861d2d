"""The form of sets of answers, and how it drifts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.evaluation.answer_form.exchange import Exchange
from tutelage.evaluation.answer_form.forms import FEATURES, answer_form
from tutelage.evaluation.answer_form.profile import Drift, drifts, form_profile
from tutelage.text import count_words

PROMPT = "Which trees grow by the river?"
PROSE = "Willows and alders grow by the river, and a few poplars stand behind them."
LIST = "- willows\n- alders\n- poplars"
ANSWERS = [PROSE, LIST, "", "Sure! " + PROSE, "# Trees\n\n" + LIST, '{"trees": 3}', "| a | b |\n|---|---|\n| 1 | 2 |"]


def has(answer: str, **given: object) -> set[str]:
    found = answer_form(Exchange(PROMPT, answer, **given))  # type: ignore[arg-type]
    return {name for name, is_so in found.has.items() if is_so}


@pytest.mark.parametrize(
    ("answer", "features"),
    [
        (PROSE, {"prose"}),
        (LIST, {"list"}),
        ("Sure! " + PROSE, {"prose", "opening"}),
        ("# Trees\r\n\r\n" + LIST.replace("\n", "\r\n"), {"heading", "list"}),
        ('{"trees": 3}', {"json"}),
        ("```\nx = 1\n```", {"code fence"}),
        ("| a | b |\n|---|---|\n| 1 | 2 |", {"table"}),
        ("", {"empty"}),
        (" \n\t", {"empty"}),
        (PROSE + " Then there are the", {"prose", "unfinished"}),
        (PROSE + " 🌳<|im_end|>", {"prose", "emoji", "leak"}),
        ("河边有柳树和杨树，还有几棵松树。", {"prose", "other language"}),
    ],
)
def test_an_answer_has_its_features_and_no_others(answer: str, features: set[str]) -> None:
    assert has(answer) == features


def test_what_an_answer_has_not_is_known_too() -> None:
    found = answer_form(Exchange(PROMPT, PROSE))
    assert found.has.keys() == FEATURES.keys()
    assert found.has["suitable length"] is None
    assert found.has["list"] is False
    assert found.ratio is None
    assert found.words == count_words(PROSE)
    assert answer_form(Exchange(PROMPT, "Sure! " + PROSE)).shown["opening"] == "Sure"


@given(words=st.integers(1, 60), reference=st.integers(1, 60))
def test_length_suits_from_half_to_twice_the_reference(words: int, reference: int) -> None:
    found = answer_form(Exchange(PROMPT, "tree " * words, ("树" * reference,)))
    assert found.ratio == pytest.approx(words / reference)
    assert found.has["suitable length"] is (reference <= 2 * words <= 4 * reference)
    assert sum(found.has[name] is True for name in ("suitable length", "too short", "too long")) == 1


def test_of_several_references_the_nearest_in_length_counts() -> None:
    assert answer_form(Exchange(PROMPT, "a b c d", ("x", "x " * 5, "!!!"))).ratio == pytest.approx(0.8)


def test_the_limit_is_told() -> None:
    assert "at the limit" in has(PROSE, stopped=False)


def test_shares_count_only_where_a_feature_can_be_asked() -> None:
    profile = form_profile([Exchange(PROMPT, PROSE, (PROSE,)), Exchange(PROMPT, LIST), Exchange(PROMPT, "", (PROSE,))])
    assert profile.n == 3
    assert (profile.shares["suitable length"].count, profile.shares["suitable length"].n) == (1, 2)
    assert profile.share("list").value == pytest.approx(1 / 3)
    assert profile.median_ratio == pytest.approx(0.5)
    assert profile.mean_words == pytest.approx((count_words(PROSE) + 3) / 3)
    assert profile.mean_paragraphs == pytest.approx(2 / 3)


def test_no_answers_have_no_shares() -> None:
    profile = form_profile([])
    assert (profile.n, profile.mean_words, profile.mean_paragraphs, profile.median_ratio) == (0, None, None, None)
    assert {share.value for share in profile.shares.values()} == {None}
    assert {drift.difference for drift in drifts(profile, profile)} == {0.0}


@given(st.lists(st.tuples(st.sampled_from(ANSWERS), st.sampled_from(ANSWERS)), min_size=1, max_size=6))
def test_drifts_are_the_differences_of_the_shares(pairs: list[tuple[str, str]]) -> None:
    before, after = (form_profile(Exchange(PROMPT, pair[place], (PROSE,)) for pair in pairs) for place in (0, 1))
    found = drifts(before, after)
    assert {drift.feature.name for drift in found} == set(FEATURES)
    assert [abs(drift.difference) for drift in found] == sorted((abs(one.difference) for one in found), reverse=True)
    for drift in found:
        name = drift.feature.name
        assert drift.difference == pytest.approx((after.share(name).value or 0) - (before.share(name).value or 0))
        assert sum(drift.after) - sum(drift.before) == len(drift.gained) - len(drift.lost)
        back = next(one for one in drifts(after, before) if one.feature.name == name)
        assert (back.gained, back.lost, back.difference) == (drift.lost, drift.gained, -drift.difference)


def test_a_drift_has_a_name_and_a_direction() -> None:
    before = form_profile(Exchange(PROMPT, PROSE) for _ in range(4))
    after = form_profile(Exchange(PROMPT, answer) for answer in (LIST, LIST, PROSE, PROSE + " The"))
    named: dict[str, Drift] = {drift.feature.name: drift for drift in drifts(before, after)}
    assert named["list"].named() == "more answers with a list: 0 of 4 -> 2 of 4"
    assert named["list"].named("zh") == "含列表的回答增多：0/4 → 2/4"
    assert named["list"].gained == (0, 1)
    assert named["list"].better is None
    assert named["unfinished"].better is False
    assert named["prose"].named() == "fewer answers in plain prose: 4 of 4 -> 2 of 4"
    assert named["emoji"].named() == "as many answers with emoji: 0 of 4 -> 0 of 4"


def test_sets_of_different_size_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="2 answers before and 1 after"):
        drifts(form_profile([Exchange(PROMPT, "a")] * 2), form_profile([Exchange(PROMPT, "a")]))
