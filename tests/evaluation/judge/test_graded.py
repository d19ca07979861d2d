"""A judge that grades: five whole numbers, or nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import Endpoint, completion, running
from tests.evaluation.judge.judges import judge, shown
from tutelage.endpoint import Reply
from tutelage.evaluation.judge.graded import DIMENSIONS, Answer, Grade, Scale, graded, grades

FULL = dict(zip(DIMENSIONS, (5, 4, 3, 2, 1), strict=True))


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with running() as one:
        one.answer = lambda request, _: completion(json.dumps({"reason": "so", **FULL}))
        yield one


def read(fields: dict[str, Any], scale: Scale = 10) -> Grade:
    return graded(Grade(Answer("q", "a"), scale=scale), Reply(json.dumps(fields)))


@pytest.mark.parametrize(("scale", "mean"), [(5, (4 + 3 + 2 + 1 + 0) / 4 / 5), (10, (4 + 3 + 2 + 1 + 0) / 9 / 5)])
def test_points_become_scores_from_0_to_1(server: Endpoint, tmp_path: Path, scale: Scale, mean: float) -> None:
    (told,) = grades([Answer("Say hello.", "hello")], judge(server), cache=tmp_path, scale=scale)
    assert told.points == FULL
    assert (told.reason, told.prompt.split()[0]) == ("so", "graded_en")
    assert told.outcome == pytest.approx(mean)
    assert f"1 to {scale}" in server.requests[0]["messages"][1]["content"]
    ends = [read(dict.fromkeys(DIMENSIONS, points), scale).outcome for points in (1, scale)]
    assert ends == [0, 1]


def test_answers_are_graded_in_order_and_in_their_language(server: Endpoint, tmp_path: Path) -> None:
    def answer(request: dict[str, Any], _: int) -> tuple[int, bytes]:
        return completion(json.dumps(dict.fromkeys(DIMENSIONS, len(shown(request).texts["answer"]))))

    server.answer = answer
    answers = [Answer("Count.", "1"), Answer("数一数。", "一二", reference="一二三"), Answer("Count.", "123")]
    told = grades(answers, judge(server), cache=tmp_path)
    assert [one.points["safety"] for one in told] == [1, 2, 3]
    assert [one.prompt.split()[0] for one in told] == ["graded_en", "graded_zh", "graded_en"]
    references = [shown(request).texts.get("reference") for request in server.requests]
    assert sorted(filter(None, references)) == ["一二三"]
    assert any(shown(request).chinese for request in server.requests)


@pytest.mark.parametrize("points", [0, 11, -1, 4.5, 4.0, "4", True, None, [4], 10**30])
def test_a_grade_off_the_scale_makes_it_unknown(points: object) -> None:
    told = read(FULL | {"fluency": points})
    assert (told.points, told.scores, told.outcome) == ({}, {}, None)
    assert told.reason == "a reply of no known form"
    assert str(points)[:4].lower() in told.reply.lower() or points is None


@pytest.mark.parametrize("missing", DIMENSIONS)
def test_a_missing_grade_makes_it_unknown(missing: str) -> None:
    assert read({name: 3 for name in DIMENSIONS if name != missing}).outcome is None
    assert read(dict.fromkeys(DIMENSIONS, 3)).outcome is not None


def test_failures_are_unknown_and_not_the_lowest_grade(server: Endpoint, tmp_path: Path) -> None:
    fine = server.answer
    server.answer = lambda request, times: (
        (500, b"") if shown(request).texts["answer"] == "bad" else fine(request, times)
    )
    answers = [Answer("q", "good"), Answer("q", "bad")]
    told = grades(answers, judge(server, retries=0), cache=tmp_path)
    assert [one.outcome is None for one in told] == [False, True]
    assert told[1].reason == "HTTP 500"
    assert told[1].record()["outcome"] is None
    server.requests.clear()
    server.answer = fine
    assert None not in [one.outcome for one in grades(answers, judge(server), cache=tmp_path)]
    assert len(server.requests) == 1


def test_everything_to_repeat_it_is_told(server: Endpoint, tmp_path: Path) -> None:
    (told,) = grades([Answer("Say hello.", "hello", "hi")], judge(server), cache=tmp_path, scale=5)
    record = json.loads(json.dumps(told.record()))
    assert (record["question"], record["answer"], record["reference"]) == ("Say hello.", "hello", "hi")
    assert (record["points"], record["scale"], record["outcome"]) == (FULL, 5, told.outcome)
    assert json.loads(record["reply"]) == {"reason": "so", **FULL}
