"""Rendering equals that of transformers, and every failure names the template and the line."""

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
from template_oracle import SPECIAL, TOOLS, battery, chat_template
from transformers.utils.chat_template_utils import render_jinja_template

from tutelage.errors import TemplateError
from tutelage.records import Message
from tutelage.template import ChatTemplate, load


def template(source: str, **arguments: Any) -> ChatTemplate:
    return ChatTemplate("test.jinja", source, SPECIAL, frozenset(), arguments)


QUESTION = (Message("user", "hi"),)


@pytest.mark.shared
def test_real_templates_write_what_transformers_writes(shared: Path) -> None:
    compared = 0
    for line in (shared / "chat_templates.jsonl").read_text(encoding="utf-8").splitlines():
        own = chat_template(json.loads(line))
        for kind, messages in battery().items():
            for prompt in (False, True):
                tools = TOOLS if "tools" in kind else ()
                fields = own.dialect.all_fields(messages)
                try:
                    expected = render_jinja_template(
                        [fields],
                        tools=list(tools) or ([] if own.dialect.tools else None),
                        chat_template=own.source,
                        add_generation_prompt=prompt,
                        **SPECIAL,
                    )[0][0]
                except (jinja2.TemplateError, TypeError, AttributeError, KeyError):
                    with pytest.raises(TemplateError):
                        own.render(messages, tools=tools, add_generation_prompt=prompt)
                    continue
                assert own.render(messages, tools=tools, add_generation_prompt=prompt) == expected, (own.name, kind)
                compared += 1
    assert compared > 1000


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("{{ {'a': '<é&\"中'} | tojson }}", '{"a": "<é&\\"中"}'),
        ("{% generation %}in{% set x = 1 %}{% endgeneration %}{{ x is defined }}", "inFalse"),
        ("{% for n in range(5) %}{% if n == 2 %}{% break %}{% endif %}{{ n }}{% endfor %}", "01"),
        ("  {% if true %}\nline\n  {% endif %}\nend", "line\nend"),
        ("{{ bos_token }}{{ sep_token }}{{ documents is none }}{{ tools is none }}", "<s>TrueTrue"),
        ("{% set ns = namespace(n=0) %}{% set ns.n = 2 %}{{ ns.n }}{{ dict(a=1)['a'] }}", "21"),
        ("{{ strftime_now('%%') }}{{ given }}", "%7"),
    ],
)
def test_the_dialect_of_the_hub(source: str, written: str) -> None:
    assert template(source, given=7).render(QUESTION) == written


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("a\nb\n{% if %}", 3, "not valid Jinja"),
        ("a\n{{ raise_exception('only one message') }}", 2, "only one message"),
        ("\n\n{{ functions + 'x' }}", 3, "'functions' is undefined"),
        ("{{ 1 / 0 }}", 1, "division by zero"),
        ("\n{{ messages.append(1) }}", 2, "unsafe"),
        ("{{ ''.__class__.__mro__ }}", 1, "unsafe"),
        ("\n{{ namespace(_a=1) }}", 2, "may not set"),
        ("\n{% include 'other.jinja' %}", 2, "stands alone"),
        ("\n{% include 'other.jinja' ignore missing %}", 2, "stands alone"),
        ("\n{% import 'other.jinja' as other %}", 2, "stands alone"),
        ("\n{% extends 'other.jinja' %}", 2, "stands alone"),
        ("\n{{ lipsum() }}", 2, "'lipsum' is undefined"),
        ("\r\n{{ raise_exception('[red]\\x1b[31m[/nope]') }}", 2, "[red]\\x1b[31m[/nope] (in `{{ raise_"),
        ("\n{{ 'abc'|truncate(1) }}", 2, "expected length"),
    ],
)
def test_failures_are_placed(source: str, line: int, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        template(source).render(QUESTION)
    assert caught.value.place == f"test.jinja:{line}"
    assert message in caught.value.found


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("x" * 50_000_000, "50,000,000 characters"),
        ("{% for i in 'a' %}" * 30 + "{% endfor %}" * 30, "cannot be compiled"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "cannot be compiled"),
        ("{{ " + "9" * 5000 + " }}", "cannot be compiled"),
    ],
)
def test_what_is_no_template_is_refused_before_it_runs(source: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message) as caught:
        template(source).render(QUESTION)
    assert caught.value.expected
    assert caught.value.remedy


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.jinja").write_bytes("é".encode("latin-1"))
    with pytest.raises(TemplateError, match="cannot be read"):
        load(str(tmp_path / "latin.jinja"), None, special_tokens=SPECIAL)


def test_a_template_with_a_syntax_error_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "bad.jinja").write_text("{{ a\n{% endfor %}")
    with pytest.raises(TemplateError, match=r"bad\.jinja:"):
        load(str(tmp_path / "bad.jinja"), None, special_tokens=SPECIAL)


def test_a_message_reaches_the_template_with_what_the_row_had() -> None:
    source = "{% for m in messages %}{{ m | tojson(sort_keys=true) }}\n{% endfor %}"
    written = template(source).render(battery()["tools"]).splitlines()
    call = json.loads(written[1])["tool_calls"]
    assert call == [
        {
            "type": "function",
            "id": "call12345",
            "function": {"name": "weatherlookup", "arguments": {"city": "Callargumentville"}},
        }
    ]
    assert json.loads(written[2]) == {
        "role": "tool",
        "content": "Toolresultword",
        "name": "weatherlookup",
        "tool_call_id": "call12345",
    }
    assert set(json.loads(written[0])) == {"role", "content"}


def test_list_content_and_missing_tokens_are_found_by_trying() -> None:
    parts = template("{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}")
    assert parts.render(QUESTION) == "hi"
    needy = ChatTemplate("needy", "{{ sep_token + messages[0].content }}", SPECIAL)
    assert needy.dialect.empty == ("sep_token",)
    assert needy.render(QUESTION) == "hi"
