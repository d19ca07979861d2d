"""Whether an answer reads like something a person wrote: what it repeats, odd characters, stray scripts, word salad,
another language than was asked for."""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import regex

from tutelage.curate.doubts import GRAVE, MILD, Doubt, excerpt
from tutelage.curate.fillers import wording
from tutelage.curate.form import form, is_code
from tutelage.curate.repetition import repetition_doubts
from tutelage.evaluation.answer_form.languages import wrong_language
from tutelage.text import language, words

LOOKED_AT = 20_000  # characters of an answer; more of it tells nothing new

_TOKEN = regex.compile(r"\p{Han}|[^\s\p{Han}]+")
_HAN = regex.compile(r"\p{Han}")
_TELLS = regex.compile(r"[\p{L}\p{N}]")
_DRAWN = regex.compile(r"[-|_=*#~+.…·]+")  # of tables and rules
_LOOP, _SHORT_LOOP = 4, 8  # times in a row that nobody writes the same words; that nobody ends with a short one
_PERIOD, _LONG = 120, 12  # words that are repeated together at most; characters that are long, half of them in Chinese
_AGAIN = regex.compile(
    r"(?<!-)\b(?:repeat(?:edly)?|chant)\b|\d (?:times|copies)\b|重复(?!的)|反复|[\d两三四五六七八九十百] ?[遍次](?!方)",
    regex.IGNORECASE,
)
# Lost bytes, control and private characters, and UTF-8 that was read as Latin-1.
_ODD = regex.compile(
    r"[\uFFFD\p{Cn}\p{Co}\p{Cs}\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|[ÃÂ][\u0080-\u00BF]|â€[™œ\x9d“”¦]|锟斤拷|烫烫烫"
)
_SCRIPTS = {
    name: regex.compile(rf"\p{{{name}}}")
    for name in ("Han", "Cyrillic", "Arabic", "Hangul", "Hiragana", "Thai", "Hebrew", "Devanagari", "Georgian")
}
_STRAY = 0.1  # share of the letters up to which another script is a stray, and over which it is what the text is about
_MIXED_WORD = regex.compile(r"\b(?=\w*\p{Latin})(?=\w*\p{Cyrillic})\w{3,}")
_ENDLESS = regex.compile(r"(?<![\w/.:?=&%#@-])\p{Latin}{40,}(?![\w/.:?=&%#@-])")  # a run of letters that is no address
_PROSE, _FEWEST_SMALL = 40, 0.12  # words from which prose has this share of small words; half of it in Chinese
_LINE, _COMMA, _LISTED = 60, regex.compile(r"[,，、;；]"), 12  # characters; commas that stand nearer than that list
_SMALL_HAN = frozenset("的了是在和有不我你他她它们这那就也都而与及对为以个中到等可能会要于之从")


def fluency_doubts(prompt: str, answer: str) -> tuple[Doubt, ...]:
    """What speaks against the fluency of an answer; `doubts.score` makes it 0 to 1.

    Reasons are "loop" (the same words four times in a row, or eight times at the end, where the prompt does not ask for
    it), "repetition", "odd characters", "stray letters" (of a script that neither the prompt nor most of the answer is
    written in), "word salad" (prose without small words, letters without end) and "other language".
    """
    text = answer[:LOOKED_AT]
    found = [_loop(prompt, text) or _repetition(prompt, text), _odd(prompt, text), _stray(prompt, text), _salad(text)]
    if wrong := wrong_language(prompt, text):
        found.append(Doubt("other language", f"written in {wrong}", GRAVE))
    return tuple(doubt for doubt in found if doubt)


def _loop(prompt: str, text: str) -> Doubt | None:
    tokens = _TOKEN.findall(text)
    times, start, period = max((_run(tokens, *run) for run in _periods(tokens)), default=(0, 0, 0))
    if not times or _AGAIN.search(prompt):
        return None
    once = tokens[start : start + period]
    share = times * sum(map(len, once)) / sum(map(len, tokens))
    joined = ("" if _HAN.search(text) else " ").join(once)
    return Doubt("loop", f"{times} times in a row: {excerpt(joined)}", GRAVE + (1 - GRAVE) * 0.9 * min(share, 1.0))


