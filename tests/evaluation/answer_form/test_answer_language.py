"""The language that a prompt wants, and answers in another one."""

import pytest

from tutelage.evaluation.answer_form.languages import demanded_language, wrong_language

EN = "The old bridge over the river was built from grey stone a long time ago, and people still walk over it daily."
ZH = "河上的老桥是很久以前用灰色的石头建成的，人们至今每天都从上面走过。"
FR = (
    "Le vieux pont de pierre grise a été construit il y a bien longtemps au-dessus de la rivière, et les gens du "
    "village le traversent encore chaque jour pour aller au marché, pour voir leurs amis ou simplement pour regarder "
    "passer l'eau sous les arches quand le soleil se couche."
)
ASKED_EN = "Tell me something about the old bridge over the river."
ASKED_ZH = "请介绍一下河上的那座老桥。"


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("Translate the sentence into French: I am here.", "fr"),
        ("Please answer in Chinese.", "zh"),
        ("In Spanish, tell me about rivers.", "es"),
        ("请把下面的句子翻译成英文：我在这里。", "en"),
        ("用日语回答：你是谁？", "ja"),
        (ASKED_EN, ""),
        ("Describe the significance of bridges in Chinese culture.", ""),
        ("Translate it into French and then translate it into German.", ""),
        ("谁写了第一部法语小说？", ""),
    ],
)
def test_a_language_is_demanded_only_where_that_is_sure(prompt: str, code: str) -> None:
    assert demanded_language(prompt)[0] == code


@pytest.mark.parametrize(("prompt", "answer"), [(ASKED_EN, EN), (ASKED_ZH, ZH), ("用英文回答：老桥怎么样？", EN)])
def test_the_right_language_is_right(prompt: str, answer: str) -> None:
    assert wrong_language(prompt, answer) == ""


@pytest.mark.parametrize(
    ("prompt", "answer", "code"),
    [(ASKED_EN, ZH, "zh"), (ASKED_ZH, EN, "en"), (ASKED_EN, FR, "fr"), ("Translate into Chinese: a bridge.", EN, "en")],
)
def test_the_wrong_language_is_named(prompt: str, answer: str, code: str) -> None:
    assert wrong_language(prompt, answer) == code


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        (ASKED_ZH, "HTML"),
        (ASKED_ZH, "x = (6 - 2) / 3"),
        (ASKED_ZH, "def f(x):\n    return x + 1"),
        ("改正这个句子：the bridge are old and the river run fast here", EN),
        ("这些语言中哪个最好学？", EN),
        ("", EN),
        ("!!!", ZH),
        (ASKED_EN, ""),
    ],
)
def test_what_cannot_be_told_is_not_told(prompt: str, answer: str) -> None:
    assert wrong_language(prompt, answer) == ""
