"""BLEU and chrF: sacrebleu's numbers, on our scale, for any number of references and any script."""

import json
import logging
from pathlib import Path

import pytest
import sacrebleu
from nltk.translate.bleu_score import corpus_bleu as nltk_bleu

from tutelage.evaluation.metrics.bleu import (
    Score,
    corpus_bleu,
    corpus_chrf,
    sentence_bleu,
    sentence_chrf,
    tokenizer_for,
)

ANSWERS = ["the red cat sleeps on the old mat today", "a ship left the harbour at noon on monday", "no it did not"]
REFERENCES = [
    ["the red cat sleeps on an old mat today", "today the red cat sleeps there"],
    ["a ship left the harbour at noon on a monday"],
    ["yes it did so", "no it did not do so", "no"],
]
CHINESE = ["今天天气很好，我们去公园散步吧。"]


def test_bleu_is_what_another_implementation_finds() -> None:
    tokens = [[reference.split() for reference in several] for several in REFERENCES]
    expected = nltk_bleu(tokens, [answer.split() for answer in ANSWERS])
    assert 0.3 < expected < 0.95
    assert corpus_bleu(ANSWERS, REFERENCES).value == pytest.approx(expected, abs=1e-9)


def test_chrf_by_hand() -> None:
    # "abc" and "abd": of 3, 2 and 1 character n-grams 2, 1 and 0 are shared, precision and recall alike.
    assert sentence_chrf("abc", ["abd"]).value == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert sentence_chrf("a b\nc", ["abd", "abc"]).value == 1.0


def test_signatures_tell_how_it_was_computed() -> None:
    version = sacrebleu.__version__
    found = corpus_bleu(ANSWERS, REFERENCES)
    assert found.signature == f"nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:{version}"
    assert "nrefs:2|" in sentence_bleu("a", ["a", "b"]).signature
    assert "eff:yes" in sentence_bleu("a", ["a"]).signature
    assert "tok:zh" in corpus_bleu(CHINESE, [CHINESE]).signature
    assert corpus_chrf(["a"], [["a"]]).signature == f"nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:{version}"


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        (["The weather is fine."], "13a"),
        (["Il fait très beau à l'école, décide le maître."], "13a"),
        (CHINESE, "zh"),
        (["今日はとても天気がいいですね"], "char"),
        (["오늘은 날씨가 아주 좋습니다"], "char"),
        (["วันนี้อากาศดีมาก"], "char"),
        (["The weather is fine."] * 9 + CHINESE, "zh"),
        (["The weather is fine."] * 10 + CHINESE, "13a"),
        (["今日はとても天気がいいですね"] * 2 + CHINESE, "char"),
        (["", "42", "🐶"], "13a"),
    ],
)
def test_the_language_chooses_the_tokenizer(references: list[str], expected: str) -> None:
    assert tokenizer_for(references) == expected


@pytest.mark.parametrize("text", [*CHINESE, "今日はとても天気がいいですね", "오늘은 날씨가 아주 좋습니다"])
def test_part_of_a_sentence_without_spaces_counts(text: str) -> None:
    part = text[: len(text) * 2 // 3]
    assert 0.3 < sentence_bleu(part, [text]).value < 1
    assert sentence_bleu(text, [text]).value == corpus_bleu([text], [[text]]).value == 1.0


@pytest.mark.parametrize("answer", ["", " \r\n", "。", "🐶", "unrelated"])
def test_an_answer_that_shares_nothing_scores_0(answer: str) -> None:
    for found in (sentence_bleu(answer, ["zzz 42"]), corpus_bleu([answer], [["zzz 42"]])):
        assert found.value == 0.0
    if answer != "unrelated":
        assert sentence_chrf(answer, ["zzz 42"]).value == corpus_chrf([answer], [["zzz 42"]]).value == 0.0
    assert sentence_bleu(answer, [""]).value == sentence_chrf(answer, [""]).value == 0.0


def test_sacrebleu_does_not_speak_to_users(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    tokenized = ["a dog barks ."] * 200
    with caplog.at_level(logging.DEBUG):
        sacrebleu.corpus_bleu(tokenized, [tokenized])
        assert "tokenized period" in caplog.text
        caplog.clear()
        capfd.readouterr()
        corpus_bleu(tokenized, [[line] for line in tokenized])
        sentence_bleu("a dog .", ["a dog ."])
    assert not caplog.text
    assert capfd.readouterr() == ("", "")


def _same(found: Score, expected: float) -> bool:
    return abs(found.value - expected / 100) < 1e-9


@pytest.mark.shared
def test_scores_of_real_texts_are_those_of_sacrebleu(shared: Path) -> None:
    datasets = shared / "datasets"
    english = [_outputs(datasets / "alpaca_eval" / f"{name}.json") for name in ("alpaca-7b", "Qwen1.5-1.8B-Chat")]
    chinese = [_outputs(datasets / "ruozhiba" / f"ruozhiba_qa2449_{name}.json") for name in ("gpt4o", "gpt4t")]
    for (first, second), tokenizer in ((english, "13a"), (chinese, "zh")):
        both = [prompt for prompt in first if prompt in second][:200]
        assert len(both) == 200
        answers, references = [second[prompt] for prompt in both], [first[prompt] for prompt in both]
        several = [[reference] for reference in references]
        bleu = sacrebleu.corpus_bleu(answers, [references], tokenize=tokenizer, force=True).score
        assert bleu > 1
        assert _same(corpus_bleu(answers, several), bleu)
        assert _same(corpus_chrf(answers, several), sacrebleu.corpus_chrf(answers, [references]).score)
        for answer, reference in zip(answers, references, strict=True):
            expected = sacrebleu.sentence_bleu(answer, [reference], tokenize=tokenizer).score
            assert _same(sentence_bleu(answer, [reference], tokenizer=tokenizer), expected)
            assert _same(sentence_chrf(answer, [reference]), sacrebleu.sentence_chrf(answer, [reference]).score)


def _outputs(path: Path) -> dict[str, str]:
    return {row["instruction"]: row["output"] for row in json.loads(path.read_text(encoding="utf-8"))}
