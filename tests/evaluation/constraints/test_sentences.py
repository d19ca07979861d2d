"""Where sentences end."""

import pytest

from tutelage.evaluation.constraints.sentences import count_sentences


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \n ", 0),
        ("... !? 😀", 0),
        ("no mark at the end", 1),
        ("One. Two! Three? Four… Five", 5),
        ("Really?! Yes!!! Well...", 3),
        ('He said "Go." Then he went. (So it was.) End', 4),
        ('"Who?" she asked. "me!" he said', 2),
        ("all small. is it? it is.", 3),
        ("**Bold.** _Next._ `Code.`", 3),
        ("How are you ? Fine .", 2),
        ("Mr. Gray met Dr. Lee on St. John's Road.", 1),
        ("She lives in the U.S. Army barracks. He does not.", 2),
        ("She lives in the U.S. He does not.", 2),
        ("It was 5 p.m. when J. R. Moss came.", 1),
        ("Pears, plums, etc. are fruit. So are figs, etc. The end.", 3),
        ("See no. 5 and fig. 2 on p. 3 here.", 1),
        ("He said no. She agreed.", 2),
        ("It costs 3.50 at example.com today.", 1),
        ("Well... perhaps. Well... Perhaps.", 3),
        ("1. pears and 2. plums", 1),
        ("1. Pears. 2. Plums.", 4),  # so does Punkt
        ("A heading\n\nand its text. More.\nAnd more.", 3),
    ],
)
def test_english(text: str, count: int) -> None:
    assert count_sentences(text) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("你好。再见！真的？是", 4),
        ("他说：“走吧。”然后走了。", 2),
        ("真的？！好！！", 2),
        ("好!我来了.你呢?", 3),
        ("1. 苹果很甜。", 1),
        ("我爱Python。It is fine. 是的。", 3),
        ("他走了……她哭了。", 1),
        ("नमस्ते। आप कैसे हैं?", 2),
    ],
)
def test_chinese_and_others(text: str, count: int) -> None:
    assert count_sentences(text) == count


def test_sentences_add_up() -> None:
    piece = "Mr. Gray ran. 他走了。Did she? "
    assert count_sentences(piece * 500) == 500 * count_sentences(piece) == 1500
