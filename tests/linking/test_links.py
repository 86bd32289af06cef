"""From a volume with spines cut off to links, spines, violations and a line graph."""

import numpy as np
import pandas as pd
import pytest

from spinome.gaps import gap_table
from spinome.linking.candidates import (
    COLUMNS,
    TYPED,
    compare,
    failed_orphans,
    find_candidates,
    with_types,
)
from spinome.linking.end_features import FAR_NM, RAYS, UNSCARRED, directions
from spinome.linking.evaluate import known_links, link_rows, precision_recall, top_k_table
from spinome.linking.line_graph import line_graph, rename_neurites, synapse_centres, synapse_neurites
from spinome.linking.links import (
    derive_truth,
    grammar_violations,
    label_candidates,
    label_ends,
    linked_spines,
    one_parent,
    parents,
    rank_links,
    top_k,
    true_fragments,
    without_scars,
)
from spinome.linking.meshes import join_orphans, segment_meshes, synapse_tables
from spinome.linking.typing import measure_segments, type_segments

VOXEL = (40.0, 20.0, 20.0)
RULES = {
    "orphan_min_um3": 0.004,
    "orphan_max_um3": 0.5,
    "orphan_max_extent_nm": 3000.0,
    "shaft_min_um3": 0.3,
    "shaft_min_extent_nm": 2000.0,
    "shaft_min_radius_nm": 150.0,
    "shaft_min_thickest_nm": 150.0,
}


def ball(places, centre, radius):
    return ((places - np.asarray(centre)) ** 2).sum(-1) < radius**2


@pytest.fixture(scope="module")
def tissue():
    """Two shafts along x, an orphan spine that points at the lower one, an axon beside; synapse on its head."""
    shape = (40, 80, 150)
    places = (np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1) + 0.5) * VOXEL
    labels = np.zeros(shape, np.uint32)
    for label, y in ((1, 300.0), (2, 1400.0)):
        labels[(places[..., 0] - 800) ** 2 + (places[..., 1] - y) ** 2 < 220**2] = label
    head, neck = np.array([800.0, 760.0, 1500.0]), np.array([800.0, 1060.0, 1500.0])
    for share in np.linspace(0, 1, 30):
        labels[ball(places, head + share * (neck - head), 60) & (labels == 0)] = 10
    labels[ball(places, head, 150)] = 10
    labels[((places[..., 0] - 800) ** 2 + (places[..., 2] - 1800) ** 2 < 80**2) & (labels == 0)] = 20
    synapse = np.array([[800.0, 640.0, 1500.0]])
    return labels, synapse


def test_kinds_of_segments(tissue):
    labels, _ = tissue
    segments = measure_segments(labels, VOXEL, (1, 1, 1))
    kind = dict(zip(segments["segment"], type_segments(segments, **RULES)))
    assert kind == {1: "shaft", 2: "shaft", 10: "orphan", 20: "other"}
    tube = segments.set_index("segment").loc[1]
    assert tube["radius_nm"] == pytest.approx(220, rel=0.15) and tube["on_edge"]
    assert tube["volume_um3"] == pytest.approx(np.pi * 0.22**2 * 3.0, rel=0.05)


def test_thinned_voxels_measure_the_same():
    labels = np.zeros((30, 60, 60), int)
    labels[5:25, 10:50, 10:50] = 4
    whole = measure_segments(labels, (20.0, 10.0, 10.0), (1, 1, 1)).iloc[0]
    thin = measure_segments(labels[:, ::2, ::2], (20.0, 10.0, 10.0), (1, 2, 2)).iloc[0]
    assert thin["volume_um3"] == pytest.approx(whole["volume_um3"])
    assert thin["z_nm"] == pytest.approx(whole["z_nm"]) and thin["y_nm"] == pytest.approx(whole["y_nm"], abs=6)


