"""Labels by rules: the verb and the thing to be made decide, own columns win, and what is not known is not guessed."""

import time
from pathlib import Path

import pytest

from tutelage.curate import taxonomy
from tutelage.curate.sample import Sample
from tutelage.curate.taxonomy import AXES, UNKNOWN, Labels, label, names
from tutelage.text import language


def labels(prompt: str, answer: str = "", *, code: str | None = None) -> Labels:
    return label(Sample((prompt,), (answer,), code or language(prompt)))


TASKS = [
    ("generation/answer", "What is a black hole?", "什么是黑洞？"),
    ("generation/answer", "Explain why the sky is blue.", "请解释天空为什么是蓝色的。"),
    ("generation/article", "Write an essay about the harm of plastic.", "写一篇关于塑料危害的文章。"),
    ("generation/email", "Please write a letter to my landlord about the heating.", "请给房东写一封关于暖气的信。"),
    ("generation/list", "Create a list of fruits that are rich in iron.", "列出三种富含铁的水果。"),
    ("generation/question", "Generate a quiz about the solar system.", "生成五道关于太阳系的选择题。"),
    (
        "generation/rewriting",
        "Rewrite the sentence in the passive voice.\nShe ate it.",
        "把这句话改写成被动语态。\n她吃了苹果。",
    ),
    (
        "generation/translation",
        "Translate this story into French.\nA dog barked.",
        "将下面的故事翻译成法语。\n一只狗在叫。",
    ),
    (
        "extraction/keywords",
        "Extract the names of the places.\nAnna flew from Rome to Oslo, and then on to Lima by night.",
        "提取文中的地名。\n安娜从罗马飞到奥斯陆，然后连夜去了利马。",
    ),
    (
        "analysis/summary",
        "Summarize the story below in one sentence.\nOnce a fox met a crow.",
        "用一句话总结下面的故事。\n狐狸遇见了乌鸦。",
    ),
    (
        "analysis/classification",
        "Classify these animals as wild or tame: cow, wolf.",
        "将这些动物分类为野生或家养：牛，狼。",
    ),
    ("analysis/comparison", "What is the difference between a frog and a toad?", "青蛙和蟾蜍有什么区别？"),
    (
        "analysis/sentiment",
        "Is the sentiment of this review good or bad?\nDull film.",
        "这条评论的情感倾向是什么？\n电影很无聊。",
    ),
    ("reasoning/maths", "Calculate the area of a circle with radius 3.", "计算半径为3的圆的面积。"),
    (
        "reasoning/maths",
        "Mia has 12 apples and gives away 5 of them. How many are left?",
        "小美有12个苹果，送给别人5个，还剩几个？",
    ),
    ("reasoning/logic", "Solve the riddle: what has keys but no locks?", "根据线索推理谁说谎。"),
    ("code/write", "Write a Python function that reverses a string.", "用Python编写一个反转字符串的函数。"),
    ("code/fix", "Debug this code.\n```\nprint(x\n```", "调试这段代码。\n```\nprint(x\n```"),
    ("code/explain", "Explain what this code does.\n```\nx = 1\n```", "解释这段代码。\n```\nx = 1\n```"),
    ("creative/story", "Write a short story about a summary that got lost.", "写一个关于诗人的故事。"),
    ("creative/poem", "Compose a poem about the autumn.", "写一首关于秋天的诗。"),
    ("creative/title", "Come up with a slogan for a bakery.", "为一家面包店想一个口号。"),
    ("creative/role play", "Act as a pirate and tell me of your ship.", "扮演一名海盗，说说你的船。"),
]


@pytest.mark.parametrize(("expected", "english", "chinese"), TASKS)
def test_the_same_task_has_the_same_type_in_both_languages(expected: str, english: str, chinese: str) -> None:
    for prompt in (english, chinese):
        found = labels(prompt)
        assert f"{found.type}/{found.subtype}" == expected, prompt


@pytest.mark.parametrize(
    ("expected", "english", "chinese"),
    [
        ("technology", "How does a neural network learn?", "神经网络如何学习？"),
        ("business", "Name two ways to raise the revenue of a company.", "说出两种提高公司收入的方式。"),
        ("education", "How can a teacher help a shy student?", "老师怎样帮助害羞的学生？"),
        ("life", "Suggest a healthy breakfast for a child.", "推荐一份健康的儿童早餐。"),
        ("culture", "Who painted the most famous portrait of the century?", "谁画了这个世纪最著名的肖像？"),
    ],
)
def test_the_words_of_a_topic_tell_its_domain(expected: str, english: str, chinese: str) -> None:
    assert labels(english).domain == labels(chinese).domain == expected


@pytest.mark.parametrize(
    ("expected", "english", "chinese"),
    [
        ("formal", "Explain osmosis in a formal, academic tone.", "请用正式的书面语解释渗透。"),
        ("informal", "Explain osmosis in a casual tone, with slang.", "请用轻松的口语解释渗透。"),
        ("professional", "Write a professional reply to a client.", "给客户写一份专业的答复。"),
        ("creative", "Write a poem about rain.", "写一首关于雨的诗。"),
    ],
)
def test_style_follows_what_is_asked_for(expected: str, english: str, chinese: str) -> None:
    assert labels(english).style == labels(chinese).style == expected


