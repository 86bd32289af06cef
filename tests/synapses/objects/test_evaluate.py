"""The evaluation counts objects of a single section apart."""

import numpy as np
import pandas as pd
import pytest

from spinome.cuboids import cuboids
from spinome.gaps import gap_table
from spinome.io.volumes import Volume
from spinome.synapses.objects.evaluate import candidates, compare, evaluate
from spinome.synapses.objects.patches import find_parts, save_parts

VOXEL_NM = (45.0, 8.0, 8.0)


def test_a_missed_single_section_costs_nothing_where_it_is_left_out():
    truth, found = np.zeros((5, 40, 90), np.uint8), np.zeros((5, 40, 90), np.uint64)
    truth[1:4, 5:15, 5:15] = truth[1:4, 5:15, 35:45] = truth[2, 5:15, 65:75] = 1
    found[1:4, 5:15, 5:15], found[1:4, 5:15, 35:45], found[2, 25:35, 5:15] = 1, 2, 3
    # the false one is the most certain and the smallest
    objects = pd.DataFrame(
        {
            "synapse": [1, 2, 3],
            "score": [0.9, 0.8, 0.95],
            "volume_um3": np.array([300, 300, 100]) * 2.88e-6,
            "probability": np.nan,
        }
    )
    compared = compare(Volume(truth, VOXEL_NM, "truth"), Volume(found, VOXEL_NM, "found"), objects)
    assert compared.partner.tolist() == [0, 2, -1] or compared.partner.tolist() == [0, 1, -1]
    values = evaluate([compared], [compared.result]).set_index("metric")["value"]
    assert values["f1"] == pytest.approx(2 / 3)
    assert values["f1_of_two_sections_or_more"] == pytest.approx(0.8)
    assert values["recall_of_two_sections_or_more"] == 1
    assert values["average_precision"] == pytest.approx(2 / 3)


def test_objects_that_touch_a_gap_are_not_asked_for_and_counted():
    truth, found = np.zeros((5, 40, 90), np.uint8), np.zeros((5, 40, 90), np.uint64)
    truth[1:4, 5:15, 5:15] = truth[1:4, 5:15, 35:45] = truth[1:4, 5:15, 65:75] = 1
    found[1:4, 5:15, 5:15], found[1:4, 5:15, 35:40] = 1, 2
    objects = pd.DataFrame({"synapse": [1, 2, 3], "score": 0.9, "volume_um3": 0.001, "probability": np.nan})
    # the right half failed: it holds a true object, and cuts another; the voxels of object 3 were never written
    gaps = gap_table((5, 40, 90), (5, 40, 40), {"0-0-0", "0-0-80"}, VOXEL_NM)
    volumes = Volume(truth, VOXEL_NM, "truth"), Volume(found, VOXEL_NM, "found")
    with_gaps, without = compare(*volumes, objects, gaps), compare(*volumes, objects)
    rows = evaluate([with_gaps], [with_gaps.result]).set_index("metric")
    assert rows.loc[["precision", "recall", "f1"], "value"].tolist() == [1, 1, 1]
    assert rows.loc["recall", "n"] == 1 and rows.loc["not_known", ["value", "n"]].tolist() == [2, 3]
    assert "not_known" not in evaluate([without], [without.result])["metric"].tolist()


@pytest.mark.parametrize("cuboid", [(5, 40, 90), (2, 17, 40)])
def test_average_precision_is_that_of_all_candidates_whatever_the_rules_keep(tmp_path, cuboid):
    """Three true synapses, the smallest below the rules; a false candidate ranks between them."""
    truth, probability = np.zeros((5, 40, 90), np.uint8), np.zeros((5, 40, 90), np.float32)
    for x, width in ((5, 20), (40, 10), (60, 3)):
        truth[1:4, 5:15, x : x + width], probability[1:4, 5:15, x : x + width] = 1, 0.9
    probability[1:4, 25:35, 5:10] = 0.8
    files, pieces = {}, list(cuboids(truth.shape, cuboid))
    for piece in pieces:
        files[piece.name] = tmp_path / f"{piece.name}.npz"
        found = (probability[piece.core] >= 0.5).astype(np.uint8)
        save_parts(files[piece.name], find_parts(found, probability[piece.core], piece.start, truth.shape))
    every, drawn = candidates(files, truth.shape, VOXEL_NM, cuboid)
    assert len(every) == 4 and drawn.array.max() == 4
    large = every[every["volume_um3"] > 200 * 2.88e-6]
    kept = Volume(np.where(np.isin(drawn[:], large["synapse"]), drawn[:], 0), VOXEL_NM, "kept")
    true = Volume(truth, VOXEL_NM, "truth")
    compared, ranked = compare(true, kept, large), compare(true, drawn, every).result
    rows = evaluate([compared], [ranked]).set_index("metric")
    # by falling expected volume: true, true, false, true
    assert rows.loc["average_precision", "value"] == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert rows.loc["average_precision", ["n", "unit"]].tolist() == [4, "candidates"]
    assert rows.loc["recall", "value"] == pytest.approx(2 / 3)
    # a cuboid that failed is passed over
    files.pop(pieces[-1].name)
    assert len(candidates(files, truth.shape, VOXEL_NM, cuboid)[0]) == (0 if len(pieces) == 1 else 4)


@pytest.mark.parametrize("first", [1, 2**63 - 2, 2**64 - 2])
def test_true_labels_of_64_bits_are_objects_as_others(first):
    truth, found = np.zeros((5, 40, 90), np.uint64), np.zeros((5, 40, 90), np.uint64)
    # two labels that touch are two objects
    truth[1:4, 5:15, 5:15], truth[1:4, 5:15, 15:25] = first, first + 1
    found[1:4, 5:15, 5:15], found[1:4, 5:15, 15:25] = 1, 2
    objects = pd.DataFrame({"synapse": [1, 2], "score": 0.9, "volume_um3": 0.001, "probability": np.nan})
    compared = compare(Volume(truth, VOXEL_NM, "truth"), Volume(found, VOXEL_NM, "found"), objects)
    assert compared.partner.tolist() == [0, 1] and compared.result.truth_found.tolist() == [True, True]
