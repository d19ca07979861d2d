"""Answers that are whole and answers that are not, in Chinese and English."""

import time

import pytest

from tutelage.curate.completeness import completeness
from tutelage.curate.doubts import Doubt, excerpt, score
from tutelage.text import language

THRESHOLD = 0.6


def doubts(prompt: str, answer: str) -> dict[str, Doubt]:
    """Reason -> doubt."""
    return {one.reason: one for one in completeness(prompt, answer, language=language(f"{prompt}\n{answer}"))}


def whole(prompt: str, answer: str) -> float:
    return score(doubts(prompt, answer).values())


EN = "The sun rises in the east. It warms the fields and the sea. Birds begin to sing at dawn."
ZH = "太阳从东方升起。它温暖了田野和大海。鸟儿在黎明时开始歌唱。"

GOOD = [
    ("Describe a morning.", EN),
    ("描述早晨。", ZH),
    ("What is the capital of France?", "Paris"),
    ("Classify the review as positive or negative.\nGreat food!", "Positive"),
    ("判断情感。\n味道很好！", "积极"),
    ("What is 12 + 7?", "19"),
    ("Name three fruits.", "Apples, pears and plums"),
    ("说出三种水果。", "苹果、梨和李子"),
    ("List 3 colours.", "1) red\n2) green\n3) blue"),
    ("列出3种颜色。", "1）红色\n2）绿色\n3）蓝色"),
    ("Suggest a title for an essay on rivers.", "How Rivers Shape the Land and the People Who Live Beside Them"),
    ("Write a poem.", "The river runs slow,\nunder the bridge of stone,\nwhere swallows go\nand the reeds are grown"),
    ("写一首诗。", "春风拂过山岗，\n花儿轻轻开放\n溪水流向远方，\n鸟儿放声歌唱"),
    ("Write a tweet.", "We open our new shop today. Come and see us! 🎉 #opening #shop"),
    ("Sort a list in Python.", "```python\nnumbers = [3, 1, 2]\nprint(sorted(numbers)\n```"),
    ("Write a loop.", "for i in range(3):\n    print(i)"),
    ("Make a table.", "| a | b |\n|---|---|\n| 1 | 2 |"),
    ("Greet me.", "Hello there, nice to meet you! :)"),
    ("Which interval?", "All x in [0, 1) are in the set (see above)."),
    ("Write a letter.", "Dear Anna,\n\nThank you for the book. I liked it a lot.\n\nBest wishes,\nTom"),
    ("How tall is he?", "He is 5'10\" tall and still growing, as far as we know."),
    ("Who are you?", "I am a gardener. I grow roses in the valley."),
    ("Quote someone.", '"Nothing is lost. All is changed" - an old saying'),
    ("Repeat the word go six times.", "go go go go go go"),
    ("อธิบายเรื่องแมว", "แมวเป็นสัตว์เลี้ยงที่คนทั่วโลกนิยมเลี้ยงไว้ในบ้าน"),
    ("बिल्ली क्या है?", "बिल्ली एक पालतू जानवर है। वह घर में रहती है।"),
    ("¿Qué es un gato?", "Un gato es un animal doméstico. Vive en casa (a veces fuera). ¿Te gusta?"),
]


@pytest.mark.parametrize(("prompt", "answer"), GOOD)
def test_whole_answers_keep_their_score(prompt: str, answer: str) -> None:
    assert whole(prompt, answer) == 1.0 or (
        set(doubts(prompt, answer)) == {"no mark at the end"} and whole(prompt, answer) >= 0.8
    )


GRAVE = [
    ("cut off", "Describe a morning.", EN.rsplit(" ", 3)[0]),
    ("cut off", "描述早晨。", ZH[:-5]),
    ("cut off", "Describe Paris.", "Paris is the capital of France and is known for its"),
    ("cut off", "介绍北京。", "北京是中国的首都，拥有悠久的历史和丰富的文化，例如"),
    ("cut off", "Give tips.", "1. Sleep well every night.\n2. Drink a lot of water.\n3. Walk for half an"),
    ("cut off", "给出建议。", "1. 每天早睡早起。\n2. 多喝水。\n3. 每天散步半个小"),
    ("cut off", "Explain rain.", "Warm air carries water. It cools as it rises, and clouds form,"),
    ("refusal", "Explain rain.", "I'm sorry, but I cannot assist with that request."),
    ("refusal", "Explain rain.", "As an AI language model, I cannot provide opinions on the weather."),
    ("refusal", "Explain rain.", "I’m sorry, but I can’t help with that."),
    ("refusal", "解释雨。", "很抱歉，我无法提供这方面的信息。"),
    ("refusal", "解释雨。", "对不起，作为一个人工智能语言模型，我不能回答这个问题。"),
    ("boilerplate", "How do you feel?", "As an AI language model, I do not have feelings or emotions."),
    ("boilerplate", "你喜欢什么？", "作为一个人工智能语言模型，我没有个人喜好。"),
    ("placeholder answer", "Summarise it.", "<noinput>"),
    ("placeholder answer", "Summarise it.", "No input provided."),
    ("placeholder answer", "总结一下。", "无输入"),
    ("placeholder answer", "总结一下。", "……"),
    ("no input", "Summarise the text.", "Please provide the text that should be summarised."),
    ("no input", "总结文章。", "请提供需要总结的文章内容。"),
    ("open code fence", "Sort a list.", "Here is how:\n```python\nprint(sorted(numbers))"),
    ("repetition", "Explain rain.", "Rain falls from the clouds in the sky. " * 9),
    ("repetition", "解释雨。", "雨水从天上的云层里落下来。" * 9),
    ("repetition", "Explain rain.", "It is very very very very very very wet."),
    ("repetition", "Explain rain.", "wet" + "h" * 60),
    ("repetition", "列出城市。", "北京是一座城市\n上海是一座城市\n" + "广州是一座很大的城市\n" * 12),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "prompt", "answer"), GRAVE)
