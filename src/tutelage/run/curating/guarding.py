"""The rows that may stay, shown to a guard model where the recipe names one."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tutelage.curate.guard import verdicts
from tutelage.curate.sample import sample
from tutelage.recipe import CurateSection
from tutelage.records import Conversation
from tutelage.run.curating.deciding import cause_of
from tutelage.run.curating.endpoints import named
from tutelage.run.curating.examining import Examined, Examiner, Guarded

KEY = "GUARD_API_KEY"  # the environment variable that holds the key, where the endpoint wants one
Note = Callable[[str], None]


class Watch:
    """Asks the guard of a recipe, and counts what it could not tell.

    Args:
        cache: folder of verdicts that are known from an earlier, interrupted pass.

    Raises:
        RecipeError: an endpoint without a model.
    """

    def __init__(self, section: CurateSection, cache: Path) -> None:
        self._section, self._cache = section, cache
        self._guard = named("guard", section.guard_url, model=section.guard_model, key=KEY)
        self._unknown = Counter[str]()

    @property
    def asks(self) -> bool:
        """Whether there is a guard."""
        return self._guard is not None

    def over(self, found: list[Examined], rows: Sequence[Conversation], *, examiner: Examiner) -> list[Examined]:
        """The findings of some rows with the guard's verdicts. Rows that go anyhow are not sent.

        Raises:
            RecipeError: the endpoint refuses the key or knows no such model.
            DataError: the verdicts cannot be kept.
        """
        if self._guard is None:
            return found
        asked = [place for place, one in enumerate(found) if cause_of(one, self._section) is None]
        shown = [sample(examiner.shown(rows[place], found[place]), found[place].language) for place in asked]
        told = list(found)
        for place, verdict in zip(asked, verdicts(shown, self._guard, cache=self._cache), strict=True):
            told[place] = replace(found[place], guard=Guarded(verdict.rating, verdict.categories))
            if verdict.rating == "unknown":
                self._unknown[verdict.reason] += 1
        return told

    def tell(self, note: Note) -> None:
        """Say of how many rows the guard could not tell."""
        for reason, count in self._unknown.most_common():
            note(
                f"the guard told nothing of {count:,} rows, which stay: {reason}; the same command asks again for them"
            )
