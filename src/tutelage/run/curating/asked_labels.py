"""Rows labelled by a model behind an endpoint where the recipe names one."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tutelage.curate.labelling import asked_labels
from tutelage.curate.sample import sample
from tutelage.recipe import CurateSection
from tutelage.records import Conversation
from tutelage.run.curating.deciding import cause_of
from tutelage.run.curating.endpoints import named
from tutelage.run.curating.examining import Examined, Examiner

KEY = "LABEL_API_KEY"  # the environment variable that holds the key, where the endpoint wants one


class Labels:
    """Asks the labelling model of a recipe, and counts what it could not tell.

    Args:
        cache: folder of labels that are known from an earlier, interrupted pass.
        every: ask about the rows too that `data clean` would drop.

    Raises:
        RecipeError: an endpoint without a model.
    """

    def __init__(self, section: CurateSection, cache: Path, *, every: bool = False) -> None:
        self._section, self._cache, self._every = section, cache, every
        self._endpoint = named("label", section.label_url, model=section.label_model, key=KEY)
        self._unknown, self._asked = Counter[str](), 0

    @property
    def asks(self) -> bool:
        """Whether there is a labelling model."""
        return self._endpoint is not None

    def over(self, found: list[Examined], rows: Sequence[Conversation], *, examiner: Examiner) -> list[Examined]:
        """The findings of some rows with the model's labels. Rows that go anyhow are not sent and keep those of the
        rules; columns of a row win over both.

        Raises:
            RecipeError: the endpoint refuses the key or knows no such model.
            DataError: the labels cannot be kept.
        """
        if self._endpoint is None:
            return found
        asked = [place for place, one in enumerate(found) if self._every or cause_of(one, self._section) is None]
        shown = [examiner.shown(rows[place], found[place]) for place in asked]
        seen = [sample(row, found[place].language) for place, row in zip(asked, shown, strict=True)]
        labels = asked_labels(seen, self._endpoint, cache=self._cache)
        self._asked += len(seen)
        self._unknown.update(labels.unknown)
        told = list(found)
        for place, row, one in zip(asked, shown, seen, strict=True):
            told[place] = replace(found[place], labels=labels(one, row.labels))
        return told

    def tell(self, note: Callable[[str], None]) -> None:
        """Say of how many rows the model could not tell."""
        for reason, count in self._unknown.most_common():
            note(f"{count:,} of {self._asked:,} rows are labelled by rules, not by the model: {reason}")
