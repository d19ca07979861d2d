"""A suite on a page: what is shown at once, what is folded, and how several models stand side by side."""

import re
from dataclasses import replace

import pytest

from tests.report.elements import Elements
from tests.report.run_reports import HELD_OUT, ITEMS, UNSURE, item, one_model, three_models
from tutelage.report import content as c
from tutelage.report import evaluation_page, suite_parts, wording
from tutelage.report.evidence import Suite


def page_of(*suites: Suite, origin: c.Origin) -> str:
    models = tuple((name, f"/models/{name}") for name in suites[0].models)
    return evaluation_page.html(c.Evaluation(models, suites, origin))


def words(html: str) -> str:
    html = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return " ".join("".join(Elements(html).text).replace("\u202f", " ").replace("\u00a0", " ").split())


def test_a_change_is_the_last_answer_beside_the_first() -> None:
    kinds = [item(1, *scores).change for scores in ((0, 1), (1, 0), (1, 1), (0, 0), (0.5, 0.5), (0, 1, 0), (0.2, 0.3))]
    assert kinds == ["gained", "lost", "right twice", "wrong twice", "wrong twice", "wrong twice", "gained"]


def test_rare_changes_are_visible() -> None:
    gained, lost = ITEMS[0], ITEMS[2]
    items = [replace(gained, row=row) for row in range(200)] + [replace(lost, row=200)]
    shown = suite_parts.choose_visible(items, 40)
    assert len(shown) == 40
    assert shown == sorted(set(shown))
    assert 200 in shown
    assert suite_parts.choose_visible(items[:3], 40) == [0, 1, 2]


def test_every_question_is_shown_folded_or_left_to_the_file(origin: c.Origin) -> None:
    items = tuple(item(row, 0, 1, question=f"question-{row}-") for row in range(55))
    (part,) = suite_parts.parts_of([replace(HELD_OUT, items=items)], first_shows_scores=True)
    assert sorted(one.row for one in (*part.shown, *part.folded)) == list(range(55))
    assert (len(part.shown), part.left_out) == (suite_parts.VISIBLE_ITEMS, 0)
    assert part.changes == {"gained": 55}
    many = replace(HELD_OUT, items=items * 30)
    parts = suite_parts.parts_of([many, many, one_model()], first_shows_scores=False)
    assert [one.shows_scores for one in parts] == [False, True, True]
    assert sum(len(one.shown) + len(one.folded) for one in parts) <= suite_parts.ITEMS
    assert all(len(one.shown) + len(one.folded) + one.left_out == len(one.suite.items) for one in parts)
    assert f"{parts[0].left_out:,} further questions are not on this page" in words(
        page_of(many, many, many, origin=origin)
    )


@pytest.mark.parametrize("letter", ["a", "字", "<"])
def test_a_page_of_long_answers_stays_small(origin: c.Origin, letter: str) -> None:
    answers = tuple(replace(one, text=letter * 3000) for one in ITEMS[0].answers)
    items = tuple(replace(ITEMS[0], row=row, question=letter * 2000, answers=answers) for row in range(1500))
    suite = replace(HELD_OUT, items=items)
    text = page_of(*[suite] * 4, origin=origin)
    assert len(text.encode()) < 2_000_000
    assert "characters left out" in words(text)
    short = page_of(replace(HELD_OUT, items=items[:20]), origin=origin)
    assert "characters left out" not in words(short), "few are shown whole"


def test_several_models_side_by_side(origin: c.Origin) -> None:
    page = page_of(three_models(), HELD_OUT, origin=origin)
    text = words(page)
    for part in ("Every pair of models", "corrected for 3 pairs", "second: not distinguishable", "third: better"):
        assert part in text, part
    assert page.count('class="score tuned"') == 2 + 2, "two later models, and one on two slices"
    assert "ROUGE-L: equals a reference" in text


def test_a_metric_that_is_no_share_shows_scores(origin: c.Origin) -> None:
    text = words(page_of(three_models(), origin=origin))
    assert "0.12" in text  # 0.125, a score of an answer
    assert "✓" not in text
    assert "gained" not in text.split("Every pair of models")[1].split("Question")[1]


def test_many_tasks_are_a_table(origin: c.Origin) -> None:
    over_all = HELD_OUT.slices[0]
    tasks = tuple(replace(over_all, label=f"task {number}") for number in range(7))
    few = page_of(replace(HELD_OUT, slices=(over_all, *tasks[:4])), origin=origin)
    many = page_of(replace(HELD_OUT, slices=(over_all, *tasks)), origin=origin)
    assert few.count('<div class="slice">') == 5
    assert many.count('<div class="slice">') == 1
    assert all(f"<td>task {number}</td>" in many for number in range(7))
    assert "<td>task" not in few


def test_one_model_is_compared_with_nothing(origin: c.Origin) -> None:
    text = words(page_of(one_model(), origin=origin))
    assert "Exact match of only is 25.0 %" in text
    for part in ("Against", "not distinguishable", "gained", "still wrong"):
        assert part not in text, part
    assert text.count("✓") == text.count("✗") == 1


def test_the_form_of_the_answers_is_a_table(origin: c.Origin) -> None:
    text = words(page_of(HELD_OUT, origin=origin))
    for part in (
        "Form of the answers",
        "Answers with a list",
        "more · +25.0 points",
        "Answers that repeat themselves",
        "worse · +25.0 points",  # more of what nobody wants
        "Instruction following",
        "Relevance",
    ):
        assert part in text, part
    assert "Form of the answers" not in words(page_of(one_model(), origin=origin))


def test_more_is_better_where_it_is_wanted() -> None:
    more, less = replace(UNSURE, verdict="better"), replace(UNSURE, verdict="worse")
    assert [wording.drift(more, wanted) for wanted in (True, False, None)] == ["better", "worse", "more"]
    assert [wording.drift(less, wanted) for wanted in (True, False, None)] == ["worse", "better", "fewer"]
    assert [wording.drift(UNSURE, wanted) for wanted in (True, False, None)] == ["not distinguishable"] * 3
