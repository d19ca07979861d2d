"""Which prompts are asked twice, at each stage, and what is left alone; order, chunks and scores."""

import random
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.curate import duplicates as module
from tutelage.curate.duplicates import Clusters, clustered, clusters
from tutelage.curate.shingles import join, signatures

TALE = (
    "Once upon a time an old miller lived beside a quiet river with three daughters who never agreed about anything. "
    "The eldest wanted to sell the mill, the second wanted to rebuild it, and the youngest wanted only to listen to "
    "water turning the wheel every morning before the sun came up over the hills and woke the sleepy village below."
)
BERICHT = (
    "从前有一位老磨坊主住在安静的河边，他的女儿们总是争论不休。大女儿想卖掉磨坊，二女儿想重新修建，"
    "小女儿只想每天清晨在太阳升起之前听水流转动轮子的声音。"
)


def find(texts: Sequence[str], scores: Sequence[float] | None = None) -> Clusters:
    return clusters(texts, np.array(scores or [0.0] * len(texts), dtype=np.float32))


def stages(*texts: str) -> list[str]:
    return [one.stage for one in find(texts).duplicates]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("What is the capital?", "what is  the CAPITAL"),
        ("ＷＨＡＴ is the capital?", "What is the capital?"),
        ("天空为什么是蓝的？", "天空为什么是蓝的?"),
    ],
)
def test_equal_in_normal_form_is_exact(first: str, second: str) -> None:
    (one,) = find([first, second]).duplicates
    assert (one.row, one.kept, one.stage, one.similarity) == (1, 0, "exact", 1.0)


@given(st.lists(st.text(alphabet="aA1?。好 ", max_size=4), min_size=2, max_size=12))
def test_distinct_prompts_under_five_characters_are_never_merged(texts: list[str]) -> None:
    found = find(texts)
    assert len(texts) - len(found.duplicates) == len(set(texts))


def test_a_short_prompt_and_its_long_spelling_stay_apart() -> None:
    assert stages("hi!", "hi!!!!!!") == []


SLIPS = [
    ("Write a poem about a cat in the garden", "Write a poem about a cat in the gardan"),
    ("Write a poem about a cat in the garden", "write a peom about a cat in the garden!"),
    ("How do plants make their food?", "How do plants maake their food?"),
    ("What is the capital of France?", "What is teh capital of France?"),
    ("List three large cities in Europe", "Please list three large cities in Europe"),
    ("List three large cities in Europe", "List three large cities,in Europe"),
    ("介绍一下北京的历史和文化", "介绍一下北京的历吏和文化"),
    ("介绍一下北京的历史和文化", "介绍一下北京的历和文化"),
    ("介绍一下北京的历史和文化", "介绍一下北京的的历史和文化"),
    ("介绍一下北京的历史和文化", "介绍一下北京的史历和文化"),
    ("介绍一下北京的历史和文化", "麻烦介绍一下北京的历史和文化"),
    ("如何学习编程，从哪里开始", "如何学习编程 从哪里开始？"),
    (f"Retell: {TALE}", f"Retell:  {TALE.replace('daughters', 'daugters')}"),
]


@pytest.mark.parametrize(("first", "second"), SLIPS)
def test_a_slip_does_not_make_another_question(first: str, second: str) -> None:
    found = find([first, second])
    assert [one.row for one in found.duplicates] == [1]
    assert found.duplicates[0].similarity >= 0.8


