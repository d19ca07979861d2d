"""What is told of a mixture before it trains."""

import numpy as np

from tests.small import Listening
from tutelage.recipe import Source
from tutelage.run.shares import names_of, shares_of, tell_shares

SOURCES = (Source(path="a.jsonl", role="domain"), Source(path="b.jsonl"), Source(path="a.jsonl", subset="c"))


def told(rows: list[int], *, epochs: float) -> str:
    shares = shares_of(SOURCES, [100, 10, 0], rows=np.array(rows), tokens=np.array([1500, 500, 0]))
    assert [share.token_share for share in shares] == [0.75, 0.25, 0.0]
    terminal = Listening()
    tell_shares(shares, epochs, terminal=terminal)
    return terminal.text


def test_rows_epochs_and_tokens_of_each_source_are_told() -> None:
    assert names_of(SOURCES) == ("a.jsonl", "b.jsonl", "a.jsonl (2)")
    text = told([90, 20, 0], epochs=2)
    assert "a.jsonl, domain: 90 of 110 rows an epoch from 100, 1.8 epochs in all, 75.0% of the tokens" in text
    assert "b.jsonl: 20 of 110 rows an epoch from 10, 4 epochs in all, 25.0% of the tokens" in text
    assert "repeats" not in text


def test_many_repeats_are_warned_of() -> None:
    text = told([90, 21, 0], epochs=2)
    assert "the rows of b.jsonl are seen 4.2 times each" in text
    assert "the rows of a.jsonl" not in text


def test_a_single_source_is_no_mixture() -> None:
    terminal = Listening()
    tell_shares(shares_of(SOURCES[:1], [9], rows=np.array([9]), tokens=np.array([5])), 9, terminal=terminal)
    assert not terminal.text
