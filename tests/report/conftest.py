"""Reports as fixtures."""

from collections.abc import Callable

import pytest

from tests.report.run_reports import ORIGIN, filled
from tutelage.report import content as c


@pytest.fixture(scope="session")
def make_report() -> Callable[..., c.Report]:
    """Builds a report; keyword arguments replace its parts."""
    return filled


@pytest.fixture
def origin() -> c.Origin:
    """How the report says that it was made."""
    return ORIGIN
