"""Verdicts with their calibration: what is not to be believed reaches no statistics."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endpoints import Endpoint, completion, running
from tests.evaluation.judge.judges import judge, judging, longer, right
from tutelage.evaluation.judge.graded import DIMENSIONS, Answer
from tutelage.evaluation.judge.judgement import judged_answers, judged_pairs
from tutelage.evaluation.judge.known import KnownPair, bundled
from tutelage.evaluation.judge.pairwise import Pair

ASKED = [
    KnownPair(Pair("Say hello.", "hello", "bye"), "first", ""),
    KnownPair(Pair("再见怎么说？", "你好", "再见"), "second", ""),
]
PAIRS = [*(one.pair for one in ASKED), Pair("Same?", "yes", "yes")]


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with running() as one:
        one.answer = judging(right([*bundled(), *ASKED]))
        yield one


def test_a_judge_that_is_believed_gives_outcomes(server: Endpoint, tmp_path: Path) -> None:
    told = judged_pairs(PAIRS, judge(server), cache=tmp_path)
    assert (told.outcomes, told.unknown, told.calibration.refusal) == ([-1, 1, 0], 0, "")
    again = len(server.requests)
    assert judged_pairs(PAIRS, judge(server), cache=tmp_path) == told
    assert len(server.requests) == again == 2 * len(bundled()) + 2 * len(ASKED)


def test_a_judge_that_is_refused_gives_none(server: Endpoint, tmp_path: Path) -> None:
    server.answer = judging(longer)
    told = judged_pairs(PAIRS, judge(server), cache=tmp_path)
    assert told.outcomes == [None] * 3
    assert [one.outcome for one in told.verdicts] == [-1, 0, 0], "what it said is still there"
    assert told.record()["refusal"].startswith("not evidence: agreement")


def test_own_known_pairs_may_be_given(server: Endpoint, tmp_path: Path) -> None:
    own = [KnownPair(Pair(f"q{n}", "good", "evil"), "first", "mine") for n in range(12)]
    server.answer = judging(right([*own, *ASKED]))
    told = judged_pairs(PAIRS, judge(server), cache=tmp_path, known=own)
    assert (told.calibration.refusal, set(told.calibration.agreements)) == ("", {"mine"})


def test_grades_come_with_a_calibration_too(server: Endpoint, tmp_path: Path) -> None:
    server.answer = lambda request, _: completion(json.dumps(dict.fromkeys(DIMENSIONS, 4)))
    told = judged_answers([Answer("Say hello.", "hello")], judge(server), cache=tmp_path, scale=5)
    assert told.outcomes == [None], "a judge that likes everything alike"
    assert [one.outcome for one in told.verdicts] == [0.75]


def test_the_record_can_be_repeated(server: Endpoint, tmp_path: Path) -> None:
    record = json.loads(json.dumps(judged_pairs(PAIRS, judge(server), cache=tmp_path).record(), ensure_ascii=False))
    assert (record["model"], record["unknown"], record["refusal"]) == ("a-judge", 0, "")
    assert {request["max_tokens"] for request in server.requests} == {record["decoding"]["max_tokens"]}
    assert [prompt.split()[0] for prompt in record["prompts"]] == ["pairwise_en", "pairwise_zh"]
    assert record["calibration"]["agreement"]["n"] == len(bundled())
    assert [(one["question"], one["first"], one["second"]) for one in record["verdicts"]] == [
        (pair.question, pair.first, pair.second) for pair in PAIRS
    ]
    assert json.loads(record["verdicts"][0]["opinions"][0]["reply"])["winner"] == "A"
