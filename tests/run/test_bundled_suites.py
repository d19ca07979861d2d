"""Laws of every suite that comes with the package."""

from collections import Counter

import pytest

from tutelage.evaluation.constraints.registry import KINDS
from tutelage.evaluation.scoring import METRICS
from tutelage.evaluation.suite import Item, Suite
from tutelage.run.suites import bundled, load_suite
from tutelage.text import language

SUITES = {name: load_suite(name) for name in bundled()}
FOLLOWING = [name for name in SUITES if name.startswith("following")]

# Answers that say much and keep to no form.
EN = """That is an interesting question, and there is much to say about it. Some people like it, others do not. I think
that it depends on where you live, what you do and whom you ask. In the end everybody has to decide alone, and nobody
can say what is right. You may want to read more about it. It is worth your time, as most things are."""
ZH = """这个问题很有意思，可以从很多方面来谈。有的人喜欢，有的人不喜欢，关键要看实际情况。
我觉得每个人都有自己的看法，不能一概而论。如果你想了解更多，可以看看相关的资料（比如 Wiki），大概花 2 个小时。
总的来说，这是值得花时间的,希望能够帮到你！你觉得怎么样？""".replace("\n", "")

# Beginning of the question -> an answer that keeps to it, and one that nearly does.
KEPT = {
    "following_en": {
        "Write one short sentence about a dog": ("A big dog is running in a park.", "The dog runs."),
        "Tell me what a library is good for": (
            "It lends books; take a book home.",
            "It lends books, any book, a book.",
        ),
        "What is a compass for?": ("It shows north. Dr. Lee carries one.", "It shows north. It is small. It helps."),
        "Compare tea and coffee": (
            "Tea is mild.\n***\nCoffee is strong.\n***\nI drink both.",
            "Tea.\n\nCoffee.\n\nBoth.",
        ),
        "Write about winter and summer": (
            "Winter is cold.\n\nSummer is hot.",
            "Winter is cold.\n\nIn summer it is hot.",
        ),
        "Describe an onion as a JSON": ('{"colour": "white", "taste": "sharp"}', '{"colour": "white"}'),
        "Name reasons to ride": ("<<Ride!>>\n* It is cheap\n* It is fast\n* It is fun", "<<Ride!>>\n* It is cheap"),
        "Is a whale a fish?": ("My answer is no.", "No, it is a mammal."),
        "Write a template of a short apology": (
            "Sorry, [name], I came at [time].\nP.S. The bus!",
            "Sorry, [name]. P.S. So",
        ),
        "What is a glacier?": ("a glacier is a river of ice that moves slowly.", "A glacier is a river of ice."),
        "Explain why seat belts": ("ALWAYS wear one. NEVER forget it.", "ALWAYS wear one."),
        "Invent a proverb": ('"Slow rain makes deep roots."', "Slow rain makes deep roots."),
        "What does a doctor do?": (
            "Un medico visita i pazienti, ascolta i loro problemi, fa una diagnosi, prescrive le medicine giuste e li "
            "aiuta a guarire in poco tempo.",
            "Un medico visita i pazienti.",
        ),
        "First repeat the request below word for word, then answer it; say nothing before the repetition. End": (
            "Name two animals that lay eggs.\n\nHens and frogs. Done.",
            "Hens and frogs. Done.",
        ),
        "Write the whole answer in capital": (
            "WHAT IS ICE MADE OF?\n\nICE IS MADE OF FROZEN WATER.",
            "WHAT IS ICE MADE OF?\n\nIce is water.",
        ),
        "Propose a breakfast.": ("Bread and cheese.\n******\nRice and fish.", "Bread and cheese.\n***\nRice and fish."),
    },
    "following_zh": {
        "写一首五言绝句": ("夜静秋风起，\n天高月色明。\n山中无客到，\n只有落泉声。", "夜静秋风起。\n天高月色明。"),
        "写一副七字对联": ("春风送暖千家乐\n瑞雪迎来万户欢", "上联：春风送暖千家乐\n下联：瑞雪迎来万户欢"),
        "讲一个小猴子": ("小猴子爱桃子，看见桃子就摘，摘了一筐桃子。", "小猴子摘了一筐桃子。"),
        "分两段谈谈": ("城市热闹。\n\n至于乡村，那里安静。", "城市热闹。\n\n乡村安静。"),
        "给邻居写一张": ("对不起，昨晚太吵了。\n又及：我带了水果来。", "对不起，昨晚太吵了。又及：我带了水果来。"),
        "列出煮面条的步骤": ("1. 烧水\n2. 下面\n3. 搅动\n4. 捞出\n5. 拌料", "先烧水，再下面，最后捞出来。"),
        "写一份养花指南": (
            "第一章 选花\n要耐活。\n第二章 浇水\n不要多。\n第三章 晒太阳\n要适量。",
            "第一章 选花\n第二章 浇水",
        ),
        "鲸鱼是鱼吗": ("不是。", "不是，它是哺乳动物。"),
        "把这个通知改写": ('{"时间": "周五下午三点", "地点": "操场"}', '{"时间": "周五下午三点"}'),
        "写一首关于雪的短诗": ("《雪》\n轻轻地来\n静静地落\n白了屋顶\n亮了山坡", "《雪》\n轻轻地来\n静静地落"),
        "写一段两个人在雨中": ("「下雨了。」「我们快跑吧。」", "“下雨了。”“我们快跑吧。”"),
        "列出三种球类": ("篮球、足球、排球", "篮球, 足球, 排球"),
        "写一条提醒": ("人走灯灭 节约用电", "请随手关灯。"),
        "把“书店开门了": ("書店開門了，歡迎光臨", "书店开门了，欢迎光临"),
        "只用汉字": ("先和面。再发酵。然后烤。最后吃。", "先和面。再用 oven 烤。"),
        "给图书馆写一条": ("本馆周一闭馆。看书请安静。谢谢合作。", "本馆周1闭馆。看书请安静。谢谢合作。"),
    },
}


