"""What two texts have in common."""


def shared_prefix(first: str, second: str) -> str:
    """The longest text with which both begin, found by bisection."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return first[:low]


def shared_suffix(first: str, second: str) -> str:
    """The longest text with which both end."""
    return shared_prefix(first[::-1], second[::-1])[::-1]


def difference(found: str, expected: str) -> str:
    """The first place at which two texts differ, in words for a message."""
    at = len(shared_prefix(found, expected))
    return f"{found[at : at + 24]!r} where {expected[at : at + 24]!r} was expected"


def rest_after(beginning: str, text: str) -> str | None:
    """What follows `beginning` in `text`, white space aside; None where `text` begins otherwise."""
    if text.startswith(beginning):
        return text[len(beginning) :]
    at = 0
    for sign in "".join(beginning.split()):
        while at < len(text) and text[at].isspace():
            at += 1
        if text[at : at + 1] != sign:
            return None
        at += 1
    return text[at:]
