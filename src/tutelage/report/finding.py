"""The noun of what stands out in a report."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the reader should see first.

    Attributes:
        kind: a short name, the same in every language.
        weight: the more, the earlier it is told.
        text: what was found, with its figures; suggestion: what to do about it; both in the page's language.
        figures: the numbers behind it, by name; they stand in the report.
    """

    kind: str
    weight: int
    text: str
    figures: tuple[tuple[str, float], ...]
    suggestion: str
