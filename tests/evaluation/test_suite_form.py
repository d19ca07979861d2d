"""Entries of suites: what they become, and what is refused with its place."""

from typing import Any

import pytest

from tutelage.errors import DataError
from tutelage.evaluation.suite import Item
from tutelage.evaluation.suite_form import Defaults, item_of
from tutelage.records import Message


def made(defaults: Defaults | None = None, **fields: Any) -> Item:
    return item_of(fields, number=3, place="suite.yaml:7", defaults=defaults or Defaults())


def refusal(**fields: Any) -> str:
    with pytest.raises(DataError) as told:
        made(**fields)
    assert told.value.code in ("suite", "constraint")
    assert told.value.place == "suite.yaml:7"
    return str(told.value)


USER = {"role": "user", "content": "And now?"}


def test_an_entry_becomes_an_item_with_the_suite_s_defaults() -> None:
    item = made(Defaults("f1", "geography", "Be brief."), question="Where is Oslo?", expected=["Norway", "in Norway"])
    assert item.question.messages == (Message("system", "Be brief."), Message("user", "Where is Oslo?"))
    assert (item.question.row, item.place, item.metric, item.task) == (3, "suite.yaml:7", "f1", "geography")
    assert item.references == ("Norway", "in Norway")
    own = made(Defaults("f1", "a", "b"), question="2 + 2?", expected=4, metric="numeric", task="sums", system="Count.")
    assert (own.metric, own.task, own.references) == ("numeric", "sums", ("4",))
    assert own.question.messages[0] == Message("system", "Count.")


def test_turns_are_asked_as_they_stand_and_their_own_system_message_wins() -> None:
    turns = [{"role": "system", "content": "Be kind."}, USER, {"role": "assistant", "content": "Yes."}, USER]
    item = made(Defaults(system="Be brief."), messages=turns, expected="No")
    assert [message.content for message in item.question.messages] == ["Be kind.", "And now?", "Yes.", "And now?"]
    assert item.prompt == "And now?"


@pytest.mark.parametrize("asked", [{"question": "Which?"}, {"messages": [{"role": "user", "content": "Which?"}]}])
def test_options_are_shown_with_letters_and_the_right_one_is_a_letter(asked: dict[str, Any]) -> None:
    for expected in ("green", "B", "b "):
        item = made(**asked, choices=["red", "green"], expected=expected)
        assert item.prompt == "Which?\nA. red\nB. green"
        assert (item.metric, item.references) == ("accuracy", ("B",))


def test_constraints_bring_their_metric() -> None:
    item = made(question="Shout.", constraints=["zh:title", {"id": "zh:lines", "relation": "exactly", "count": 4}])
    assert (item.metric, [one.id for one in item.constraints]) == ("constraints", ["zh:title", "zh:lines"])
    with_reference = made(question="Shout.", expected="HO", metric="f1", constraints=["zh:title"])
    assert (with_reference.metric, with_reference.references) == ("f1", ("HO",))


def test_the_forms_of_ifeval_and_of_tables_are_understood() -> None:
    ifeval = made(key=1, prompt="Say it.", instruction_id_list=["punctuation:no_comma"], kwargs=[{}])
    assert (ifeval.prompt, ifeval.metric, ifeval.constraints[0].id) == (
        "Say it.",
        "constraints",
        "punctuation:no_comma",
    )
    table = made(Defaults(task="law"), Question="谁？", A="甲", B="乙", C="丙", D="", Answer="c")
    assert table.prompt == "谁？\nA. 甲\nB. 乙\nC. 丙"
    assert (table.metric, table.task, table.references, table.choices) == ("accuracy", "law", ("C",), tuple("甲乙丙"))
    assert made(question="?", A="B", B="A", Answer="A").references == ("A",)  # in a table the answer is a letter


