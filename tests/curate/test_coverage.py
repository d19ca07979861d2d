"""Coverage: counts, entropy, holes and examples of a set, whatever the order of its rows."""

import json
import random
from itertools import product
from math import log2

import pytest

from tutelage.curate.coverage import OTHER, Coverage, CoverageReport, entropy
from tutelage.curate.sample import Sample
from tutelage.curate.taxonomy import AXES, Labels, names

Row = tuple[Labels, Sample, str]


def row(number: int, labels: Labels, *, language: str = "en") -> Row:
    prompt = f"Question {number}?" if language == "en" else f"第{number}个问题是什么？"
    return labels, Sample((prompt,), ("word " * (number % 9),), language), f"rows.jsonl:{number}"


def mixed(count: int = 300) -> list[Row]:
    draw = random.Random(0)
    return [
        row(
            number,
            Labels(
                type=draw.choice(("code", "creative", "unknown")),
                domain=draw.choice(names("domain")),
                difficulty=draw.choice(("simple", "medium")),
            ),
            language=draw.choice(("en", "zh")),
        )
        for number in range(count)
    ]


def covered(rows: list[Row]) -> Coverage:
    coverage = Coverage(examples=2, seed=5)
    for labels, sample, place in rows:
        coverage.add(labels, sample, place=place)
    return coverage


def report(rows: list[Row]) -> CoverageReport:
    return covered(rows).report()


def test_every_row_is_counted_once_on_each_axis_and_in_each_crossing() -> None:
    rows = mixed()
    found = report(rows)
    assert found.rows == len(rows) == 300
    for axis in AXES:
        assert sum(found.axes[axis].counts.values()) + found.axes[axis].unknown == 300
    assert len(found.crossings) == 6
    assert all(sum(cells.values()) == 300 for cells in found.crossings.values())
    code = sum(labels.type == "code" for labels, _, _ in rows)
    assert found.axes["type"].counts["code"] == code
    crossed = found.crossings["type", "domain"]
    assert sum(count for (kind, _), count in crossed.items() if kind == "code") == code


@pytest.mark.parametrize("seed", range(3))
def test_neither_order_nor_parts_change_the_report(seed: int) -> None:
    rows = mixed()
    whole = report(rows).summary()
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert json.dumps(report(shuffled).summary()) == json.dumps(whole)
    first = covered(shuffled[:100])
    first.merge(covered(shuffled[100:]))
    assert json.dumps(first.report().summary()) == json.dumps(whole)


def test_entropy_is_that_of_the_labels_and_ignores_the_unknown() -> None:
    assert entropy([]) == entropy([7]) == 0
    assert entropy([1, 1, 2, 0]) == pytest.approx(1.5)
    domains = names("domain")
    even = report([row(n, Labels(domain=domain)) for n, domain in enumerate(domains * 4)]).axes["domain"]
    assert even.entropy == pytest.approx(log2(len(domains)))
    assert even.evenness == pytest.approx(1.0)
    assert (even.imbalance, even.missing) == (1.0, ())
    with_unknown = report(
        [row(n, Labels(domain=domain)) for n, domain in enumerate([*domains * 4, *["unknown"] * 9])]
    ).axes["domain"]
    assert (with_unknown.entropy, with_unknown.unknown) == (even.entropy, 9)
    one_sided = report([row(n, Labels(domain="life")) for n in range(9)] + [row(9, Labels(domain="culture"))])
    assert one_sided.axes["domain"].imbalance == 9
    assert 0 < one_sided.axes["domain"].evenness < 0.3
    assert set(one_sided.axes["domain"].missing) == {"technology", "business", "education"}
    assert one_sided.axes["style"].evenness == 0


def test_a_hole_is_a_crossing_that_independence_expects() -> None:
    pairs = [(kind, domain) for kind, domain in product(("code", "creative", "reasoning"), ("life", "culture"))]
    absent = ("code", "culture")
    rows = [row(n, Labels(type=a, domain=b)) for n, (a, b) in enumerate(p for p in pairs * 20 if p != absent)]
    (hole,) = report(rows).holes
    assert (hole.axes, hole.labels, hole.rows) == (("type", "domain"), absent, 0)
    assert hole.expected == pytest.approx(20 * 40 / 100)
    assert report([row(n, Labels(type=a, domain=b)) for n, (a, b) in enumerate(pairs * 20)]).holes == ()


def test_nothing_is_a_hole_where_little_was_expected() -> None:
    rows = [row(0, Labels(type="code", domain="life")), row(1, Labels(type="creative", domain="culture"))]
    assert report(rows * 2).holes == ()


def test_examples_come_from_their_cell_and_the_seed_decides_which() -> None:
    rows = mixed()
    where = {place: (labels.type, labels.domain) for labels, _, place in rows}
    found = report(rows).examples
    assert len(found) == 15
    for cell, examples in found.items():
        assert len(examples) == 2
        assert {where[example.place] for example in examples} == {cell}
    other = Coverage(examples=2, seed=6)
    for labels, sample, place in rows:
        other.add(labels, sample, place=place)
    assert other.report().examples != found
    assert not Coverage(examples=0).report().examples


def test_lengths_are_counted_in_words_of_the_language() -> None:
    samples = [
        Sample(("one two three",), ("one",), "en"),
        Sample(("one two three four",), ("",), "en"),
        Sample(("天空为什么是蓝色的",), ("因为光",), "zh"),
    ]
    coverage = Coverage()
    for number, sample in enumerate(samples):
        coverage.add(Labels(), sample, place=f"rows.jsonl:{number}")
    lengths = coverage.report().lengths
    assert list(lengths) == ["en", "zh"]
    assert (lengths["en"].rows, lengths["en"].mean_prompt, lengths["en"].mean_answer) == (2, 3.5, 0.5)
    assert lengths["en"].prompts == {2: 1, 4: 1}
    assert lengths["en"].answers == {0: 1, 1: 1}
    assert lengths["zh"].prompts == {8: 1}
    assert lengths["zh"].answers == {2: 1}


def test_memory_does_not_grow_with_labels_of_free_text() -> None:
    coverage = Coverage()
    for number in range(1000):
        coverage.add(Labels(type="code", domain=f"topic {number}"), Sample((), (), "en"), place="")
    found = coverage.report()
    assert len(found.axes["domain"].counts) <= 101
    assert found.axes["domain"].counts[OTHER] >= 899
    assert sum(found.axes["domain"].counts.values()) == 1000
    assert len(found.examples) <= 101


def test_the_summary_is_json_and_an_empty_set_has_one() -> None:
    for rows in (mixed(), []):
        summary = report(rows).summary()
        assert json.loads(json.dumps(summary)) == summary
        assert summary["rows"] == len(rows)
        assert summary["axes"].keys() == set(AXES)
