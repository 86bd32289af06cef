"""Figures of the synapses branch: each volume with what it has, and compared with the truth where there is one."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from spinome.gaps import gap_table
from spinome.io.volumes import Volume
from spinome.report.synapses import Found, draw_all
from spinome.synapses.density.uniformity import describe_uniformity

VOXEL_NM, CUBOID = (40.0, 20.0, 20.0), (6, 40, 30)


@pytest.fixture
def found():
    labels = np.zeros((6, 40, 60), np.uint64)
    labels[1:3, 5:10, 5:10], labels[4, 30:34, 40:45] = 1, 2
    columns = ["synapse", "voxels", "sections", "z0", "z1", "y0", "y1", "x0", "x1", "z_nm", "y_nm", "x_nm"]
    rows = [[1, 50, 2, 1, 2, 5, 9, 5, 9, 80, 150, 150], [2, 20, 1, 4, 4, 30, 33, 40, 44, 180, 640, 850]]
    objects = pd.DataFrame(rows, columns=columns).assign(volume="v", score=0.8, volume_um3=0.001)
    objects = objects.assign(probability=0.8, block=[0, -1])
    image = np.random.default_rng(0).integers(0, 255, labels.shape)
    opened = [Volume(array, VOXEL_NM, name) for array, name in ((labels, "l"), (image, "i"), (labels == 1, "t"))]
    gaps = gap_table(labels.shape, CUBOID, {"0-0-0", "0-0-30"}, VOXEL_NM)
    return Found(opened[0], objects.assign(reason=["", "split"]), gaps, True, opened[1], opened[2])


@pytest.fixture
def blocks():
    centres = (np.indices((1, 2, 4)).reshape(3, -1).T + 0.5) * 500
    return pd.DataFrame(centres, columns=["z_nm", "y_nm", "x_nm"]).assign(synapses=3, unmasked_um3=0.1)


@pytest.fixture
def drawn(tmp_path):
    """A function that draws into a new folder and gives the captions by name."""

    def draw(name, *arguments):
        draw_all(tmp_path / name, *arguments)
        return {row["name"]: row["caption"] for row in json.loads((tmp_path / name / "figures.json").read_text())}

    return draw


def test_a_volume_with_a_truth_is_drawn_with_it(found, blocks, drawn):
    uniformity = describe_uniformity(blocks, "v")
    ranked = pd.DataFrame({"volume": "v", "rank": [0.001, 0.0009, 0.0001], "true": [True, False, False]})
    captions = drawn("true", {"v": found}, {"v": blocks}, uniformity, ranked, None, CUBOID)
    assert list(captions) == ["sections_v", "gallery_v", "merge_v", "precision_recall", "density_v"]
    assert "true synapses" in captions["sections_v"]
    # what lies in no block is told of in the volume where it lies
    assert "1 more in no block: split" in captions["density_v"]


def test_what_touches_a_gap_is_left_out_of_the_score(found, drawn):
    gaps = gap_table(found.labels.shape, CUBOID, {"0-0-30"}, VOXEL_NM)
    captions = drawn("gap", {"v": replace(found, gaps=gaps)}, {}, pd.DataFrame({"volume": []}), None, None, CUBOID)
    assert captions["sections_v"].endswith("1 cuboid failed: nothing is known of them (hatched).")
    none = replace(found, gaps=gap_table(found.labels.shape, CUBOID, set(), VOXEL_NM), objects=found.objects.iloc[:0])
    assert (
        "2 cuboids failed"
        in drawn("none", {"v": none}, {}, pd.DataFrame({"volume": []}), None, None, CUBOID)["sections_v"]
    )


def test_given_synapses_are_drawn_without_a_score(found, drawn):
    given = replace(found, detected=False, truth=None)
    assert list(drawn("given", {"v": given}, {}, pd.DataFrame({"volume": []}), None, None, CUBOID)) == ["merge_v"]


def test_tables_counted_elsewhere_are_drawn_alone(blocks, drawn):
    captions = drawn("elsewhere", {}, {"other": blocks}, describe_uniformity(blocks, "other"), None, None, CUBOID)
    assert list(captions) == ["density_other"] and "in no block" not in captions["density_other"]