OTHER_QUESTIONS = [
    ("What is 12 + 7?", "What is 12 + 9?"),
    ("What is 12 + 7?", "What is 12 - 7?"),
    ("What happened in the year 1914?", "What happened in the year 1941?"),
    ("Translate 'cat'", "Translate 'car'"),
    ("Is it safe to eat raw eggs?", "Is it not safe to eat raw eggs?"),
    ("Who was Mary Lee of the opera?", "Who was Gary Lee of the opera?"),
    ("Explain the C language to me", "Explain the C++ language to me"),
    ("Explain the causes of World War I", "Explain the causes of World War II"),
    ("Convert 5 km to miles please", "Convert 5 kg to miles please"),
    ("How do I increase my weight safely?", "How do I decrease my weight safely?"),
    ("List three large cities in Europe", "List three large hot cities in Europe"),
    ("请介绍一下2021年的情况", "请介绍一下2022年的情况"),
    ("介绍一下北京的历史和文化", "介绍一下南京的历史和文化"),
    ("哪些动物会飞到南方过冬", "哪些动物不会飞到南方过冬"),
    ("把下面的句子翻译成英文", "把下面的句子翻译成法文"),
    ("小明有三个苹果，吃掉一个还剩几个", "小明有五个苹果，吃掉一个还剩几个"),
    ("今天的天气怎么样适合跑步吗", "明天的天气怎么样适合跑步吗"),
    (TALE + " How old are 3 of them?", TALE + " How old are 4 of them?"),
    (TALE, TALE.replace("the youngest wanted", "the youngest never wanted")),
    (f"Summarise the tale.\n{TALE}", f"List all the people who are named.\n{TALE}"),
    (f"{TALE} Who wants to sell the mill?", f"{TALE} When does the sun come up?"),
]


@pytest.mark.parametrize(("first", "second"), OTHER_QUESTIONS)
def test_another_question_is_left_alone_however_alike(first: str, second: str) -> None:
    assert stages(first, second) == []
    assert stages(first, first) == ["exact"]


def test_under_ten_characters_an_edit_makes_another_text() -> None:
    assert stages("colours", "colors") == []
    assert stages("什么是光合作用", "什么是光和作用") == []


def test_long_texts_are_the_same_by_their_shingles() -> None:
    assert stages(TALE, TALE + " All was well.") == ["near"]
    assert stages(BERICHT, "据说" + BERICHT.replace("安静", "宁静")) == ["near"]
    assert stages(TALE, " ".join(reversed(TALE.split()))) == []


def test_a_pair_across_fifty_words_is_found() -> None:
    text = " ".join(TALE.split()[:49])
    for more in ("", " really", " really just"):
        assert stages(text, f"please {text}{more}") == ["short"]


def test_what_a_set_uses_often_is_no_slip() -> None:
    """Words that the lexicon does not know, but the texts do."""
    about = [
        "Tell me about {} from the north",
        "Where can I buy {} in winter?",
        "Draw {} with a pencil",
        "Is {} healthy?",
    ]
    used = [line.format(name) for line in about for name in ("quorbell", "quorbelt")]
    assert stages(*used) == []
    assert stages(*used[:2]) == ["short"]


def test_the_best_scored_member_stays_and_among_equals_the_first() -> None:
    texts = ["Name a bird of prey", "name a bird of prey!", "Name a brid of prey", "Name a bird of prey."]
    assert {one.kept for one in find(texts, [0.1, 0.2, 0.9, 0.2]).duplicates} == {2}
    assert [(one.row, one.kept) for one in find(texts).duplicates] == [(1, 0), (2, 0), (3, 0)]
    found = find(texts, [0.1, 0.9, 0.2, 0.9])
    assert found.members() == {1: found.duplicates}
    assert found.counts() == {"exact": 2, "short": 1}


def test_a_chain_does_not_take_along_what_is_unlike_the_row_that_stays() -> None:
    words = TALE.split()
    chain = [" ".join(["blue"] * 2 * step + words[2 * step :]) for step in range(8)]
    found = find(chain)
    assert found.duplicates
    assert len(found.duplicates) < len(chain) - 1
    for one in found.duplicates:
        assert stages(chain[one.kept], chain[one.row]) == [one.stage]


def test_many_copies_become_one_cluster() -> None:
    places = range(4, 40)
    text = "Describe how glaciers shaped the valleys of the mountains"
    copies = [text, *(f"{text[:place]} ,{text[place:]}" for place in places if text[place - 1] == " ")]
    copies += [text[:place] + "q" + text[place:] for place in places if text[place - 1 : place + 1].isalpha()]
    found = find(copies)
    assert len(copies) > 20
    assert {one.kept for one in found.duplicates} == {0}
    assert len(found.duplicates) == len(copies) - 1