def test_one_grave_defect_is_enough(reason: str, prompt: str, answer: str) -> None:
    found = doubts(prompt, answer)
    assert reason in found
    assert found[reason].detail
    assert whole(prompt, answer) < THRESHOLD


MILD = [
    ("unbalanced brackets", "Describe it.", "The tower (built in 1889 is in Paris."),
    ("unbalanced brackets", "描述一下。", "这座塔（建于1889年在巴黎。"),
    ("unbalanced brackets", "描述一下。", "他读过《西游记和许多别的书。"),
    ("unbalanced quotation marks", "Describe it.", 'She said "good morning and left the house.'),
    ("unbalanced quotation marks", "描述一下。", "她说“早上好，然后离开了家。"),
    ("fewer items than promised", "Give me five tips for sleep.", "1. Dark rooms.\n2. No tea.\n3. Air.\n4. Rest."),
    ("fewer items than promised", "给出五条建议。", "1. 早睡。\n2. 多喝水。\n3. 运动。\n4. 读书。"),
    ("no mark at the end", "Describe it.", "The old tower stands by the river near the market square"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "prompt", "answer"), MILD)
def test_a_mild_doubt_is_told_and_is_not_enough(reason: str, prompt: str, answer: str) -> None:
    assert set(doubts(prompt, answer)) == {reason}
    assert THRESHOLD <= whole(prompt, answer) < 1


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("List five animals.", "Dogs, cats and birds."),
        ("Name five animals.", "- dog\n- cat"),
        ("Tell me about lamps.", "Here are five kinds of lamps:\n1. Floor lamps\n2. Desk lamps"),
        ("列出五种动物。", "狗、猫和鸟。"),
        ("请列举十个城市。", "北京、上海、广州"),
        ("介绍灯具。", "以下是五种灯具：\n1. 落地灯\n2. 台灯"),
    ],
)
def test_promised_items_are_counted_in_all_forms(prompt: str, answer: str) -> None:
    assert "fewer items than promised" in doubts(prompt, answer)


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("List five animals.", "Dogs, cats, birds, fish and frogs."),
        ("List up to five animals.", "Dogs, cats."),
        ("Write a five-letter word.", "Crane"),
        ("Write 5 sentences about cats.", "Cats sleep."),  # measures are no lists
        ("Given two numbers, add them.\n3 4", "7"),
        ("Name five cities and two rivers.", "Rome, Oslo, Bonn, Lyon, Graz; Po"),
        ("列出五种动物。", "狗、猫、鸟、鱼和青蛙。"),
        ("最多列出五种动物。", "狗、猫。"),
        ("给出两个单词，生成一个合成词。\n火 车", "火车"),
        ("写一首五言诗。", "床前明月光"),
    ],
)
def test_only_what_is_surely_missing_is_missed(prompt: str, answer: str) -> None:
    assert "fewer items than promised" not in doubts(prompt, answer)


def test_more_missing_items_cost_more() -> None:
    items = [f"{number}. thing {number}" for number in range(1, 11)]
    scores = [whole("List ten things.", "\n".join(items[:given])) for given in (10, 8, 5, 2)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 4
    assert scores[0] == 1
    assert scores[-1] < THRESHOLD


def test_what_the_prompt_says_itself_is_no_boilerplate() -> None:
    said = "As an AI language model, I learn from text."
    assert "boilerplate" not in doubts(f"Correct the sentence: {said}", said)
    assert "boilerplate" in doubts("Correct the sentence.", said)


def test_boilerplate_in_an_answer_that_goes_on_is_a_mild_doubt() -> None:
    answer = (
        "As an AI language model, I have no favourite, but many people like these. The first tells of a sailor who "
        "lost his ship near the ice and walked home over the frozen sea. Another is about two sisters, a garden and a "
        "letter that came forty years late. A third, shorter one explains how clocks were made in mountain villages, "
        "and why every one of them was given a name by the smith."
    )
    assert set(doubts("Which books are good?", answer)) == {"boilerplate"}
    assert whole("Which books are good?", answer) >= THRESHOLD


def test_hostile_answers_take_no_time() -> None:
    hostile = [
        "(" * 200_000,
        "a" * 500_000,
        "1) " * 100_000,
        "``` " * 50_000,
        ", " * 200_000,
        "为" * 300_000,
        "# " * 200_000,
        "\n" * 100_000 + "x",
        " \n" * 50_000 + "“x",
        "." * 100_000 + "x",
    ]
    start = time.process_time()
    for answer in hostile:
        completeness("List five things.", answer, language="en")
    assert time.process_time() - start < 10


def test_items_of_json_are_not_counted_by_lines_and_commas() -> None:
    asked = "List five rivers in Europe."
    assert "fewer items than promised" in doubts(asked, "Rhine, Danube")
    for call in (
        '{"name": "rivers", "arguments": {"of": "Europe", "count": 5}}',
        '[{"count": 5}]',
        '["Rhine", "Elbe"]',
    ):
        assert doubts(asked, call) == {}


def test_doubts_multiply() -> None:
    assert score([]) == 1
    assert score([Doubt("a", "", 0.5), Doubt("b", "", 0.2)]) == pytest.approx(0.4)
    assert excerpt("a\n b") == "a b"
    assert excerpt("a" * 100, characters=10) == "a" * 10 + "…"
