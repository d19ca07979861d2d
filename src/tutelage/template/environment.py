"""Where chat templates are executed: sandboxed Jinja with the names that chat templates on the Hub rely on.

The dialect is that of `transformers.utils.chat_template_utils` (trim_blocks, lstrip_blocks, loop controls, the
`generation` tag, `tojson` without HTML escapes, `raise_exception`, `strftime_now`), so that a template writes here what
it writes at inference.
"""

import json
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

import jinja2
import jinja2.ext
import jinja2.meta
import jinja2.nodes
import jinja2.parser
import jinja2.runtime
import jinja2.utils

from tutelage.errors import TemplateError
from tutelage.template import limits
from tutelage.template.metered import MeteredEnvironment, charged

# Real templates have up to 20,000 characters.
_LONGEST_SOURCE = 2**17
# What the compiler may compute beforehand; what takes more is left to the rendering.
_CONSTANTS = 2**16
_OTHER_TEMPLATE = "name another template with template.name"

# What a template can do wrong while it runs: its own raise, undefined names, and arithmetic on the wrong types.
FAILURES = (
    jinja2.TemplateError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    AssertionError,  # Jinja's filters assert some of their arguments
    MemoryError,
)

# Methods and filters that look for their argument in a text.
_SEARCHING = frozenset(
    ("count", "find", "index", "rfind", "rindex", "startswith", "endswith", "removeprefix", "removesuffix", "replace")
) | {"partition", "rpartition", "split", "rsplit", "strip", "lstrip", "rstrip", "trim"}


class _GenerationTag(jinja2.ext.Extension):
    """`{% generation %}...{% endgeneration %}` writes its body; the mask law does not need the marks."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        """The body as a call block, which keeps its variables to itself as in transformers."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_write"), [], [], body).set_lineno(line)

    @staticmethod
    def _write(caller: Callable[[], str]) -> str:
        return caller()


