"""The prompt repeated, and two answers."""

import pytest

from tutelage.evaluation.constraints import combination


def test_the_prompt_stands_first() -> None:
    assert combination.repeat_prompt(" Tell ME a tale.\nOnce", "tell me a tale. ")
    assert not combination.repeat_prompt("Sure. Tell me a tale.", "Tell me a tale.")


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ("one\n******\ntwo", True),
        ("******\none\n******\ntwo\n******", True),
        ("one\n******\n one ", False),
        ("one", False),
        ("one******two******three", False),
        ("one****** ******two", False),
    ],
)
def test_two_answers_differ(answer: str, holds: bool) -> None:
    assert combination.two_responses(answer) is holds