@pytest.mark.parametrize("stride", [(1, 1, 1), (1, 2, 3)])
def test_the_place_inside_of_a_segment_is_a_voxel_of_it(stride):
    """A hook, a pair of pieces and a ball, of the first two of which the centroid is none."""
    labels = np.zeros((12, 40, 60), np.uint32)
    labels[4:8, 3:30, 5:9] = labels[4:8, 3:30, 25:29] = labels[4:8, 26:30, 5:29] = 7
    labels[2:4, 3:6, 40:43] = labels[8:11, 3:6, 50:53] = 8
    labels[5, 30, 45] = labels[5:7, 30:32, 45:47] = 9
    voxel_nm = (40.0, 8.0, 6.0)
    segments = measure_segments(labels[:: stride[0], :: stride[1], :: stride[2]], voxel_nm, stride)
    for row in segments.itertuples():
        voxel = np.array([row.inside_z_nm, row.inside_y_nm, row.inside_x_nm]) / voxel_nm - 0.5
        assert (voxel == voxel.round()).all() and labels[tuple(voxel.astype(int))] == row.segment
        if stride == (1, 1, 1):
            places = (np.argwhere(labels == row.segment) + 0.5) * voxel_nm
            away = np.linalg.norm(places - [row.z_nm, row.y_nm, row.x_nm], axis=1)
            assert np.allclose(places[away.argmin()], (voxel + 0.5) * voxel_nm)
    ball = segments.set_index("segment").loc[9]
    assert abs(ball["inside_z_nm"] - ball["z_nm"]) <= 20


def at_the_neck(labels, synapse):
    """Rows of the orphan's first end, the one farthest from its head, by shaft."""
    table = find_candidates(labels, 10, np.array([1, 2]), synapse, None, VOXEL, 1500.0)
    return table[table["end"] == 0].set_index("shaft")


def test_candidates_by_hand(tissue):
    labels, synapse = tissue
    table = at_the_neck(labels, synapse)
    assert list(table.index) == [1, 2]
    near, far = table.loc[2], table.loc[1]
    assert near["end_distance_nm"] < 150 < 400 < far["end_distance_nm"]
    assert near["continuation_nm"] < 40 and near["angle_deg"] > 80
    assert near["synapse_distance_nm"] == pytest.approx(540, abs=40)
    assert far["synapse_distance_nm"] == pytest.approx(120, abs=40)
    assert near["path_cost_nm_behind"] == 0 < far["path_cost_nm_behind"]
    assert near["thin_cost_nm"] < far["thin_cost_nm"] and near["trunk_nm"] < far["trunk_nm"]
    assert near["contact_um2"] >= 0 == far["contact_um2"]
    assert abs(near["to_y_nm"] - 1180) < 60


def test_candidates_do_not_depend_on_the_window(tissue):
    """Ten voxels of background around, in which the orphan and its synapse lie farther in."""
    labels, synapse = tissue
    wider = np.pad(labels, 10)
    near = find_candidates(labels[:, :, 40:110], 10, np.array([1, 2]), synapse - [0, 0, 800], None, VOXEL, 400.0)
    moved = synapse + 10 * np.array(VOXEL)
    far = find_candidates(wider, 10, np.array([1, 2]), moved, None, VOXEL, 400.0)
    places = [column for column in COLUMNS if column.startswith(("from_", "to_"))]
    features = [column for column in COLUMNS if column not in places]
    assert near.groupby("end")["shaft"].agg(list).tolist() == [[1, 2]] * near["end"].nunique()
    pd.testing.assert_frame_equal(far[features], near[features])
    expected = near[places] + np.tile(10 * np.array(VOXEL) + [0, 0, 800], 2)
    pd.testing.assert_frame_equal(far[places], expected)


def test_nothing_near_gives_no_candidate(tissue):
    labels, synapse = tissue
    assert find_candidates(labels, 10, np.array([1, 2]), synapse, None, VOXEL, 20.0).empty


def test_a_spine_without_synapse_ends_where_it_is_thin(tissue):
    labels, _ = tissue
    table = at_the_neck(labels, np.zeros((0, 3)))
    assert table["synapse_distance_nm"].isna().all()
    assert table.loc[2, "end_distance_nm"] < table.loc[1, "end_distance_nm"]


def test_candidates_know_what_they_are_by_shape(tissue):
    labels, synapse = tissue
    table = find_candidates(labels, 10, np.array([1, 2]), synapse, None, VOXEL, 1500.0)
    assert table[TYPED].isna().all(axis=None)
    typing = pd.DataFrame({"segment": [2, 9], "p_shaft": [0.7, 0.1], "p_axon": [0.2, 0.8]})
    typed = with_types(table, typing).groupby("shaft")[TYPED].first()
    assert typed.loc[2, ["p_shaft", "p_axon"]].tolist() == [0.7, 0.2]
    assert typed.loc[1].isna().all() and typed["p_glia"].isna().all()


