"""The form of answers and their following, side by side and in pairs."""

import pytest

from tutelage.evaluation.answer_form.forms import FEATURES
from tutelage.evaluation.comparison import Comparison
from tutelage.evaluation.following.component import WEIGHTS
from tutelage.evaluation.statistics import holm
from tutelage.evaluation.suite import Item, Suite
from tutelage.records import Generation, Message, Question
from tutelage.run.manners import Manner, followed, forms

LIST, PROSE = "- a river\n- a lake\n- a sea", "A river, a lake and a sea."


def compared(*answers: list[str], references: tuple[str, ...] = ()) -> Comparison:
    """Models that were asked for waters; an answer that is empty ran to the limit."""
    items = tuple(
        Item(Question(row, (Message("user", f"Name waters of country {row}."),), references), "constraints")
        for row in range(len(answers[0]))
    )
    names = tuple(f"model {number}" for number in range(len(answers)))
    given = {
        name: [Generation(text, stopped=bool(text), tokens=3) for text in texts]
        for name, texts in zip(names, answers, strict=True)
    }
    return Comparison(Suite("waters", items), names, given)


def by_name(found: tuple[Manner, ...]) -> dict[str, Manner]:
    return {one.name: one for one in found}


def test_a_drift_of_the_form_is_told() -> None:
    found = by_name(forms(compared([PROSE] * 12, [LIST] * 10 + [PROSE] * 2)))
    assert [mean.value for mean in found["list"].means] == pytest.approx([0, 10 / 12])
    (result,) = found["list"].against
    assert (result.gained, result.lost, result.verdict) == (10, 0, "better")
    assert result.p_value == pytest.approx(2 / 2**10), "exact McNemar by hand"
    assert found["list"].wanted is None
    assert found["prose"].against[0].verdict == "worse", "there is less of it"
    assert set(found) <= set(FEATURES)
    assert "table" not in found, "no answer has one"


def test_p_values_are_corrected_for_the_features_told() -> None:
    found = forms(compared([PROSE] * 12, [LIST] * 10 + [""] * 2))
    assert len(found) > 3
    p_values = [one.against[0].p_value for one in found]
    assert [one.against[0].adjusted for one in found] == pytest.approx(holm(p_values))


def test_lengths_need_references() -> None:
    without = by_name(forms(compared([PROSE] * 3, [LIST] * 3)))
    assert not {"suitable length", "too short", "too long"} & set(without)
    with_them = by_name(forms(compared([PROSE] * 3, ["A sea."] * 3, references=(PROSE,))))
    assert [mean.value for mean in with_them["suitable length"].means] == [1, 0]
    assert with_them["too short"].wanted is False


def test_empty_answers_ran_to_the_limit() -> None:
    found = by_name(forms(compared([PROSE] * 4, ["", "", PROSE, PROSE])))
    assert [mean.value for mean in found["empty"].means] == [0, 0.5]
    assert [mean.value for mean in found["at the limit"].means] == [0, 0.5]


def test_the_following_score_is_its_components_weighed() -> None:
    found = by_name(followed(compared([PROSE, LIST, ""], ["", PROSE, PROSE * 40])))
    for model in range(2):
        weighed = sum(WEIGHTS[name] * found[name].means[model].value for name in WEIGHTS)  # type: ignore[index]
        assert found["following"].means[model].value == pytest.approx(weighed)
    assert all(0 <= mean.low <= mean.value <= mean.high <= 1 for one in found.values() for mean in one.means)


def test_one_model_and_three() -> None:
    for count in (1, 3):
        comparison = compared(*[[PROSE, LIST]] * count)
        for one in (*forms(comparison), *followed(comparison)):
            assert (len(one.means), len(one.against)) == (count, count - 1)


@pytest.mark.parametrize("text", ["", "，。！", "🙂" * 50, "１２３", "a\r\nb\rc", "河 river " * 20_000, "\x00\ud800"])
def test_any_answer_is_told(text: str) -> None:
    comparison = compared([PROSE], [text], references=("河",))
    assert forms(comparison)
    assert len(followed(comparison)) == 1 + len(WEIGHTS)
