"""A template can neither hang nor fill the memory: hostile ones are refused with their line, heavy honest ones pass."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jinja2
import pytest

from tutelage.errors import TemplateError
from tutelage.records import Message
from tutelage.template import ChatTemplate, environment, limits

SPACE = "{% set ns = namespace(x='a', l=[], n=2) %}"
BIG = "{% set b = 'x' * 4000000 %}"
PAIRS = SPACE + "{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}"


def often(body: str, depth: int = 2) -> str:
    """`body` 100,000 times, within as many. In the second line; what follows is not reached."""
    for level in range(depth):
        body = f"{{% for i{level} in range(99999) %}}{body}{{% endfor %}}"
    return f"\n{body}\n"


# Each is refused at its second line.
ENDLESS = {
    "nested loops": often("", 3),
    "condition of a loop": often("{% for x in range(99999) if false %}{% endfor %}"),
    "else of a loop": often("{% for x in [] %}{% else %}{% endfor %}"),
    "branching macro": "{% macro m(n) %}{% if n %}\n{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(50) }}",
    "macro without end": "{% macro m() %}\n{{ m() }}{% endmacro %}{{ m() }}",
    "recursive loop": "\n{% for i in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}",
    "block in itself": "\n{% block a %}{{ self.a() }}{{ self.a() }}{% endblock %}",
    "what is not there": often("{% if messages.x or messages[0]['y'] %}{% endif %}"),
    "methods": often("{% if messages[0].content.startswith('y') %}{% endif %}"),
    "filters": often("{{ range(99999)|map('string')|select('none')|list }}"),
    "sorting": often("{{ range(99999)|sort|length }}"),
    "sorting letters": f"{BIG}\n{{{{ b|sort|length }}}}",
    "searching": BIG + often("{% if 'yx' in b %}{% endif %}"),
    "comparing": BIG + "{% set c = b ~ 1 %}" + often("{% if c == b %}{% endif %}"),
    "searching backwards": "{% set b = 'a' * 60000 %}" + often("{{ b.rfind('b' ~ b[:30000]) }}"),
    "power of a precision": "\n{{ 1.5|round(1000000000, 'ceil') }}",
    "tower": "\n{{ 10 ** (10 ** 10) }}",
    "squares": SPACE + often("{% set ns.n = ns.n * ns.n %}"),
    "pairs of pairs": f"{PAIRS}\n{{{{ ns.l }}}}",
    "pairs as JSON": f"{PAIRS}\n{{{{ ns.l|tojson }}}}",
    "pairs joined": f"{PAIRS}\n{{{{ 'a' ~ ns.l }}}}",
    "pairs raised": f"{PAIRS}\n{{{{ raise_exception(ns.l) }}}}",
    "pairs as a key": f"{PAIRS}\n{{{{ {{}}[ns.l] }}}}",
}
HUGE = {
    "doubling with ~": SPACE + often("{% set ns.x = ns.x ~ ns.x %}"),
    "doubling with +": SPACE + often("{% set ns.x = ns.x + ns.x %}"),
    "doubling a list": "{% set ns = namespace(l=[1]) %}" + often("{% set ns.l = ns.l + ns.l %}"),
    "many times": "\n{{ 'x' * 10 ** 10 }}",
    "a list many times": "\n{{ [1] * 10 ** 10 }}",
    "lists of lists": "\n{{ [[[1] * 500] * 500] * 500 }}",
    "width after %": "\n{{ '%010000000000d' % 1 }}",
    "width given": "\n{{ '%*d' % (10000000000, 1) }}",
    "filter format": "\n{{ '%010000000000d'|format(1) }}",
    "used often": f"{BIG}\n{{{{ '{{0}}{{0}}{{0}}{{0}}{{0}}'.format(b) }}}}",
    "width in braces": "\n{{ '{:10000000000}'.format(1) }}",
    "width in nested braces": "\n{{ '{{{0:{w}}}}'.format(1, w=10000000000) }}",
    "format_map": "\n{{ '{a:10000000000}'.format_map({'a': 1}) }}",
    **{name: f"\n{{{{ 'x'.{name}(10000000000) }}}}" for name in ("center", "ljust", "rjust", "zfill", "expandtabs")},
    "center of markup": "\n{{ ('a'|safe).center(10000000000) }}",
    "filter block": "\n{% filter center(1000000000) %}x{% endfilter %}",
    "indent": "\n{{ 'a\\nb'|indent(1000000000) }}",
    "replace": "\n{{ ('a' * 1000000).replace('a', 'b' * 1000) }}",
    "replace nothing": "\n{{ ('a' * 1000000)|replace('', 'b' * 1000) }}",
    "translate": "\n{{ ('a' * 1000000).translate({97: 'x' * 1000}) }}",
    "join": "\n{{ range(99999)|map('string')|join('x' * 10000) }}",
    "join of letters": "\n{{ ('x' * 10000).join('a' * 99999) }}",
    "batch": "\n{{ [1]|batch(1000000000, 'x')|list }}",
    "indent of JSON": "\n{{ [1]|tojson(indent=1000000000) }}",
    "range": "\n{{ range(10 ** 9)|list }}",
    "letters as a list": f"{BIG}\n{{{{ b|list }}}}",
    "words": f"{BIG}\n{{{{ b.split('x') }}}}",
    "bytes": "\n{{ (1).to_bytes(10 ** 9, 'big') }}",
    "kept slices": SPACE + BIG + often("{% set ns.l = [ns.l, b[i0:]] %}"),
    "output": often("{{ messages[0].content * 1000 }}"),
    "output of a macro": BIG + "{% macro m() %}\n" + "{{ b }}" * 500 + "{% endmacro %}{{ m() }}",
    "text of the template": often("y" * 1000),
}
# Reads [characters, {name: source}]; writes {name: refusal or null}, seconds and mebibytes.
CHILD = """
import json, resource, sys
from tutelage import posix
from tutelage.errors import TemplateError
from tutelage.template import environment, limits
limits.CHARACTERS, sources = json.load(sys.stdin)
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
refused = {}
for name, source in sources.items():
    try:
        environment.write(source, "t", values={"messages": [{"role": "user", "content": "hi" * 100}]})
    except TemplateError as error:
        refused[name] = [error.place, error.found, error.expected, error.remedy]
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([refused, usage.ru_utime + usage.ru_stime, posix.peak_resident_bytes() / 2**20]))
"""


def tried(characters: int, sources: dict[str, str]) -> tuple[dict[str, list[str]], float, float]:
    """What is refused and how, and the seconds and mebibytes that it takes."""
    given = json.dumps([characters, sources])
    done = subprocess.run([sys.executable, "-c", CHILD], input=given, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    refused, seconds, mebibytes = json.loads(done.stdout)
    return refused, seconds, mebibytes


def test_hostile_templates_are_refused_with_their_line() -> None:
    """With a sixteenth of the budget: the same refusals sooner."""
    sources = {**ENDLESS, **HUGE}
    refused, _, mebibytes = tried(limits.CHARACTERS // 16, sources)
    assert refused.keys() == sources.keys()
    for name, (place, found, expected, remedy) in refused.items():
        assert place == "t:2", (name, place, found)
        assert f"(in `{sources[name].splitlines()[1].strip()[:40]}" in found, name
        assert expected, name
        assert remedy, name
    assert mebibytes < 1500


def test_the_whole_budget_is_spent_within_seconds_and_within_bounds() -> None:
    """The bounds are wide, since other programs may be running."""
    sources = {**ENDLESS, **HUGE}
    names = ("nested loops", "output")
    refused, seconds, mebibytes = tried(limits.CHARACTERS, {name: sources[name] for name in names})
    assert refused.keys() == set(names)
    assert seconds < 40
    assert mebibytes < 1500


@pytest.mark.parametrize("name", ["cycler", "joiner", "lipsum"])
def test_what_is_left_out_is_named(name: str) -> None:
    with pytest.raises(TemplateError, match=f"'{name}' is undefined"):
        environment.write(f"{{{{ {name}(1) }}}}", "t", values={})
    assert jinja2.Environment().globals[name]
    with pytest.raises(TemplateError, match=r"t:2: .*No filter named 'pprint'"):
        environment.write("\n{{ 1|pprint }}", "t", values={})


def passes(n: int) -> bool:
    source = "{% for i in range(n) %}{{ i|string ~ ' ' }}{% endfor %}"
    try:
        environment.write(source, "t", values={"n": n})
    except TemplateError:
        return False
    return True


def test_the_verdict_does_not_depend_on_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least budget that suffices is the same number each time, also while others render."""
    monkeypatch.setattr(limits, "CHARACTERS", 100_000)
    tries = range(100, 3000, 20)
    alone = [passes(n) for n in tries]
    with ThreadPoolExecutor(4) as pool:
        assert alone == list(pool.map(passes, tries))
    assert alone[0]
    assert not alone[-1]
    assert sorted(alone, reverse=True) == alone


