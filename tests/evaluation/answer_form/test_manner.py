"""Courtesies, talk of itself, emoji, refusals and leaks."""

import pytest

from tutelage.evaluation.answer_form.manner import leak, manner

PROMPT, PROMPT_ZH = "How do bridges stand?", "桥是怎样立住的？"


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("Sure! Arches carry the load.", "opening"),
        ("Of course, arches carry the load.", "opening"),
        ("Great question! Arches carry the load.", "opening"),
        ("Arches carry the load. I hope this helps!", "closing"),
        ("Arches carry it. Let me know if you have any other questions.", "closing"),
        ("As an AI language model, I think that arches carry the load of every bridge.", "self-mention"),
        ("Arches carry the load 😀", "emoji"),
        ("I'm sorry, but I cannot help with that.", "refusal"),
        ("Arches carry the load.<|im_end|>", "leak"),
        ("Arches carry the load.\n### Response:\nYes.", "leak"),
        ("Arches carry the load.\nUser: And towers?", "leak"),
        ("Arches carry the load.</s>", "leak"),
    ],
)
def test_what_is_said_besides_is_found(answer: str, name: str) -> None:
    assert name in manner(PROMPT, answer)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("当然可以！拱承受重量。", "opening"),
        ("好的，拱承受重量。", "opening"),
        ("您好！拱承受重量。", "opening"),
        ("拱承受重量。希望这对您有帮助！", "closing"),
        ("拱承受重量。如果您还有其他问题，请随时告诉我。", "closing"),
        ("作为一个人工智能，我认为拱承受重量。", "self-mention"),
        ("拱承受重量👍", "emoji"),
        ("抱歉，我无法回答这个问题。", "refusal"),
        ("拱承受重量。\n用户：那塔呢？", "leak"),
        ("拱承受重量。\n### 回答：\n是的。", "leak"),
    ],
)
def test_and_in_chinese(answer: str, name: str) -> None:
    assert name in manner(PROMPT_ZH, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Arches carry the load to the ground.",
        "Surely the arches carry it.",
        "It is certain: arches do.",
        "Hello Kitty is a cat.",
        "Use <b>arches</b> and a[i] < b | c.",
        "拱把重量传到地面。",
        "这取决于材料。",
        "™ and © are signs, 2 → 3.",
        "",
    ],
)
def test_plain_answers_have_nothing(answer: str) -> None:
    assert manner(PROMPT, answer) == {}


def test_courtesies_belong_to_letters_and_dialogues() -> None:
    letter = "Hello, thank you for your work. Let me know if you have any questions."
    assert set(manner(PROMPT, letter)) == {"opening", "closing"}
    assert manner("Write an email to a builder.", letter) == {}
    assert manner("给工人写一封信。", letter) == {}


def test_what_the_prompt_holds_is_quoted() -> None:
    assert leak("What does <|im_end|> mean?", "<|im_end|> ends a turn.") == ""
    assert leak("Write a dialogue.", "User: hi\nAssistant: hello") == ""
    assert leak(PROMPT, "User: hi\nAssistant: hello") == "User:"
    assert "emoji" not in manner("Explain 😀", "😀 is a smile.")