def test_measures_are_compared_within_an_orphan(tissue):
    labels, synapse = tissue
    table = find_candidates(labels, 10, np.array([1, 2]), synapse, None, VOXEL, 1500.0)
    alone = compare(table[table["shaft"] == 1])
    assert (alone["distance_nm_behind"] == 0).all() and (table.loc[table["shaft"] == 1, "distance_nm_behind"] > 0).all()
    assert table["contact_um2_behind"].min() == 0 and (table["contact_um2_behind"] >= 0).all()


def test_a_torn_neck_is_a_tip_that_faces_the_orphan(tissue):
    labels, synapse = tissue
    torn = labels.copy()
    # the neck is torn at 1000 nm, and what is beyond stays on the shaft
    neck = np.zeros(labels.shape, bool)
    neck[18:22, 52:60, 72:78] = True
    torn[:, 50:][labels[:, 50:] == 10] = 0
    torn[neck] = 2
    whole, table = at_the_neck(labels, synapse).loc[2], at_the_neck(torn, synapse)
    assert table.loc[2, "tip_nm"] < 200 < table.loc[1, "tip_nm"] and table.loc[2, "tip_facing"] > 0.3
    assert whole["there_nm"] > 1.5 * table.loc[2, "there_nm"]
    assert table.loc[2, "forward_nm"] < 200 and table.loc[2, "seen"] > 0.5 > table.loc[1, "seen"]


def test_rays_fill_a_cone():
    rays = directions(np.array([0.0, 0.6, 0.8]))
    assert np.linalg.norm(rays, axis=1) == pytest.approx(np.ones(RAYS))
    along = rays @ [0.0, 0.6, 0.8]
    assert along.min() > 0.5 and along.mean() == pytest.approx(0.75, abs=0.01)


def test_without_its_scar_the_true_shaft_stands_behind_one_that_bears_one():
    # of every other orphan
    table = pd.DataFrame(1.0, index=range(4), columns=COLUMNS).assign(orphan=[1, 1, 3, 3], shaft=[7, 8, 7, 8])
    dropped = table[:2].assign(orphan=2)
    table = table.assign(stub_nm=[100.0, 900.0, 300.0, 200.0], arrival_nm=[40.0, 60.0, -30.0, 50.0])
    truth = pd.DataFrame({"orphan": [1, 2, 3], "shaft": [7, 7, 7]})
    bare = without_scars(pd.concat([table, dropped]), truth)
    assert bare["stub_nm"].tolist() == [FAR_NM, 900, FAR_NM, 200] and table["stub_nm"][0] == 100
    assert bare["stub_nm_behind"].tolist() == [FAR_NM - 900, 0, FAR_NM - 200, 0]
    # where the way arrives on the trunk, it still does
    assert bare["arrival_nm"].tolist() == [0, 60, -30, 50]
    same = [name for name in COLUMNS if name.partition("_behind")[0] not in ("arrival_nm", *UNSCARRED)]
    pd.testing.assert_frame_equal(bare[same], compare(table)[same])


def test_each_orphan_has_one_parent_at_most(simulated):
    candidates, truth = simulated
    probability = np.random.default_rng(0).random(len(candidates))
    links = rank_links(candidates, probability, [*truth["orphan"], 999], 0.6)
    assert links.groupby("orphan")["linked"].sum().max() == 1
    assert (links[links["linked"]]["probability"] >= 0.6).all()
    assert (links.groupby("orphan")["probability"].sum() <= 1).all()
    alone = links[links["orphan"] == 999].iloc[0]
    assert (alone["shaft"], alone["rank"], alone["linked"]) == (0, 0, False)
    for _, group in links[links["rank"] > 0].groupby("orphan"):
        assert group.sort_values("rank")["probability"].is_monotonic_decreasing


def test_of_two_likely_parents_neither_is_sure():
    alone = np.array([0.9, 0.9, 0.1, 0.9, 0.0])
    joint = one_parent(np.array([5, 5, 5, 6, 6]), alone)
    # odds of 9, 9 and 1/9 against 1 that none is
    assert joint[:3] == pytest.approx(np.array([9, 9, 1 / 9]) / (1 + 18 + 1 / 9)) and joint[3] == pytest.approx(0.9)
    assert joint[4] == 0


