"""Whether held-out rows are trained after all: the same prompt, in the same or nearly the same words."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress

import numpy as np
import numpy.typing as npt

from tutelage.curate.echoes import Asked, echoes
from tutelage.run.rows import RowReader, choose

LOOKED = 3_000  # held-out rows that are compared, a seeded sample

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Leaks:
    """Held-out rows whose prompt is trained.

    Attributes:
        count: how many.
        first: what is said of the first: where it stands and where its prompt is trained; empty where there is none.
        unseen: held-out rows that were not compared.
    """

    count: int = 0
    first: str = ""
    unseen: int = 0


def leaks(reader: RowReader, *, trained: Numbers, held: Numbers, seed: int) -> Leaks:
    """Compare what held-out rows ask with what trained rows ask. Rows of plain text ask nothing.

    Args:
        trained, held: numbers of rows.
    """
    chosen = choose(sorted(held.tolist()), count=LOOKED, seed=seed)
    is_held, is_trained = np.isin(reader.rows, chosen), np.isin(reader.rows, trained)
    if not (is_held.any() and is_trained.any()):
        return Leaks(unseen=len(held) - len(chosen))

    def others() -> Iterator[Asked]:
        return compress(reader.asked(), is_trained.tolist())

    found = echoes(list(compress(reader.asked(), is_held.tolist())), others)
    first = ""
    if found:
        one, other = reader.rows[is_held][found[0].row], reader.rows[is_trained][found[0].kept]
        first = f"{reader[int(one)].place}, as at {reader[int(other)].place}"
    return Leaks(len(found), first, len(held) - len(chosen))
