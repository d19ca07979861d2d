"""The fixed conversations that a chat template is examined on: one of each kind that training data hold.

Every content has words that no other content of its conversation has, so that one can read off a text which of them
stand in it, and how often.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tutelage.records import Conversation, Message, Place, ToolCall

SINGLE = "single turn"

# Nine letters and digits, as some templates demand.
_CALL_IDS = ("call00001", "call00002")
_TOOLS = tuple(
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Look up the {subject} of a town.",
            "parameters": {
                "type": "object",
                "properties": {"town": {"type": "string", "description": f"where the {subject} is asked for"}},
                "required": ["town"],
            },
        },
    }
    for name, subject in (("town_weather", "weather"), ("town_time", "clock"))
)
_CODE = (
    "Take two lists:\n\n```python\ndef pairs(left, right):\n\treturn [\n\t\t(a, b)  # both\n"
    "\t\tfor a, b in zip(left, right)\n\t]\n```\n\n1. Short.\n2. Lazy."
)


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of conversation, by the name under which it is reported."""

    name: str
    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def conversation(self) -> Conversation:
        """The case as a row of training data."""
        return Conversation(0, Place(self.name, 1), self.messages, self.tools)


def battery(control: str) -> tuple[Case, ...]:
    """The conversations, plain kinds first.

    Args:
        control: the text of a control token, which some people type into messages.
    """
    return (
        Case(SINGLE, _turns("Where does the sun rise?", "In the east.")),
        Case("several turns", _turns("Name a river.", "The Nile.", "How long is it?", "About 6,650 km.")),
        Case("system message", (_system(), *_turns("Name a tree.", "An oak.", "Another?", "A birch."))),
        Case("instruction and input", _with_input()),
        Case(
            "Chinese",
            (_system("请用中文回答。"), *_turns("水为什么会结冰？", "因为温度低于零度。", "那盐水呢？", "冰点更低。")),
        ),
        Case("emoji", _turns("Cheer me up 🙂", "👩‍🚀 Off we go 🚀🎉", "More 🥺", "🇫🇷 Voilà ❤️")),
        Case("outer white space", _turns("  Indent this line", "  as you wish\n", "\nAgain ", " once more  ")),
        Case(
            "lines and code",
            _turns("Pair up two lists:\n\n- left\n- right", _CODE, "Why?\n\nAnd when?", "It reads\n\nwell."),
        ),
        Case("empty question", _turns("", "You said nothing.", "True.", "Then ask.")),
        Case("long conversation", _turns(*_counting(12))),
        Case("typed control token", _typed(control)),
        Case("reasoning", _thinking(first="Seven and five make twelve.", second="Twelve and one more.")),
        Case("reasoning in the first turn", _thinking(first="Seven and five make twelve.", second=None)),
        Case("reasoning in the last turn", _thinking(first=None, second="Twelve and one more.")),
        Case("tool call", _calling(parallel=False), _TOOLS),
        Case("parallel tool calls", (_system(), *_calling(parallel=True)), _TOOLS),
    )


def _turns(*contents: str) -> tuple[Message, ...]:
    """Contents of user and assistant in turn."""
    return tuple(Message("assistant" if n % 2 else "user", content) for n, content in enumerate(contents))


def _system(content: str = "Be brief and kind.") -> Message:
    return Message("system", content)


def _counting(rounds: int) -> list[str]:
    """Question and answer by turns, no one inside another."""
    return [text.format(n) for n in range(100, 100 + rounds) for text in ("Is {} even?", "You asked about {}, friend.")]


def _with_input() -> tuple[Message, ...]:
    first, second = "Der Hund schläft.", "猫在睡觉 🐈\n\n小声点"
    return (
        Message("user", f"Translate this:\n{first}", input=first),
        Message("assistant", "The dog is asleep."),
        Message("user", f"And this one:\n{second}", input=second),
        Message("assistant", "A cat sleeps; hush."),
    )


def _typed(control: str) -> tuple[Message, ...]:
    return _turns(
        f"What does {control} mean?",
        f"A model writes {control} where it ends.",
        "And elsewhere?",
        "Nowhere else.",
    )


def _thinking(*, first: str | None, second: str | None) -> tuple[Message, ...]:
    return (
        Message("user", "What is 7 + 5?"),
        Message("assistant", "It is 12.", reasoning=first),
        Message("user", "Plus 1?"),
        Message("assistant", "That gives 13.", reasoning=second),
    )


def _calling(*, parallel: bool) -> tuple[Message, ...]:
    calls = (
        ToolCall("town_weather", {"town": "Harbourville"}, _CALL_IDS[0]),
        ToolCall("town_time", {"town": "Millbrook", "seconds": False}, _CALL_IDS[1]),
    )
    results = (
        Message("tool", "12 degrees, rain", name="town_weather", tool_call_id=_CALL_IDS[0]),
        Message("tool", "noon sharp", name="town_time", tool_call_id=_CALL_IDS[1]),
    )
    count = 2 if parallel else 1
    return (
        Message("user", "Shall I take an umbrella?"),
        Message("assistant", "Let me look." if parallel else "", tool_calls=calls[:count]),
        *results[:count],
        Message("assistant", "Yes, you should."),
        Message("user", "Thank you!"),
        Message("assistant", "With pleasure."),
    )
