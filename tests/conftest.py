"""Shared fixtures: where real data is, when it is there at all."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SHARED_DATA = Path(os.environ.get("SPINOME_DATA", REPOSITORY.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data():
    """Return a function that gives the path of a real data set, or skips the test, saying which is absent."""

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"real data {name} is absent; set SPINOME_DATA to the folder that holds it")
        return path

    return find
