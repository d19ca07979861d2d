"""The held-out half: seeded, stable, whole groups, and the rows that would stand in both halves."""

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import orjson

from tutelage.data.values import as_json
from tutelage.records import Conversation


def split(groups: Sequence[str], *, share: float, max_rows: int, seed: int) -> set[int]:
    """Positions of the rows that are held out.

    A hash of seed and group orders the groups, whatever the order of the rows; in that order each group is taken whole
    if at most min(share * rows, max_rows) rows are then held out. So rows of one group never stand in both halves.
    Never all rows are taken. Where no group is small enough, the smallest one is taken, so that something is held out
    wherever there are two groups.

    Args:
        groups: the group of each row, in reading order.
        share: the wanted share of rows, from 0 to 1; 0 holds nothing out.
        max_rows: at most so many rows; 0 holds nothing out.
        seed: another seed gives another split.
    """
    sizes = Counter(groups)
    if share <= 0 or max_rows <= 0 or len(sizes) < 2:
        return set()
    limit = min(share * len(groups), max_rows, len(groups) - 1)
    salt = blake2b(str(seed).encode(), digest_size=16).digest()
    ordered = sorted(sizes, key=lambda group: _rank(group, salt))
    held: set[str] = set()
    taken = 0
    for group in ordered:
        if taken + sizes[group] <= limit:
            held.add(group)
            taken += sizes[group]
    if not held:
        held.add(min(ordered, key=sizes.__getitem__))
    return {position for position, group in enumerate(groups) if group in held}


def _rank(group: str, salt: bytes) -> bytes:
    return blake2b(group.encode(errors="surrogatepass"), digest_size=16, salt=salt).digest()


def identity(conversation: Conversation) -> str:
    """A hash of what a conversation says: two rows with equal turns, tools and text have equal identities.

    Weights, `train` flags, place and group do not count.
    """
    messages = conversation.messages
    said = [(m.role, m.content, m.reasoning, m.name, m.tool_call_id) for m in messages]
    digest = blake2b(orjson.dumps((said, conversation.text)), digest_size=16)
    calls = [(number, call.name, call.arguments, call.id) for number, m in enumerate(messages) for call in m.tool_calls]
    if calls or conversation.tools:
        digest.update(as_json((calls, conversation.tools)))
    return digest.hexdigest()


def overlap(train: Iterable[str], held: Iterable[str]) -> int:
    """How many held-out rows are identical to a row that is trained, given the identities of both."""
    trained = set(train)
    return sum(identity in trained for identity in held)
