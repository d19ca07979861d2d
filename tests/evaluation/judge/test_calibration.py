"""Whether judges are believed that should be, and others are not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.endpoints import Endpoint, completion, running
from tests.evaluation.judge.judges import Winner, guessing, judge, judging, longer, right, shorter, shown
from tutelage.evaluation.judge.calibration import BOUND, Calibration, calibrated, calibrated_grades, rank_agreement
from tutelage.evaluation.judge.graded import DIMENSIONS
from tutelage.evaluation.judge.known import KnownPair, bundled
from tutelage.evaluation.judge.pairwise import Pair
from tutelage.evaluation.statistics import Proportion

KNOWN = list(bundled())


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with running() as one:
        yield one


def test_a_right_judge_is_believed(server: Endpoint, tmp_path: Path) -> None:
    server.answer = judging(right(KNOWN))
    told = calibrated(KNOWN, judge(server), cache=tmp_path)
    assert told.agreement == Proportion(len(KNOWN), len(KNOWN))
    assert (told.refusal, told.unknown) == ("", 0)
    assert told.inconsistent == Proportion(0, len(KNOWN))
    assert told.first_place == Proportion(len(KNOWN), 2 * len(KNOWN)), "each answer stood first once"
    assert sum(one.n for one in told.agreements.values()) == len(KNOWN)
    assert set(told.agreements) == {one.set for one in KNOWN}


def test_a_judge_of_places_is_not(server: Endpoint, tmp_path: Path) -> None:
    server.answer = judging(lambda _: "A")
    told = calibrated(KNOWN, judge(server), cache=tmp_path)
    assert told.agreement.hits == 0
    assert told.inconsistent.share == told.first_place.share == 1
    assert told.refusal.startswith("not evidence: agreement 0.00")


def test_a_judge_that_guesses_is_not(server: Endpoint, tmp_path: Path) -> None:
    server.answer = judging(guessing)
    known = [KnownPair(Pair(f"q{n}", f"a{n}", f"b{n}"), "first", "made") for n in range(400)]
    told = calibrated(known, judge(server), cache=tmp_path)
    assert told.agreement.share == pytest.approx(0.25, abs=0.08), "two guesses have to meet"
    assert told.inconsistent.share == pytest.approx(0.5, abs=0.1)
    assert told.first_place.share == pytest.approx(0.5, abs=0.08)
    assert told.refusal


@pytest.mark.parametrize("rule", [longer, shorter])
def test_a_judge_of_length_is_refused_by_the_bundled_pairs(server: Endpoint, tmp_path: Path, rule: Winner) -> None:
    server.answer = judging(rule)
    told = calibrated(KNOWN, judge(server), cache=tmp_path)
    assert told.inconsistent.share == 0, "consistency is no quality"
    assert 0.4 < told.agreement.share < 0.6
    assert max(told.agreement.share, 1 - told.agreement.share) == told.by_length
    assert told.refusal


@pytest.mark.parametrize("rule", [longer, shorter])
def test_pairs_that_length_decides_prove_no_judge(server: Endpoint, tmp_path: Path, rule: Winner) -> None:
    known = [KnownPair(Pair(f"q{n}", "good", "a bad one" if n % 5 else "bad"), "first", "made") for n in range(100)]
    server.answer = judging(rule)
    told = calibrated(known, judge(server), cache=tmp_path)
    assert (told.agreement.hits, told.by_length) == (80 if rule is shorter else 20, 0.8)
    assert told.refusal
    assert ("0.80, which length alone reaches" in told.refusal) is True
    server.answer = judging(right(known))
    assert not calibrated(known, judge(server), cache=tmp_path / "new").refusal


def test_a_judge_that_obeys_what_it_reads_is_found_out(server: Endpoint, tmp_path: Path) -> None:
    """It is right but for answers that talk to it."""
    wise = right(KNOWN)
    sets = ("orders to the judge", "对评判者的命令")
    bribed = {one.pair.question for one in KNOWN if one.set in sets}
    assert len(bribed) >= 8
    server.answer = judging(
        lambda seen: "BA"["AB".index(wise(seen))] if seen.texts["question"] in bribed else wise(seen)
    )
    told = calibrated(KNOWN, judge(server), cache=tmp_path)
    assert {name for name, share in told.agreements.items() if share.share == 0} == set(sets)
    assert all(share.share in (0, 1) for share in told.agreements.values())


def test_unknown_replies_are_neither_agreement_nor_not(server: Endpoint, tmp_path: Path) -> None:
    wise, mute = judging(right(KNOWN)), {one.pair.question for one in KNOWN[:4]}

    def answer(request: dict[str, Any], times: int) -> tuple[int, bytes]:
        return completion("?") if shown(request).texts["question"] in mute else wise(request, times)

    server.answer = answer
    told = calibrated(KNOWN, judge(server), cache=tmp_path)
    assert (told.unknown, told.agreement, told.refusal) == (4, Proportion(len(KNOWN) - 4, len(KNOWN) - 4), "")
    mute |= {one.pair.question for one in KNOWN[:20]}
    told = calibrated(KNOWN, judge(server), cache=tmp_path / "new")
    assert told.agreement.share == 1
    assert told.refusal == f"not evidence: a-judge told nothing of 20 of {len(KNOWN)} known pairs"


def test_a_judge_that_never_answers_is_refused(server: Endpoint, tmp_path: Path) -> None:
    server.answer = lambda request, _: (500, b"")
    told = calibrated(KNOWN, judge(server, retries=0), cache=tmp_path)
    assert (told.agreement, told.unknown) == (Proportion(0, 0), len(KNOWN))
    assert "told nothing" in told.refusal
    assert json.loads(json.dumps(told.record()))["agreement"]["n"] == 0
    assert calibrated([], judge(server), cache=tmp_path).refusal


def test_the_bound_is_about_the_lower_end() -> None:
    """Of 50 pairs, 37 right have a lower end of 0.604, 36 of 0.583 (Wilson, by hand)."""

    def refusal(hits: int, bound: float = BOUND) -> str:
        nothing = Proportion(0, 0)
        return Calibration("m", {"s": Proportion(hits, 50)}, 0, nothing, nothing, 0.5, bound).refusal

    assert not refusal(37)
    assert (
        refusal(36)
        == "not evidence: agreement 0.72 [0.58, 0.83] of m with 50 known pairs; the lower end must exceed 0.60"
    )
    assert refusal(37, bound=0.61)


@pytest.mark.parametrize(("best", "believed"), [("better", True), ("longer", False), ("same", False)])
def test_grades_are_held_to_the_same_pairs(server: Endpoint, tmp_path: Path, best: str, believed: bool) -> None:
    better = {one.pair.second if one.outcome == 1 else one.pair.first for one in KNOWN}

    def answer(request: dict[str, Any], _: int) -> tuple[int, bytes]:
        text = shown(request).texts["answer"]
        points = {"better": 9 if text in better else 2, "longer": 1 + min(9, len(text) // 10), "same": 7}[best]
        return completion(json.dumps(dict.fromkeys(DIMENSIONS, points)))

    server.answer = answer
    told = calibrated_grades(KNOWN, judge(server), cache=tmp_path)
    assert (told.refusal == "") is believed
    assert told.agreement.n == len(KNOWN), "the same grade for both is no agreement"
    assert told.first_place.n == told.inconsistent.n == 0


def spearman_by_counting(one: list[float], other: list[float]) -> float:
    """From the definition: a rank is 1 + how many are smaller + half of how many others are equal."""

    def ranks(values: list[float]) -> list[float]:
        return [1 + sum(v < x for v in values) + (sum(v == x for v in values) - 1) / 2 for x in values]

    a, b = np.array(ranks(one)), np.array(ranks(other))
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=30))
def test_rank_agreement_is_spearmans(pairs: list[tuple[int, int]]) -> None:
    one, other = ([float(pair[side]) for pair in pairs] for side in (0, 1))
    if len(set(one)) == 1 or len(set(other)) == 1:
        assert rank_agreement(one, other) is None
    else:
        assert rank_agreement(one, other) == pytest.approx(spearman_by_counting(one, other), abs=1e-12)


def test_rank_agreement_leaves_out_what_is_unknown() -> None:
    assert rank_agreement([0.1, None, 0.2, 0.9], [1, 0, 2, 3]) == pytest.approx(1)
    assert rank_agreement([0.9, 0.5, None], [1, 2, 9]) == pytest.approx(-1)
    assert rank_agreement([None, 0.5], [1, 2]) is None
    assert rank_agreement([], []) is None
