"""Answers that fit their prompt against answers of other rows."""

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage import data
from tutelage.curate.form import form
from tutelage.curate.grams import grams
from tutelage.curate.relevance import Relevance
from tutelage.curate.sample import Sample, sample
from tutelage.recipe import Source
from tutelage.records import Conversation, Row

NOUNS = [
    "river",
    "castle",
    "garden",
    "violin",
    "engine",
    "planet",
    "harbour",
    "forest",
    "mirror",
    "candle",
    "bridge",
    "market",
    "temple",
    "desert",
    "island",
]
TRAITS = [
    "ancient",
    "silver",
    "broken",
    "gentle",
    "distant",
    "hollow",
    "golden",
    "frozen",
    "narrow",
    "bright",
    "quiet",
    "heavy",
    "wooden",
    "crowded",
]
NOUNS_ZH = [
    "河流",
    "城堡",
    "花园",
    "提琴",
    "引擎",
    "行星",
    "港口",
    "森林",
    "镜子",
    "蜡烛",
    "桥梁",
    "市场",
    "寺庙",
    "沙漠",
    "岛屿",
]
TRAITS_ZH = [
    "古老",
    "银色",
    "破碎",
    "温柔",
    "遥远",
    "空心",
    "金色",
    "冰冻",
    "狭窄",
    "明亮",
    "安静",
    "沉重",
    "木制",
    "拥挤",
]


def rows() -> list[Sample]:
    """Rows in two languages, each about a thing of its own."""
    made = []
    for noun, trait in itertools.product(NOUNS, TRAITS):
        answer = f"People remember the {trait} {noun} well. Nobody who came to the {noun} forgot how {trait} it looked."
        made.append(Sample((f"Tell me something about the {trait} {noun}.",), (answer,), "en"))
    for noun, trait in itertools.product(NOUNS_ZH, TRAITS_ZH):
        answer = f"人们都记得那{trait}的{noun}。来过{noun}的人，没有谁忘记它有多么{trait}。"
        made.append(Sample((f"请说一说{trait}的{noun}。",), (answer,), "zh"))
    return made


def shuffled(samples: list[Sample], by: int = 5) -> list[Sample]:
    """Prompts with the answers of other rows of their language."""
    made = []
    for language in dict.fromkeys(one.language for one in samples):
        part = [one for one in samples if one.language == language]
        made += [
            Sample(one.prompts, other.answers, language) for one, other in zip(part, part[by:] + part[:by], strict=True)
        ]
    return made


def auc(real: list[float | None], other: list[float | None]) -> float:
    """The chance that a real pair is scored over another one."""
    first, second = (np.array([one for one in scores if one is not None]) for scores in (real, other))
    return float(((first[:, None] > second) + 0.5 * (first[:, None] == second)).mean())


@pytest.fixture(scope="module")
def fitted() -> Relevance:
    return Relevance.fit(rows(), seed=3)


def test_a_score_is_the_share_of_shuffled_pairs_that_are_beaten(fitted: Relevance) -> None:
    real, other = fitted.scores(rows()), fitted.scores(shuffled(rows()))
    assert None not in real
    assert auc(real, other) > 0.95
    others = [score for by in range(1, 200, 9) for score in fitted.scores(shuffled(rows(), by=by))]
    below = [score < 0.7 for score in others if score is not None]
    assert np.mean(below) == pytest.approx(0.7, abs=0.1)
    assert {told.language for told in fitted.told if told.scored} == {"en", "zh"}


def test_chunks_and_pickles_give_the_same_scores(fitted: Relevance) -> None:
    mixed = rows()[::2] + shuffled(rows())
    whole = fitted.scores(mixed)
    again: Relevance = pickle.loads(pickle.dumps(fitted))
    parts = [score for start in range(0, len(mixed), 7) for score in again.scores(mixed[start : start + 7])]
    assert parts == whole
    assert Relevance.fit(rows(), seed=3).scores(mixed) == whole
    assert len(set(whole)) > 10


