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