@pytest.mark.parametrize(
    "body",
    [
        "{% for o in messages %}{% if o.role == 'user' %}{% set ns.n = ns.n + 1 %}{% endif %}{% endfor %}",
        "{% set ns.n = ns.n + messages|selectattr('role', 'eq', 'user')|list|length %}",
    ],
)
def test_all_messages_for_each_message(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 under a sixteenth of the budget: as 2,000 under all of it."""
    monkeypatch.setattr(limits, "CHARACTERS", limits.CHARACTERS // 16)
    source = f"{{% set ns = namespace(n=0) %}}{{% for m in messages %}}{body}{{% endfor %}}{{{{ ns.n }}}}"
    messages = [{"role": ("user", "assistant")[n % 2], "content": "hello"} for n in range(500)]
    assert environment.write(source, "t", values={"messages": messages}) == str(500 * 250)


def test_long_honest_conversations_pass() -> None:
    source = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content.split('</think>')[-1]|trim }}"
        "{% if '<tool>' in m.content %}!{% endif %}{{ '%s-%05d' % (m.role, loop.index) }}{% endfor %}"
    )
    content = "中文 and words. " * 800
    messages = tuple(Message(("user", "assistant")[n % 2], content) for n in range(1000))
    written = ChatTemplate("long", source, {}).render(messages)
    assert written.count(content.strip()) == 1000
    assert len(written) > 11_000_000


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("{{ 1700000000|tojson }}{{ 1700000000 * 1000 }}", "17000000001700000000000"),
        ("{{ 'at {} of {:5.1f}'.format(1700000000, 2.5) }}", "at 1700000000 of   2.5"),
        ('{{ \'{{"a": {{"b": {}}}}}\'.format(3) }}', '{"a": {"b": 3}}'),
        ("{{ '100% of 12345678' ~ '%03d%%' % 7 }}", "100% of 12345678007%"),
        ("{{ [3, 1]|sort|map('string')|join(', ') }}{{ 1 < 2 < 3 }}{{ 'a'|center(5) }}", "1, 3True  a  "),
    ],
)
def test_small_things_with_large_numbers_pass(source: str, written: str) -> None:
    assert environment.write(source, "t", values={}) == written


@pytest.mark.parametrize(
    ("value", "least"),
    [("中" * 10, 10), ([["ab"], ["ab"]], 4), ({"a": {"b": "c"}}, 3), (range(9), 9)],
)
def test_a_size_is_at_least_what_is_written(value: Any, least: int) -> None:
    with limits.Budget(10_000):
        assert limits.size(value) >= least
        shared: list[Any] = ["ab"]
        assert limits.size([shared, shared]) > limits.size([shared]) > limits.size([])


def test_a_budget_ends_with_its_rendering() -> None:
    with limits.Budget(10):
        limits.spend(10)
        with pytest.raises(limits.ExceededError):
            limits.spend(1)
    with pytest.raises(LookupError):
        limits.spend(1)