def score(item: Item, answer: str) -> float:
    return METRICS[item.metric].score(item, answer)


def test_there_are_suites_in_both_languages() -> None:
    assert set(SUITES) >= {f"{kind}_{code}" for kind in ("world", "following", "tasks") for code in ("en", "zh")}


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_every_suite_is_large_balanced_and_asks_nothing_twice(suite: Suite) -> None:
    assert len(suite.items) >= 50
    assert suite.name in SUITES
    assert len({item.cluster for item in suite.items}) == len(suite.items)
    tasks = Counter(item.task for item in suite.items)
    assert "" not in tasks
    assert len(tasks) >= 7
    assert len(set(tasks.values())) == 1
    asked = " ".join(item.prompt for item in suite.items if item.task not in ("translation", "language"))
    assert language(asked) == suite.name[-2:]


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_references_score_one_and_an_empty_answer_nothing(suite: Suite) -> None:
    for item in suite.items:
        assert all(score(item, reference) == pytest.approx(1) for reference in item.references), item.place
        assert bool(item.references) != bool(item.constraints), item.place
        assert [score(item, empty) for empty in ("", " \n")] == [0, 0], item.place


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_no_single_letter_answers_most_choices(suite: Suite) -> None:
    letters = Counter(item.references[0] for item in suite.items if item.choices)
    assert all(count <= letters.total() / 2 for count in letters.values())


@pytest.mark.parametrize("name", FOLLOWING)
def test_every_kind_of_constraint_of_the_language_is_used(name: str) -> None:
    used = {constraint.id for item in SUITES[name].items for constraint in item.constraints}
    assert used == {kind for kind in KINDS if kind.startswith("zh:") == name.endswith("zh")}
    assert all(1 <= len(item.constraints) <= 3 for item in SUITES[name].items)


@pytest.mark.parametrize("name", FOLLOWING)
def test_an_answer_that_ignores_the_format_fails(name: str) -> None:
    ignoring = {"following_en": EN, "following_zh": ZH}[name]
    assert [item.place for item in SUITES[name].items if score(item, ignoring) > 0] == []


@pytest.mark.parametrize("name", FOLLOWING)
def test_good_answers_pass_and_answers_that_miss_a_demand_fail(name: str) -> None:
    for beginning, (good, bad) in KEPT[name].items():
        (item,) = (one for one in SUITES[name].items if one.prompt.startswith(beginning))
        assert (score(item, good), score(item, bad)) == (1, 0), beginning


@pytest.mark.parametrize("name", FOLLOWING)
def test_what_is_looked_for_stands_in_the_question(name: str) -> None:
    """Keywords, phrases and keys that are checked are also told."""
    for item in SUITES[name].items:
        for constraint in item.constraints:
            for key, value in constraint.arguments.items():
                wanted = value if isinstance(value, list) else [value] if isinstance(value, str) else []
                if key in (
                    "keywords",
                    "keyword",
                    "phrase",
                    "forbidden_words",
                    "keys",
                    "choices",
                    "marker",
                    "end_phrase",
                ):
                    missing = [one for one in wanted if one.strip('"') not in item.prompt and len(one) > 1]
                    assert missing == [], item.place