def test_what_is_given_is_not_what_is_asked() -> None:
    assert labels("Given a poem, count its words.\nRoses are red.").type == "reasoning"
    assert labels("Using the data below, create a table.\n1, 2").type == "generation"
    assert labels("You are given a story, summarize it.\nOnce upon a time ...").subtype == "summary"
    assert labels("What is the story of the poem about?").type == "generation"


def test_difficulty_grows_with_length_constraints_and_depth() -> None:
    order = ["simple", "medium", "hard"]
    for ask, more, word in (
        (
            "Name a colour.",
            " It must have at least two letters, without vowels; prove it in detail, step by step.",
            "word ",
        ),
        ("说一种颜色。", "它必须至少有两个字，不要重复；请详细论证，逐步推导，分析并证明。", "字"),
    ):
        found = [
            labels(ask, "blue").difficulty,
            labels(ask + more, word * 60, code=language(ask)).difficulty,
            labels(ask + more * 4, word * 900, code=language(ask)).difficulty,
        ]
        assert found[0] == "simple"
        assert found[2] == "hard"
        assert found == sorted(found, key=order.index)


def test_own_columns_win_under_their_usual_names() -> None:
    sample = Sample(("Write a poem about the sea.",), ("Waves",), "en")
    ruled = label(sample)
    assert (ruled.type, ruled.subtype) == ("creative", "poem")
    own = label(
        sample, {"task_type": "Summarization", "difficulty": "Easy", "domain": "金融", "style": " ", "text": "x"}
    )
    assert (own.type, own.subtype, own.difficulty, own.domain) == ("analysis", "summary", "simple", "business")
    assert own.style == ruled.style
    assert label(sample, {"type": "code"}).subtype == UNKNOWN
    assert label(sample, {"domain": "Marine biology"}).domain == "marine biology"
    assert label(sample, {"domain": None, "difficulty": 3}) == ruled


def test_what_is_not_known_is_not_guessed() -> None:
    assert labels("Xyzzy plugh.").type == UNKNOWN
    assert labels("Xyzzy plugh.").domain == UNKNOWN
    assert label(Sample((), ("A text without a prompt.",), "en")) == Labels()
    assert labels("") == Labels(difficulty="simple")


def test_languages_without_a_lexicon_get_what_their_form_tells() -> None:
    french = labels(
        "Écrivez une histoire courte au sujet d'un renard qui aimait la mer.", "Il était une fois", code="fr"
    )
    assert (french.type, french.domain, french.style) == (UNKNOWN, UNKNOWN, UNKNOWN)
    assert french.difficulty == "simple"
    assert labels("Écrivez une fonction.", "```python\ndef f(x):\n    return x\n```", code="fr").type == "code"
    own = label(Sample(("Écrivez une histoire.",), ("Oui",), "fr"), {"type": "creative/story"})
    assert (own.type, own.subtype) == ("creative", "story")


def test_a_conversation_that_asks_nothing_clear_is_one() -> None:
    talk = Sample(("Hello there!", "I feel great today."), ("Hi!", "Glad to hear it."), "en")
    assert label(talk).type in ("generation", UNKNOWN)
    assert label(Sample(("Write a poem.", "Thanks!"), ("Roses", "Welcome"), "en")).type == "creative"


def test_every_label_that_rules_give_is_in_the_taxonomy() -> None:
    known = {axis: {*names(axis), UNKNOWN} for axis in AXES}
    for _, english, chinese in TASKS:
        for prompt in (english, chinese):
            found = labels(prompt)
            assert all(getattr(found, axis) in known[axis] for axis in AXES)


def test_every_phrase_of_the_lexicons_names_a_label_of_the_taxonomy() -> None:
    read = taxonomy._taxonomy()
    allowed = {*read["types"]} | {f"{kind}/{sub}" for kind, subs in read["types"].items() for sub in subs}
    allowed |= {*read["domains"], *read["styles"], ""}
    for code in ("en", "zh"):
        phrases = taxonomy._lexicon(code).phrases
        assert len(phrases) > 1500
        used = {name for marks in phrases.values() for found in marks.values() for name, _ in found}
        assert used <= allowed
        assert all(phrases)
    assert taxonomy._lexicon("fr").phrases == {}
    assert {*read["domain_by_type"], *read["style_by_type"]} <= allowed


@pytest.mark.shared
def test_labels_are_quick_enough_to_stream_a_set(shared: Path) -> None:
    rows = (
        (shared / "datasets" / "alpaca" / "alpaca_data.json").read_text(encoding="utf-8")[:200_000].split('"output": ')
    )
    labels("Warm the lexicon.")
    start = time.process_time()
    for row in rows:
        labels(row[:600], row[600:1200], code="en")
    assert (time.process_time() - start) / len(rows) < 2e-3


def test_hostile_prompts_take_no_time() -> None:
    start = time.process_time()
    for text in ("“" * 100_000, "'" * 100_000, "<a " * 30_000, "\n" * 100_000):
        label(Sample((text,), ("Yes, of course.",), "en"))
    assert time.process_time() - start < 5
