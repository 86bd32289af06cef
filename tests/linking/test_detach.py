"""Spines found on a shaft and cut off at the neck."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from spinome.linking.detach import CUT_COLUMNS, KINDS, SCAR_NM, detach_spines
from spinome.linking.protrusions import find_protrusions, geodesic

VOXEL = (40.0, 32.0, 32.0)
SHAFT, AXON, OTHER = 7, 9, 8
SPINES = [slice(20, 56), slice(64, 100), slice(108, 144)]


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


@pytest.mark.parametrize("seed", range(4))
def test_the_way_is_that_of_a_reference(seed):
    """Random labels and seeds, against the shortest paths of scipy on the graph of neighbours."""
    rng = np.random.default_rng(seed)
    shape, size = (6, 12, 11), np.array([40.0, 17.0, 9.0])
    labels = ndimage.zoom(rng.integers(0, 3, (3, 4, 4)), np.array(shape) / (3, 4, 4), order=0)[:6, :12, :11]
    seeds = rng.random(labels.shape) < 0.01
    number = np.arange(labels.size).reshape(labels.shape)
    pairs = []
    for step in np.ndindex(3, 3, 3):
        here = tuple(slice(max(0, 1 - s), n - max(0, s - 1)) for s, n in zip(step, labels.shape))
        there = tuple(slice(max(0, s - 1), n - max(0, 1 - s)) for s, n in zip(step, labels.shape))
        same = (labels[here] == labels[there]) & (labels[here] > 0)
        length = np.linalg.norm((np.array(step) - 1) * size)
        if length:
            pairs.append((number[here][same], number[there][same], np.full(same.sum(), length)))
    first, second, lengths = map(np.concatenate, zip(*pairs))
    graph = coo_array((lengths, (first, second)), shape=(labels.size,) * 2).tocsr()
    start = number[seeds & (labels > 0)]
    expected = np.full(labels.size, np.inf)
    if len(start):
        expected = dijkstra(graph, indices=start, min_only=True)
    assert np.allclose(geodesic(labels.astype(np.uint8), seeds, size).ravel(), expected, rtol=1e-5)


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


def test_kinds_of_cut_differ_as_they_say(tissue):
    """Above the shaft a second neighbour comes near, so that two are heirs of a neck."""
    tissue = tissue.copy()
    tissue[:25][tissue[:25] == AXON] = OTHER
    own = tissue == SHAFT
    cuts = {}
    for kind in KINDS:
        cut, table = detach_spines(tissue, np.array([SHAFT]), VOXEL, kinds=(kind,), gap_nm=(300, 300))
        assert len(table) == 3 and (table["kind"] == kind).all() and (cut[~own] == tissue[~own]).all()
        lost = own & (cut != SHAFT) & (cut < table["orphan"].min())
        cuts[kind] = cut, table, [set(np.unique(cut[:, :, part][lost[:, :, part]])) for part in SPINES]
    assert all(heirs == {AXON, OTHER} for heirs in cuts["neck"][2])
    assert all(len(heirs) == 1 and heirs <= {AXON, OTHER} for heirs in cuts["one_heir"][2])
    assert all(heirs == {0} for heirs in cuts["empty"][2])
    assert (cuts["foot"][1]["cut_nm"] == 0).all() and (cuts["neck"][1]["cut_nm"] > 0).all()
    assert cuts["anywhere"][1]["cut_nm"].nunique() == 3
    assert (cuts["ragged"][0] != cuts["neck"][0]).any()
    # after a cut at the foot nothing of the spine is left on the shaft
    assert (cuts["foot"][0] == SHAFT).sum() < (cuts["neck"][0] == SHAFT).sum()


def test_each_spine_draws_a_kind_and_says_where_its_end_is(tissue):
    cut, table = detach_spines(tissue, np.array([SHAFT]), VOXEL, kinds=tuple(KINDS), seed=3)
    assert table["kind"].nunique() > 1
    for row in table.itertuples():
        orphan = (np.argwhere(cut == row.orphan) + 0.5) * VOXEL
        # spines hang on the shaft's far side in y, so that their cut ends have the smallest
        assert row.cut_y_nm == pytest.approx(orphan[:, 1].min() + SCAR_NM / 2, abs=130)
    with pytest.raises(ValueError, match="kinds of cut torn are none of neck"):
        detach_spines(tissue, np.array([SHAFT]), VOXEL, kinds=("torn",))


def test_two_spines_on_one_base_are_two_orphans(tissue):
    """A neck that parts in two heads, cut below the fork, is one orphan; cut above, two of one shaft."""
    forked = tissue.copy()
    places = (np.stack(np.meshgrid(*[np.arange(n) for n in tissue.shape], indexing="ij"), -1) + 0.5) * VOXEL
    forked[:, 25:, 62:100][forked[:, 25:, 62:100] == SHAFT] = AXON
    for side in (-1, 1):
        for share in np.linspace(0, 1, 30):
            centre = [1000.0, 700 + 1100 * share, 2600 + side * max(share - 0.5, 0) * 1000]
            forked[((places - centre) ** 2).sum(-1) < (70 + 160 * (share == 1)) ** 2] = SHAFT
    counts = set()
    for seed in range(6):
        cut, table = detach_spines(forked, np.array([SHAFT]), VOXEL, kinds=("anywhere",), seed=seed)
        own = table[table["x_nm"].between(1900, 3300)]
        assert (own["shaft"] == SHAFT).all() and all((cut == orphan).any() for orphan in own["orphan"])
        counts.add(len(own))
    assert counts == {1, 2}


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
