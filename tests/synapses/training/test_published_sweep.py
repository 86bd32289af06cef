"""The published sweep: every combination, and the cheat that its evaluation rewards."""

import numpy as np
import pytest

from spinome.report.synapse_detection import draw_sweep
from spinome.synapses.training.published_sweep import RULES, THRESHOLDS, operating_curve, try_combinations

VOXEL_NM = (45.0, 8.0, 8.0)


@pytest.fixture(scope="module")
def table():
    """Synapses of probability 0.8 in a web of membranes of probability 0.55."""
    probability, truth = np.zeros((4, 76, 76), np.float32), np.zeros((4, 76, 76), np.uint8)
    probability[:, ::15] = probability[:, :, ::15] = 0.55
    for y in (7, 52):
        for x in (7, 52):
            truth[:, y : y + 12, x : x + 12] = 1
            probability[:, y : y + 12, x : x + 12] = 0.8
    return operating_curve([try_combinations(probability, truth, VOXEL_NM)])


def test_all_combinations_of_the_published_sweep_are_there(table):
    assert len(table) == len(THRESHOLDS) * 3 * 3 * 4 * 3 == 1620
    assert not table.duplicated(RULES).any()
    assert table["chosen"].sum() == 1


def test_membranes_as_one_object_satisfy_the_published_evaluation_alone(table):
    web = table[(table["threshold"] == 0.5) & (table["min_sections"] == 1) & (table["min_volume_um3"] < 0.001)].iloc[0]
    assert (web["published_precision"], web["published_recall"], web["published_f1"]) == (1, 1, 1)
    assert (web["precision"], web["recall"]) == (1, 0.25)
    clean = table[(table["threshold"] == 0.7) & (table["min_area_um2"] == 0) & (table["min_volume_um3"] < 0.001)]
    clean = clean[clean["min_sections"] == 1]
    assert (clean["f1"] == 1).all()


def test_size_rules_act_on_whole_objects(table):
    strict = table[(table["threshold"] == 0.7) & (table["min_volume_um3"] > 0.005)]
    assert (strict["recall"] == 0).all()  # 576 voxels, below 2000
    assert (table[(table["threshold"] == 0.7) & (table["min_sections"] == 5)]["recall"] == 0).all()


def test_the_curve_holds_the_best_of_both_scores(table):
    curve = table[table["on_curve"]]
    for _, row in table.iterrows():
        better = (curve["published_recall"] >= row["published_recall"]) & (
            curve["published_precision"] >= row["published_precision"]
        )
        assert better.any() or np.isnan(row["published_precision"])


def test_the_figure_tells_both_scores_of_the_chosen_point(table, tmp_path):
    draw_sweep(tmp_path, table)
    assert (tmp_path / "published_sweep.png").stat().st_size > 5000
    assert f"{len(table):,} combinations" in (tmp_path / "figures.json").read_text()
