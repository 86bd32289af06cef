"""What a script is told of its rule and of the volumes of its rule."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import InputFiles

from spinome.workflow import step


def rule(inputs, **aside):
    """A rule with named inputs as a script sees it."""
    return SimpleNamespace(input=InputFiles(fromdict=inputs), params=SimpleNamespace(aside=SimpleNamespace(**aside)))


def test_a_given_volume_is_named_by_the_sheet_and_a_made_one_by_the_input():
    given = rule({"membrane": "m.h5"}, row={"membrane": "m.h5::probability"})
    assert step.source(given, "membrane") == "m.h5::probability"
    assert step.source(rule({"membrane": "made.zarr"}, row={"membrane": None}), "membrane") == "made.zarr"
    assert step.source(rule({}, row={"membrane": None}), "membrane") is None


def test_volumes_of_a_rule_go_by_name():
    inputs = {"membrane/b": "made_b.zarr", "membrane/a": "a.h5", "typing/b": "b.parquet"}
    rows = {"a": {"membrane": "a.h5::m"}, "b": {"membrane": None}, "c": {"membrane": None}}
    assert step.sources(rule(inputs, rows=rows), "membrane") == {"a": "a.h5::m", "b": "made_b.zarr"}


@pytest.mark.parametrize(
    ("rule", "log", "folder"),
    [
        ("twophoton_train", "results/logs/twophoton_train.log", "results/units/twophoton_train"),
        ("outer_twophoton_train", "sub/results/logs/twophoton_train.log", "sub/results/units/twophoton_train"),
        ("twophoton_detect", "r/logs/x/logs/twophoton_detect/s.f.0.log", "r/logs/x/units/twophoton_detect"),
    ],
)
def test_a_rule_keeps_what_outlives_it_beside_the_units_of_the_run(rule, log, folder):
    assert step.store(SimpleNamespace(rule=rule, log=[log])) == Path(folder)
