"""Odd volumes: a right answer or one clear message."""

import numpy as np
import pandas as pd
import pytest

from spinome.configuration.linking import Candidates, Links, Typing
from spinome.cuboids import cuboids
from spinome.io.models import load_model
from spinome.io.units import working_stride
from spinome.io.volumes import open_labels, open_probability, require_same_grid, write_volume
from spinome.labels import compact
from spinome.linking.agglomerate import agglomerate, cut
from spinome.linking.candidates import COLUMNS, FEATURES, PLACES, TYPED, group_candidates, with_types
from spinome.linking.detach import detach_spines
from spinome.linking.line_graph import line_graph, synapse_centres, synapse_neurites
from spinome.linking.links import grammar_violations, linked_spines, parents, rank_links
from spinome.linking.membranes import MembraneNet, Pixels, fit_to, grey_range, predict_membranes
from spinome.linking.meshes import join_orphans, segment_meshes
from spinome.linking.region_graph import region_graph
from spinome.linking.traits import nothing_to_link
from spinome.linking.typing import measure_segments, type_segments
from spinome.linking.watershed import superpixels
from spinome.shipped import shipped_file

BIG = (1 << 62) + 3
VOXEL = (40.0, 20.0, 20.0)


def volume(*boxes, shape=(20, 40, 60), dtype=np.uint64):
    """Boxes (label, z, y, x of slices) in background."""
    labels = np.zeros(shape, dtype)
    for label, *sides in boxes:
        labels[tuple(slice(*side) for side in sides)] = label
    return labels


def candidates_of(labels, orphan, shafts, voxel_nm=VOXEL):
    """Candidates of one orphan in a whole volume."""
    segments = measure_segments(labels, voxel_nm, (1, 1, 1))
    row = segments[segments["segment"] == orphan]
    return group_candidates(labels, None, row, np.array(shafts), None, (1, 1, 1), voxel_nm, 600.0)


SPINE = (9, (8, 12), (20, 24), (30, 34))


@pytest.mark.parametrize(
    ("membrane_shape", "membrane_nm", "message"),
    [
        ((20, 40, 61), VOXEL, r"membrane\.zarr.*\(20, 40, 61\).*segments\.zarr"),
        ((20, 40, 60), (40.0, 8.0, 8.0), r"membrane\.zarr.*\(40\.0, 8\.0, 8\.0\).*sample sheet"),
    ],
)
def test_segments_and_membranes_of_different_grids(tmp_path, membrane_shape, membrane_nm, message):
    write_volume(tmp_path / "segments.zarr", volume(SPINE), VOXEL)
    write_volume(tmp_path / "membrane.zarr", np.zeros(membrane_shape, np.float32), membrane_nm)
    with pytest.raises(ValueError, match=message):
        require_same_grid(
            [open_labels(str(tmp_path / "segments.zarr")), open_probability(str(tmp_path / "membrane.zarr"))]
        )


CASES = {
    "ids of 64 bits": (volume(SPINE, (BIG, (8, 12), (0, 12), (0, 60))), [BIG], [BIG]),
    "a shaft of several pieces": (
        volume(SPINE, (4, (8, 12), (0, 12), (0, 20)), (4, (8, 12), (0, 12), (40, 60))),
        [4],
        [4],
    ),
    "labels that touch nothing": (volume(SPINE, (4, (0, 2), (0, 4), (0, 60))), [4], [4]),
    "an id of 64 bits beside": (
        volume(SPINE, (4, (8, 12), (0, 12), (0, 60)), (BIG, (8, 12), (36, 40), (0, 60))),
        [4],
        [4],
    ),
    "no shaft in the window": (volume(SPINE, (4, (8, 12), (38, 40), (58, 60))), [77], []),
    "no shaft at all": (volume(SPINE), [], []),
    "an orphan that is a shaft of itself": (volume(SPINE), [9], []),
}


@pytest.mark.parametrize(("labels", "shafts", "near"), CASES.values(), ids=CASES)
def test_candidates_of_odd_volumes(labels, shafts, near):
    table = candidates_of(labels, 9, shafts)
    assert list(table.columns) == COLUMNS and table["shaft"].unique().tolist() == near
    links = rank_links(table, np.full(len(table), 0.9), [9], 0.5)
    assert links["shaft"].tolist() == (near or [0]) and links["linked"].tolist() == [bool(near)]