@pytest.mark.parametrize("value", [True, None, {"a": "b"}, ["a", None], [["a"]], ["a", False]])
def test_an_expected_answer_is_text_or_a_list_of_texts(value: object) -> None:
    assert "`expected` is " in refusal(question="?", expected=value)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"expected": "a"}, "neither `question` nor `messages`"),
        ({"question": "a", "messages": [USER], "expected": "a"}, "neither `question` nor `messages`, or both"),
        ({"question": " \t", "expected": "a"}, "the question is empty"),
        ({"question": None, "expected": "a"}, "`question` is None"),
        ({"question": ["a"], "expected": "a"}, "`question` is ['a']"),
        ({"question": "a", "expectd": "b"}, "did you mean `expected`?"),
        ({"question": "a", "zzz": "b"}, "remove `zzz`"),
        ({"question": "a", "expected": "b", "metric": "exactmatch"}, "did you mean exact_match?"),
        ({"question": "a", "expected": "b", "metric": None}, "`metric` is None"),
        ({"question": "a", "expected": "b", "task": True}, "`task` is True"),
        ({"messages": [], "expected": "a"}, "`messages` is []"),
        ({"messages": [{"role": "tool", "content": "x"}], "expected": "a"}, "a turn is "),
        ({"messages": [{**USER, "weight": 2}], "expected": "a"}, "a turn is "),
        ({"messages": [{"role": ["user"], "content": "x"}], "expected": "a"}, "a turn is "),
        ({"messages": [USER, {"role": "assistant", "content": "x"}], "expected": "a"}, "the last turn is not"),
        ({"system": "x", "messages": [{"role": "system", "content": "y"}, USER], "expected": "a"}, "a system message"),
        ({"question": "a", "constraints": "zh:title"}, "`constraints` is 'zh:title'"),
        ({"question": "a", "constraints": ["zh:titel"]}, "did you mean `zh:title`?"),
        ({"question": "a", "constraints": []}, "it has no reference"),
        ({"question": "a", "A": "x", "B": "y", "C": "", "D": "z", "Answer": "D"}, "the options are ABD"),
        ({"question": "a", "A": "x", "B": "y", "Answer": ""}, "the answer is ''"),
    ],
)
def test_what_cannot_be_asked_is_told(fields: dict[str, Any], told: str) -> None:
    assert told in refusal(**fields)


@pytest.mark.parametrize(
    ("metric", "expected", "told"),
    [
        ("exact_match", [], "it has no reference"),
        ("f1", "  ", "it has no reference"),
        ("numeric", "many", "there is no number in 'many'"),
        ("numeric", ["4", "many"], "there is no number in 'many'"),
        ("accuracy", "a", "it has no options"),
        ("constraints", "a", "it has no constraints"),
        ("contains", ["yes", ""], "would not count ''"),
        ("contains", "。", "would not count '。'"),
        ("exact_match", "!!!", "would not count '!!!'"),
        ("rougeL", "—…", "would not count '—…'"),
        ("code", ["x", " "], "would not count ' '"),
    ],
)
def test_a_metric_that_cannot_measure_an_item_is_refused(metric: str, expected: object, told: str) -> None:
    assert told in refusal(question="?", expected=expected, metric=metric)


@pytest.mark.parametrize(
    ("choices", "expected", "told"),
    [
        (["x"], "x", "the options are "),
        (["x", "x "], "x", "the options are "),
        (["x", ""], "x", "the options are "),
        ([f"o{n}" for n in range(11)], "o1", "the options are "),
        (["x", True], "x", "`choices` is True"),
        (["x", "y"], "z", "one of A, B, or an option's text"),
        (["x", "y"], [], "it has no options"),
        (["b", "c"], "b", "the letter of one option and the text of another"),
        (["x", "y"], True, "`expected` is True"),
    ],
)
def test_options_that_are_not_clear_are_refused(choices: list[object], expected: object, told: str) -> None:
    assert told in refusal(question="?", choices=choices, expected=expected)


def test_options_are_measured_by_accuracy_alone() -> None:
    assert "options are measured by f1" in refusal(question="?", choices=["x", "y"], expected="x", metric="f1")
