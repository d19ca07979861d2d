"""Models on the same items: scores, slices, and the paired verdicts."""

import pytest

from tutelage.evaluation.comparison import ALL, FEWEST, Comparison
from tutelage.evaluation.statistics import compare_paired, holm
from tutelage.evaluation.suite import Item, Suite
from tutelage.records import Generation, Message, Question


def item(row: int, text: str, *references: str, metric: str = "exact_match", task: str = "") -> Item:
    return Item(Question(row, (Message("user", text),), references), metric, task)


ITEMS = tuple(item(n, f"What is {n}?", f"{n}") for n in range(8)) + tuple(
    item(n, f"这是{n}吗？", f"{n}") for n in range(8, 16)
)


def answers(right: set[int], stopped: set[int], n: int = 16) -> list[Generation]:
    return [Generation(f"{number}." if number in right else "no", number in stopped, 3) for number in range(n)]


@pytest.fixture
def comparison() -> Comparison:
    given = {"base": answers({0}, set()), "tuned": answers(set(range(1, 12)), set(range(12)))}
    return Comparison(Suite("s", ITEMS), ("base", "tuned"), given)


def test_figures_are_means_over_all_and_per_language(comparison: Comparison) -> None:
    assert comparison.languages == ("en",) * 8 + ("zh",) * 8
    assert comparison.told == (ALL, "en", "zh")
    assert comparison.mean("tuned").value == pytest.approx(11 / 16)
    assert comparison.mean("tuned", "zh").value == 0.5
    assert comparison.stopped("tuned").share == 0.75
    assert comparison.summary() == {
        "base": {"exact_match": 0.0625, "en": 0.125, "zh": 0.0, "stopped": 0.0},
        "tuned": {"exact_match": 0.6875, "en": 0.875, "zh": 0.5, "stopped": 0.75},
    }


def test_models_are_compared_in_pairs(comparison: Comparison) -> None:
    result = comparison.matrix["base", "tuned"]
    assert (result.gained, result.lost) == (11, 1)
    assert result.p_value == pytest.approx(2 * (1 + 12) / 2**12), "exact McNemar"
    assert result.verdict == "better"
    back = comparison.matrix["tuned", "base"]
    assert (back.verdict, back.difference) == ("worse", -result.difference)
    figures = comparison.figures()
    assert [pair["after"] for pair in figures["pairs"]] == ["tuned"]
    assert figures["against"]["tuned"]["gained"] == 11


def test_p_values_of_slices_are_corrected_for_their_number(comparison: Comparison) -> None:
    told = comparison.against_base("tuned")
    assert told[ALL].adjusted == told[ALL].p_value, "the whole is the claim; the slices look closer"
    raw = [told[label].p_value for label in ("en", "zh")]
    assert [told[label].adjusted for label in ("en", "zh")] == holm(raw)
    assert told["en"].adjusted > told["en"].p_value


def test_pairs_of_several_models_are_corrected_for_their_number() -> None:
    given = {name: answers(right, set()) for name, right in (("a", set()), ("b", set(range(6))), ("c", set(range(7))))}
    three = Comparison(Suite("s", ITEMS), ("a", "b", "c"), given)
    alone = compare_paired(three.scores["a"], three.scores["b"])
    assert three.matrix["a", "b"].adjusted > alone.p_value == 2 / 2**6
    assert len(three.figures()["pairs"]) == 3
    assert set(three.figures()["against"]) == {"b", "c"}


def test_a_slice_too_small_for_any_finding_is_not_told() -> None:
    items = tuple(item(n, f"What is {n}?", f"{n}", task="rare" if n < FEWEST - 1 else "usual") for n in range(16))
    given = {"base": answers(set(), set()), "tuned": answers(set(range(16)), set())}
    small = Comparison(Suite("s", items), ("base", "tuned"), given)
    assert set(small.slices) == {ALL, "rare", "usual"}
    assert small.told == (ALL, "usual")
    assert small.against_base("tuned").keys() == {ALL, "usual"}
    assert small.summary()["tuned"]["rare"] == 1.0, "the figure stands in the JSON"


def test_items_of_the_same_prompt_count_as_one_observation() -> None:
    items = tuple(item(n, "What is it?", f"{n}") for n in range(16))
    given = {"base": answers(set(), set()), "tuned": answers(set(range(16)), set())}
    one = Comparison(Suite("s", items), ("base", "tuned"), given).matrix["base", "tuned"]
    assert (one.n, one.clusters, one.verdict) == (16, 1, "not distinguishable")


def test_other_metrics_are_told_where_they_fit_all_items(comparison: Comparison) -> None:
    names = [metric.name for metric in comparison.others]
    assert "rougeL" in names
    assert "exact_match" not in names, "it is the suite's own"
    assert not any("constraint" in name for name in names), "the items have none"
    f1 = next(metric for metric in comparison.others if metric.name == "f1")
    (base, tuned), (result,) = comparison.by_other(f1)
    assert (base.value, tuned.value) == (1 / 16, 11 / 16)
    assert result.difference == pytest.approx(10 / 16)


def test_an_answer_that_is_missing_is_an_error(comparison: Comparison) -> None:
    short = Comparison(comparison.suite, ("base",), {"base": comparison.answers["base"][:-1]})
    with pytest.raises(ValueError, match="zip"):
        short.mean("base")
