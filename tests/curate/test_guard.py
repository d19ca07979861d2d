"""A guard model behind a real endpoint of this process, which fails in the ways that endpoints fail."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import Endpoint, completion, running
from tutelage.curate.guard import Verdict, parsed
from tutelage.curate.guard import verdicts as judged
from tutelage.curate.sample import Sample
from tutelage.endpoint import CACHE, HOPELESS
from tutelage.endpoint import Endpoint as Guard
from tutelage.errors import DataError, RecipeError

KEY = "a-key-that-nobody-may-see-4711"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("GUARD_KEY", KEY)
    with running() as one:
        yield one


def asked(request: dict[str, Any]) -> str:
    return str(request["messages"][0]["content"])


def guard(endpoint: Endpoint, **settings: Any) -> Guard:
    return Guard(endpoint.url, "a-guard", key_variable="GUARD_KEY", **{"backoff": 0.01, "timeout": 5.0} | settings)


def samples(count: int) -> list[Sample]:
    return [Sample((f"question {number}",), (f"回答 {number}",), "en") for number in range(count)]


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("safe", Verdict("safe")),
        ("\n\nsafe\n", Verdict("safe")),
        ("unsafe", Verdict("unsafe")),
        ("\n\nunsafe\nS1, S10", Verdict("unsafe", ("S1", "S10"))),
        ("Safety: Safe\nCategories: None\nRefusal: Yes", Verdict("safe")),
        ("Safety: Unsafe\nCategories: Violent, PII", Verdict("unsafe", ("Violent", "PII"))),
        ("Safety: Unsafe\nCategories: Suicide & Self-Harm", Verdict("unsafe", ("Suicide & Self-Harm",))),
        ("Safety: Controversial\nCategories: Unethical Acts", Verdict("controversial", ("Unethical Acts",))),
    ],
)  # fmt: skip
def test_the_documented_replies_are_read(reply: str, verdict: Verdict) -> None:
    assert parsed(reply) == verdict


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Safe.",
        "The text is safe",
        "safe unsafe",
        "safe\nS1",
        "safe\nunsafe",
        "unsafe\nS1\nS2",
        "unsafe\n!!",
        "I cannot help with that.",
        "not safe",
        "unknown",
        "Safety: Perhaps\nCategories: None",
        "Safety: Safe\nCategories: Violent",
        "Safety: Safe\nSafety: Unsafe",
        "Categories: Violent",
        "Safety: Unknown",
        '{"safe": true}',
    ],
)
def test_any_other_reply_is_unknown(reply: str) -> None:
    assert parsed(reply).rating == "unknown"
    assert parsed(reply).reason


def test_turns_are_sent_and_verdicts_come_in_order(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.answer = lambda request, _: completion("unsafe\nS9" if asked(request).endswith(("3", "7")) else "safe")
    verdicts = judged(samples(10), guard(endpoint, concurrency=3), cache=tmp_path)
    assert [number for number, one in enumerate(verdicts) if one == Verdict("unsafe", ("S9",))] == [3, 7]
    assert sum(one.rating == "safe" for one in verdicts) == 8
    request = next(one for one in endpoint.requests if asked(one) == "question 3")
    assert request["messages"] == [
        {"role": "user", "content": "question 3"},
        {"role": "assistant", "content": "回答 3"},
    ]
    assert (request["model"], request["temperature"], request["key"]) == ("a-guard", 0, f"Bearer {KEY}")


def test_plain_text_is_sent_as_what_a_user_says(endpoint: Endpoint, tmp_path: Path) -> None:
    judged([Sample((), ("a text",), "en")], guard(endpoint), cache=tmp_path)
    assert endpoint.requests[0]["messages"] == [{"role": "user", "content": "a text"}]


def test_what_is_known_is_not_asked_again(endpoint: Endpoint, tmp_path: Path) -> None:
    twice = samples(4) * 2
    first = judged(twice, guard(endpoint), cache=tmp_path / "new" / "folder")
    assert len(endpoint.requests) == 4
    assert judged(twice, guard(endpoint), cache=tmp_path / "new" / "folder") == first
    assert len(endpoint.requests) == 4
    judged(samples(1), Guard(endpoint.url, "another-guard"), cache=tmp_path / "new" / "folder")
    assert len(endpoint.requests) == 5


def test_an_interrupted_pass_goes_on(endpoint: Endpoint, tmp_path: Path) -> None:
    judged(samples(6), guard(endpoint), cache=tmp_path)
    file = tmp_path / CACHE
    content = file.read_bytes()
    file.write_bytes(content[:-7])  # killed while it wrote the last verdict
    endpoint.requests.clear()
    assert [one.rating for one in judged(samples(8), guard(endpoint), cache=tmp_path)] == ["safe"] * 8
    assert len(endpoint.requests) == 3
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 8


def test_passing_failures_are_asked_again(endpoint: Endpoint, tmp_path: Path) -> None:
    failures = [(500, b""), (429, b"slow down"), (200, b'{"choices": [{"mess'), (0, b""), completion("safe")]
    endpoint.answer = lambda request, times: failures[times]
    (verdict,) = judged(samples(1), guard(endpoint, retries=4), cache=tmp_path)
    assert verdict == Verdict("safe")
    assert len(endpoint.requests) == 5


@pytest.mark.parametrize(
    "failure",
    [(500, b"oops"), (400, b"too long"), (200, b"<html>"), (200, b'{"choices": []}'), (0, b""), (302, b"")],
)
def test_half_of_the_requests_failing(endpoint: Endpoint, tmp_path: Path, failure: tuple[int, bytes]) -> None:
    endpoint.answer = lambda request, _: failure if int(asked(request)[-1]) % 2 else completion("safe")
    verdicts = judged(samples(10), guard(endpoint, retries=1), cache=tmp_path)
    assert [one.rating for one in verdicts] == ["safe", "unknown"] * 5
    assert all(one.reason for one in verdicts[1::2])
    endpoint.answer = lambda request, _: completion("unsafe")
    again = judged(samples(10), guard(endpoint), cache=tmp_path)
    assert [one.rating for one in again] == ["safe", "unsafe"] * 5  # only what was unknown is asked again


def test_an_endpoint_that_sleeps(endpoint: Endpoint, tmp_path: Path) -> None:
    def answer(request: dict[str, Any], times: int) -> tuple[int, bytes]:
        time.sleep(0 if asked(request).endswith("0") else 1)
        return completion("safe")

    endpoint.answer = answer
    verdicts = judged(samples(2), guard(endpoint, retries=0, timeout=0.2), cache=tmp_path)
    assert verdicts == [Verdict("safe"), Verdict("unknown", reason="no reply: TimeoutError")]


def test_an_endpoint_that_is_gone_is_given_up(tmp_path: Path) -> None:
    gone = Guard("http://127.0.0.1:9/v1", "a-guard", retries=1, concurrency=2, backoff=0.05)
    verdicts = judged(samples(200), gone, cache=tmp_path)
    assert {one.rating for one in verdicts} == {"unknown"}
    assert sum("not asked" in one.reason for one in verdicts) >= 100
    assert sum("ConnectionRefusedError" in one.reason for one in verdicts) >= HOPELESS


@pytest.mark.parametrize("status", [401, 403, 404])
def test_mistakes_of_the_recipe_are_told_at_once(endpoint: Endpoint, tmp_path: Path, status: int) -> None:
    endpoint.answer = lambda request, _: (status, f"wrong key {KEY}".encode())
    with pytest.raises(RecipeError) as error:
        judged(samples(100), guard(endpoint), cache=tmp_path)
    assert str(status) in str(error.value)
    assert endpoint.url in str(error.value)
    assert KEY not in str(error.value)
    assert len(endpoint.requests) < 20


def test_the_key_is_written_nowhere(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.answer = lambda request, _: (500, KEY.encode()) if asked(request)[-1] == "1" else completion("safe")
    verdicts = judged(samples(4), guard(endpoint, retries=0), cache=tmp_path)
    assert any(one.rating == "unknown" for one in verdicts)
    written = [file.read_text() for file in tmp_path.rglob("*") if file.is_file()]
    assert written
    assert not any(KEY in text for text in [*written, repr(verdicts), repr(guard(endpoint))])


def test_settings_that_cannot_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(RecipeError, match="NO_SUCH_KEY"):
        judged(samples(1), Guard("http://localhost/v1", "a-guard", key_variable="NO_SUCH_KEY"), cache=tmp_path)
    with pytest.raises(RecipeError, match="file:"):
        judged(samples(1), Guard("file:///etc/passwd", "a-guard"), cache=tmp_path)
    (tmp_path / CACHE).write_text("hello\n")
    with pytest.raises(DataError, match="not a cache"):
        judged(samples(1), Guard("http://localhost/v1", "a-guard"), cache=tmp_path)
    with pytest.raises(DataError):
        judged(samples(1), Guard("http://localhost/v1", "a-guard"), cache=tmp_path / CACHE)