def test_nothing_and_next_to_nothing() -> None:
    assert find([]).duplicates == ()
    assert find([""]).duplicates == ()
    assert stages("", "", " ", "?!", "🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂", "\ud800 is half a pair of surrogates") == ["exact"]


TOPICS = ["glaciers", "violins", "harbours", "parliaments", "volcanoes", "orchids", "telescopes", "cathedrals"]
ASKED = [
    "Describe the history of {}",
    "Explain to a child how {} work",
    "请写一篇关于{}的短文并给出例子",
    "Why do people love {} so much?",
]


def _mutated(seed: int) -> tuple[list[str], list[int]]:
    """Questions, each with a misspelt copy, shuffled; and which question each row is."""
    generator = random.Random(seed)
    rows = [(number, text) for number, text in enumerate(form.format(topic) for form in ASKED for topic in TOPICS)]
    for number, text in list(rows):
        place = generator.randrange(1, len(text))
        copies = (text[:place] + text[place + 1 :], text[:place] + text[place - 1] + text[place:], f"please {text}")
        rows.append((number, generator.choice(copies)))
    generator.shuffle(rows)
    return [text for _, text in rows], [number for number, _ in rows]


def test_misspelt_copies_are_found_and_nothing_else() -> None:
    texts, asked = _mutated(1)
    found = find(texts)
    assert all(asked[one.row] == asked[one.kept] for one in found.duplicates)
    assert len(found.duplicates) >= 0.9 * len(texts) / 2


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, _ = _mutated(2)
    whole = find(texts)
    assert whole.duplicates
    monkeypatch.setattr(module, "CHUNK", 7)
    assert find(texts) == whole
    parts = [signatures(texts[:1]), signatures(texts[1:40]), signatures([]), signatures(texts[40:])]
    assert clustered(join(parts), texts, scores=np.zeros(len(texts), dtype=np.float32)) == whole


def test_the_order_of_rows_decides_ties_only() -> None:
    texts, _ = _mutated(3)
    scores = [float(number) for number in range(len(texts))]
    order = random.Random(4).sample(range(len(texts)), len(texts))
    first = {(texts[one.row], texts[one.kept]) for one in find(texts, scores).duplicates}
    moved = [texts[row] for row in order]
    other = {(moved[one.row], moved[one.kept]) for one in find(moved, [scores[row] for row in order]).duplicates}
    assert first == other
    assert first


def test_prompts_in_different_settings_are_not_the_same() -> None:
    texts = [
        "What is the capital of Peru?",
        "what is the capital of Peru",
        "What is the captial of Peru?",
        TALE,
        TALE + "!",
    ]
    scores = np.zeros(5, dtype=np.float32)
    known = join([signatures(texts)])

    def going(*settings: int) -> list[int]:
        found = clustered(known, texts, scores=scores, settings=np.array(settings, dtype=np.uint64))
        return [one.row for one in found.duplicates]

    assert going(0, 0, 0, 0, 0) == going(5, 5, 5, 6, 6) == [1, 2, 4]
    assert going(0, 1, 2, 3, 4) == []
    assert going(7, 8, 7, 9, 9) == [2, 4]


def test_very_long_prompts_take_no_time() -> None:
    generator = random.Random(3)
    word = "".join(generator.choices("abcdef", k=200_000))
    numbers = ",".join(map(str, generator.choices(range(10_000), k=40_000)))
    start = time.process_time()
    assert stages(word, word[:-1] + "z") == []  # too long to be told by edits
    assert stages(f"Add up:\n{numbers}", f"Add these up:\n{numbers}") in ([], ["near"])
    assert stages(f"{numbers}\nAdd up the above!", f"{numbers}\nAdd up the above.") == ["exact"]
    assert time.process_time() - start < 10
