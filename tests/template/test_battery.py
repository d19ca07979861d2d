"""The battery: kinds of conversation that are really different, whose contents can be told apart."""

from itertools import permutations

from tutelage.template.battery import SINGLE, battery


def test_contents_of_a_conversation_are_never_inside_another() -> None:
    for case in battery("<|stop|>"):
        contents = [message.content.strip() for message in case.messages if message.content]
        assert len(contents) >= 2
        assert [pair for pair in permutations(contents, 2) if pair[0] in pair[1]] == [], case.name


def test_every_kind_is_there() -> None:
    cases = {case.name: case for case in battery("<|stop|>")}
    every = [message for case in cases.values() for message in case.messages]
    assert next(iter(cases)) == SINGLE
    assert {message.role for message in every} == {"system", "user", "assistant", "tool"}
    assert max(len(message.tool_calls) for message in every) == 2
    assert any(message.input for message in every)
    assert any(message.content == "" and message.role == "user" for message in every)
    assert any(message.content != message.content.strip() for message in every if message.role == "assistant")
    assert {message.role for message in every if "<|stop|>" in message.content} == {"user", "assistant"}
    thinking = {tuple(bool(m.reasoning) for m in case.messages if m.role == "assistant") for case in cases.values()}
    assert {(True, True), (True, False), (False, True), (False, False)} <= thinking


def test_every_case_ends_in_an_answer_and_offers_the_tools_that_it_calls() -> None:
    for case in battery("<|stop|>"):
        assert case.messages[-1].role == "assistant"
        called = {call.name for message in case.messages for call in message.tool_calls}
        assert called <= {tool["function"]["name"] for tool in case.tools}
        assert case.conversation.messages == case.messages
