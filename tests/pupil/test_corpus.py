import json
import random
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from pupil import corpus, prose
from pupil.corpus import documents, main, tokens_in
from tutelage.errors import DataError


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Corpora of a few pages in the shape of the real ones."""
    folder = tmp_path / "assets" / "corpora"
    (folder / "tinystories_sample").mkdir(parents=True)
    (folder / "wiki_demo").mkdir()
    (folder / "zh_novels").mkdir()
    paragraph = "The fox went down to the river, and there it met the old bear, who was looking for fish. " * 4
    book = "# Title: A Book\n\n## Author: Nobody\n\n-------\n## CHAPTER\n\n" + f"{paragraph.strip()}\n\n" * 40
    hard = (
        "# Title: Hard\n\n## Author: Mark Twain\n\n"
        + "A steamboat pilot knows the shoals of the great river well.\n\n" * 40
    )
    (folder / "english_classics.txt").write_text(f"{book}<|book|>\n{hard}", encoding="utf-8")
    (folder / "tinystories_sample" / "tales.txt").write_text("Lily had a red ball.\n\n" * 90, encoding="utf-8")
    (folder / "wiki_demo" / "wiki_demo.txt").write_text(
        "A river is water that flows to the sea. " * 60, encoding="utf-8"
    )
    rows = [{"book": name, "classical": "古", "modern": f"{name}里的老人在河边钓鱼，第{n}天也没有回家。"}
            for name in ("列子", "明史") for n in range(60)]  # fmt: skip
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "zh_classical_modern.jsonl").write_text(lines, encoding="utf-8")
    (folder / "zh_novels" / "书.txt").write_text(
        "第一回\n\n" + "话说天下大势分久必合合久必分，这一日众人都到庄上来饮酒说话，直到天黑才各自回家。\n" * 40,
        encoding="utf-8",
    )
    return folder.parent


def test_documents_are_the_same_for_the_same_seed(small: Path) -> None:
    once = list(documents(small, 30_000))
    assert list(documents(small, 30_000)) == once
    assert list(documents(small, 30_000, seed=2)) != once
    assert len(once) > 60


def test_the_sum_and_the_shares_of_tokens_are_as_asked(small: Path) -> None:
    texts = list(documents(small, 60_000))
    kinds = {"prose en": 0.0, "prose zh": 0.0, "world en": 0.0, "world zh": 0.0}
    for text in texts:
        chinese = sum("\u4e00" <= character <= "\u9fff" for character in text) > 0.2 * len(text)
        told = re.search("fox went|Lily had|flows to the sea|钓鱼|话说天下", text)
        kind = f"{'prose' if told else 'world'} {'zh' if chinese else 'en'}"
        kinds[kind] += tokens_in(text) * corpus.DENSITY[kind] + 1
    total = sum(kinds.values())
    assert total == pytest.approx(60_000, rel=0.03)
    for kind, share in corpus.MIXTURE.items():
        assert kinds[kind] / total == pytest.approx(share, abs=0.03), kind
    assert sum(corpus.MIXTURE.values()) == pytest.approx(1)


def test_prose_is_whole_paragraphs_without_headings_or_hard_books(small: Path) -> None:
    folder = prose.corpora(small)
    english = prose.english(folder, random.Random(0))
    assert sum("fox" in piece for piece in english) >= 10
    assert sum("Lily" in piece for piece in english) >= 4
    for piece in english:
        assert not re.search(r"#|CHAPTER|---|Author|steamboat", piece)
        assert piece[-1] in ".!?"
    chinese = prose.chinese(folder, random.Random(0))
    assert any("列子" in piece for piece in chinese)
    assert any("话说" in piece for piece in chinese)
    assert not any("明史" in piece or "第一回" in piece for piece in chinese)


def test_pieces_of_a_page_keep_the_order(small: Path) -> None:
    pieces = [piece for piece in prose.chinese(prose.corpora(small), random.Random(0)) if "列子" in piece]
    assert len(pieces) >= 2
    for piece in pieces:
        days = [int(day) for day in re.findall(r"第(\d+)天", piece)]
        assert days == list(range(days[0], days[0] + len(days)))
        assert 0.4 * prose.PIECE_ZH <= len(piece) <= 1.25 * prose.PIECE_ZH


def test_the_command_writes_one_document_per_line(small: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "corpus.jsonl"
    assert main(["--tokens", "20000", "--shared", str(small), "--output", str(output)]) == 0
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == list(documents(small, 20_000))
    assert [file.name for file in output.parent.iterdir()] == ["corpus.jsonl"]


@pytest.mark.parametrize("spoil", [lambda folder: folder.rename(folder.with_name("x")),
                                   lambda folder: (folder / prose.MODERN).unlink()])  # fmt: skip
def test_absent_corpora_are_named_and_nothing_is_written(
    small: Path, tmp_path: Path, spoil: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(small / "corpora")
    output = tmp_path / "new" / "corpus.jsonl"
    with pytest.raises(DataError, match=prose.MODERN):
        list(documents(small, 1000))
    assert main(["--tokens", "1000", "--shared", str(small), "--output", str(output)]) == 1
    assert "TUTELAGE_SHARED" in capsys.readouterr().err
    assert not list(output.parent.glob("*"))


@pytest.mark.shared
def test_the_real_prose_is_clean_and_enough(shared: Path) -> None:
    folder = prose.corpora(shared)
    english, chinese = prose.english(folder, random.Random(0)), prose.chinese(folder, random.Random(0))
    assert sum(map(len, english)) > 10_000_000
    assert sum(map(len, chinese)) > 3_000_000
    for piece in english:
        assert not re.search(r"(?i)project gutenberg|^#|<\|", piece)
    assert all(len(piece) <= 1.3 * prose.PIECE_EN for piece in english)
    assert not any(re.search(r"[#<>{}]", piece) for piece in islice(chinese, 2000))
