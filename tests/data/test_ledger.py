"""Law 1 on the ledger itself: one state per row, and counts that add up."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.data import Ledger
from tutelage.errors import DataError, LedgerError
from tutelage.records import Entry, Place, Split, State


def entry(row: int, state: State = "used", reason: str = "", *, split: Split = "train") -> Entry:
    return Entry(row, Place(f"f{row % 2}", row + 1), state, split, reason, reason and f"value {row}")


STATES = st.sampled_from(["used", "shortened", "dropped"])
KINDS = st.lists(st.tuples(STATES, st.sampled_from(["train", "eval"]), st.sampled_from(["a", "b"])), min_size=1)


@given(KINDS, st.randoms())
def test_counts_add_up_and_entries_come_back_in_reading_order(
    kinds: list[tuple[State, Split, str]], order: object
) -> None:
    entries = [
        entry(number, state, reason if state != "used" else "", split=split)
        for number, (state, split, reason) in enumerate(kinds)
    ]
    shuffled = list(entries)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    ledger = Ledger()
    ledger.extend(shuffled)
    assert list(ledger.entries()) == entries
    summary = ledger.summary()
    assert summary["rows"] == len(kinds) == summary["used"] + summary["shortened"] + summary["dropped"]
    assert summary["dropped"] == sum(summary["reasons"].values()) == sum(state == "dropped" for state, _, _ in kinds)
    for reason in summary["reasons"]:
        assert ledger.first(reason).row == next(e.row for e in entries if (e.state, e.reason) == ("dropped", reason))


def test_a_row_has_one_entry_and_none_is_missing() -> None:
    ledger = Ledger()
    ledger.add(entry(1))
    with pytest.raises(AssertionError, match="twice"):
        ledger.add(entry(1, "dropped", "a"))
    with pytest.raises(AssertionError, match="row 0 has no entry"):
        ledger.check(1.0)
    ledger.add(entry(0))
    ledger.check(0.0, rows_read=2)
    with pytest.raises(AssertionError, match="3 rows were read"):
        ledger.check(0.0, rows_read=3)


def lossy(lost: int, rows: int) -> Ledger:
    ledger = Ledger()
    for row in range(rows):
        ledger.add(entry(row, "dropped", "too long" if row % 3 else "empty answer") if row < lost else entry(row))
    return ledger


@pytest.mark.parametrize(("lost", "passes"), [(0, True), (5, True), (6, False)])
def test_the_largest_accepted_share_is_inclusive(lost: int, passes: bool) -> None:
    ledger = lossy(lost, 100)
    if passes:
        ledger.check(0.05)
    else:
        with pytest.raises(LedgerError):
            ledger.check(0.05)


def test_the_refusal_tells_rows_reasons_places_and_settings() -> None:
    with pytest.raises(LedgerError) as refused:
        lossy(6, 100).check(0.05)
    told = str(refused.value)
    for part in (
        "6 of 100 rows would be lost (6.0%)",
        "4 x too long, first at f1:2 (value 1); raise tokens.max_length",
        "2 x empty answer, first at f0:1 (value 0)",
        "at most 5.0%",
        "--set data.max_lost_share=0.06",
    ):
        assert part in told


def test_the_share_that_is_proposed_is_accepted() -> None:
    ledger = lossy(1, 3)
    with pytest.raises(LedgerError) as refused:
        ledger.check(0.05)
    ledger.check(float(refused.value.remedy.rsplit("=", 1)[1]))


def test_shortened_rows_are_not_lost() -> None:
    ledger = Ledger()
    ledger.extend(entry(row, "shortened", "too long") for row in range(10))
    ledger.check(0.0)
    assert ledger.summary() == {"rows": 10, "used": 0, "shortened": 10, "dropped": 0, "reasons": {}}
    assert ledger.reasons("shortened") == {"too long": 10}


def test_losing_every_row_is_refused_whatever_the_share() -> None:
    with pytest.raises(LedgerError, match="nothing is left"):
        lossy(3, 3).check(1.0)
    with pytest.raises(LedgerError, match="nothing is left"):
        Ledger().check(1.0)


def test_the_file_holds_one_line_per_row(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.add(Entry(0, Place("数据.json", 4), "shortened", "eval", "too long", "“x”", turns_lost=2, tokens_lost=9))
    ledger.add(entry(1))
    ledger.add(Entry(2, Place("f\udcff", 1), "dropped", "train", "invalid unicode", "\ud800"))
    ledger.write(tmp_path / "ledger.jsonl")
    first, second, _ = [
        json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert first == {
        **{"row": 0, "file": "数据.json", "line": 4, "state": "shortened", "split": "eval"},
        **{"reason": "too long", "detail": "“x”", "turns_lost": 2, "tokens_lost": 9},
    }
    assert (second["row"], second["file"], second["line"], second["state"]) == (1, "f1", 2, "used")
    with pytest.raises(DataError, match="cannot be written"):
        ledger.write(tmp_path)


def test_rows_are_held_out_whatever_their_state() -> None:
    ledger = Ledger()
    ledger.add(Entry(0, Place("a", 1), "used"))
    ledger.add(Entry(1, Place("a", 2), "shortened", reason="trailing turns too long", turns_lost=1, tokens_lost=3))
    ledger.add(Entry(2, Place("a", 3), "used"))
    ledger.hold_out([1, 2])
    assert [entry.split for entry in ledger.entries()] == ["train", "eval", "eval"]
    assert list(ledger.entries())[1].tokens_lost == 3
