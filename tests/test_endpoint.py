"""The client of chat endpoints; what it does when requests fail stands in tests/curate/test_guard.py as well."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import Endpoint as Server
from tests.endpoints import completion, running
from tutelage import endpoint as module
from tutelage.endpoint import CACHE, HOPELESS, LONGEST, Decoding, Endpoint, Reply
from tutelage.errors import RecipeError


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as one:
        one.answer = lambda request, _: completion(said(request)[::-1])
        yield one


def said(request: dict[str, Any]) -> str:
    return str(request["messages"][-1]["content"])


def asked(*texts: str) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": text}] for text in texts]


def client(server: Server, **settings: Any) -> Endpoint:
    return Endpoint(server.url, "a-model", **{"backoff": 0.01, "timeout": 5.0} | settings)


def replied(endpoint: Endpoint, *texts: str, cache: Path, **settings: Any) -> list[Reply]:
    told = dict(endpoint.replies(asked(*texts), cache=cache, **settings))
    assert sorted(told) == list(range(len(texts))), "every question has one reply"
    return [told[place] for place in range(len(texts))]


def test_every_question_gets_its_own_reply(server: Server, tmp_path: Path) -> None:
    texts = [f"{number} 问题 🙂" for number in range(30)]
    assert replied(client(server), *texts, cache=tmp_path) == [Reply(text[::-1]) for text in texts]


def test_the_same_question_is_sent_once(server: Server, tmp_path: Path) -> None:
    assert replied(client(server), "ab", "cd", "ab", cache=tmp_path) == [Reply("ba"), Reply("dc"), Reply("ba")]
    assert len(server.requests) == 2


def test_another_model_or_decoding_is_another_question(server: Server, tmp_path: Path) -> None:
    settings = [Decoding(), Decoding(max_tokens=7), Decoding(temperature=0.5), None]
    for decoding in settings:
        replied(client(server), "ab", cache=tmp_path, decoding=decoding)
    replied(Endpoint(server.url, "another"), "ab", cache=tmp_path)
    sent = [(one["model"], one["max_tokens"], one["temperature"]) for one in server.requests]
    assert sent == [("a-model", 1024, 0), ("a-model", 7, 0), ("a-model", 1024, 0.5), ("another", 1024, 0)]


def test_an_empty_reply_is_a_reply(server: Server, tmp_path: Path) -> None:
    assert replied(client(server), "", cache=tmp_path) == [Reply()]
    assert replied(client(server), "", cache=tmp_path) == [Reply()]
    assert len(server.requests) == 1


def test_what_is_not_worth_keeping_is_asked_again(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        told = replied(client(server), "ab", "cd", cache=tmp_path, keeps=lambda text: text == "ba")
        assert told == [Reply("ba"), Reply("dc")]
    assert sorted(map(said, server.requests)) == ["ab", "cd", "cd"]


def test_replies_that_came_stay_when_the_asker_stops(server: Server, tmp_path: Path) -> None:
    texts = [str(number) for number in range(300)]
    coming = client(server, concurrency=1).replies(asked(*texts), cache=tmp_path)
    first = [next(coming) for _ in range(3)]
    coming.close()
    kept = [json.loads(line)["text"] for line in (tmp_path / CACHE).read_text().splitlines()]
    assert kept == [reply.text for _, reply in first]
    before = len(server.requests)
    assert before < 300
    replied(client(server), *texts, cache=tmp_path)
    assert len(server.requests) == before + 300 - 3


def test_a_question_that_cannot_be_sent_says_so(server: Server, tmp_path: Path) -> None:
    long = "长" * LONGEST
    broken, too_long, fine = replied(client(server), "\ud800", long, "ab", cache=tmp_path)
    assert "not valid Unicode" in broken.failure
    assert "longer than" in too_long.failure
    assert fine == Reply("ba")
    assert len(server.requests) == 1


def test_a_reply_that_is_too_long_or_trickles(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", 1000)
    server.answer = lambda request, _: completion("x" * 2000 if said(request) == "much" else "x")
    much, little = replied(client(server, retries=0), "much", "little", cache=tmp_path)
    assert much.failure == "a reply that is no chat completion"
    assert little == Reply("x")
    server.pause = 0.05  # after each byte: never silent for long, never done
    before = time.monotonic()
    (slow,) = replied(client(server, retries=0, timeout=0.3), "slow", cache=tmp_path)
    assert slow.failure == "no reply: TimeoutError"
    assert time.monotonic() - before < 3


def test_an_endpoint_that_fails_for_good_is_given_up(server: Server, tmp_path: Path) -> None:
    server.answer = lambda request, _: completion("fine") if int(said(request)) < 5 else (500, b"")
    texts = [str(number) for number in range(100)]
    told = replied(client(server, retries=0, concurrency=2), *texts, cache=tmp_path)
    assert [place for place, one in enumerate(told) if not one.failure] == list(range(5))
    assert sum(one.failure == "HTTP 500" for one in told) >= HOPELESS
    assert sum(one.failure.startswith("not asked") for one in told) > 50
    server.requests.clear()
    server.answer = lambda request, _: completion("fine")
    assert {one.text for one in replied(client(server), *texts, cache=tmp_path)} == {"fine"}
    assert len(server.requests) == 95


@pytest.mark.parametrize(
    "url",
    ["", "localhost:8000/v1", "file:///etc/passwd", "http:///v1", "http://a b/v1", "http://例子/v1", "http://a/v1\nx"],
)
def test_urls_that_cannot_work_are_refused_at_once(tmp_path: Path, url: str) -> None:
    with pytest.raises(RecipeError, match="the endpoint's url"):
        Endpoint(url, "a-model").replies(asked("ab"), cache=tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "ｋｅｙ－ｆｕｌｌ－ｗｉｄｔｈ"])
def test_keys_that_cannot_work_are_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("SOME_ENDPOINT", key)
    with pytest.raises(RecipeError, match="SOME_ENDPOINT") as error:
        Endpoint("http://127.0.0.1:9/v1", "a-model", "SOME_ENDPOINT").replies([], cache=tmp_path)
    assert not key.strip() or key not in str(error.value)


def test_the_address_may_be_written_either_way(server: Server, tmp_path: Path) -> None:
    for number, end in enumerate(("", "/", "/chat/completions", "/chat/completions/")):
        told = replied(Endpoint(server.url + end, "a-model", retries=0), f"a{number}", cache=tmp_path)
        assert told == [Reply(f"{number}a")]
    assert set(server.paths) == {"/v1/chat/completions"}
