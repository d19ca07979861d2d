"""Rows in, conversations out: sources, formats, the ledger, the split and the mixture."""

from tutelage.data.formats import FORMATS, Format, recognise
from tutelage.data.ledger import Ledger, read_entries
from tutelage.data.mixture import mixture
from tutelage.data.sources import MALFORMED, check_named, read
from tutelage.data.split import identity, overlap, split

__all__ = [
    "FORMATS",
    "MALFORMED",
    "Format",
    "Ledger",
    "check_named",
    "identity",
    "mixture",
    "overlap",
    "read",
    "read_entries",
    "recognise",
    "split",
]
