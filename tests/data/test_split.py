"""The split: whole groups, stable, seeded, never everything; identity and overlap."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tutelage.data import identity, overlap, split
from tutelage.records import Conversation, Message, Place, ToolCall

GROUPS = st.lists(st.sampled_from("abcdefghij"), min_size=2)


@given(GROUPS, st.floats(0.01, 1), st.integers(1, 30), st.integers(0, 5))
def test_groups_stay_whole_and_the_limits_hold(groups: list[str], share: float, max_rows: int, seed: int) -> None:
    held = split(groups, share=share, max_rows=max_rows, seed=seed)
    assert held == split(groups, share=share, max_rows=max_rows, seed=seed)
    assert not {groups[n] for n in held} & {g for n, g in enumerate(groups) if n not in held}
    assert len(held) < len(groups)
    if len(set(groups)) > 1:
        smallest = min(groups.count(group) for group in set(groups))
        assert 1 <= len(held) <= max(min(share * len(groups), max_rows), smallest)
    else:
        assert held == set()


def test_the_share_is_met_where_groups_are_single_rows() -> None:
    groups = [str(n) for n in range(1000)]
    assert len(split(groups, share=0.05, max_rows=500, seed=1)) == 50
    assert len(split(groups, share=0.9, max_rows=300, seed=1)) == 300
    assert len(split(groups, share=1.0, max_rows=5000, seed=1)) == 999


def test_nothing_is_held_out_where_nothing_is_asked() -> None:
    assert split(["a", "b"], share=0.0, max_rows=9, seed=1) == set()
    assert split(["a", "b"], share=0.5, max_rows=0, seed=1) == set()
    assert split([], share=0.5, max_rows=9, seed=1) == set()


def test_the_seed_decides_and_the_order_of_rows_does_not() -> None:
    groups = [str(n) for n in range(200)]
    first = {groups[n] for n in split(groups, share=0.1, max_rows=500, seed=1)}
    backwards = groups[::-1]
    assert first == {backwards[n] for n in split(backwards, share=0.1, max_rows=500, seed=1)}
    assert first != {groups[n] for n in split(groups, share=0.1, max_rows=500, seed=2)}
    grown = groups + [f"new {n}" for n in range(200)]
    again = {grown[n] for n in split(grown, share=0.1, max_rows=500, seed=1)}
    assert len(first & again) >= 5  # about half of a doubled set's held-out rows are old ones, and they are the same


def conversation(answer: str = "A", **fields: object) -> Conversation:
    call = ToolCall("f", {"x": 1})
    messages = (Message("user", "Q"), Message("assistant", answer, tool_calls=(call,)))
    return replace(Conversation(0, Place("f", 1), messages), **fields)  # type: ignore[arg-type]


def test_identity_is_what_a_conversation_says_and_not_where_it_stands() -> None:
    same = conversation(row=9, place=Place("g", 2), group="x", source=3)
    weighted = conversation(messages=tuple(replace(m, train=False, weight=0.5) for m in same.messages))
    assert identity(conversation()) == identity(same) == identity(weighted)
    others = [
        conversation("B"),
        conversation(tools=({"name": "f"},)),
        conversation(text="t"),
        conversation(messages=(*same.messages, Message("user", "Q"))),
        conversation(messages=(same.messages[0], replace(same.messages[1], tool_calls=()))),
        conversation(messages=(same.messages[0], replace(same.messages[1], reasoning="R"))),
    ]
    assert len({identity(conversation()), *map(identity, others)}) == 1 + len(others)


def test_identity_does_not_depend_on_where_an_input_begins() -> None:
    whole = conversation(messages=(Message("user", "Q\n1"), Message("assistant", "A")))
    apart = conversation(messages=(Message("user", "Q\n1", input="1"), Message("assistant", "A")))
    assert identity(whole) == identity(apart)


def test_overlap_counts_held_out_rows_that_are_trained() -> None:
    assert overlap(["a", "b", "b"], ["b", "b", "c"]) == 2
    assert overlap([], ["a"]) == 0