def test_what_carries_no_evidence_gets_no_score(fitted: Relevance) -> None:
    silent = [
        Sample((), ("Plain text about a river.",), "en"),
        Sample(("Yes or no?",), ("No",), "en"),
        Sample(("Qu'est-ce que c'est que cela ?",), ("C'est un château ancien au bord de la mer.",), "fr"),
        Sample(("",), ("",), "und"),
    ]
    assert fitted.scores(silent) == [None] * 4
    assert fitted.scores([]) == []


def test_sets_that_tell_nothing_are_not_scored() -> None:
    few = Relevance.fit(rows()[:20])
    assert few.scores(rows()[:20]) == [None] * 20
    assert [(told.auc, told.scored) for told in few.told] == [(None, False)]
    blind = shuffled(rows(), by=29)  # no answer belongs to its prompt
    assert set(Relevance.fit(blind).scores(blind)) == {None}
    assert Relevance.fit([]).told == ()


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), min_size=1, max_size=6))
def test_the_grams_of_a_row_do_not_depend_on_its_neighbours(pairs: list[tuple[str, str]]) -> None:
    found = grams([prompt for prompt, _ in pairs], [answer for _, answer in pairs])
    for row, (prompt, answer) in enumerate(pairs):
        alone, mine = grams([prompt], [answer]), found.rows == row
        assert found.buckets[mine].tolist() == alone.buckets.tolist()
        assert found.counts[mine].tolist() == alone.counts.tolist()
        assert found.prompt[mine].tolist() == alone.prompt.tolist()
    assert (found.buckets[found.shared] == found.buckets[found.shared + 1]).all()


def test_capitals_width_and_marks_do_not_matter_to_grams() -> None:
    plain, other = grams(["the river"], ["河流 abc"]), grams(["THE -- River!"], ["，河流　ＡＢＣ"])
    assert len(plain.buckets) > 10
    assert plain.buckets.tolist() == other.buckets.tolist()
    assert grams(["abc"], [""]).counts.sum() == 4 + 3 + 2  # of _abc_: pairs, threes and fours


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("def add(a, b):\n    return a + b", "code"),
        ("```js\nlet a = 1\n```", "code"),
        ("SELECT name FROM users WHERE age > 3;", "code"),
        ("3 + 4 = 7, and 7 * 2 = 14, so the answer is 14.", "maths"),
        ("小明有 3 + 4 = 7 个苹果，7 * 2 = 14。", "maths"),
        ("Positive", "short"),
        ("积极", "short"),
        ("The river runs from the mountains down to the sea; boats go along.", "text"),
        ("这条河从山上流到大海，沿途有许多船只来往。", "text"),
    ],
)
def test_forms(answer: str, expected: str) -> None:
    assert form(answer) == expected


def test_a_class_whose_shuffled_pairs_tell_nothing_is_not_scored() -> None:
    """Most rows are single words; the few phrases are never shuffled with each other."""
    rows = [Sample((f"{number % 1000:03}",), (f"{number % 1000:03}",), "en") for number in range(4_000)]
    rows += [Sample((f"the word for harbour {number}",), (f"harbour number {number}",), "en") for number in range(45)]
    (told,) = Relevance.fit(rows).told
    assert (told.rows, told.scored, told.auc) == (4_045, False, None)


def _real(folder: Path, count: int) -> list[Sample]:
    found = [
        row for path in sorted(folder.glob("*.json"))[:2]
        for row in itertools.islice(data.read([Source(path=str(path))]), count) if isinstance(row, Row)
    ]  # fmt: skip
    convert = data.recognise(found[:500]).convert
    return [sample(one) for row in found if isinstance(one := convert(row), Conversation)]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["alpaca", "alpaca_zh_hikariming"])
def test_real_sets_are_told_from_shuffled_ones(shared: Path, name: str) -> None:
    samples = _real(shared / "datasets" / name, 3_000)
    fit = Relevance.fit(samples)
    real = fit.scores(samples)
    scored = [one for one in real if one is not None]
    assert len(scored) > 0.85 * len(samples)
    assert auc(real, fit.scores(shuffled(samples))) >= 0.95
    assert np.mean([one < 0.7 for one in scored]) < 0.1