def _periods(tokens: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Period, start and length of the longest stretch of tokens that are those a period before, for each period."""
    ids = np.unique(np.array(tokens, np.str_), return_inverse=True)[1] if tokens else np.zeros(0, np.int64)
    for period in range(1, min(_PERIOD, len(ids) // (_LOOP - 1)) + 1):
        breaks = np.flatnonzero(np.concatenate([[True], ids[period:] != ids[:-period], [True]]))
        lengths = np.diff(breaks) - 1
        longest = int(lengths.argmax())
        yield period, int(breaks[longest]), int(lengths[longest])


def _run(tokens: Sequence[str], period: int, start: int, length: int) -> tuple[int, int, int]:
    """How often in a row some tokens stand, where, and how many they are; 0 times where that is no loop: what is short
    or has no letters may stand often, but not at the end of an answer."""
    times = length // period + 1
    once = "".join(tokens[start : start + period])
    weight = len(once) if once.isascii() else 2 * len(once)
    at_end = start + period + length == len(tokens)
    long = weight >= _LONG and _TELLS.search(once) is not None
    looped = times >= _LOOP if long else times >= _SHORT_LOOP and at_end and not _DRAWN.fullmatch(once)
    return (times, start, period) if looped else (0, 0, 0)


def _repetition(prompt: str, text: str) -> Doubt | None:
    return next(iter(repetition_doubts(prompt, text, code=is_code(text))), None)


def _odd(prompt: str, text: str) -> Doubt | None:
    known = set(_ODD.findall(prompt))
    found = [one for one in _ODD.findall(text) if one not in known]
    if not found:
        return None
    shown = " ".join(dict.fromkeys(ascii(one).strip("'") for one in found[:6]))
    return Doubt("odd characters", f"{len(found)}: {shown}", min(MILD + 10 * len(found) / len(text), 0.9))


def _stray(prompt: str, text: str) -> Doubt | None:
    """A sprinkle of another script, as models that lose their way write it."""
    if match := _MIXED_WORD.search(text):
        return Doubt("stray letters", match[0], MILD)
    letters = len(_TELLS.findall(text))
    for name, script in _SCRIPTS.items():
        count = len(script.findall(text))
        if 0 < count <= _STRAY * letters and not script.search(prompt) and not _spoken_of(name, prompt, text):
            return Doubt("stray letters", f"{count} {name}", MILD)
    return None


def _spoken_of(script: str, prompt: str, text: str) -> bool:
    """Whether another script has its place: Japanese with Han and kana, and talk of languages, as its own words in
    brackets or quotes show."""
    japanese = script in ("Han", "Hiragana") and language(text) == "ja"
    quoted = regex.search(rf"[(（\"“‘'「《\[][^)）\n]{{0,40}}\p{{{script}}}", text) is not None
    return japanese or quoted or regex.search(r"\blanguages?\b|\btranslat|语|文字|翻译", prompt) is not None


def _salad(text: str) -> Doubt | None:
    if match := _ENDLESS.search(text):
        return Doubt("word salad", excerpt(match[0]), MILD)
    if form(text) != "text" or (code := language(text)) not in ("en", "zh"):
        return None
    found = [word for line in text.split("\n") if not _lists(line) for word in words(line.casefold())]
    if len(found) < _PROSE:
        return None
    known, fewest = (_small(), _FEWEST_SMALL) if code == "en" else (_SMALL_HAN, _FEWEST_SMALL / 2)
    share = sum(word in known for word in found) / len(found)
    return Doubt("word salad", f"{share:.0%} small words", GRAVE) if share < fewest else None


def _lists(line: str) -> bool:
    """Whether a line is too short for prose, or lists things between commas."""
    return len(line) < _LINE or len(_COMMA.findall(line)) * _LISTED > len(line) / (1 if "、" in line else 3)


@cache
def _small() -> frozenset[str]:
    """The small words of English."""
    return frozenset(wording()["function"]["en"].split())
