"""Metrics by name: a right answer 1, no answer 0, and in between what the name says."""

import pytest
from sacrebleu.metrics.chrf import CHRF

from tutelage.evaluation.scoring import METRICS, beside
from tutelage.evaluation.suite import Item, Suite
from tutelage.evaluation.suite_form import Defaults, item_of

RIGHT = {
    "exact_match": ("The Cat", "the cat."),
    "contains": ("cat", "I saw a CAT today."),
    "numeric": ("1,200", "so it is 1200.0"),
    "f1": ("the red cat", "cat, red"),
    "bleu": ("the cat sat on the mat", "the cat sat on the mat"),
    "chrf": ("猫坐在垫子上", "猫坐在垫子上"),
    "rouge1": ("red cat", "cat red"),
    "rouge2": ("a red cat", "A red cat!"),
    "rougeL": ("猫在睡觉", "猫在睡觉。"),
    "code": ("def f(x):\n    return x", "Here:\n```python\ndef f(x): return x\n```\n"),
}


def item(metric: str, expected: str = "", **fields: object) -> Item:
    entry = {"question": "?", "metric": metric, **({"expected": expected} if expected else {}), **fields}
    return item_of(entry, number=0, place="x:1", defaults=Defaults())


def score(one: Item, answer: str) -> float:
    return METRICS[one.metric].score(one, answer)


CHOICE = item("accuracy", "green", choices=["red", "green"])
CONSTRAINED = {
    name: item(name, constraints=[{"id": "zh:lines", "relation": "exactly", "count": 2}, "zh:no_digits"])
    for name in ("constraints", "constraints_loose", "constraints_met")
}


def test_every_metric_is_tried_here() -> None:
    assert set(RIGHT) | {"accuracy"} | set(CONSTRAINED) == set(METRICS)


@pytest.mark.parametrize("metric", RIGHT)
def test_a_right_answer_scores_one_and_none_scores_nothing(metric: str) -> None:
    expected, answer = RIGHT[metric]
    one = item(metric, expected)
    assert score(one, answer) == pytest.approx(1)
    assert score(one, expected) == pytest.approx(1)
    for empty in ("", "   \n", "🙃" if metric != "code" else " "):
        assert score(one, empty) == pytest.approx(0)
    assert 0 <= score(one, "something else that is long " * 400) < 0.5


def test_the_best_reference_counts() -> None:
    for metric in ("exact_match", "f1", "rougeL", "chrf", "code", "contains"):
        several = item_of(
            {"question": "?", "expected": ["sofa", "couch"], "metric": metric},
            number=0,
            place="x:1",
            defaults=Defaults(),
        )
        assert score(several, "couch") == pytest.approx(1)


def test_shares_between_are_those_of_the_definitions() -> None:
    assert score(item("f1", "red cat"), "red dog barks") == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))
    assert score(item("rougeL", "a b c d"), "a c x") == pytest.approx(2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert score(item("chrf", "the red cat"), "a red hat") == pytest.approx(
        CHRF().sentence_score("a red hat", ["the red cat"]).score / 100, abs=1e-9
    )
    assert score(item("code", "abcd"), "ab xy") == pytest.approx(1 - 4 / 8)  # two letters out, two in


def test_choices_count_by_letter_and_by_text() -> None:
    assert [score(CHOICE, answer) for answer in ("B", "选B", "The answer is green.", "A", "red or green", "")] == [
        *(1.0, 1.0, 1.0),
        *(0.0, 0.0, 0.0),
    ]


def test_constraints_count_all_loosely_or_by_their_share() -> None:
    strict, loose, share = (CONSTRAINED[name] for name in ("constraints", "constraints_loose", "constraints_met"))
    answers = {
        "一\n二": (1, 1, 1.0),
        "好的：\n一\n二": (0, 1, 0.5),
        "1": (0, 0, 0.0),
        "一": (0, 0, 0.5),
        "": (0, 0, 0.0),
    }
    for answer, (wanted, loosely, met) in answers.items():
        assert (score(strict, answer), score(loose, answer), score(share, answer)) == (wanted, loosely, met)


def test_shares_are_marked_as_such() -> None:
    for metric in METRICS.values():
        one = CHOICE if metric.name == "accuracy" else CONSTRAINED.get(metric.name) or item(metric.name, "12 cats")
        scores = {score(one, answer) for answer in ("", "12 cats", "12 dogs", "green", "一\n二", "一")}
        assert not metric.is_share or scores <= {0.0, 1.0}
        assert metric.is_share or not scores <= {0.0, 1.0} or metric.name in ("rouge2", "chrf", "bleu")


def test_what_is_told_beside_fits_all_items() -> None:
    plain, numbers = item("exact_match", "a cat"), item("numeric", "4")
    assert [metric.name for metric in beside(Suite("s", (plain, numbers)))] == ["f1", "rougeL", "chrf"]
    assert [metric.name for metric in beside(Suite("s", (CONSTRAINED["constraints"],)))] == [
        "constraints_loose",
        "constraints_met",
    ]
    assert beside(Suite("s", (plain, CHOICE))) == ()
