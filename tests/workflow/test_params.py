"""Constraints of wildcards."""

import re

import pytest

from spinome.workflow.params import one_of


@pytest.mark.parametrize(
    ("names", "name", "fits"),
    [
        (["a.b", "c"], "a.b", True),
        (["a.b", "c"], "axb", False),
        (["a.b", "c"], "ac", False),
        ([], "", False),
        ([], "a", False),
    ],
)
def test_a_wildcard_is_one_of_the_names(names, name, fits):
    assert bool(re.fullmatch(one_of(names), name)) == fits
