"""Which template is used: one of the library, a file, the tokenizer's own, or `plain`."""

import difflib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tutelage.errors import TemplateError
from tutelage.template import environment
from tutelage.template.chat import ChatTemplate

_FOLDER = Path(__file__).with_name("library")
DEFAULT = "plain"

# A tokenizer's chat_template: Jinja text, or several by name, as a mapping or as a list of {name, template}.
Named = str | Mapping[str, str] | Sequence[Mapping[str, str]]


@cache
def names() -> tuple[str, ...]:
    """Names of the library's templates."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.jinja")))


def load(
    name_or_file: str | None,
    tokenizer_template: Named | None,
    *,
    special_tokens: Mapping[str, str],
    control_tokens: frozenset[str] = frozenset(),
    arguments: Mapping[str, Any] | None = None,
) -> ChatTemplate:
    """The chat template to train with.

    Args:
        name_or_file: a library name; a Jinja file; a tokenizer_config.json or a folder that holds a template; None
            takes the tokenizer's own, or `plain` where it has none.
        tokenizer_template: `chat_template` of the tokenizer; of several, the one named default.
        special_tokens: bos_token, eos_token ... -> text, those that the tokenizer has.
        control_tokens: texts that the tokenizer turns into single special tokens.
        arguments: further variables of the template.

    Raises:
        TemplateError: unknown name, unreadable file, no template in it, or invalid Jinja.
    """
    name, source = _source(name_or_file, tokenizer_template)
    environment.compiled(source, name)
    present = {key: text for key, text in special_tokens.items() if text}
    return ChatTemplate(name, source, present, control_tokens, dict(arguments or {}))


def _source(name_or_file: str | None, tokenizer_template: Named | None) -> tuple[str, str]:
    if name_or_file is None:
        if not tokenizer_template:
            return DEFAULT, _library_text(DEFAULT)
        return "the tokenizer's template", _default_of(tokenizer_template, "chat_template of the tokenizer")
    if name_or_file in names():
        return name_or_file, _library_text(name_or_file)
    path = Path(name_or_file).expanduser()
    if path.exists():
        return str(path), _from_path(path)
    raise _unknown(name_or_file)


def _library_text(name: str) -> str:
    return (_FOLDER / f"{name}.jinja").read_text(encoding="utf-8")


def _from_path(path: Path) -> str:
    if path.is_dir():
        held = [path / name for name in ("chat_template.jinja", "chat_template.json", "tokenizer_config.json")]
        for file in held:
            if file.exists() and (file.suffix == ".jinja" or _json(file).get("chat_template")):
                return _from_path(file)
        expected = " or ".join(file.name for file in held)
        raise TemplateError("no chat template in this folder", code="no-template", place=str(path), expected=expected)
    if path.suffix != ".json":
        return _text(path)
    template = _json(path).get("chat_template")
    if not template:
        raise TemplateError(
            "no `chat_template` in this file", code="no-template", place=str(path), remedy="name a .jinja file"
        )
    return _default_of(template, str(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(
            f"the template cannot be read: {error}", code="no-template", place=str(path), expected="UTF-8 text"
        ) from None


def _json(path: Path) -> Mapping[str, Any]:
    try:
        tree = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise TemplateError(
            f"not valid JSON: {error.msg}", code="no-template", place=f"{path}:{error.lineno}"
        ) from None
    return tree if isinstance(tree, dict) else {}


def _default_of(template: Named, place: str) -> str:
    """The template itself, or the one named default of several."""
    if isinstance(template, str):
        return template
    named = template if isinstance(template, Mapping) else {one["name"]: one["template"] for one in template}
    if "default" not in named:
        raise TemplateError(
            f"several templates, none named default: {', '.join(sorted(named))}",
            code="no-template",
            place=place,
            remedy="save the one you want as a .jinja file and name it with template.name",
        )
    return named["default"]


def _unknown(name: str) -> TemplateError:
    near = difflib.get_close_matches(name, names(), 3, 0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return TemplateError(
        f"no template named {name!r}, and no such file",
        code="no-template",
        place="template.name",
        expected=f"a Jinja file or one of {', '.join(names())}",
        remedy=f"{hint}leave it unset to use the tokenizer's own template",
    )
