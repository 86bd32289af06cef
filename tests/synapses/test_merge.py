"""However a volume is cut, its merged objects are those of the volume in one piece."""

import cc3d
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops_table

from spinome.blocks import cuboids
from spinome.io.volumes import Volume
from spinome.synapses.detect import take_given
from spinome.synapses.merge import Rules, merge_parts
from spinome.synapses.parts import find_parts, load_parts, paint_parts, save_parts

VOXEL_NM = (40.0, 8.0, 8.0)


def cut_and_merge(folder, values, probability, size, connectivity=18, rules=None):
    """Objects and label volume by way of cuboids of a size."""
    pieces = list(cuboids(values.shape, size))
    files = [folder / f"{piece.name}.npz" for piece in pieces]
    for piece, file in zip(pieces, files):
        chance = None if probability is None else probability[piece.core]
        save_parts(file, find_parts(values[piece.core], chance, piece.start, values.shape))
    objects, ids = merge_parts(files, values.shape, VOXEL_NM, connectivity, rules)
    merged = np.zeros(values.shape, np.int64)
    for piece, file, lookup in zip(pieces, files, ids):
        merged[piece.core] = paint_parts(load_parts(file), lookup)
    return objects, merged


def label_whole(values, connectivity):
    """Labels of the whole volume, numbered by the raster order of first voxels."""
    labels = cc3d.connected_components(values, connectivity=connectivity).astype(np.int64)
    found, first = np.unique(labels, return_index=True)
    rank = np.zeros(labels.max() + 1, np.int64)
    present = found[found > 0]
    rank[present[np.argsort(first[found > 0])]] = np.arange(1, len(present) + 1)
    return rank[labels]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 7), st.integers(1, 9), st.integers(1, 9)),
    size=st.tuples(st.integers(1, 7), st.integers(1, 9), st.integers(1, 9)),
    filled=st.floats(0.05, 0.7),
    values=st.integers(1, 3),
    connectivity=st.sampled_from([6, 18, 26]),
)
def test_any_chunking_gives_the_objects_of_the_whole(seed, shape, size, filled, values, connectivity, tmp_path_factory):
    rng = np.random.default_rng(seed)
    volume = (rng.integers(1, values + 1, shape) * (rng.random(shape) < filled)).astype(np.int32)
    folder = tmp_path_factory.mktemp("parts")
    objects, merged = cut_and_merge(folder, volume, None, size, connectivity)
    np.testing.assert_array_equal(merged, label_whole(volume, connectivity))
    assert len(objects) == merged.max()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(1, 12)),
    rules=st.builds(
        Rules,
        min_area_um2=st.sampled_from([0, 2 * 64e-6, 4 * 64e-6]),
        max_area_um2=st.sampled_from([None, 20 * 64e-6]),
        min_volume_um3=st.sampled_from([0, 10 * 2560e-9]),
        min_sections=st.integers(1, 3),
    ),
)
def test_rules_and_scores_do_not_depend_on_the_chunking(seed, size, rules, tmp_path_factory):
    rng = np.random.default_rng(seed)
    probability = rng.random((6, 12, 12)).astype(np.float32)
    volume = (probability > 0.65).astype(np.uint8)
    folder = tmp_path_factory.mktemp("parts")
    whole, whole_labels = cut_and_merge(folder, volume, probability, volume.shape, 18, rules)
    objects, merged = cut_and_merge(folder, volume, probability, size, 18, rules)
    pd.testing.assert_frame_equal(objects, whole, check_exact=True)
    np.testing.assert_array_equal(merged, whole_labels)


def test_table_equals_measured_objects(tmp_path):
    rng = np.random.default_rng(1)
    probability = rng.random((6, 20, 20)).astype(np.float32)
    volume = (probability > 0.8).astype(np.uint8)
    objects, merged = cut_and_merge(tmp_path, volume, probability, (2, 7, 9))
    expected = regionprops_table(
        merged, probability, properties=["label", "area", "centroid", "intensity_mean", "intensity_max", "bbox"]
    )
    np.testing.assert_array_equal(objects["synapse"], expected["label"])
    np.testing.assert_array_equal(objects["voxels"], expected["area"])
    for axis, size, number in zip("zyx", VOXEL_NM, range(3)):
        np.testing.assert_allclose(objects[f"{axis}_nm"], (expected[f"centroid-{number}"] + 0.5) * size)
        np.testing.assert_array_equal(objects[f"{axis}0"], expected[f"bbox-{number}"])
        np.testing.assert_array_equal(objects[f"{axis}1"] + 1, expected[f"bbox-{number + 3}"])
    np.testing.assert_allclose(objects["score"], expected["intensity_mean"], atol=1e-6)
    np.testing.assert_allclose(objects["max_score"], expected["intensity_max"], atol=1e-6)


