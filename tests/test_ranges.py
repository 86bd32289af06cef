"""What a key or a column may hold, in words."""

import math
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field

from spinome.ranges import MOST_LINES, allowed, first_lines, shown, wrong_kind

Share = Annotated[float, Field(ge=0, le=1)]


@pytest.mark.parametrize(
    ("annotation", "limits", "words"),
    [
        (int, [Ge(1), Le(10_000)], "a whole number from 1 to 10,000"),
        (float, [Gt(0), Le(0.5)], "a number above 0 up to 0.5"),
        (float, [Ge(0), Lt(1)], "a number from 0 and below 1"),
        (float, [Gt(1e-9), Lt(1)], "a number above 1e-09 and below 1"),
        (float | None, [Ge(-5), Le(5)], "a number from -5 to 5 or nothing"),
        (tuple[Share, Share], [], "a list of 2 values, each a number from 0 to 1"),
        (list[Share], [], "a list, each a number from 0 to 1"),
        (Literal["a", "b"] | None, [], "one of a, b or nothing"),
        (bool, [], "true or false"),
        (str, [], "text"),
        (dict[str, int], [], "keys with their values"),
    ],
)
def test_a_range_in_words(annotation, limits, words):
    assert allowed(annotation, limits) == words


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (True, int),
        (False, float),
        (5.0, int),
        (math.nan, int),
        ("5", int),
        ("5", float),
        ("1e3", int),
        ("1_0e3", float),
        ("nan", float),
        (1, bool),
        ("yes", bool),
        (18.0, Literal[6, 18]),
        (True, float | None),
        ([1, True], tuple[int, int]),
        (["1"], list[float]),
        ((0.5, "0.6"), tuple[Share, Share] | None),
    ],
)
def test_what_is_no_number_though_python_takes_it_for_one(value, annotation):
    assert wrong_kind(value, annotation) is not None


@pytest.mark.parametrize(
    ("value", "annotation"),
    [(5, int), (5, float), (-1e300, float), ("1e-5", float), (None, int | None), ([1, 2], tuple[int, int]), ("5", str)],
)
def test_what_is_of_its_kind_or_is_refused_by_its_type(value, annotation):
    assert wrong_kind(value, annotation) is None


def test_values_are_shown_short_and_as_in_yaml():
    loop = []
    loop.append(loop)
    assert [shown(value) for value in (None, True, False, "a", 1)] == ["nothing", "true", "false", "'a'", "1"]
    assert len(shown("x" * 1000)) < 70 and shown(10**5000) == "this int" and "..." in shown(loop)


def test_many_lines_are_cut():
    assert first_lines(["a", "b"]) == ["a", "b"]
    assert first_lines(["a"] * 100) == ["a"] * MOST_LINES + [f"... and {100 - MOST_LINES} more"]