@pytest.mark.parametrize("voxel_nm", [(100.0, 10.0, 10.0), (10.0, 100.0, 10.0)])
def test_anisotropy_of_ten(voxel_nm):
    """The shaft below is nearer in nm than the one beside, whatever it is in voxels."""
    labels = volume(
        (9, (4, 6), (20, 30), (20, 30)),
        (1, (8, 10), (0, 40), (0, 60)),
        (2, (4, 6), (34, 38), (0, 60)),
        shape=(10, 40, 60),
    )
    table = candidates_of(labels, 9, [1, 2], voxel_nm).drop_duplicates("shaft").set_index("shaft")
    # two empty voxels in z, four in y
    near, far = (1, 2) if voxel_nm[0] < voxel_nm[1] else (2, 1)
    assert table.loc[near, "distance_nm_behind"] == 0 < table.loc[far, "distance_nm_behind"]
    assert table.loc[1, "distance_nm"] == pytest.approx(3 * voxel_nm[0])
    assert table.loc[2, "distance_nm"] == pytest.approx(5 * voxel_nm[1])


def test_an_id_of_several_pieces_is_one_segment():
    labels = volume((5, (2, 4), (2, 4), (2, 4)), (5, (10, 12), (30, 32), (50, 52)))
    row = measure_segments(labels, VOXEL, (1, 1, 1)).iloc[0]
    assert row["voxels"] == 16 and (row["z0"], row["z1"], row["x0"], row["x1"]) == (2, 12, 2, 52)


def test_an_empty_volume_is_told():
    with pytest.raises(ValueError, match="every voxel is 0"):
        measure_segments(volume(), VOXEL, (1, 1, 1))


def test_a_volume_smaller_than_a_window_is_its_own_window():
    labels = volume((9, (1, 2), (1, 2), (1, 2)), (1, (0, 3), (2, 3), (0, 3)), shape=(3, 3, 3))
    table = candidates_of(labels, 9, [1])
    assert table["shaft"].tolist() == [1] and table["distance_nm"].tolist() == [20]


def test_a_synapse_in_the_background_joins_nothing_and_is_listed():
    labels = volume((1, (0, 20), (0, 5), (0, 5)))
    marks = np.zeros(labels.shape, np.uint8)
    marks[15:17, 34:38, 50:55] = 3
    neurites = synapse_neurites(labels, synapse_centres(marks, VOXEL), VOXEL)
    assert neurites[["neurite_a", "neurite_b"]].to_numpy().tolist() == [[0, 0]]
    assert line_graph(neurites).tolist() == []
    none = pd.DataFrame({"orphan": [], "shaft": [], "rank": [], "probability": [], "linked": []}).astype(
        {"linked": bool}
    )
    segments = pd.DataFrame({"segment": [1], "kind": ["other"], "on_edge": [True]})
    assert grammar_violations(segments, none, neurites)["violation"].tolist() == ["does not join two neurites"]


def test_a_dendrite_without_spines_is_left_as_it_is():
    labels = volume((BIG, (4, 16), (10, 30), (0, 60)), (8, (0, 4), (0, 40), (0, 60)))
    cut, table = detach_spines(labels, np.array([BIG], np.uint64), VOXEL)
    assert table.empty and (cut == labels).all()


def wall(shape, axis=1):
    """A membrane across the middle of a volume."""
    membrane = np.zeros(shape, np.float32)
    membrane[tuple(slice(n // 2, n // 2 + 1) if number == axis else slice(None) for number, n in enumerate(shape))] = 1
    return membrane


ODD_MEMBRANES = {
    "one voxel": (np.zeros((1, 1, 1), np.float32), VOXEL, 1),
    "one section": (wall((1, 30, 30)), VOXEL, 2),
    "smaller than a block": (wall((3, 9, 9)), VOXEL, 2),
    "an empty block": (np.zeros((6, 20, 20), np.float32), VOXEL, 1),
    "a block of membrane alone": (np.ones((6, 20, 20), np.float32), VOXEL, 1),
    "anisotropy of ten in z": (wall((6, 40, 40)), (100.0, 10.0, 10.0), 2),
    "anisotropy of ten in y": (wall((40, 6, 40), axis=0), (10.0, 100.0, 10.0), 2),
}


@pytest.mark.parametrize(("membrane", "voxel_nm", "neurites"), ODD_MEMBRANES.values(), ids=ODD_MEMBRANES)
def test_odd_membranes_become_segments(membrane, voxel_nm, neurites):
    """Each side of a wall is a segment, however many superpixels it had."""
    labels = superpixels(membrane, voxel_nm, threshold=0.5, smoothing_nm=15.0, spacing_nm=40.0)
    assert labels.shape == membrane.shape and labels.min() == 1
    graph = region_graph(labels, membrane, voxel_nm)
    segments = cut(agglomerate(graph, "mean"), graph.labels, 0.5)[compact(labels, graph.labels)]
    table = measure_segments(segments, voxel_nm, (1, 1, 1))
    assert len(table) == neurites and table["voxels"].sum() == membrane.size and table["on_edge"].all()
    # nothing of it is an orphan or a shaft: no link, no mesh, and nothing breaks
    assert (
        type_segments(table, **Typing().model_dump(exclude={"working_nm", "shaft_min_probability"})) == "other"
    ).all()
    joined = join_orphans(
        segments, pd.DataFrame(columns=["orphan", "shaft", *PLACES]), np.zeros(0, int), voxel_nm, 60.0
    )
    assert not joined.any() and list(segment_meshes(joined, voxel_nm, 20.0)) == []


def test_a_mask_of_nothing_has_no_superpixel():
    mask = np.zeros((4, 12, 12), bool)
    assert not superpixels(wall(mask.shape), VOXEL, threshold=0.5, smoothing_nm=15.0, spacing_nm=40.0, mask=mask).any()
    with pytest.raises(ValueError, match="every voxel is 0"):
        region_graph(mask.astype(int), wall(mask.shape), VOXEL)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 7, 5)])
