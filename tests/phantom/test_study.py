"""Simulated studies: the effects that were asked for, within the spread that was asked for."""

import numpy as np
import pandas as pd
import pytest

from spinome.phantom.study import (
    BETWEEN_ANIMALS,
    BETWEEN_DENDRITES,
    DENSITY_PER_UM,
    LOST,
    NO_EFFECT,
    SPREAD_OF_SPINES,
    VOLUME_UM3,
    Effects,
    Spread,
    draw_study,
)

NONE = Spread(0.0, 0.0, 0.0)
MANY = {"animals": 150, "dendrites": 6}


def ratio(table, value):
    """Treated over control."""
    means = table.groupby("condition")[value].mean()
    return means["treated"] / means["control"]


@pytest.fixture(scope="module")
def changed():
    return draw_study(1, **MANY, effects=Effects(density=0.75, volume=1.3, turnover=1.5))


def test_effects_are_those_that_were_asked_for(changed):
    # of 900 dendrites a group the standard error is about 2 %
    assert ratio(changed["dendrites"], "density_per_um") == pytest.approx(0.75, rel=0.06)
    assert ratio(changed["truth"], "median_um3") == pytest.approx(1.3, rel=0.06)
    first = changed["spines"][changed["spines"]["timepoint"] == "0"]
    assert ratio(first, "head_volume_um3") == pytest.approx(1.3, rel=0.1)
    lost = changed["turnover"].groupby("condition")[["lost", "spines"]].sum()
    share = lost["lost"] / lost["spines"]
    assert share["treated"] / share["control"] == pytest.approx(1.5, rel=0.08)


def test_without_an_effect_there_is_none_and_means_are_the_stated_ones():
    tables = draw_study(2, **MANY, effects=NO_EFFECT)
    for value, mean in (("density_per_um", DENSITY_PER_UM), ("median_um3", VOLUME_UM3), ("lost", LOST)):
        assert ratio(tables["truth"], value) == pytest.approx(1.0, abs=0.07)
        assert tables["truth"][value].mean() == pytest.approx(mean, rel=0.04)


@pytest.mark.parametrize(("name", "column"), [("density", "density_per_um"), ("volume", "median_um3")])
def test_animals_and_dendrites_differ_as_stated(name, column):
    truth = draw_study(3, **MANY)["truth"]
    logs = np.log(truth[column]).groupby(truth["animal"])
    within = np.sqrt(logs.var().mean())
    between = np.sqrt(logs.mean().var() - within**2 / MANY["dendrites"])
    assert within == pytest.approx(getattr(BETWEEN_DENDRITES, name), rel=0.1)
    assert between == pytest.approx(getattr(BETWEEN_ANIMALS, name), rel=0.2)


def test_without_spread_counts_are_poisson_and_volumes_log_normal():
    tables = draw_study(4, **MANY, between_animals=NONE, between_dendrites=NONE)
    first = tables["dendrites"][tables["dendrites"]["timepoint"] == "0"]
    expected = DENSITY_PER_UM * first["length_um"]
    assert (((first["spines"] - expected) ** 2) / expected).mean() == pytest.approx(1.0, abs=0.15)
    for _, session in tables["spines"].groupby("timepoint"):
        logs = np.log(session["head_volume_um3"] / VOLUME_UM3)
        assert (logs.mean(), logs.std()) == (pytest.approx(0, abs=0.03), pytest.approx(SPREAD_OF_SPINES, rel=0.03))


def test_tables_agree_with_each_other(changed):
    keys = ["specimen", "dendrite", "timepoint"]
    counted = changed["spines"].groupby(keys).size()
    dendrites = changed["dendrites"].set_index(keys)["spines"]
    assert dendrites[dendrites > 0].sort_index().equals(counted.sort_index().rename("spines"))
    turnover = changed["turnover"]
    assert (turnover["stable"] + turnover["gained"] == turnover["next_spines"]).all()
    assert (turnover["spines"] - turnover["lost"] == turnover["stable"]).all()
    before = dendrites.loc[pd.MultiIndex.from_frame(turnover[keys])]
    assert turnover["spines"].tolist() == before.tolist()


def test_spines_keep_their_id_and_their_volume_changes_little(changed):
    spines = changed["spines"]
    assert not spines.duplicated(["spine", "timepoint"]).any()
    assert (spines.groupby("spine")["specimen"].nunique() == 1).all()
    wide = spines.pivot_table(index="spine", columns="timepoint", values="head_volume_um3")
    change = np.log(wide["1"] / wide["0"]).dropna()
    assert change.std() == pytest.approx(0.25, rel=0.05) and abs(change.mean()) < 0.02


def test_the_seed_decides_everything():
    one, same, other = (draw_study(seed, animals=2, dendrites=2)["spines"] for seed in (5, 5, 6))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)
    assert draw_study(5, animals=2, dendrites=2, days=(0.0,))["turnover"].empty
