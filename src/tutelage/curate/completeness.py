"""Whether an answer is whole: not cut off, not refused, not repeated, with brackets closed and promises kept."""

from tutelage.curate.brackets import bracket_doubts
from tutelage.curate.doubts import Doubt
from tutelage.curate.endings import ending_doubts
from tutelage.curate.form import is_code
from tutelage.curate.phrases import phrase_doubts
from tutelage.curate.promises import promise_doubts
from tutelage.curate.repetition import repetition_doubts


def completeness(prompt: str, answer: str, *, language: str) -> tuple[Doubt, ...]:
    """What speaks against the completeness of one answer; `doubts.score` makes it 0 to 1.

    A grave doubt (cut off, refusal, placeholder, heavy repetition, an open code fence) alone takes the score below
    0.6; a mild one does not. Reasons are "cut off", "no mark at the end", "unbalanced brackets", "unbalanced quotation
    marks", "open code fence", "fewer items than promised", "refusal", "boilerplate", "no input", "placeholder answer",
    "repetition".

    Args:
        prompt: what was asked; empty for plain text.
        language: as `text.language` tells it. Words are known in English and Chinese; marks in all languages.
    """
    phrases = phrase_doubts(prompt, answer)
    if any(doubt.reason == "placeholder answer" for doubt in phrases):
        return tuple(phrases)
    code = is_code(answer)
    return (
        *phrases,
        *ending_doubts(answer, language=language, code=code),
        *bracket_doubts(answer, code=code),
        *promise_doubts(prompt, answer),
        *repetition_doubts(prompt, answer, code=code),
    )
