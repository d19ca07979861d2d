"""Tasks whose rows bring no instruction, only bare columns: the task words one, in the row's own language.

Each task has several wordings in English and in Chinese (`wordings.yaml`). A row gets one of them by a hash of its own
text, not by its place: rows that are the same stay the same, so duplicates and leaks are still found.
"""

import re
import zlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from tutelage.data.values import Unusable, shown, text_of
from tutelage.records import Message

Fields = Mapping[str, Any]

DOCUMENTS = ("document", "article", "dialogue", "text", "content")
SUMMARIES = ("summary", "highlights", "abstract")
QUESTIONS = ("question", "query")
ANSWERS = ("answer", "answers")
CONTEXTS = ("context", "passage", "paragraph")
TRANSLATION = "translation"
SOURCES = ("source", "src", TRANSLATION)
TARGETS = ("target", "tgt", TRANSLATION)
TARGET_LANGUAGES = ("target_lang", "target_language", "tgt_lang")
LABELLED = ("text", "sentence", "review", "content")
LABELS = ("label_text", "label_name", "label", "category")
NOTES = ("topic", "title", "keywords", "concepts", "outline")
WRITTEN = ("text", "content", "article", "story", "response", "output")

_SHARE = 0.15  # of the letters: from here on a text with Chinese characters is Chinese
_START = 400  # characters that tell the language of a text
_HAN, _OTHER = re.compile("[\u3400-\u9fff]"), re.compile("[\u3040-\u30ff\uac00-\ud7af]")  # kana and hangul
_ENGLISH = re.compile(r"\b(?:the|a|an|of|to|and|is|are|was|in|it|i|you|we|he|she|not)\b", re.IGNORECASE)


def summarized(fields: Fields) -> tuple[Message, ...]:
    """A document and its summary."""
    document = _input(fields, DOCUMENTS)
    return _asked(_worded("summarization", document), document), _answer(_present(fields, SUMMARIES))


def questioned(fields: Fields) -> tuple[Message, ...]:
    """A question, perhaps about a text, and its answer; of several accepted answers the first is trained."""
    question, answer = _input(fields, QUESTIONS), _answer(_present(fields, ANSWERS))
    context = next((fields[name] for name in CONTEXTS if fields.get(name)), None)
    if context is None:
        return _asked(_worded("qa", question), question), answer
    text = _joined("context", context)
    return _asked(_worded("qa with context", question, question=question), text), answer


def translated(fields: Fields) -> tuple[Message, ...]:
    """A text and its translation: two columns, or a column `translation` with a text for each of two languages, the
    source first."""
    pair = fields.get(TRANSLATION)
    if isinstance(pair, Mapping):
        texts = [(code, text) for code, text in pair.items() if text]
        if len(texts) != 2:
            raise Unusable("not two languages", f"{TRANSLATION} is {shown(dict(pair))}")
        (_, source), (code, target) = texts
        return _translation(text_of(source, TRANSLATION), text_of(target, TRANSLATION), language=code)
    own = {name: value for name, value in fields.items() if name != TRANSLATION}
    source = _input(own, SOURCES)
    target = text_of(*reversed(_present(fields, TARGETS)))
    named = next((fields[name] for name in TARGET_LANGUAGES if fields.get(name)), None)
    return _translation(source, target, language=None if named is None else text_of(named, TARGET_LANGUAGES[0]))


def classified(fields: Fields) -> tuple[Message, ...]:
    """A text and its label."""
    text = _input(fields, LABELLED)
    return _asked(_worded("classification", text), text), _answer(_present(fields, LABELS))


def generated(fields: Fields) -> tuple[Message, ...]:
    """A topic, keywords or an outline, and the text that was written from it."""
    name, value = _present(fields, NOTES)
    notes, answer = _joined(name, value), _answer(_present(fields, WRITTEN))
    return _asked(_worded("generation", f"{notes} {answer.content}", seed=notes), notes), answer


def _translation(source: str, target: str, *, language: str | None) -> tuple[Message, ...]:
    if not source.strip():
        raise Unusable("empty instruction", f"the source of a translation is {shown(source)}")
    code = language or language_of(target)
    if code is None:
        instruction = _worded("translation into a language that is not named", source)
    else:
        name = _names()[_wording_language(source)].get(code.lower(), code)
        instruction = _worded("translation", source, language=name)
    return _asked(instruction, source), _answer(("target", target))


def _present(fields: Fields, names: Iterable[str]) -> tuple[str, Any]:
    """The first of the columns that holds something, with its value.

    Raises:
        Unusable: "missing column".
    """
    found = [(name, fields[name]) for name in names if name in fields]
    if not found:
        raise Unusable("missing column", " or ".join(names))
    return next(((name, value) for name, value in found if value is not None), found[0])


def _input(fields: Fields, names: Iterable[str]) -> str:
    return _joined(*_present(fields, names))


def _joined(name: str, value: Any) -> str:
    """A text that is asked about; of a list, as of keywords, its members with commas between them."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    text = ", ".join(text_of(part, name) for part in parts)
    if not text.strip():
        raise Unusable("empty instruction", f"{name} is {shown(text)}")
    return text


def _answer(part: tuple[str, Any]) -> Message:
    """The answer; of several accepted ones, as a list or as SQuAD's `{"text": [...]}`, the first."""
    name, value = part
    several = value.get("text") if isinstance(value, Mapping) else value
    if isinstance(several, (list, tuple)):
        several = several[0] if several else ""
    text = text_of(several, name)
    if not text.strip():
        raise Unusable("empty answer", f"{name} is {shown(value)}")
    return Message("assistant", text)


def _asked(instruction: str, text: str) -> Message:
    # `Message.instruction` splits this join again, so nothing else may stand between the two.
    return Message("user", f"{instruction}\n{text}", input=text)


def _worded(task: str, text: str, *, seed: str | None = None, **parts: str) -> str:
    """The instruction of a row, in the language of `text`.

    Args:
        seed: what chooses the wording; unset: `text`.
    """
    wordings = _wordings()[task][_wording_language(text)]
    key = zlib.crc32((text if seed is None else seed).encode(errors="surrogatepass"))
    return wordings[key % len(wordings)].format(**parts)


def _wording_language(text: str) -> str:
    return "zh" if is_chinese(text) else "en"


def is_chinese(text: str) -> bool:
    """Whether a text is Chinese, by its characters; Japanese and Korean are not."""
    start = text[:_START]
    han, other = len(_HAN.findall(start)), len(_OTHER.findall(start))
    return han > other * 4 and han > _SHARE * sum(map(str.isalpha, start))


def language_of(text: str) -> str | None:
    """zh or en where a text is surely that, else None."""
    if is_chinese(text):
        return "zh"
    return "en" if text.isascii() and _ENGLISH.search(text) else None


@cache
def _wordings() -> dict[str, dict[str, list[str]]]:
    loaded: dict[str, dict[str, list[str]]] = _data_file("wordings.yaml")
    return loaded


@cache
def _names() -> dict[str, dict[str, str]]:
    loaded: dict[str, dict[str, str]] = _data_file("languages.yaml")
    return loaded


def _data_file(name: str) -> Any:
    """Texts only: to YAML itself, `no` is not a language but false."""
    text = files("tutelage.data").joinpath(name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.BaseLoader)
