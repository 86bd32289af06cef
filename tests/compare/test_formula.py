import pytest

from spinome.compare.formula import names_of, parse


@pytest.mark.parametrize(
    ("text", "part", "whole", "kind", "fixed", "nested"),
    [
        (
            "head_volume_um3 ~ condition + (1 | animal/dendrite)",
            ("head_volume_um3",), (), "linear", "condition", (("animal", "dendrite"),),
        ),
        (
            "gained/total ~ condition * day + (1|animal)",
            ("gained",), ("total",), "binomial", "condition * day", (("animal",),),
        ),
        (
            "(gained + lost)/(spines + next_spines) ~ condition",
            ("gained", "lost"), ("spines", "next_spines"), "binomial", "condition", (),
        ),
        ("spines / length_um ~ condition", ("spines",), ("length_um",), "poisson", "condition", ()),
        ("spine_fraction ~ cell_class", ("spine_fraction",), (), "linear", "cell_class", ()),
        (
            "y ~ (1 | a) + x + (1 | b/c) + log(z):w",
            ("y",), (), "linear", "x + log(z):w", (("a",), ("b", "c")),
        ),
    ],
)  # fmt: skip
def test_what_a_formula_says(text, part, whole, kind, fixed, nested):
    found = parse(text)
    assert (found.part, found.whole, found.kind, found.fixed, found.nested) == (part, whole, kind, fixed, nested)


def test_the_logarithm_of_a_response():
    assert parse("log(volume_um3) ~ sex").log and not parse("volume_um3 ~ log(sex)").log


def test_every_column_once():
    assert parse("a/b ~ c * d + log(c) + (1 | e/d)").columns == ["a", "b", "c", "d", "e"]
    assert names_of("condition * log(depth_um) + log") == ["condition", "depth_um", "log"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("volume", "one ~"),
        ("volume ~", "one ~"),
        ("~ condition", "one ~"),
        ("a ~ b ~ c", "one ~"),
        ("a + b ~ c", "neither a column"),
        ("sqrt(a) ~ c", "neither a column"),
        ("a/b/c ~ d", "neither a column"),
        ("a ~ b + (day | animal)", "intercepts within units"),
        ("a ~ b + (1 | animal/animal)", "twice"),
        ("a ~ b + (1 | 2)", "intercepts within units"),
        ("a ~ (1 | animal)", "cannot read"),
        ("a ~ __import__('os')", "cannot read"),
        ("a ~ b - 1", "cannot read"),
        ("a ~ b ** 2", "cannot read"),
    ],
)
def test_what_cannot_be_read_is_told(text, told):
    with pytest.raises(ValueError, match=told) as error:
        parse(text)
    assert repr(text) in str(error.value)
