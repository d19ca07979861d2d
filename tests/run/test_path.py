"""Chunks that are encoded beside each other come out whole, in order, and as they would alone."""

import pytest

from tests.small import questions
from tutelage.records import Dropped
from tutelage.run import path
from tutelage.run.assemble import speech
from tutelage.run.path import conversations, examples, results
from tutelage.tokens.encode import Encoded


@pytest.mark.parametrize("count", [1, 2, 3, 13])
def test_rows_keep_their_results_however_many_chunks_are_in_flight(
    make_recipe, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(path, "AT_ONCE", 2)
    rows = [row | ({"output": ""} if number % 5 == 4 else {}) for number, row in enumerate(questions(count))]
    recipe = make_recipe(rows)
    spoken = speech(recipe)
    every = list(conversations(recipe.data, recipe.data.sources, formats=[]))
    chunks = list(results(iter(every), spoken))
    assert [row for chunk, _ in chunks for row in chunk] == every
    assert len(chunks) == -(-count // 2)
    made, alone = [one for _, found in chunks for one in found], examples(every, spoken)
    assert [one.row for one in made] == [one.row for one in alone] == list(range(count))
    for one, other in zip(made, alone, strict=True):
        if isinstance(other, Dropped):
            assert one == other
        else:
            assert isinstance(one, Encoded)
            assert [e.token_ids.tolist() for e in one.examples] == [e.token_ids.tolist() for e in other.examples]
    assert count < 5 or any(isinstance(one, Dropped) for one in made)


def test_what_fails_beside_reaches_the_reader(make_recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = make_recipe(questions(3))
    spoken = speech(recipe)
    rows = list(conversations(recipe.data, recipe.data.sources, formats=[]))

    def broken(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(path, "encode", broken)
    with pytest.raises(MemoryError):
        list(results(iter(rows), spoken))
