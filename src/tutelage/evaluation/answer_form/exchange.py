"""What was asked and what was answered, as the analysis of answers looks at it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exchange:
    """One prompt and one answer to it.

    Attributes:
        prompt: what was asked: the last turn of the user.
        answer: what the model wrote.
        references: accepted answers, the row's own first; none where nobody wrote one.
        stopped: whether the model ended by itself; otherwise it ran into the token limit.
    """

    prompt: str
    answer: str
    references: tuple[str, ...] = ()
    stopped: bool = True