def test_the_likeliest_end_of_an_orphan_counts(simulated):
    candidates, truth = simulated
    right = label_candidates(candidates, truth)
    other = candidates.assign(end=1, forward_nm=candidates["forward_nm"] + 10)
    both = pd.concat([candidates, other], ignore_index=True)
    links = rank_links(both, np.concatenate([np.zeros(len(right)), np.where(right, 0.9, 0.1)]), truth["orphan"], 0.5)
    assert len(links) == len(candidates) and top_k(links, truth)["top_1"] == 1
    # a truth that does not say which end was cut is taken to mean the one with the parent nearest ahead
    assert (label_ends(both, truth) == [*right, *np.zeros(len(right), bool)]).all()


def test_an_orphan_whose_candidates_failed_is_not_without_a_parent(simulated):
    candidates, truth = simulated
    links = rank_links(candidates, np.ones(len(candidates)), [*truth["orphan"], 998, 999], 0.9, failed=[999])
    of = links.set_index("orphan")
    assert of["known"].drop(999).all() and not of["decided"].any()
    assert of.loc[998, "probability"] == 0 and not of.loc[999, "known"] and np.isnan(of.loc[999, "probability"])
    segments = pd.DataFrame({"segment": [998, 999], "kind": "orphan", "on_edge": False})
    synapses = pd.DataFrame({"synapse": [], "neurite_a": [], "neurite_b": []}, dtype=np.int64)
    assert grammar_violations(segments, links[links["rank"] == 0], synapses)["object"].tolist() == [998]


def test_missed_orphans_count_against_top_k(simulated):
    candidates, truth = simulated
    perfect = label_candidates(candidates, truth).astype(float)
    links = rank_links(candidates, perfect, truth["orphan"], 0.5)
    more = pd.concat([truth, pd.DataFrame({"orphan": [7000], "shaft": [1]})])
    assert top_k(links, truth)["top_1"] == 1
    assert top_k(links, more)["top_10"] == pytest.approx(96 / 97)


def test_evaluation_has_intervals_and_unique_metrics(simulated):
    candidates, truth = simulated
    links = rank_links(candidates, label_candidates(candidates, truth).astype(float), truth["orphan"], 0.5)
    links, truth = links.assign(volume="v"), truth.assign(volume="v")
    rows = {row["metric"]: row for row in link_rows(links, truth, 0)}
    assert rows["top_1"]["value"] == rows["link_f1"]["value"] == 1
    assert rows["median_rank"]["value"] == rows["link_f0.5"]["value"] == rows["link_f2"]["value"] == 1
    assert rows["top_1"]["ci_low"] == 1 and rows["top_1"]["n"] == 96
    assert top_k_table(links, truth)["volume"].tolist() == ["v"]
    curve = precision_recall(links, truth)
    assert curve["precision"].iloc[-1] == 1 and curve["recall"].iloc[-1] == 1


# shafts 1 and 2, orphans 10 and 11, axon 20; only shaft 1 reaches the edge
NEURITES = pd.DataFrame(
    {
        "segment": [1, 2, 10, 11, 20],
        "kind": ["shaft", "shaft", "orphan", "orphan", "other"],
        "on_edge": [True, False, False, False, True],
    }
)
RIGHT = [(10, 1), (11, 1)], [(10, 20), (11, 20)]
EDGE = (2, "shaft", "does not reach the volume's edge")


