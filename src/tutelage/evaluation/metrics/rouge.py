"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004), for texts in any script.

One rule makes the tokens: runs of letters and digits in lower case, and where a script writes no spaces each character.
On ASCII these are the tokens of the reference implementation (rouge_score without stemmer), which elsewhere drops every
letter beyond a to z.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from unicodedata import normalize

from rapidfuzz.distance import LCSseq

from tutelage.evaluation.metrics.overlap import Overlap, best
from tutelage.text import words

LONGEST = 20_000  # tokens of a text that ROUGE-L compares: its time grows with the product of both lengths
# Letters and digits of ASCII in lower case, everything else a space.
_ASCII = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_JOINING = dict.fromkeys(map(ord, "'’.,"), " ")  # marks that tutelage.text keeps within a word


def rouge_n(answer: str, references: Sequence[str], *, n: int) -> Overlap:
    """ROUGE-N of an answer with the best of its references: runs of n tokens that both have, each as often as in the
    one that has it less. An answer of fewer than n tokens scores 0. There must be a reference.
    """
    given = _runs(tokens(answer), n)
    return best([_shared(given, _runs(tokens(reference), n)) for reference in references])


def rouge_l(answer: str, references: Sequence[str]) -> Overlap:
    """ROUGE-L of an answer with the best of its references: their longest common subsequence of tokens. Of texts over
    20,000 tokens the first 20,000 are compared. An answer without a token scores 0. There must be a reference.
    """
    given = tokens(answer)
    return best([common_subsequence(given, tokens(reference)) for reference in references])


def common_subsequence(given: Sequence[str], expected: Sequence[str]) -> Overlap:
    """ROUGE-L of tokens (of each the first 20,000)."""
    given, expected = given[:LONGEST], expected[:LONGEST]
    ids = dict(zip(given, range(len(given)), strict=True))
    # Tokens that only the reference has are in no common subsequence.
    length = LCSseq.similarity([ids[token] for token in given], [ids[token] for token in expected if token in ids])
    return Overlap.of(length, given=len(given), expected=len(expected))


def tokens(text: str) -> list[str]:
    """The tokens of a text, as told above. Full-width letters and digits become narrow."""
    if text.isascii():
        return text.translate(_ASCII).split()
    return words(normalize("NFKC", text).lower().translate(_JOINING))


def _runs(found: Sequence[str], n: int) -> Counter[Hashable]:
    """How often each run of n tokens occurs."""
    return Counter(found) if n == 1 else Counter(zip(*(found[start:] for start in range(n)), strict=False))


def _shared(given: Counter[Hashable], expected: Counter[Hashable]) -> Overlap:
    return Overlap.of((given & expected).total(), given=given.total(), expected=expected.total())
