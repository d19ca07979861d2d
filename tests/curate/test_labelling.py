"""Labels from an endpoint, and what rules and columns decide where it tells nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import Endpoint, completion, running
from tutelage import endpoint as client
from tutelage.curate.labelling import EndpointLabels, asked_labels
from tutelage.curate.sample import Sample
from tutelage.curate.taxonomy import AXES, UNKNOWN, Labeller, Labels, label, names

POEM = Sample(("Write a poem about a river.",), ("The river runs, the river sings.",), "en")
SUM = Sample(("请计算 17 加 25 等于多少？",), ("17＋25＝42。",), "zh")
TOLD = {"type": "reasoning", "domain": "education", "difficulty": "hard", "style": "formal"}


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with running() as one:
        one.answer = lambda request, _: completion(json.dumps(TOLD))
        yield one


def asked(server: Endpoint, *samples: Sample, cache: Path) -> EndpointLabels:
    return asked_labels(samples, client.Endpoint(server.url, "a-model", retries=0, backoff=0.01), cache=cache)


def test_the_models_labels_win_over_rules(server: Endpoint, tmp_path: Path) -> None:
    labeller: Labeller = asked(server, POEM, cache=tmp_path)
    assert label(POEM).type == "creative"
    assert labeller(POEM, None) == Labels(**TOLD, subtype=UNKNOWN)
    assert labeller(SUM, None) == label(SUM), "a row that nobody asked about"


def test_a_rows_own_columns_win_over_the_model(server: Endpoint, tmp_path: Path) -> None:
    labeller = asked(server, POEM, cache=tmp_path)
    told = labeller(POEM, {"task_type": "code/fix", "domain": "", "style": None, "difficulty": "easy", "text": "x"})
    assert told == Labels("code", "fix", "education", "simple", "formal")
    assert labeller(POEM, {"subtype": "ode"}).subtype == "ode"


def test_the_rules_still_refine_a_type_on_which_both_agree(server: Endpoint, tmp_path: Path) -> None:
    server.answer = lambda request, _: completion(json.dumps(TOLD | {"type": "creative"}))
    assert asked(server, POEM, cache=tmp_path)(POEM).subtype == label(POEM).subtype == "poem"


@pytest.mark.parametrize("other", ["space", "", "unknown", "simple, hard", None, 3, ["life"], "CREATIVE WRITING"])
@pytest.mark.parametrize("axis", AXES)
def test_a_name_outside_of_the_taxonomy_leaves_the_axis_to_the_rules(
    server: Endpoint, tmp_path: Path, axis: str, other: object
) -> None:
    server.answer = lambda request, _: completion("Sure!\n```json\n" + json.dumps(TOLD | {axis: other}) + "\n```")
    labeller = asked(server, POEM, cache=tmp_path)
    told, rules = labeller(POEM), label(POEM)
    wanted = {name: TOLD[name] if name != axis else {"type": rules.type, "domain": rules.domain,
              "difficulty": rules.difficulty, "style": rules.style}[name] for name in AXES}  # fmt: skip
    assert {"type": told.type, "domain": told.domain, "difficulty": told.difficulty, "style": told.style} == wanted
    assert labeller.unknown == {f"no {axis} of the taxonomy": 1}


def test_every_name_of_the_taxonomy_is_understood_and_offered(server: Endpoint, tmp_path: Path) -> None:
    for axis in AXES:
        for number, name in enumerate(names(axis)):
            reply = json.dumps(TOLD | {axis: f" {name.capitalize()} "})
            server.answer = lambda request, _, reply=reply: completion(reply)  # type: ignore[misc]
            assert asked(server, POEM, cache=tmp_path / f"{axis}{number}").told[POEM][axis] == name
    for request in server.requests:
        assert all(name in request["messages"][0]["content"] for axis in AXES for name in names(axis))


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ((500, b""), "HTTP 500"),
        ((0, b""), "no reply: RemoteDisconnected"),
        ((200, b"<html>"), "a reply that is no chat completion"),
        (completion("It is a poem."), "a reply of no known form"),
        (completion('["creative"]'), "a reply of no known form"),
        (completion('{"type": "code"} or {"type": "creative"}'), "a reply of no known form"),
    ],
)
def test_what_fails_is_left_to_the_rules_and_counted(
    server: Endpoint, tmp_path: Path, failure: tuple[int, bytes], reason: str
) -> None:
    server.answer = lambda request, _: failure
    labeller = asked(server, POEM, SUM, POEM, cache=tmp_path)
    assert (labeller(POEM), labeller(SUM)) == (label(POEM), label(SUM))
    assert labeller.unknown == {reason: 3}


def test_a_pass_that_broke_asks_only_for_what_is_missing(server: Endpoint, tmp_path: Path) -> None:
    def broken(request: dict[str, Any], _: int) -> tuple[int, bytes]:
        return (500, b"") if "17" in request["messages"][1]["content"] else completion(json.dumps(TOLD))

    server.answer = broken
    assert asked(server, POEM, SUM, cache=tmp_path).unknown == {"HTTP 500": 1}
    server.requests.clear()
    server.answer = lambda request, _: completion(json.dumps(TOLD))
    labeller = asked(server, POEM, SUM, cache=tmp_path)
    assert (labeller(SUM).difficulty, labeller(POEM).difficulty, dict(labeller.unknown)) == ("hard", "hard", {})
    assert len(server.requests) == 1
    assert "贴标签" in server.requests[0]["messages"][0]["content"], "asked in the language of the row"


def test_any_row_can_be_asked_about(server: Endpoint, tmp_path: Path) -> None:
    odd = [
        Sample((), ("plain text",), "en"),
        Sample(("",), ("",), "und"),
        Sample(("\r\n🙂",), ("！？",), "zh"),
        Sample(("q", "r"), ("a", "b" * 100_000), "en"),
        Sample(("$type ${x} 答案",), ('{"type": "code"}',), "zh"),
    ]
    labeller = asked(server, *odd, cache=tmp_path)
    assert [labeller(one).difficulty for one in odd] == ["hard"] * len(odd)
    assert max(len(request["messages"][1]["content"]) for request in server.requests) < 10_000
    assert asked(server, Sample(("\ud800",), ("a",), "en"), cache=tmp_path).unknown
