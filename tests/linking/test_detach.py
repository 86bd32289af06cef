"""Spines found on a shaft and cut off at the neck."""

import numpy as np
import pytest

from spinome.linking.detach import CUT_COLUMNS, detach_spines
from spinome.linking.protrusions import find_protrusions, geodesic

VOXEL = (40.0, 32.0, 32.0)
SHAFT, AXON = 7, 9


@pytest.fixture(scope="module")
def tissue():
    """A dendrite along x with three spines of a head on a neck, in a sea of one axon."""
    shape = (50, 80, 160)
    places = (np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1) + 0.5) * VOXEL
    labels = np.full(shape, AXON, np.uint16)
    labels[(places[..., 0] - 1000) ** 2 + (places[..., 1] - 500) ** 2 < 260**2] = SHAFT
    for x in (1200.0, 2600.0, 4000.0):
        neck = (places[..., 0] - 1000) ** 2 + (places[..., 2] - x) ** 2 < 70**2
        labels[neck & (places[..., 1] > 500) & (places[..., 1] < 1600)] = SHAFT
        labels[((places - [1000.0, 1600.0, x]) ** 2).sum(-1) < 230**2] = SHAFT
    return labels


def test_spines_hang_on_the_shaft(tissue):
    found = find_protrusions(np.where(tissue == SHAFT, tissue, 0), VOXEL)
    assert len(found.table) == 3
    assert (found.table["feet"] == 1).all() and not found.table["on_edge"].any()
    assert found.table["reach_nm"].between(900, 1250).all()
    assert found.number[25, 15, 80] == 0 and found.out_nm[25, 15, 80] < 0
    assert not np.isfinite(found.out_nm[tissue == AXON]).any()


def test_the_way_stays_within_a_label():
    labels = np.ones((1, 3, 9), np.uint8)
    labels[0, 1, :8] = 2
    seed = np.zeros(labels.shape, bool)
    seed[0, 0, 0] = True
    way = geodesic(labels, seed, np.array([40.0, 10.0, 10.0]))
    assert way[0, 0, 4] == 40 and np.isinf(way[0, 1, 0])
    assert way[0, 2, 0] == pytest.approx(2 * 70 + 2 * np.hypot(10, 10), rel=1e-5)


@pytest.mark.parametrize("gap", [0.0, 300.0])
def test_a_cut_is_as_long_as_was_asked(tissue, gap):
    cut, table = detach_spines(tissue, np.array([SHAFT]), VOXEL, gap_nm=(gap, gap))
    assert list(table.columns) == CUT_COLUMNS and len(table) == 3
    assert (table["shaft"] == SHAFT).all() and sorted(table["orphan"]) == [10, 11, 12]
    assert table["gap_nm"].to_numpy() == pytest.approx([gap] * 3)
    # nothing but dendrite changed, nothing is left empty, and the neck that is lost is the axon's
    assert (cut[tissue == AXON] == AXON).all() and (cut != 0).all()
    assert ((cut == AXON) & (tissue == SHAFT)).any() == (gap > 0)
    for row in table.itertuples():
        orphan, shaft = np.argwhere(cut == row.orphan) * VOXEL, np.argwhere(cut == SHAFT) * VOXEL
        apart = min(np.linalg.norm(shaft - voxel, axis=1).min() for voxel in orphan[:: max(len(orphan) // 200, 1)])
        assert apart == pytest.approx(gap, abs=130)
        assert row.volume_um3 == pytest.approx(len(orphan) * np.prod(VOXEL) / 1e9)


def test_cuts_are_the_same_again_and_differ_by_seed(tissue):
    first, _ = detach_spines(tissue, np.array([SHAFT]), VOXEL, noise_nm=40)
    again, _ = detach_spines(tissue, np.array([SHAFT]), VOXEL, noise_nm=40)
    other, _ = detach_spines(tissue, np.array([SHAFT]), VOXEL, noise_nm=40, seed=1)
    assert (first == again).all() and (first != other).any()


def test_a_share_of_none_cuts_nothing(tissue):
    cut, table = detach_spines(tissue, np.array([SHAFT]), VOXEL, share=0)
    assert table.empty and (cut == tissue).all()


def test_no_dendrite_is_told():
    with pytest.raises(ValueError, match="none of the dendrites"):
        detach_spines(np.zeros((4, 4, 4), np.uint8), np.array([3]), VOXEL)
