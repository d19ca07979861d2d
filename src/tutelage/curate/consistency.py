"""Whether an answer has the form that its prompt asks for: the language, JSON, code, one markup."""

import orjson
import regex

from tutelage.curate.doubts import GRAVE, MILD, Doubt, excerpt
from tutelage.curate.form import is_code
from tutelage.text import language as told_language

_HEAD = 300  # characters of prompt and answer that tell languages
_LATIN = 0.95  # of the characters in ASCII: the text is written in Latin letters
_SCRIPTS = {
    "Han": regex.compile(r"\p{Han}"),
    "kana": regex.compile(r"[\p{Hiragana}\p{Katakana}]"),
    "Hangul": regex.compile(r"\p{Hangul}"),
    "Latin": regex.compile(r"\p{Latin}+"),
    "Cyrillic": regex.compile(r"\p{Cyrillic}+"),
    "Arabic": regex.compile(r"\p{Arabic}+"),
    "Thai": regex.compile(r"\p{Thai}"),
    "Greek": regex.compile(r"\p{Greek}+"),
    "Hebrew": regex.compile(r"\p{Hebrew}+"),
    "Devanagari": regex.compile(r"[\p{Devanagari}\p{M}]+"),
}
_OWN_SHARE = 0.9  # of the words of a text, for its script to be clear
_FEWEST = 8  # words of prompt and answer that tell a script
_OTHER_LANGUAGE = regex.compile(
    r"translat|\b(?:chinese|english|french|spanish|german|japanese|korean|russian|italian|latin|arabic"
    r"|portuguese|hindi|"
    r"greek|hebrew|thai|mandarin|cantonese|pinyin|language|bilingual|romaji|kanji|spell|word for|phrase|lyrics"
    r"|quote)\b"
    r"|翻译|译成|译为|译文|英文|英语|中文|汉语|日语|日文|韩语|法语|法文|德语|德文|西班牙语|俄语|意大利语|阿拉伯语|拉丁|语言|外语|双语|拼音|单词|字母|歌词|代码|编程|程序|SQL|HTML",
    regex.IGNORECASE,
)
_ENGLISH = frozenset(
    [
        "the",
        "and",
        "of",
        "to",
        "a",
        "is",
        "are",
        "in",
        "for",
        "you",
        "it",
        "that",
        "with",
        "on",
        "as",
        "be",
        "this",
        "or",
        "can",
        "by",
    ]
)
_ENOUGH = 30  # words of an answer that tell a language written in Latin letters
_ENGLISH_SHARE = 0.08  # of its words that are the most frequent English ones; a text with fewer is looked at
_WORD = regex.compile(r"\p{L}+")
_JSON = regex.compile(
    r"\b(?:in|as|into|to|a|valid|return|output|using) (?:a |an )?(?:valid )?json\b(?! (?:file|schema"
    r"|parser|library))|(?:以|用|为|成|返回|输出)\s?(?:一个)?JSON",
    regex.IGNORECASE,
)
_FENCED = regex.compile(r"```[\w-]*\s*\n(.*?)```", regex.DOTALL)
_HTML = regex.compile(
    r"</?(?:p|br|b|i|strong|em|ul|ol|li|h[1-6]|div|span|font|table|tr|td)\b[^>]{0,80}>", regex.IGNORECASE
)
_MARKDOWN = regex.compile(r"^#{1,6} |\*\*[^*\n]+\*\*|^[^\S\n]*[-*] ", regex.MULTILINE)
_ABOUT_MARKUP = regex.compile(r"html|markup|web ?page|website|tag|网页|网站|标签|标记|xml", regex.IGNORECASE)


def consistency_doubts(prompt: str, answer: str, *, language: str) -> tuple[Doubt, ...]:
    """Doubts about the form of one answer: "other language", "not JSON", "mixed markup".

    The answer's language follows the prompt's unless the prompt speaks of languages or of code, or the answer is code
    or a list of names. The script tells most; English and other languages in Latin letters are compared only in
    answers of 30 words and more.

    Args:
        language: of prompt and answer together, as `text.language` tells it.
    """
    found = (_language_doubt(prompt, answer, language), _json_doubt(prompt, answer), _markup_doubt(prompt, answer))
    return tuple(doubt for doubt in found if doubt is not None)


