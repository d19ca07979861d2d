"""BLEU and chrF, as sacrebleu computes them, on a scale of 0 to 1 and with its signature.

The signature names what a score depends on (tokeniser, smoothing, number of references, version); only scores with the
same signature may be compared. Every function needs at least one reference for each answer: callers check that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from tutelage.text import language

# By language (ISO 639-1). Chinese characters one by one, and the rest of a Chinese text as 13a reads it. The other
# scripts without spaces, and Korean, would need a dictionary (MeCab): they are compared by characters.
_TOKENIZERS = {"zh": "zh"} | dict.fromkeys(("ja", "ko", "th", "lo", "km", "my", "bo", "dz"), "char")
_WESTERN = "13a"
_SOME = 0.1  # of the references: from here on they count as Chinese, since zh reads other lines as 13a does


@dataclass(frozen=True, slots=True)
class Score:
    """A score of sacrebleu.

    Attributes:
        value: 0 to 1; sacrebleu's own number divided by 100.
        signature: sacrebleu's line about how it was computed.
    """

    value: float
    signature: str


def corpus_bleu(answers: Sequence[str], references: Sequence[Sequence[str]], *, tokenizer: str | None = None) -> Score:
    """BLEU of a set of answers (Papineni et al. 2002): n-grams up to 4, pooled over all answers.

    Args:
        answers: at least one.
        references: per answer one or more; their number may differ.
        tokenizer: of sacrebleu; by default that of the references' language.
    """
    metric = BLEU(tokenize=tokenizer or tokenizer_for(_flat(references)), force=True)
    return _corpus_score(metric, answers, references=references)


def sentence_bleu(answer: str, references: Sequence[str], *, tokenizer: str | None = None) -> Score:
    """BLEU of one answer: orders that the answer is too short for do not count, others without a match are smoothed
    ("exp", Chen and Cherry 2014, method 3). An answer without any matching word scores 0.
    """
    metric = BLEU(tokenize=tokenizer or tokenizer_for(references), force=True, effective_order=True)
    found = metric.sentence_score(answer, references)
    return _told(metric, found.score)


def corpus_chrf(answers: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """chrF2 of a set of answers (Popovic 2015, 2016): F-score of character n-grams up to 6, recall weighted twice.

    It needs no tokeniser, whatever the language; white space does not count.
    """
    return _corpus_score(CHRF(), answers, references=references)


def sentence_chrf(answer: str, references: Sequence[str]) -> Score:
    """chrF2 of one answer, with the best of its references."""
    metric = CHRF()
    found = metric.sentence_score(answer, references)
    return _told(metric, found.score)


def tokenizer_for(references: Iterable[str]) -> str:
    """The tokeniser of sacrebleu for references: `zh` where a tenth of them or more is Chinese, else that of most of
    them: `char` for scripts without spaces and Korean, `13a` for the others.
    """
    found = [_TOKENIZERS.get(language(reference), _WESTERN) for reference in references]
    most = max(("13a", "zh", "char"), key=found.count)
    return "zh" if most == _WESTERN and found.count("zh") >= max(1, _SOME * len(found)) else most


def _flat(references: Sequence[Sequence[str]]) -> list[str]:
    return [reference for several in references for reference in several]


def _corpus_score(metric: BLEU | CHRF, answers: Sequence[str], *, references: Sequence[Sequence[str]]) -> Score:
    found = metric.corpus_score(answers, _streams(references))  # type: ignore[arg-type]  # None is fine, it says
    return _told(metric, found.score)


def _streams(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """sacrebleu's form: the first references of all answers, then the second ones; None where there is no more."""
    most = max(len(several) for several in references)
    return [[several[at] if at < len(several) else None for several in references] for at in range(most)]


def _told(metric: BLEU | CHRF, score: float) -> Score:
    return Score(min(1.0, score / 100), str(metric.get_signature()))  # identical texts may give 100.00000000000004
