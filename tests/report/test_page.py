"""The page says everything, runs nothing from data, and needs no network."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import Environment

from tests.report.elements import ATTACK, Elements
from tutelage.report import content as c
from tutelage.report import data_map as d
from tutelage.report import evidence as e
from tutelage.report import markup, page, stored, wording


def attacked(report: c.Report) -> c.Report:
    """The report with an attack in every text that comes from data, models, files or the recipe."""
    assert report.data_map is not None
    suite = report.evidence[0]
    answers = (e.Answer(ATTACK, 0.0, False),) * 2
    bad = replace(
        suite.items[0],
        place=ATTACK,
        task=ATTACK,
        earlier=((ATTACK, ATTACK),),
        question=ATTACK,
        expected=ATTACK * 9,
        answers=answers,
    )
    suites = tuple(
        replace(suite, name=name, models=(ATTACK, f"{ATTACK}2"), slices=slices, items=(bad,))
        for name, slices in (
            ("held-out", (*suite.slices, replace(suite.slices[0], label=ATTACK))),
            (ATTACK, (*suite.slices * 3, replace(suite.slices[0], label=ATTACK))),
        )
    )
    sample = report.samples[0]
    return replace(
        report,
        model=ATTACK,
        data=(ATTACK,),
        template=ATTACK,
        evidence=suites,
        first_batch=replace(report.first_batch, roles=(c.RoleCount(ATTACK, 1, 1),)),
        samples=(replace(sample, place=ATTACK, tokens=(c.Token(1, 0, ATTACK, 0.0, False, ATTACK),)),),
        ledger=replace(
            report.ledger,
            reasons=(c.Reason("dropped", ATTACK, 1, ATTACK, ATTACK),),
            formats=(ATTACK,),
            notes=((ATTACK, 1),),
        ),
        data_map=replace(
            report.data_map,
            suspects=(replace(report.data_map.suspects[0], place=ATTACK, prompt=ATTACK, answer=ATTACK),),
            untold=(ATTACK,),
        ),
        origin=replace(report.origin, recipe=ATTACK, command=ATTACK, versions=((ATTACK, ATTACK),)),
    )


def test_nothing_from_data_becomes_an_element(make_report: Any) -> None:
    plain, bad = page.html(make_report()), page.html(attacked(make_report()))
    assert bad.count("&lt;script&gt;alert(") >= 34  # every place that was attacked shows it as text
    elements = Elements(bad)
    assert elements.tags.count("script") == Elements(plain).tags.count("script") == 1  # our own
    assert "img" not in elements.tags
    assert not [name for name, _ in elements.attributes if name.startswith("on")]


def test_needs_no_network(make_report: Any) -> None:
    text = page.html(make_report())
    elements = Elements(text)
    assert "svg" in elements.tags
    assert not {"link", "iframe", "object", "img"} & set(elements.tags)
    addresses = [value for name, value in elements.attributes if name in {"src", "href", "xlink:href"}]
    assert addresses
    assert all(value is not None and value.startswith("#") for value in addresses)
    assert "@import" not in text
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {f"#{name}" for name in re.findall(r'id="([^"]+)"', text)}


def test_ids_are_unique_and_links_lead_somewhere(make_report: Any) -> None:
    attributes = Elements(page.html(make_report())).attributes
    ids = [value for name, value in attributes if name == "id"]
    targets = {str(value)[1:] for name, value in attributes if name == "href"}
    assert targets
    assert len(ids) == len(set(ids))
    assert targets <= set(ids)


def test_every_part_is_there(make_report: Any) -> None:
    text = " ".join("".join(Elements(page.html(make_report())).text).split())
    for part in (
        "not distinguishable from the base",
        "5.0 to 70.0",
        "2 gained, 1 lost",
        "eval.jsonl:8 · sums · lost",
        "Other metrics",
        "base 25.0 %, tuned 100.0 %".replace(" %", "\u202f%"),
        "LoRA r 16, alpha 32",
        "400 of 1,000 tokens are trained",
        "train.jsonl:7",
        "970 tokens",
        "3 held-out rows are identical to a trained row.",
        "seed: 7",
        "tutelage train recipe.yaml",
        "Held-out loss at the end: 1.125",
    ):
        assert " ".join(part.split()) in text, part


def test_without_questions_and_curves(make_report: Any) -> None:
    report = make_report()
    none = c.Curves((), (), (), (), (), ())
    text = page.html(replace(report, evidence=(), training=replace(report.training, curves=none)))
    assert "says nothing about improvement" in text
    assert 'id="answers"' not in text
    assert "No step was logged" in text


def test_speed_is_a_table(make_report: Any) -> None:
    text = plain("".join(Elements(page.html(make_report())).text))
    assert "202 per second, 111 of them trained" in text
    assert "12.5 % of the positions" in text
    assert "achieved 412 GFLOP/s, 46.3 % of this machine's 890 GFLOP/s" in text
    assert "1.1 % of the time" in text
    assert "1.50 GiB" in text
    unmeasured = replace(make_report().training, speed=None)
    without = plain("".join(Elements(page.html(make_report(training=unmeasured))).text))
    assert "per second, " not in without
    assert "tokens/s" not in without
    assert stored.run_figures(make_report())["training"]["speed"]["share_of_peak"] == 0.463


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def test_tokens_keep_their_text(make_report: Any) -> None:
    """What stands between the tags of the tokens is their text, with marks for what is invisible."""
    text = page.html(make_report())
    block = re.search(r'<div class="tokens"[^>]*>(.*?)</div>', text, re.DOTALL)
    assert block is not None
    assert "".join(Elements(block[1]).text) == "<|user|>one⇥\ttwo↵\n龘x0.5<|end|>"
    assert 'class="t on part"' in block[1]
    assert 'title="assistant · id 6 · position 4 · weight 0.5"' in block[1]


def test_a_weight_is_told_where_it_begins(make_report: Any) -> None:
    report = make_report()
    first = report.samples[0].tokens[3]
    for weights, told in (((1, 1, 0), []), ((0.5, 0.5, 1), ["0.5", "1"]), ((2, 0, 2), ["2", "2"])):
        tokens = tuple(replace(first, weight=weight) for weight in weights)
        text = page.html(replace(report, samples=(replace(report.samples[0], tokens=tokens),)))
        block = re.search(r'<div class="tokens"[^>]*>(.*?)</div>', text, re.DOTALL)
        assert block is not None
        assert re.findall(r'class="weight">x([\d.]+)<', block[1]) == told


def test_sequences_are_told_before_their_rows(make_report: Any) -> None:
    report = make_report()
    one = report.samples[0]
    batch = replace(
        report.first_batch,
        sequences=(c.SampleSequence(1, (12, 40), 250), c.SampleSequence(2, tuple(range(70, 90)), 256)),
    )
    samples = (one, replace(one, row=40, offset=5), replace(one, row=70, sequence=2))
    text = " ".join("".join(Elements(page.html(replace(report, first_batch=batch, samples=samples))).text).split())
    first, second = text.index("Sequence 1 rows 12, 40 · 250 of 256 tokens"), text.index("Sequence 2 rows 70, 71")
    places = [text.index(f"row {row} ·") for row in (12, 40, 70)]
    assert first < places[0] < places[1] < second < places[2]
    assert "row 40 · train.jsonl:13 · from token 5 of the sequence" in text
    assert "(20 in all) · 256 of 256 tokens · positions restart at each row" in text
    assert "250 tokens and 6 of padding" in text


def test_tokens_are_counted_by_role(make_report: Any) -> None:
    text = page.html(make_report())
    table = re.search(r'<table class="roles">(.*?)</table>', text, re.DOTALL)
    assert table is not None
    words = " ".join(" ".join(Elements(table[1]).text).split())
    assert words == "Tokens of trained only seen user 0 200 assistant 31 0 template 0 19 all 31 219"


def test_middle_of_a_long_row_is_named(make_report: Any) -> None:
    report = make_report()
    text = page.html(replace(report, samples=(replace(report.samples[0], length=1205),)))
    assert text.count("1,200 tokens left out here") == 1


def test_what_the_rows_taught(make_report: Any) -> None:
    page_text = page.html(make_report())
    text = plain(" ".join("".join(Elements(page_text).text).split()))
    for part in (
        "losses of 95 rows over 190 visits",
        "never learned5 5.3 %",
        "5 of 95 rows are drawn",
        "+9.2+0.8 by its losses, +8.5 by its answer",
        "loss 4.50 at first, 3.50 at last",
        "in 87.5 % of the cases",
        "no held-out loss was measured: whether rows are memorised cannot be said.",
    ):
        assert part in text, part
    assert "<dt>forgotten" not in page_text
    assert 'id="lessons"' not in page.html(make_report(data_map=None))


def test_scores_asked_while_training_are_a_picture(make_report: Any) -> None:
    text = page.html(make_report())
    assert "Scores while training" in text
    assert "held-out 50.0" in plain(text)
    report = make_report()
    curves = replace(report.training.curves, scores=())
    assert "Scores while training" not in page.html(replace(report, training=replace(report.training, curves=curves)))


def test_rows_seen_once_have_no_picture(make_report: Any) -> None:
    of = make_report().data_map
    once = replace(of, kinds=(d.Kind("seen once", 95, (), ()),), fit_auc=None)
    suspect = replace(of.suspects[0], losses=(4.5,), from_fit=None, kind="seen once")
    text = page.html(make_report(data_map=replace(once, suspects=(suspect,))))
    assert "rows are drawn" not in text
    assert "by its answer" not in text
    assert "loss 4.50<" in text


def test_long_texts_are_folded_and_whole() -> None:
    for long in ("word " * 100, "汉字" * 100, "line\n" * 30):
        shown = str(markup.clipped(long))
        assert shown.startswith("<details")
        assert long.strip() in shown
    assert "<details" not in markup.clipped("汉字" * 50)
    assert "(empty)" in markup.clipped(" \n ")


def test_wide_characters_count_twice() -> None:
    assert markup.beginning("ab汉字", width=4) == "ab汉"
    assert markup.beginning("abcd", width=4) == "abcd"


def test_files_agree_and_survive_odd_names(make_report: Any, tmp_path: Path) -> None:
    report = make_report(model="folder\udce9/model")  # a file name that is not UTF-8
    written = page.write(report, tmp_path)
    assert written == tmp_path / "report.html"
    Elements(written.read_text(encoding="utf-8"))
    figures = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert figures["model"] == report.model
    assert (
        figures["ledger"]["rows"]
        == figures["ledger"]["used"] + figures["ledger"]["shortened"] + figures["ledger"]["dropped"]
    )
    assert figures["evidence"][0]["slices"][0]["means"][-1]["value"] == 0.5
    assert figures["training"]["held_out"][-1] == {"step": 60, "loss": 1.125}
    assert figures["verdict"] in page.html(report)


def test_templates_are_escaped_by_default() -> None:
    environment: Environment = markup.environment()
    assert environment.from_string("{{ text }}").render(text="<b>") == "&lt;b&gt;"


def test_model_name() -> None:
    assert wording.model_name("org/name") == "name"
    assert wording.model_name("/models/base/") == "base"
    assert wording.model_name("pupil") == "pupil"