@pytest.mark.parametrize(
    ("linked", "ends", "expected"),
    [
        (*RIGHT, set()),
        ([(10, 1)], RIGHT[1], {(11, "orphan", "has no parent")}),
        ([(10, 1), (10, 2), (11, 1)], RIGHT[1], {(10, "orphan", "has more than one parent")}),
        ([(10, 1), (11, 20)], [(10, 20), (11, 5)], {(11, "orphan", "has a parent that is no shaft")}),
        (RIGHT[0], [(10, 20)], {(11, "orphan", "carries no synapse")}),
        (RIGHT[0], [], set()),
        (RIGHT[0], [*RIGHT[1], (1, 0)], {(3, "synapse", "does not join two neurites")}),
        (RIGHT[0], [*RIGHT[1], (0, 0)], {(3, "synapse", "does not join two neurites")}),
        (RIGHT[0], [*RIGHT[1], (10, 1)], {(3, "synapse", "joins a neurite with itself")}),
        (RIGHT[0], [*RIGHT[1], (10, 11)], {(3, "synapse", "joins a neurite with itself")}),
        (RIGHT[0], [*RIGHT[1], (11, 2)], {(3, "synapse", "joins two dendrites")}),
    ],
)
def test_grammar_lists_what_cannot_be(linked, ends, expected):
    links = pd.DataFrame(linked, columns=["orphan", "shaft"]).assign(rank=1, probability=0.9, linked=True)
    synapses = pd.DataFrame(ends, columns=["neurite_a", "neurite_b"], dtype=np.int64)
    synapses.insert(0, "synapse", np.arange(1, len(ends) + 1))
    found = list(grammar_violations(NEURITES, links, synapses).itertuples(index=False, name=None))
    assert set(found) == {*expected, EDGE} and len(found) == len(set(found))


def test_truth_from_a_dense_segmentation():
    segments = pd.DataFrame({"segment": [1, 2, 10, 11, 12], "kind": ["shaft", "shaft", "orphan", "orphan", "orphan"]})
    pairs = np.array([[1, 5], [2, 5], [10, 5], [11, 6], [12, 5], [12, 7]])
    truth = derive_truth(segments, pairs, np.array([100, 90, 10, 10, 5, 5]))
    assert truth.to_numpy().tolist() == [[10, 1], [10, 2]]
    fragments = true_fragments(pairs, np.array([100, 90, 10, 10, 5, 5]))
    assert fragments.to_numpy().tolist() == [[1, 5, 100], [2, 5, 90], [10, 5, 10], [11, 6, 10], [12, 0, 10]]
    background = true_fragments(np.array([[0, 5], [3, 0], [3, 5]]), np.array([50, 30, 20]))
    assert background.to_numpy().tolist() == [[3, 0, 50]]


def test_synapses_join_the_neurites_beside_them():
    segments = np.zeros((3, 30, 30), np.uint64)
    segments[:, :14], segments[:, 16:] = (1 << 40) + 1, 2
    synapses = np.zeros(segments.shape, np.uint8)
    synapses[1, 14:16, 10:14] = 1
    centres = synapse_centres(synapses, VOXEL)
    assert centres["voxels"].tolist() == [8] and centres["y_nm"].tolist() == [300]
    row = synapse_neurites(segments, centres, VOXEL).iloc[0]
    assert {int(row["neurite_a"]), int(row["neurite_b"])} == {(1 << 40) + 1, 2}
    lonely = synapse_neurites(np.ones((3, 30, 30), int), centres, VOXEL).iloc[0]
    assert (lonely["neurite_a"], lonely["neurite_b"]) == (1, 0)


def test_linking_adds_pairs_to_the_line_graph():
    neurites = pd.DataFrame({"synapse": [1, 2, 3], "neurite_a": [10, 1, 4], "neurite_b": [20, 21, 0]})
    assert line_graph(neurites).tolist() == []
    assert line_graph(rename_neurites(neurites, {10: 1})).tolist() == [[1, 2]]


def test_linked_segments_are_one_closed_mesh(tissue):
    labels, _ = tissue
    shafts = np.array([1, 2])
    bridges = pd.DataFrame([[10, 2, 800.0, 1110.0, 1500.0, 800.0, 1190.0, 1500.0]], columns=[
        "orphan", "shaft", "from_z_nm", "from_y_nm", "from_x_nm", "to_z_nm", "to_y_nm", "to_x_nm"])  # fmt: skip
    joined = join_orphans(labels, bridges, shafts, VOXEL, 60.0)
    assert set(np.unique(joined)) == {0, 1, 2} and (joined[labels == 10] == 2).all()
    meshes = dict(segment_meshes(joined, VOXEL, 10.0))
    assert list(meshes) == [1, 2]
    import trimesh

    mesh = trimesh.Trimesh(meshes[2].vertices, meshes[2].faces, process=True)
    assert mesh.body_count == 1 and mesh.is_watertight
    assert mesh.volume / 1e9 == pytest.approx((joined == 2).sum() * np.prod(VOXEL) / 1e9, rel=0.1)
    # x y z: along x through the whole volume, the head at small y
    assert meshes[2].vertices[:, 0].min() == pytest.approx(0, abs=1)
    assert meshes[2].vertices[:, 0].max() == pytest.approx(3000, abs=1)
    # the head's upper end, in the grid of the voxels
    assert meshes[2].vertices[:, 1].min() == pytest.approx(20 * np.nonzero(joined == 2)[1].min(), abs=10)
    neurites = pd.DataFrame(
        {
            "synapse": [5],
            "voxels": [30],
            "z_nm": 800.0,
            "y_nm": 640.0,
            "x_nm": 1500.0,
            "neurite_a": [20],
            "neurite_b": [2],
        }
    )
    table = synapse_tables(neurites, shafts)
    assert table[1].empty and table[2].iloc[0][["pre_pt_root_id", "post_pt_root_id"]].tolist() == [20, 2]
    # 0 is where no second neurite was found
    alone = synapse_tables(neurites.assign(neurite_a=2, neurite_b=0), shafts)[2].iloc[0]
    assert pd.isna(alone["pre_pt_root_id"]) and alone["post_pt_root_id"] == 2