def _language_doubt(prompt: str, answer: str, language: str) -> Doubt | None:
    asked, answered = _script(prompt[:_HEAD]), _script(answer[:_HEAD])
    doubt = None
    if asked == answered == "Latin":
        doubt = _latin_doubt(prompt, answer, language)
    elif asked and answered and {asked, answered} != {"Han", "kana"}:
        doubt = _script_doubt(prompt, answer, asked=asked, answered=answered)
    if doubt is None or _OTHER_LANGUAGE.search(prompt) or is_code(answer) or is_code(prompt):
        return None
    return doubt


def _script(text: str) -> str:
    """The script in which nearly all words of a text are written; empty where none is clear."""
    if len(text.encode("ascii", "ignore")) >= _LATIN * len(text):
        return "Latin" if sum(word[0].isalpha() for word in text.split()) >= _FEWEST else ""
    counts = {name: len(pattern.findall(text)) for name, pattern in _SCRIPTS.items()}
    total = sum(counts.values())
    name = max(counts, key=lambda one: counts[one])
    return name if total >= _FEWEST and counts[name] >= _OWN_SHARE * total else ""


def _script_doubt(prompt: str, answer: str, *, asked: str, answered: str) -> Doubt | None:
    """Names, links and formulas keep their letters in all languages; and a prompt in two scripts, an instruction and
    what it is about, may be answered in either."""
    if answered == "Latin":
        follows = _names(answer[:_HEAD]) or "://" in answer
    else:
        follows = _SCRIPTS[answered].search(prompt) is not None
    if asked == answered or follows:
        return None
    return Doubt("other language", f"asked in {asked}, answered in {answered} letters", GRAVE)


def _latin_doubt(prompt: str, answer: str, language: str) -> Doubt | None:
    """English against other languages; only texts with few English words are given to the identifier."""
    head, start = answer[:_HEAD], prompt[:_HEAD]
    answered_english = _english(head)
    if (answered_english and language == "en") or len(_WORD.findall(head)) < _ENOUGH:
        return None
    told = "en" if answered_english else told_language(head)
    expected = "en" if _english(start) else told_language(start)
    if told == expected or "en" not in (told, expected) or _names(head):
        return None
    return Doubt("other language", f"asked in {expected}, answered in {told}", GRAVE)


def _english(text: str) -> bool:
    found = text.lower().split()
    return sum(word in _ENGLISH for word in found) >= _ENGLISH_SHARE * len(found)


def _names(text: str) -> bool:
    """Whether a text in Latin letters is made of names and titles: the identifier takes them for any language."""
    found = _WORD.findall(text)
    capitals = sum(1 for word in found if word[0].isupper())
    return capitals > 0.4 * len(found)


def _json_doubt(prompt: str, answer: str) -> Doubt | None:
    if "json" not in prompt.lower() or not _JSON.search(prompt):
        return None
    candidates = [answer, *_FENCED.findall(answer)]
    start = min((place for mark in "{[" if (place := answer.find(mark)) >= 0), default=-1)
    if start >= 0:
        candidates.append(answer[start : max(answer.rfind("}"), answer.rfind("]")) + 1])
    if any(_is_json(one) for one in candidates):
        return None
    return Doubt("not JSON", excerpt(answer), GRAVE if start < 0 else MILD)


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _markup_doubt(prompt: str, answer: str) -> Doubt | None:
    if "<" not in answer or "```" in answer or _ABOUT_MARKUP.search(prompt):
        return None
    tag = _HTML.search(answer)
    if tag is None or not _MARKDOWN.search(answer) or _HTML.search(prompt):
        return None
    return Doubt("mixed markup", f"{excerpt(tag[0])} in Markdown", MILD)
