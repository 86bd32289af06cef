"""However a volume is cut, its merged objects are those of the volume in one piece."""

import cc3d
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from skimage.measure import regionprops_table

from chunkings import VOXEL_NM, draw_specimen, find
from spinome.cuboids import cuboids
from spinome.io.volumes import Volume
from spinome.synapses.objects.detect import take_given
from spinome.synapses.objects.merge import OBJECT_COLUMNS, Rules, merge_candidates, merge_parts
from spinome.synapses.objects.patches import find_parts, load_parts, paint_parts, save_parts
from volumes import draw_cut


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


def label_slowly(values, probability, connectivity, rules):
    """Labels by the words of the rules, with cc3d: patches of a section, then objects, in the order of first voxels."""
    # cc3d does not take labels of all 64 bits
    numbers = np.unique(np.append(np.zeros(1, values.dtype), values), return_inverse=True)[1][1:]
    numbers = numbers.reshape(values.shape).astype(np.int32)
    for section in numbers:
        patch = cc3d.connected_components(section, connectivity=4)
        area = np.bincount(patch.ravel())[patch] * VOXEL_NM[1] * VOXEL_NM[2] / 1e6
        largest = np.inf if rules.max_area_um2 is None else rules.max_area_um2
        section[(area < rules.min_area_um2) | (area > largest)] = 0
    labels = cc3d.connected_components(numbers, connectivity=connectivity).astype(np.int64)
    for number in range(1, labels.max() + 1):
        where = np.argwhere(labels == number)
        peak = 1 if probability is None else np.rint(probability[labels == number].max() * 1e6) / 1e6
        volume = len(where) * (np.prod(VOXEL_NM) / 1e9)
        if volume < rules.min_volume_um3 or np.ptp(where[:, 0]) + 1 < rules.min_sections or peak < rules.min_peak:
            labels[labels == number] = 0
    return in_raster_order(labels)


def in_raster_order(labels):
    """Labels numbered by the raster order of their first voxels."""
    found, first = np.unique(labels, return_index=True)
    rank = np.zeros(labels.max() + 1, np.int64)
    rank[found[found > 0][np.argsort(first[found > 0])]] = np.arange(1, (found > 0).sum() + 1)
    return rank[labels]


def label_whole(values, connectivity):
    """Labels of the whole volume, numbered by the raster order of first voxels."""
    return in_raster_order(cc3d.connected_components(values, connectivity=connectivity).astype(np.int64))


def measure_slowly(labels, values, probability):
    """Table of objects, each measured by the voxels that carry its label."""
    rows = []
    chance = np.ones(labels.shape) if probability is None else np.rint(probability.astype(float) * 1e6) / 1e6
    for number in range(1, labels.max() + 1):
        where = np.argwhere(labels == number)
        low, high = where.min(axis=0), where.max(axis=0)
        own = chance[labels == number]
        row = {"synapse": number, "voxels": len(where), "volume_um3": len(where) * np.prod(VOXEL_NM) / 1e9}
        row |= dict(zip(("z_nm", "y_nm", "x_nm"), (where.mean(axis=0) + 0.5) * VOXEL_NM))
        row |= {"sections": high[0] - low[0] + 1, "score": own.mean(), "max_score": own.max(), "probability": np.nan}
        row |= {"value": values[tuple(where[0])]}
        row |= {f"{axis}{end}": edge[at] for at, axis in enumerate("zyx") for end, edge in enumerate((low, high))}
        rows.append(row)
    return pd.DataFrame(rows, columns=OBJECT_COLUMNS)


@settings(max_examples=200)
@given(random=st.randoms())
def test_any_cut_gives_the_synapses_of_the_whole(random, tmp_path_factory):
    """Draws a specimen, from nearly empty to full, and a cut of it, as the benchmark of chunkings does."""
    folder = tmp_path_factory.mktemp("parts")
    specimen = draw_specimen(random)
    size = draw_cut(random, specimen.shape)
    note(f"{specimen}, cut to {size}")
    assert find(specimen, specimen.shape, folder).differences(find(specimen, size, folder)) == []


@settings(max_examples=100)
@given(random=st.randoms())
def test_synapses_are_those_of_a_slow_way(random, tmp_path_factory):
    """Draws a specimen and a cut as above."""
    specimen = draw_specimen(random)
    note(specimen)
    found = find(specimen, draw_cut(random, specimen.shape), tmp_path_factory.mktemp("parts"))
    values, probability = specimen.labels, specimen.probability
    if values is None:
        values = probability >= specimen.threshold
    np.testing.assert_array_equal(
        found.labels, label_slowly(values, probability, specimen.connectivity, specimen.rules)
    )
    expected = measure_slowly(found.labels.astype(np.int64), values, probability)
    pd.testing.assert_frame_equal(
        found.objects[OBJECT_COLUMNS], expected.astype(found.objects.dtypes[OBJECT_COLUMNS]), rtol=1e-9
    )


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
    rules = Rules(min_area_um2=10 * VOXEL_NM[1] * VOXEL_NM[2] / 1e6)
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


def test_candidates_are_all_objects_and_those_that_rules_drop_have_no_number():
    values = np.zeros((4, 12, 12), np.uint8)
    values[1, 1:3, 1:3], values[0:3, 6:9, 6:9] = 1, 1
    probability = np.full(values.shape, 0.5, np.float32)
    probability[1, 1, 1] = 0.9
    parts = [find_parts(values, probability, (0, 0, 0), values.shape)]
    rules = Rules(min_sections=2)
    candidates, (ids,) = merge_candidates(parts, values.shape, VOXEL_NM, rules=rules)
    objects, (kept,) = merge_parts(parts, values.shape, VOXEL_NM, rules=rules)
    assert candidates["voxels"].tolist() == [27, 4] and candidates["synapse"].tolist() == [1, 0]
    assert candidates["max_score"].tolist() == pytest.approx([0.5, 0.9])
    pd.testing.assert_frame_equal(candidates[candidates["synapse"] > 0].reset_index(drop=True), objects)
    assert ids.tolist() == kept.tolist() and sorted(set(ids)) == [0, 1]


def test_what_the_settings_leave_open_is_as_the_model_says():
    card = {"min_volume_um3": 0.001, "min_peak": 0.9, "threshold": 0.2}
    rules = Rules.of({"min_volume_um3": None, "min_peak": 0.5, "min_probability": None, "min_sections": 2}, card)
    assert rules == Rules(min_volume_um3=0.001, min_peak=0.5, min_sections=2)
