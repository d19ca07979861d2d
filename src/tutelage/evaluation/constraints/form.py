"""Form: titles, sections, lists, highlights, JSON, answers from a choice, and the marks that an answer needs."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from tutelage.evaluation.constraints.kinds import ORDINAL, TEXT, Kind

# No pattern runs over a character twice: answers may be long, and may be nothing but brackets.
_PLACEHOLDER = re.compile(r"\[[^\n\[\]]*\]")
_BULLET = re.compile(r"^[^\S\n]*+(?:\*(?!\*)|-)", re.MULTILINE)
_EMPHASISED = re.compile(r"\*[^\n*]*\*")
_STRONG = re.compile(r"\*\*[^\n*]*\*\*")
_FENCE = re.compile(r"```(?:json)?", re.IGNORECASE)
NOT_JSON: Final = object()
_CHOICES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def number_placeholders(answer: str, num_placeholders: int) -> bool:
    """Whether an answer has at least so many placeholders in square brackets."""
    return len(_PLACEHOLDER.findall(answer)) >= num_placeholders


def postscript(answer: str, postscript_marker: str) -> bool:
    """Whether a postscript begins somewhere with the marker; capitals do not matter, nor spaces between its letters."""
    pattern = re.escape(postscript_marker.strip()).replace(r"\.", r"\.\s?")
    return re.search(pattern, answer, re.IGNORECASE) is not None


def number_bullet_lists(answer: str, num_bullets: int) -> bool:
    """Whether exactly so many lines begin with a bullet, `*` or `-`."""
    return len(_BULLET.findall(answer)) == num_bullets


def constrained_response(answer: str) -> bool:
    """Whether an answer holds one of the three answers that IFEval's prompts offer."""
    return any(choice in answer for choice in _CHOICES)


def number_highlighted_sections(answer: str, num_highlights: int) -> bool:
    """Whether at least so many parts of an answer stand in single or double stars."""
    found = [*_EMPHASISED.findall(answer), *_STRONG.findall(answer)]
    return sum(1 for part in found if part.strip("*").strip()) >= num_highlights


def multiple_sections(answer: str, *, section_spliter: str, num_sections: int) -> bool:
    """Whether an answer has at least so many sections, each begun by the splitter and a number (`SECTION 1`)."""
    return len(re.findall(rf"{re.escape(section_spliter)}\s?\d", answer)) >= num_sections


def json_format(answer: str) -> bool:
    """Whether an answer is JSON as a whole, in a fenced block or bare."""
    return parsed_json(answer) is not NOT_JSON


def title(answer: str) -> bool:
    """Whether an answer has a title in double angular brackets, within a line."""
    spans = ((line, line.find("<<"), line.rfind(">>")) for line in answer.split("\n"))
    return any(start >= 0 and line[start:end].strip("<>").strip() for line, start, end in spans if start < end)


def no_comma(answer: str) -> bool:
    """Whether an answer has no comma, full-width and Arabic ones included."""
    return not any(comma in answer for comma in ",，،")


def end_checker(answer: str, end_phrase: str) -> bool:
    """Whether an answer ends with a phrase, whatever its capitals and quotes around the answer."""
    return answer.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quotation(answer: str) -> bool:
    """Whether an answer stands in double quotes."""
    text = answer.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


def parsed_json(answer: str) -> Any:
    """What an answer is as JSON, in a fenced block or bare; `NOT_JSON` where it is none."""
    text = answer.strip()
    if fence := _FENCE.match(text):
        text = text[fence.end() :]
    try:
        return json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return NOT_JSON


KINDS: Mapping[str, Kind] = {
    "detectable_content:number_placeholders": Kind(
        number_placeholders,
        "the answer has at least {num_placeholders} placeholders in square brackets",
        {"num_placeholders": ORDINAL},
    ),
    "detectable_content:postscript": Kind(
        postscript, "the answer has a postscript that begins with {postscript_marker}", {"postscript_marker": TEXT}
    ),
    "detectable_format:number_bullet_lists": Kind(
        number_bullet_lists, "the answer has exactly {num_bullets} bullets", {"num_bullets": ORDINAL}
    ),
    "detectable_format:constrained_response": Kind(
        constrained_response, f"the answer is one of {', '.join(map(repr, _CHOICES))}", {}
    ),
    "detectable_format:number_highlighted_sections": Kind(
        number_highlighted_sections,
        "at least {num_highlights} parts of the answer are highlighted with *",
        {"num_highlights": ORDINAL},
    ),
    "detectable_format:multiple_sections": Kind(
        multiple_sections,
        "the answer has at least {num_sections} sections, begun by {section_spliter} and a number",
        {"section_spliter": TEXT, "num_sections": ORDINAL},
    ),
    "detectable_format:json_format": Kind(json_format, "the answer is JSON", {}),
    "detectable_format:title": Kind(title, "the answer has a title in <<double angular brackets>>", {}),
    "punctuation:no_comma": Kind(no_comma, "the answer has no comma", {}),
    "startend:end_checker": Kind(end_checker, "the answer ends with {end_phrase}", {"end_phrase": TEXT}),
    "startend:quotation": Kind(quotation, "the answer stands in double quotes", {}),
}
