"""What a curation keeps on disk between its passes, so that a set may be larger than memory."""

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from tutelage.curate.decontamination import Match
from tutelage.curate.doubts import Doubt
from tutelage.curate.quality import Scores
from tutelage.curate.taxonomy import Labels
from tutelage.run.curating.examining import Examined, Guarded


class Prompts:
    """Texts in a file, by their number. A context: the file is closed at its end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self._ends = array("q", [0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, text: str) -> None:
        """One more; before any is read."""
        self._ends.append(self._ends[-1] + self._file.write(text.encode(errors="surrogatepass")))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        start, end = self._ends[number], self._ends[number + 1]
        self._file.seek(start)
        return self._file.read(end - start).decode(errors="surrogatepass")


class Findings:
    """What was found in each row, in a file, in the order of the rows. A context: the file is closed at its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def extend(self, found: Sequence[Examined]) -> None:
        """Append some; before any is read."""
        self._file.writelines(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in found)

    def __iter__(self) -> Iterator[Examined]:
        self._file.flush()
        with self._path.open("rb") as file:
            for line in file:
                yield _examined(orjson.loads(line))


def _examined(fields: dict[str, Any]) -> Examined:
    scores = fields.pop("scores")
    return Examined(
        scores=Scores(**scores | {"reasons": tuple(Doubt(**doubt) for doubt in scores["reasons"])}),
        labels=Labels(**fields.pop("labels")),
        leak=Match(**leak) if (leak := fields.pop("leak")) else None,
        tags=tuple(fields.pop("tags")),
        guard=Guarded(guard["rating"], tuple(guard["categories"])) if (guard := fields.pop("guard")) else None,
        **fields,
    )
