"""Rows in, conversations out: sources, formats, the ledger, the split and the mixture."""

from tutelage.data.formats import FORMATS, Format, recognise
from tutelage.data.ledger import Ledger, read_entries
from tutelage.data.mixture import epoch_rows, mixture
from tutelage.data.sources import MALFORMED, check_named, read
from tutelage.data.split import identity, overlap, split
from tutelage.data.writing import line_of, row_of

__all__ = [
    "FORMATS",
    "MALFORMED",
    "Format",
    "Ledger",
    "check_named",
    "epoch_rows",
    "identity",
    "line_of",
    "mixture",
    "overlap",
    "read",
    "read_entries",
    "recognise",
    "row_of",
    "split",
]
