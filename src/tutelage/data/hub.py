"""Data sets of the Hugging Face Hub (or of its local cache) through `datasets`."""

from collections.abc import Iterator

from tutelage.data.pieces import Piece
from tutelage.data.tables import number_rows
from tutelage.errors import DataError
from tutelage.recipe import Source


def read_hub(source: Source) -> Iterator[Piece]:
    """Rows of a Hub data set; the line of a row is its number in the split.

    `HF_HUB_OFFLINE` is respected: then only what is in the cache is read. No code of the data set is executed.

    Raises:
        DataError: it cannot be had, or has no such split or subset.
    """
    import datasets  # takes as long as torch to import, and only Hub ids need it

    try:
        table = datasets.load_dataset(source.path, source.subset, split=source.split or "train")
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        found = f"no such file or folder, and not to be had from the Hub: {_first_line(error)}"
        remedy = "check the name, the connection, HF_HUB_OFFLINE, and `split` and `subset` of the source"
        raise DataError(
            found, code="no-such-data", place=source.path, expected="a path or a Hub id", remedy=remedy
        ) from None
    yield from number_rows(table.with_format("arrow").iter(batch_size=1000))


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