def test_an_image_smaller_than_a_block_has_membranes(shape):
    """And a constant image, which has no contrast to go by, too."""
    rng, net = np.random.default_rng(0), MembraneNet().eval()
    (block,) = cuboids(shape, (64, 256, 256))
    for image in (rng.integers(0, 255, shape).astype(np.uint8), np.full(shape, 9, np.uint8)):
        pixels = Pixels(image, VOXEL, grey_range(image))
        found = predict_membranes(fit_to(net, pixels)[0], pixels, block)
        assert found.shape == shape


def test_a_synapse_at_the_corner_of_a_volume_has_its_neurites():
    labels = volume((BIG, (0, 20), (0, 3), (0, 60)), (7, (0, 20), (3, 9), (0, 60)))
    marks = np.zeros(labels.shape, np.uint8)
    marks[19, 2:4, 59] = 1
    found = synapse_neurites(labels, synapse_centres(marks, VOXEL), VOXEL)
    assert {found["neurite_a"].item(), found["neurite_b"].item()} == {BIG, 7}


def test_a_volume_without_orphans_has_no_links():
    none = pd.DataFrame(columns=COLUMNS)
    links = rank_links(none, np.zeros(0), [], 0.5)
    assert links.empty and {"orphan", "shaft", "rank", "probability", "linked"} <= set(links.columns)
    segments = pd.DataFrame({"segment": [1], "kind": ["shaft"], "on_edge": [True]})
    synapses = pd.DataFrame({"synapse": [], "neurite_a": [], "neurite_b": []}, dtype=np.int64)
    assert grammar_violations(segments, links, synapses).empty


def test_a_spine_at_the_border_is_no_orphan():
    labels = volume((9, (8, 12), (20, 28), (30, 38)), (8, (8, 12), (32, 40), (30, 38)))
    segments = measure_segments(labels, VOXEL, (1, 1, 1))
    rules = Typing(orphan_min_um3=0.001).model_dump(exclude={"working_nm", "shaft_min_probability"})
    assert dict(zip(segments["segment"], type_segments(segments, **rules))) == {9: "orphan", 8: "other"}


DENDRITE, SEA, CUT = 7, 9, 20
NO_SYNAPSES = pd.DataFrame({"synapse": [], "neurite_a": [], "neurite_b": []}, dtype=np.int64)


def tissue(*rods, voxel_nm=(40.0, 32.0, 32.0)):
    """Rods (label, y and x in nm of one end, of the other, radius) half way down a sea of 2.4 x 2.9 x 5.4 um."""
    shape = np.round(np.array([2400, 2880, 5440]) / voxel_nm).astype(int)
    middles = [(np.arange(n) + 0.5) * size for n, size in zip(shape, voxel_nm)]
    z, y, x = np.meshgrid(*middles, indexing="ij", sparse=True)
    labels = np.full(shape, SEA, np.uint32)
    for label, start, end, radius in rods:
        (y0, x0), (dy, dx) = start, np.subtract(end, start)
        along = np.clip(((y - y0) * dy + (x - x0) * dx) / max(dy**2 + dx**2, 1), 0, 1)
        away = (z - 1200) ** 2 + (y - y0 - along * dy) ** 2 + (x - x0 - along * dx) ** 2
        labels[away < radius**2] = label
    return labels, voxel_nm