def test_patches_are_measured_whole_before_they_are_dropped(tmp_path):
    volume = np.zeros((3, 8, 8), np.uint8)
    volume[0, 2:6, 2:6] = 1  # a patch of 16 voxels, cut into four of 4 voxels
    volume[2, 0, :3] = 1  # a patch of 3 voxels
    rules = Rules(min_area_um2=10 * 64e-6)
    objects, _ = cut_and_merge(tmp_path, volume, None, (1, 4, 4), 18, rules)
    assert objects["voxels"].tolist() == [16]


def test_edge_and_corner_contacts_across_cuboids(tmp_path):
    over_edge, over_corner = np.zeros((2, 4, 4), np.uint8), np.zeros((2, 4, 4), np.uint8)
    over_edge[0, 1, 1] = over_edge[0, 2, 2] = 1
    over_corner[0, 1, 1] = over_corner[1, 2, 2] = 1
    for volume, counts in ((over_edge, {6: 2, 18: 1, 26: 1}), (over_corner, {6: 2, 18: 2, 26: 1})):
        for connectivity, count in counts.items():
            objects, _ = cut_and_merge(tmp_path, volume, None, (1, 2, 2), connectivity)
            assert len(objects) == count


def test_a_layer_of_cuboids_ends_where_the_next_one_starts_and_not_where_objects_begin(tmp_path):
    # one object lies in two columns, and what lies between them in the order of cuboids begins below it
    volume = np.zeros((6, 2, 2), np.uint8)
    volume[:3, 0, 0] = volume[0, 1, 0] = volume[5, 0, 1] = 1
    objects, merged = cut_and_merge(tmp_path, volume, None, (6, 1, 1))
    assert objects["voxels"].tolist() == [4, 1]
    assert merged[0, 0, 0] == merged[0, 1, 0] == 1 and merged[5, 0, 1] == 2


def test_labels_of_64_bits_keep_their_values(tmp_path):
    last = 2**64 - 1
    labels = Volume(np.array([[[last, last, 0, last - 1, 0, 2**63, 5]]], np.uint64), VOXEL_NM, "labels.h5")
    files = [tmp_path / f"{piece.name}.npz" for piece in cuboids(labels.shape, (1, 1, 4))]
    for piece, file in zip(cuboids(labels.shape, (1, 1, 4)), files):
        save_parts(file, take_given(labels, piece))
    objects, _ = merge_parts(files, labels.shape, VOXEL_NM)
    assert objects["value"].tolist() == [last, last - 1, 2**63, 5]
    assert objects["voxels"].tolist() == [2, 1, 1, 1]


def test_cuboids_out_of_order(tmp_path):
    volume = np.ones((4, 2, 2), np.uint8)
    cut_and_merge(tmp_path, volume, None, (2, 2, 2))
    with pytest.raises(ValueError, match=r"0-0-0\.npz: starts in section 0, after one that starts in 2"):
        merge_parts([tmp_path / "2-0-0.npz", tmp_path / "0-0-0.npz"], volume.shape, VOXEL_NM)


def test_no_cuboids():
    objects, ids = merge_parts([], (4, 2, 2), VOXEL_NM)
    assert objects.empty and ids == []


def test_volume_without_objects(tmp_path):
    objects, merged = cut_and_merge(tmp_path, np.zeros((3, 4, 5), np.uint8), None, (2, 2, 2))
    assert objects.empty and "synapse" in objects
    assert not merged.any()


def test_unknown_connectivity(tmp_path):
    with pytest.raises(ValueError, match="6, 18 or 26"):
        cut_and_merge(tmp_path, np.ones((2, 2, 2), np.uint8), None, (1, 1, 1), 8)


def test_probability_outside_its_range():
    with pytest.raises(ValueError, match="between 0 and 1"):
        find_parts(np.ones((1, 2, 2), np.uint8), np.full((1, 2, 2), 1.5), (0, 0, 0), (1, 2, 2))


REAL = {
    "pinky40": ("pinky40", "segmentation_z000-320.h5", "segmentation", np.s_[100:132, 200:400, 300:500]),
    "neuroproof_ts2": ("neuroproof_ts2", "volume_z000-150.h5", "truth", np.s_[50:80, :200, :200]),
    "drosophila_vnc": ("drosophila_vnc", "stack1_y0000-0640.h5", "synapse", np.s_[:, :400, :500]),
}


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_real_volumes_merge_as_a_whole(shared_data, tmp_path, name, connectivity):
    folder, file, key, part = REAL[name]
    with h5py.File(shared_data(f"em/{folder}") / file) as stored:
        values = stored[key][part].astype(np.int64)
    objects, merged = cut_and_merge(tmp_path, values, None, (13, 77, 101), connectivity)
    np.testing.assert_array_equal(merged, label_whole(values, connectivity))
    assert (objects["value"].to_numpy()[merged[merged > 0] - 1] == values[merged > 0]).all()
