"""The page of a curation says everything, holds whatever the rows hold, stays small, and needs no network."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.data_reports import EN, HISTOGRAM, ZH, filled, of_rows
from tests.report.elements import ATTACK, Elements
from tutelage.report import data_content as d
from tutelage.report import data_page

MEGABYTE = 2**20
ODD = {
    "attack": ATTACK,
    "right to left": "\u202eمرحبا بالعالم \u2067שלום",
    "control characters": "\x00\x07\x1b[31m\r\x85\ufffe",
    "lone surrogates": "\ud83d half \udc00",
    "nothing": "",
    "braces": "{{ 7 * 7 }} {% include 'x' %}",
}


def text_of(report: d.DataReport) -> str:
    """What a reader sees, with single spaces."""
    shown = " ".join(" ".join(Elements(data_page.html(report)).text).split()).replace("\u202f", " ")
    return re.sub(r" (?=[:.] )", "", shown.split("Tutelage · data report", 1)[1])


def holding(text: str) -> d.DataReport:
    """A report with `text` in every place that comes from data, files or the recipe."""
    report, row, part = filled(), d.Row(text, text, text, text), d.Part(text, 3, 2)
    assert report.coverage is not None
    return replace(
        report,
        name=text,
        losses=(d.Loss(text, text, 3, text, text),),
        sources=(part,),
        languages=(part,),
        origin=replace(report.origin, recipe=text, command=text, versions=((text, text),)),
        calibration=(replace(report.calibration[0], label=text),),
        coverage=replace(
            report.coverage,
            rows=(text, "code"),
            columns=(text, "life"),
            axes=(d.Axis("domain", (part,), 0.5, 0.5),),
            holes=(d.Hole(text, text, 1, 5),),
        ),
        duplicates=d.Duplicates(((text, 2),), 1, (d.Cluster(row, 2, (d.Duplicate(row, text, 0.9),)),)),
        contamination=d.Contamination((d.EvalSet(text, 1, 1),), (d.Leak(text, row, row, text, 1.0),)),
        safety=d.Safety(text, (d.Personal(text, 1, 1),), (d.Tag(text, 1, (row,)),)),
        dropped=(d.DroppedRow(row, text, text, text),),
        kept=(d.KeptRow(row, ((text, 0.5),)),),
        mixture=(d.SourceShare(text, 1, 9, 9.0, 1.0, 1.0),),
    )


def test_every_part_is_there() -> None:
    text = text_of(filled())
    for part in (
        "100 rows were read, 80 (80.0 %) stay. Dropped most: 8 by quality, 7 by duplicates, 3 by contamination.",
        "11 words 9 before",
        "unfinished answer 8 8.0 % train.jsonl:3 ends with a comma",
        "中文.jsonl 30 of 40 75.0 %",
        "median 11, longest 640 (before: 9 and 812)",
        "17 rows below 0.6",
        "21 rows below 0.7; 13 rows give no evidence and are not dropped for it",
        "40 rows, AUC 0.973",
        "3 rows, too few to tell; not scored",
        "code about business: no row, about 3 expected",
        "evenness 0.97 before, 0.95 after",
        "3 questions are asked by more than one row",
        "… and 2 more.",
        "near, similarity 0.91",
        "gsm8k 1,319 3",
        "gsm8k · gsm8k:12 · 50.0 % of the prompt",
        "e-mail 41 32",
        "What became of it: redacted.",
        "violence 6 rows",
        "overall 0.91 · relevance –",
        "中文.jsonl is repeated 4.7 times in an epoch",
        "tutelage data clean recipe.yaml",
    ):
        assert part in text, part
    assert "Not part of this run" not in text


def test_the_funnel_tells_what_each_step_drops() -> None:
    text = text_of(filled())
    assert "read 100 understood 98 −2 quality 90 −8 contamination 87 −3 duplicates 80 −7" in text


def test_the_map_shows_after_of_before_and_marks_holes() -> None:
    page = data_page.html(filled())
    cells = re.findall(r'<td style="--heat: ([\d.]+)"( class="hole")?>(\d+)<small>of (\d+)</small>', page)
    assert [(int(after), int(before)) for _, _, after, before in cells] == [(41, 48), (9, 12), (30, 36), (0, 4)]
    assert [bool(hole) for _, hole, _, _ in cells] == [False, False, False, True]
    heats = [float(heat) for heat, *_ in cells]
    assert heats[0] == 1 > heats[2] > heats[1] > heats[3] == 0


def test_the_shared_passage_is_marked_in_the_row() -> None:
    assert "Name <mark>three rivers of the north</mark>." in data_page.html(filled())


def test_a_source_is_warned_of_only_above_four_repeats() -> None:
    four = d.SourceShare("exactly four", 10, 40, 4.0, 1.0, 1.0)
    assert "is repeated" not in text_of(filled(mixture=(four,)))


@pytest.mark.parametrize("name", ODD)
def test_whatever_the_rows_hold(name: str, tmp_path: Path) -> None:
    plain, report = data_page.html(filled()), holding(ODD[name])
    written = data_page.write(report, tmp_path / "data.html").read_text(encoding="utf-8")
    elements = Elements(written)
    assert "\x00" not in written
    assert elements.tags.count("section") == Elements(plain).tags.count("section")
    assert not {"script", "img", "iframe", "link", "object"} & set(elements.tags)
    assert not [attribute for attribute, _ in elements.attributes if attribute.startswith("on")]
    json.dumps(data_page.summary(report), allow_nan=False).encode()


def test_markup_of_rows_is_shown_as_text() -> None:
    assert data_page.html(holding(ATTACK)).count("&lt;script&gt;alert(") > 40
    assert data_page.html(holding(ODD["braces"])).count("{{ 7 * 7 }}") > 40


@pytest.mark.parametrize(("read", "stayed"), [(0, 0), (1, 1), (1, 0), (500, 0), (2_000_000, 1_999_999)])
def test_any_number_of_rows(read: int, stayed: int) -> None:
    text = text_of(of_rows(read, stayed))
    assert ("No row was read" in text) == (read == 0)
    assert ("No row was dropped" in text) == (read == stayed > 0)
    assert (f"−{read - stayed:,}" in text) == (read > stayed)
    assert "Not part of this run: lengths, quality, calibration of relevance, coverage, duplicates" in text


def test_parts_that_found_nothing_say_so() -> None:
    empty = d.Histogram(HISTOGRAM.edges, (0,) * 4, (0,) * 4)
    report = filled(
        scores=(d.Score("relevance", empty, 0.7, 0, unscored=100),),
        calibration=(),
        coverage=d.Coverage("task type", "domain", (), (), (), (), (), ()),
        duplicates=d.Duplicates((), 0, ()),
        contamination=d.Contamination((d.EvalSet("gsm8k", 1319, 0),), ()),
        safety=d.Safety("redacted", (), ()),
    )
    text = text_of(report)
    for sentence in (
        "No row to draw.",
        "No crossing is missing or rare.",
        "No row asks what another one asks.",
        "No row shares a passage with them.",
        "No personal data and no secret was found.",
        "Not part of this run: calibration of relevance.",
    ):
        assert sentence in text, sentence


def test_no_address_is_loaded_and_links_lead_somewhere() -> None:
    page = data_page.html(filled())
    attributes = Elements(page).attributes
    addresses = [value or "" for name, value in attributes if name in {"src", "href", "xlink:href"}]
    ids = [value for name, value in attributes if name == "id"]
    assert len(addresses) > 8
    assert len(ids) == len(set(ids))
    assert {address.removeprefix("#") for address in addresses} <= set(ids)
    assert all(address.startswith("#") for address in addresses)
    assert "@import" not in page
    assert "url(" not in page.replace("url(#", "")


def test_the_page_stays_small_whatever_the_set() -> None:
    huge = "&\"'<𝔘" * 100_000
    row = d.Row(huge, huge, huge, "en")
    cluster = d.Cluster(row, 5000, (d.Duplicate(row, huge, 0.9),) * 60)
    names = tuple(f"{number} {huge[:300]}" for number in range(300))
    parts = tuple(d.Part(name, 7, 5) for name in names)
    counts = ((3,) * 300,) * 300
    report = filled(
        name=huge,
        losses=tuple(d.Loss("quality", name, 3, huge, huge) for name in names),
        sources=parts,
        languages=parts,
        coverage=d.Coverage("a", "b", names, names, counts, counts, (d.Axis("a", parts, 0.5, 0.5),), ()),
        duplicates=d.Duplicates((("near", 5),), 900, (cluster,) * 50),
        contamination=d.Contamination(
            tuple(d.EvalSet(name, 1, 1) for name in names), (d.Leak(huge, row, row, huge[50:80], 1.0),) * 70
        ),
        safety=d.Safety("redacted", (), tuple(d.Tag(name, 1, (row,) * 9) for name in names)),
        dropped=tuple(d.DroppedRow(row, "quality", name, huge) for name in names for _ in range(9)),
        kept=(d.KeptRow(row, (("overall", 0.5),)),) * 500,
        mixture=tuple(d.SourceShare(name, 1, 9, 9.0, 1.0, 1.0) for name in names),
    )
    page = data_page.html(report)
    assert 0.3 * MEGABYTE < len(page.encode()) < 2 * MEGABYTE
    assert "and 260 more" in page  # of the 300 sources
    assert "characters left out" in page


def test_a_few_rows_of_each_reason_are_shown_as_the_losses_are_ordered() -> None:
    def dropped(reason: str, count: int) -> list[d.DroppedRow]:
        return [d.DroppedRow(replace(EN, place=f"{reason}:{line}"), "quality", reason) for line in range(count)]

    losses = (d.Loss("quality", "often", 90, "a:1"), d.Loss("quality", "seldom", 2, "a:2"))
    rows = (*dropped("seldom", 2), *dropped("often", 7))
    shown = data_page.gallery(filled(losses=losses, dropped=rows)).dropped
    assert list(shown) == [("quality", "often"), ("quality", "seldom")]
    assert [len(group) for group in shown.values()] == [5, 2]
    text = text_of(filled(losses=losses, dropped=rows))
    assert "often quality · 90 rows" in text
    assert "often:4" in text
    assert "often:5" not in text


def test_short_texts_are_whole_and_long_ones_share_the_room() -> None:
    assert ZH.prompt in data_page.html(filled())
    few = data_page.gallery(filled()).limit
    many = data_page.gallery(filled(kept=(d.KeptRow(EN, ()),) * 20, dropped=filled().dropped * 100)).limit
    assert few >= many >= 200


def test_the_summary_holds_the_figures_and_no_text_of_a_row() -> None:
    score = replace(filled().scores[0], histogram=replace(HISTOGRAM, edges=(0.0, 0.25, 0.5, float("nan"), 1.0)))
    report = filled(scores=(score,))
    figures = data_page.summary(report)
    text = json.dumps(figures, allow_nan=False, ensure_ascii=False)
    assert json.loads(text) == figures
    assert figures["verdict"] == data_page.verdict(report)
    assert figures["stages"][-1] == {"name": "duplicates", "rows": 80}
    assert figures["coverage"]["after"] == [[41, 9], [30, 0]]
    assert figures["scores"][0]["histogram"]["edges"][3] is None
    assert figures["dropped"][0]["row"] == {"place": EN.place, "language": "en"}
    assert figures["mixture"][1]["repeats"] == 4.67
    for hidden in (EN.prompt, EN.answer, ZH.prompt, ZH.answer, "THREE rivers"):
        assert hidden not in text


def test_the_same_report_gives_the_same_page() -> None:
    assert data_page.html(filled()) == data_page.html(filled())
