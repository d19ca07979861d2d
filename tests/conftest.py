"""Fixtures that every room's tests may use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Machines differ in speed, and the first example pays for imports.
settings.register_profile("tutelage", deadline=None)
settings.load_profile("tutelage")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared assets (TUTELAGE_SHARED, default ../shared/assets beside the repository)."""
    folder = Path(os.environ.get("TUTELAGE_SHARED", ROOT.parent / "shared" / "assets"))
    folder = folder if folder.is_absolute() else ROOT / folder
    if not folder.is_dir():
        pytest.skip(f"the shared assets are not at {folder} (set TUTELAGE_SHARED)")
    return folder
