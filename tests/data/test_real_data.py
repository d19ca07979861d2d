"""Real data sets: each loads with counts that add up, or is refused with its reason."""

from pathlib import Path

import pytest

from tutelage.data import Ledger, read, recognise
from tutelage.errors import DataError
from tutelage.recipe import Source
from tutelage.records import Conversation, Dropped, Entry, Row

pytestmark = pytest.mark.shared

LOADED = [
    ("alpaca/*.json", "alpaca", 52_002),
    ("alpaca_eval/*.json", "alpaca", 3_220),
    ("alpaca_zh_hikariming/alpaca_data-[!9]*.json", "alpaca", 17_476),
    ("alpaca_zh_hikariming/extra", "alpaca", None),
    ("bbh", "input-output", 1_937),
    ("belle/dev1K.json", "alpaca", 1_000),
    ("belle/zh_seed_tasks.json", "self-instruct", 175),
    ("gsm8k/t*.jsonl", "question-answer", 8_792),
    ("ifeval/input_response*.jsonl", "prompt-response", 540),
    ("llamafactory/alpaca_*.json", "alpaca", 1_999),
    ("llamafactory/identity.json", "alpaca", 91),
    ("llamafactory/glaive*.json", "sharegpt", 600),
    ("llamafactory/reason_tool_use*.jsonl", "messages", 50),
    ("llamafactory/v1_sft_demo.jsonl", "messages", 500),
    ("llamafactory/c4_demo.jsonl", "text", 300),
    ("medicalgpt/*_format.jsonl", "sharegpt", 2_000),
    ("medicalgpt/glaive*.jsonl", "sharegpt", 300),
    ("ruozhiba", "alpaca", 4_898),
    ("self_instruct", "self-instruct", 427),
    ("sharegpt_format", "sharegpt", 500),
]
REFUSED = [
    ("llamafactory/dpo_*.json", "preference set"),
    ("llamafactory/kto_*.json", "preference set"),
    ("llamafactory/v1_dpo_demo.jsonl", "preference set"),
    ("medicalgpt/*dpo*.jsonl", "preference set"),
    ("belle/eval_set.json", "'std_answer'"),
    ("cmmlu", r"\{Question: question, Answer: answer\}"),
    ("human_eval", "'canonical_solution'"),
    ("ifeval/input_data.jsonl", "'instruction_id_list'"),
    ("llmbar", "'output_1'"),
    ("m_ifeval", "'prompt'"),
    ("mt_bench/question.jsonl", "'turns'"),
    ("natural_instructions", "'Instances'"),
    ("pandalm", "'response1'"),
    ("xstest", "'prompt'"),
]


def rows_of(shared: Path, pattern: str, **options: object) -> list[Row | Dropped]:
    return list(read([Source(path=str(shared / "datasets" / pattern))], **options))  # type: ignore[arg-type]


def first_rows(rows: list[Row | Dropped]) -> list[Row]:
    return [row for row in rows[:100] if isinstance(row, Row)]


@pytest.mark.parametrize(("pattern", "name", "expected"), LOADED)
def test_natural_sets_load_and_their_counts_add_up(shared: Path, pattern: str, name: str, expected: int | None) -> None:
    rows = rows_of(shared, pattern)
    assert expected is None or len(rows) == expected
    found = recognise(first_rows(rows))
    assert found.name == name
    ledger = Ledger()
    for row in rows:
        assert isinstance(row, Row)
        result = found.convert(row)
        if isinstance(result, Dropped):
            ledger.add(Entry(result.row, result.place, "dropped", reason=result.reason, detail=result.detail))
        else:
            assert result.text or any(message.role == "assistant" for message in result.messages)
            ledger.add(Entry(result.row, result.place, "used"))
    ledger.check(0.01, rows_read=len(rows))
    assert ledger.summary()["used"] > 0


@pytest.mark.parametrize(("pattern", "said"), REFUSED)
def test_other_sets_are_refused_with_the_reason(shared: Path, pattern: str, said: str) -> None:
    rows = rows_of(shared, pattern)
    with pytest.raises(DataError, match=said):
        recognise(first_rows(rows))


def test_the_malformed_file_is_refused_with_its_line(shared: Path) -> None:
    pattern = "alpaca_zh_hikariming/alpaca_data-9407*.json"
    with pytest.raises(DataError, match="a comma before the closing") as refused:
        rows_of(shared, pattern)
    assert refused.value.place.endswith(".json:14007")
    rows = rows_of(shared, pattern, malformed="drop")
    assert [row.index for row in rows if isinstance(row, Row)] == list(range(len(rows) - 1))
    assert isinstance(rows[-1], Dropped)


def test_lines_point_at_the_rows(shared: Path) -> None:
    rows = rows_of(shared, "alpaca/*.json")
    text = (shared / "datasets" / "alpaca" / "alpaca_data.json").read_text(encoding="utf-8").split("\n")
    for row in rows[:: len(rows) // 50]:
        assert isinstance(row, Row)
        assert text[row.place.line - 1].strip() == "{"
        assert "instruction" in text[row.place.line]


def test_a_mapping_makes_an_unknown_set_load(shared: Path) -> None:
    rows = first_rows(rows_of(shared, "belle/eval_set.json"))
    found = recognise(rows, {"std_answer": "answer"})
    assert all(isinstance(found.convert(row), Conversation) for row in rows if row.fields["std_answer"].strip())
    assert found.name == "question-answer"
