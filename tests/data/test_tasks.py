"""Tasks without instructions: worded in the row's language, the same words for the same text, and plain rows left as
they are."""

from typing import Any

import pytest

from tutelage.data import FORMATS, identity, recognise
from tutelage.data.tasks import is_chinese
from tutelage.records import Conversation, Dropped, Message, Place, Row

TASKS = ("qa", "summarization", "translation", "classification", "generation")


def row(index: int = 0, **fields: Any) -> Row:
    return Row(index, Place("f.jsonl", index + 1), 0, fields)


def converted(fields: dict[str, Any], *, name: str | None = None, index: int = 0) -> Conversation:
    one = row(index, **fields)
    made = recognise([one], name=name).convert(one)
    assert isinstance(made, Conversation), made
    return made


def asked(fields: dict[str, Any], *, name: str | None = None) -> Message:
    user, assistant = converted(fields, name=name).messages
    assert (user.role, assistant.role) == ("user", "assistant")
    assert assistant.content == "A"
    return user


def dropped(fields: dict[str, Any], *, name: str) -> tuple[str, str]:
    one = row(**fields)
    made = recognise([one], name=name).convert(one)
    assert isinstance(made, Dropped), made
    return made.reason, made.detail


@pytest.mark.parametrize(
    ("format_name", "columns"),
    [
        ("summarization", {"document": "D", "summary": "A"}),
        ("summarization", {"article": "D", "highlights": "A", "id": "7"}),
        ("summarization", {"text": "D", "summary": "A"}),
        ("qa", {"question": "Q", "context": "C", "answer": "A"}),
        ("qa", {"question": "Q", "answers": {"text": ["A", "B"], "answer_start": [0, 1]}}),
        ("translation", {"translation": {"en": "D", "zh": "A"}}),
        ("translation", {"source": "D", "translation": "A"}),
        # Without a sign of the task, rows stay what they were.
        ("question-answer", {"question": "Q", "answer": "A"}),
        ("text", {"text": "D", "label": "A"}),
        ("text", {"text": "D", "title": "T"}),
        ("input-output", {"input": "Q", "target": "A", "source": "web"}),
        ("alpaca", {"instruction": "Q", "output": "A", "text": "T", "summary": "S"}),
    ],
)
def test_a_task_is_recognised_where_the_columns_are_unmistakable(format_name: str, columns: dict[str, Any]) -> None:
    assert recognise([row(**columns)]).name == format_name


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("summarization", {"document": "D", "summary": "A"}),
        ("qa", {"question": "D", "answer": "A"}),
        ("qa", {"question": "Q", "context": "D", "answer": "A"}),
        ("qa", {"query": "Q", "passage": "D", "answers": ["A", "B"]}),
        ("translation", {"source": "D", "target": "A"}),
        ("translation", {"source": "D", "target": "A", "target_lang": "de"}),
        ("classification", {"sentence": "D", "label": "A"}),
        ("classification", {"text": "D", "label": 1, "label_text": "A"}),
        ("generation", {"topic": "D", "text": "A"}),
        ("generation", {"concepts": ["D"], "text": "A"}),
    ],
)
def test_the_instruction_stands_before_the_input_and_is_kept_apart(name: str, fields: dict[str, Any]) -> None:
    user = asked(fields, name=name)
    assert user.input == "D"
    assert user.content == f"{user.instruction}\nD"
    assert len(user.instruction) > 5
    assert "{" not in user.instruction
    if "context" in fields or "passage" in fields:
        assert "Q" in user.instruction


SAMPLES = {
    "en": [f"The {word} stands beside the old river." for word in ("mill", "house", "tree", "ship", "stone")] * 4,
    "zh": [f"{word}立在古老的河边。" for word in ("磨坊", "房子", "大树", "小船", "石头")] * 4,
}
COLUMNS = {
    "qa": ("question", "answer"),
    "summarization": ("document", "summary"),
    "translation": ("source", "target"),
    "classification": ("text", "label"),
    "generation": ("topic", "text"),
}


@pytest.mark.parametrize("language", list(SAMPLES))
@pytest.mark.parametrize("task", TASKS)
def test_wordings_are_several_in_the_language_of_the_row(task: str, language: str) -> None:
    question, answer = COLUMNS[task]
    texts = [f"{text} {number}" for number, text in enumerate(SAMPLES[language])]
    found = {text: converted({question: text, answer: text}, name=task).messages[0].instruction for text in texts}
    assert len(set(found.values())) > 1
    for instruction in found.values():
        assert is_chinese(instruction) == (language == "zh"), instruction


def test_the_same_row_is_worded_the_same_wherever_it_stands() -> None:
    fields = {"document": "The mill is old.", "summary": "Old mill."}
    first, second = (converted(fields, index=index) for index in (0, 999))
    assert identity(first) == identity(second)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"translation": {"en": "The mill.", "zh": "磨坊。"}}, "Chinese"),
        ({"translation": {"zh": "磨坊很老。", "en": "The mill is old."}}, "英文"),
        ({"source": "磨坊很老。", "target": "The mill is old."}, "英文"),
        ({"source": "The mill is old.", "target": "磨坊很老。"}, "Chinese"),
        ({"source": "The mill.", "target": "Die Mühle.", "target_lang": "de"}, "German"),
        ({"source": "The mill.", "target": "Millen.", "target_lang": "Danish"}, "Danish"),
        ({"source": "磨坊", "target": "水車小屋です", "target_lang": "ja"}, "日文"),
    ],
)
def test_the_language_to_translate_into_is_named(fields: dict[str, Any], named: str) -> None:
    assert named in converted(fields, name="translation").messages[0].instruction


def test_a_language_that_nobody_names_is_not_guessed() -> None:
    user = converted({"source": "The mill.", "target": "Die alte Muehle."}, name="translation").messages[0]
    assert not any(name in user.instruction for name in ("English", "German", "Chinese"))


def test_other_languages_get_the_english_wordings() -> None:
    for text in (
        "古い水車小屋は川のそばに立っています。",
        "오래된 방앗간은 강가에 있다.",
        "Die alte Mühle steht am Fluss.",
    ):
        user = asked({"document": text, "summary": "A"})
        assert user.input == text
        assert user.instruction.isascii()


def test_what_cannot_be_asked_is_dropped_with_its_reason() -> None:
    assert dropped({"document": " ", "summary": "A"}, name="summarization") == ("empty instruction", "document is ' '")
    assert dropped({"question": "Q", "answers": {"text": []}}, name="qa")[0] == "empty answer"
    assert dropped({"translation": {"en": "D"}}, name="translation")[0] == "not two languages"
    assert dropped({"translation": "A"}, name="translation")[0] == "missing column"
    assert dropped({"text": "D", "label": True}, name="classification")[0] == "wrong type"
    assert dropped({"text": "D", "label": "\ud800"}, name="classification")[0] == "invalid unicode"


def test_every_task_is_a_format() -> None:
    assert set(TASKS) < set(FORMATS)