class _Namespace(jinja2.utils.Namespace):
    """A Jinja namespace that refuses underscore names, which could reach Python's internals."""

    def __init__(self, /, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        for name, value in dict(*args, **kwargs).items():
            self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a template may not set the attribute {name!r}")
        super().__setitem__(name, value)

    def __repr__(self) -> str:
        return "<namespace>"


class _DictMaker:
    """`dict(...)` and `dict.fromkeys(...)` for templates, without the type itself."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        """As `dict.fromkeys`."""
        return dict.fromkeys(*args)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    *,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _strftime_now(pattern: str) -> str:
    return datetime.now().strftime(pattern)


def _no_other_template(name: str) -> NoReturn:
    raise jinja2.TemplateRuntimeError(f"the template asks for another one, {name!r}; a chat template stands alone")


@lru_cache(maxsize=1)
def _environment() -> MeteredEnvironment:
    environment = MeteredEnvironment([_GenerationTag, jinja2.ext.loopcontrols])
    environment.loader = jinja2.FunctionLoader(_no_other_template)
    environment.filters["tojson"] = charged("tojson", _to_json)
    environment.globals.update(
        raise_exception=_raise_exception, strftime_now=_strftime_now, dict=_DictMaker(), namespace=_Namespace
    )
    return environment


@lru_cache(maxsize=256)
def compiled(source: str, name: str) -> jinja2.Template:
    """The template, ready to run.

    Raises:
        TemplateError: the source is empty, too long or not valid Jinja; names the template and the line.
    """
    if not source.strip():
        raise TemplateError(
            "the template is empty", code="broken-template", place=name, expected="Jinja text", remedy=_OTHER_TEMPLATE
        )
    if len(source) > _LONGEST_SOURCE:
        found, expected = f"the template has {len(source):,} characters", f"at most {_LONGEST_SOURCE:,}"
        raise TemplateError(found, code="broken-template", place=name, expected=expected, remedy=_OTHER_TEMPLATE)
    try:
        with limits.Budget(_CONSTANTS):
            return _environment().from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(
            f"the template is not valid Jinja: {_shown(error.message or '')}{_quoted(source, error.lineno)}",
            code="broken-template",
            place=f"{name}:{error.lineno}",
            remedy=f"mend the line, or {_OTHER_TEMPLATE}",
        ) from None
    except (jinja2.TemplateError, RecursionError, SyntaxError, ValueError, MemoryError) as error:
        # Python's own compiler: too many blocks or brackets within each other, or a number of thousands of digits
        raise TemplateError(
            f"the template cannot be compiled: {_shown(str(error) or type(error).__name__)}",
            code="broken-template",
            place=name,
            expected="a template that is nested less deeply",
            remedy=_OTHER_TEMPLATE,
        ) from None


@lru_cache(maxsize=256)
def variables(source: str, name: str) -> frozenset[str]:
    """Names that the template reads from outside, such as `enable_thinking` or `strftime_now`."""
    compiled(source, name)
    tree = _environment().parse(source)
    used = {node.name for node in tree.find_all(jinja2.nodes.Name)}
    return frozenset(jinja2.meta.find_undeclared_variables(tree) | (used & set(_environment().globals)))


@lru_cache(maxsize=256)
def constants(source: str, name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Texts that the template may look for in a message, and all its text constants.

    The first are what stands before `in`, what methods and filters that search are called with (`split`, `replace`),
    and everything that looks like a tag. White space is left out: it is in every content.
    """
    compiled(source, name)
    tree = _environment().parse(source)
    every = _texts(tree.find_all(jinja2.nodes.Const))
    sought = {text for text in every if len(text) > 2 and any(sign in text for sign in "<>[]|/{}")}
    for compare in tree.find_all(jinja2.nodes.Compare):
        if any(operand.op in ("in", "notin") for operand in compare.ops):
            sought |= _texts([compare.expr])
    for call in tree.find_all(jinja2.nodes.Call):
        if isinstance(call.node, jinja2.nodes.Getattr) and call.node.attr in _SEARCHING:
            sought |= _texts(call.args)
    for applied in tree.find_all(jinja2.nodes.Filter):
        if applied.name in _SEARCHING:
            sought |= _texts(applied.args)
    return frozenset(text for text in sought if text.strip()), frozenset(every)


def _texts(nodes: Iterable[jinja2.nodes.Node]) -> set[str]:
    return {node.value for node in nodes if isinstance(node, jinja2.nodes.Const) and isinstance(node.value, str)}


def write(source: str, name: str, *, values: Mapping[str, Any]) -> str:
    """The template's text for `values`.

    Raises:
        TemplateError: the template raises, uses what is not there, or goes beyond a limit; with its message and line.
    """
    template = compiled(source, name)
    try:
        with limits.Budget(limits.CHARACTERS):
            return template.render(values)
    except limits.ExceededError as error:
        raise _refusal(error, source, name, expected=error.expected) from error
    except FAILURES as error:
        raise _refusal(error, source, name, expected="a conversation that the template can write") from error


def _refusal(error: Exception, source: str, name: str, *, expected: str) -> TemplateError:
    line = _line_of(error)
    return TemplateError(
        f"{_shown(str(error) or type(error).__name__)}{_quoted(source, line)}",
        code="refused-by-template",
        place=f"{name}:{line}" if line else name,
        expected=expected,
        remedy="change the conversation, give template.arguments, or name another template",
    )


def _line_of(error: BaseException) -> int | None:
    """The template's line: Jinja rewrites tracebacks so that frames of a template carry its own line numbers."""
    walked = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in walked if frame.f_code.co_filename == "<template>"]
    return lines[-1] if lines else None


def _quoted(source: str, line: int | None) -> str:
    """The text of a line of the template, as the end of a message."""
    lines = re.split(r"\r\n|\r|\n", source)  # as Jinja counts them
    text = lines[line - 1].strip() if line and line <= len(lines) else ""
    return f" (in `{_shown(text, 120)}`)" if text else ""


def _shown(text: str, most: int = 500) -> str:
    """Text of a template on one line, without what a terminal would obey."""
    cut = text if len(text) <= most else f"{text[:most]}..."
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in cut)