def linked(labels, voxel_nm):
    """Measures, kinds and links of a whole volume by the default rules and the model that ships, without a forest of
    types."""
    settings = Typing().model_dump(exclude={"shaft_min_probability"})
    stride = working_stride(voxel_nm, settings.pop("working_nm"))
    thinned = labels[tuple(slice(None, None, step) for step in stride)]
    segments = measure_segments(thinned, voxel_nm, stride)
    segments["kind"] = type_segments(segments, **settings)
    orphans = segments[segments["kind"] == "orphan"]
    shafts = segments.loc[segments["kind"] == "shaft", "segment"].to_numpy()
    found = group_candidates(labels, None, orphans, shafts, None, stride, voxel_nm, Candidates().radius_nm)
    found = with_types(found, segments.assign(**dict.fromkeys(TYPED, np.nan)))
    model = load_model(shipped_file("links", ".skops"), FEATURES)
    probability = model.probabilities(found[FEATURES].to_numpy(np.float32))[:, 1] if len(found) else []
    return segments, rank_links(found, probability, orphans["segment"], Links().threshold)


SHAFT = (DENDRITE, (500, -500), (500, 6000), 320)
STUB, NECK, HEAD = (
    (DENDRITE, (500, 2700), (900, 2700), 60),
    (CUT, (1000, 2700), (1400, 2700), 60),
    (CUT, (1450, 2700), (1450, 2700), 220),
)
HALVES = [
    (DENDRITE, (500, -500), (500, 2300), 320),
    (DENDRITE, (500, 3100), (500, 6000), 320),
    (DENDRITE, (500, 2200), (900, 2700), 60),
]
FORK = [
    (CUT, (980, 2700), (1200, 2700), 80),
    (CUT, (1200, 2700), (1500, 2350), 60),
    (CUT, (1200, 2700), (1500, 3050), 60),
    (CUT, (1550, 2350), (1550, 2350), 200),
    (CUT, (1550, 3050), (1550, 3050), 200),
]
ODD_TISSUE = {
    "as it should be": (tissue(SHAFT, STUB, NECK, HEAD), {CUT: DENDRITE}),
    "a dendrite of two pieces": (tissue(*HALVES, NECK, HEAD), {CUT: DENDRITE}),
    "two spines on a common base": (tissue(SHAFT, STUB, *FORK), {CUT: DENDRITE}),
    "anisotropy of ten in z": (tissue(SHAFT, STUB, NECK, HEAD, voxel_nm=(100.0, 10.0, 10.0)), {CUT: DENDRITE}),
    "an orphan at the border": (tissue(SHAFT, STUB, NECK, HEAD, (CUT, (1450, 2700), (3000, 2700), 90)), {}),
    "no orphan": (tissue(SHAFT, STUB, (DENDRITE, (900, 2700), (1450, 2700), 60)), {}),
}


@pytest.mark.parametrize(("volume", "expected"), ODD_TISSUE.values(), ids=ODD_TISSUE)
def test_odd_tissue_is_linked_as_it_should_be(volume, expected):
    segments, links = linked(*volume)
    kinds = dict(zip(segments["segment"], segments["kind"]))
    assert kinds[DENDRITE] == "shaft" and kinds.get(CUT) in ("orphan" if expected else "other", None)
    assert parents(links) == expected
    spines = linked_spines(segments, links, None)
    assert spines["spine"].tolist() == list(expected) and spines["parent"].tolist() == list(expected.values())
    violations = grammar_violations(segments, links, NO_SYNAPSES)
    assert violations[violations["kind"] == "orphan"].empty


def test_a_volume_without_a_dendrite_has_orphans_without_a_parent_and_says_so():
    labels, voxel_nm = tissue(NECK, HEAD)
    # nothing but the spine is segmented
    segments, links = linked(np.where(labels == CUT, CUT, 0), voxel_nm)
    assert links[["orphan", "shaft", "rank", "linked"]].to_numpy().tolist() == [[CUT, 0, 0, False]]
    assert grammar_violations(segments, links, NO_SYNAPSES)["violation"].tolist() == ["has no parent"]
    assert linked_spines(segments, links, None).empty


def test_what_a_volume_lacks_is_said():
    assert nothing_to_link(3, 1) == ""
    assert nothing_to_link(3, 0).startswith("has no shaft, so that none of its orphans (3) is linked. Where that is")
    assert nothing_to_link(0, 2).startswith("has no orphan") and nothing_to_link(0, 0).startswith("has neither")
    assert all("voxel size" in nothing_to_link(*counts) for counts in [(3, 0), (0, 2), (0, 0)])