def test_spines_carry_their_synapses():
    segments = pd.DataFrame(
        {"segment": [10], "kind": ["orphan"], "z_nm": 1.0, "y_nm": 2.0, "x_nm": 3.0, "volume_um3": 0.1}
    )
    links = pd.DataFrame({"orphan": [10], "shaft": [1], "rank": [1], "probability": [0.9], "linked": [True]})
    synapses = pd.DataFrame({"neurite_a": [10, 4], "neurite_b": [3, 10]})
    spine = linked_spines(segments, links, synapses).iloc[0]
    assert (spine["spine"], spine["parent"], spine["synapses"]) == (10, 1, 2)
    assert parents(links) == {10: 1}


def test_orphans_that_failed_are_left_out_of_the_scores_and_counted(simulated):
    candidates, truth = simulated
    perfect, some = label_candidates(candidates, truth).astype(float), truth["orphan"].head(6)
    lost = candidates["orphan"].isin(some)
    links = rank_links(candidates[~lost], perfect[~lost], truth["orphan"], 0.5, failed=some).assign(volume="v")
    kept, known, rows = known_links(links, truth.assign(volume="v"))
    assert (rows[0]["metric"], rows[0]["value"], rows[0]["n"]) == ("orphans_not_known", 6, 96)
    scores = {row["metric"]: row for row in link_rows(kept, known, 0)}
    assert scores["top_1"]["value"] == scores["link_recall"]["value"] == 1 and scores["top_1"]["n"] == 90
    assert known_links(links.assign(known=True), truth.assign(volume="v"))[2] == []


def test_orphans_of_groups_that_are_not_finished_failed():
    orphans = pd.DataFrame({"segment": [5, 6, 7], "z_nm": [10.0, 10, 900], "y_nm": 10.0, "x_nm": [10.0, 900, 900]})
    assert failed_orphans(orphans, 500.0, ["0-0-0"]).tolist() == [6, 7]
    assert failed_orphans(orphans, 500.0, ["0-0-0", "0-0-500", "500-0-500"]).tolist() == []


def test_the_synapses_of_a_spine_in_a_gap_are_not_known():
    gaps = gap_table((10, 10, 10), (10, 10, 10), (), (10.0, 10.0, 10.0))
    segments = pd.DataFrame(
        {"segment": [10, 11], "kind": "orphan", "on_edge": False, "z_nm": [50.0, 500.0], "y_nm": 50.0, "x_nm": 50.0,
         "volume_um3": 0.1, "extent_nm": 40.0}
    )  # fmt: skip
    links = pd.DataFrame({"orphan": [10, 11], "shaft": 1, "rank": 1, "probability": 0.9, "linked": True})
    synapses = pd.DataFrame({"synapse": [1], "neurite_a": [4], "neurite_b": [3]})
    assert linked_spines(segments, links, synapses, gaps)["synapses"].tolist() == [pd.NA, 0]
    assert linked_spines(segments, links, synapses)["synapses"].tolist() == [0, 0]
    # without a table nothing is known of any
    assert linked_spines(segments, links, None)["synapses"].tolist() == [pd.NA, pd.NA]
    found = grammar_violations(segments, links, synapses, gaps)
    assert found[found["violation"] == "carries no synapse"]["object"].tolist() == [11]
