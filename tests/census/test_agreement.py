"""Links held against the labels of the linked meshes: each verdict, once."""

import numpy as np
import pandas as pd
import pytest

from spinome.census.agreement import (
    COLUMNS,
    NOT_KNOWN,
    VERDICTS,
    LabelledSurface,
    agreement_table,
    best_candidates,
    both_together,
    compare_mesh,
    compare_meshes,
    count_verdicts,
    decided_right,
    labelled_surface,
    proofread_first,
    volume_edge,
)
from spinome.linking.meshes import linked_meshes
from spinome.mesh.surface import Mesh

SHAFT = 7
# vertices along x, 100 nm apart: the segment and the spine of each
SEGMENT = [7, 7, 7, 11, 11, 11, 12, 12, 12, 13, 14, 7, 7, 7, 7]
SPINE = [-1, -1, -1, 0, 0, -1, -1, -1, 1, 2, 2, 3, 4, 5, -1]


@pytest.fixture
def surface():
    count = len(SPINE)
    vertices = np.stack([np.arange(count) * 100.0 + 50, np.full(count, 500.0), np.full(count, 500.0)], axis=1)
    probability = np.where(np.array(SPINE) >= 0, 0.9, 0.1)
    return LabelledSurface(vertices, np.ones(count), np.array(SEGMENT), np.array(SPINE), probability)


@pytest.fixture
def links():
    rows = [(11, 7, 0.9), (12, 7, 0.8), (13, 7, 0.7), (14, 7, 0.6), (15, 7, 0.9)]
    table = pd.DataFrame(rows, columns=["orphan", "shaft", "probability"]).assign(rank=1, linked=True)
    loose = pd.DataFrame({"orphan": [21, 22, 23, 24], "shaft": [7, 7, 99, 0], "probability": [0.2, 0.1, 0.1, 0]})
    second = pd.DataFrame({"orphan": [11], "shaft": [8], "probability": 0.1, "rank": 2, "linked": False})
    return pd.concat([table, loose.assign(rank=[1, 1, 1, 0], linked=False), second], ignore_index=True)


@pytest.fixture
def best(links):
    ways = links[["orphan", "shaft"]].assign(to_z_nm=500.0, to_y_nm=500.0, to_x_nm=50.0)
    ways.loc[ways["orphan"] == 21, "to_x_nm"] = 1150.0  # at spine 3, bare
    ways.loc[ways["orphan"] == 22, "to_x_nm"] = 1250.0  # at spine 4, with a synapse
    segments = pd.DataFrame({"segment": links["orphan"].unique(), "z_nm": 1.0, "y_nm": 2.0, "x_nm": 3.0})
    return best_candidates(links, ways[ways["shaft"] != 0], segments)


@pytest.fixture
def spines():
    return pd.DataFrame(
        {"spine": range(6), "z_nm": 500.0, "y_nm": 500.0, "x_nm": 1.0, "probability": 0.9,
         "synapses": [1, 0, 2, 0, 1, 0]}
    )  # fmt: skip


def verdicts(table):
    return {orphan: verdict for orphan, verdict in zip(table["orphan"], table["verdict"]) if orphan}


def test_every_verdict_by_hand(surface, spines, best):
    table = agreement_table([compare_mesh(SHAFT, surface, spines, best, 0.3)], best)
    assert list(table.columns) == COLUMNS
    assert verdicts(table) == {
        11: "linked, and a spine on the mesh",
        12: "linked, but no spine on the mesh",
        13: "linked, but several orphans on one spine",
        14: "linked, but several orphans on one spine",
        15: "linked, not on a labelled mesh",
        21: "not linked, but a bare spine at its way",
        22: "not linked, and no spine calls for it",
        23: "not linked, not near a labelled mesh",
        24: "not linked, not near a labelled mesh",
    }
    spine_rows = table[table["orphan"] == 0].set_index("spine")["verdict"]
    # spine 1 holds less than half of orphan 12, and no synapse
    assert spine_rows.to_dict() == {
        1: "spine without orphan and synapse",
        3: "spine without orphan and synapse",
        5: "spine without orphan and synapse",
        4: "spine that was never loose",
    }
    assert set(table["verdict"]) == set(VERDICTS)


def test_the_most_doubtful_decision_comes_first(surface, spines, best):
    table = proofread_first(agreement_table([compare_mesh(SHAFT, surface, spines, best, 0.3)], best))
    assert list(table.columns) == COLUMNS
    doubted = table["doubt"].notna()
    assert doubted.iloc[: doubted.sum()].all() and table.loc[doubted, "doubt"].is_monotonic_decreasing
    assert table["orphan"].iloc[:2].tolist() == [21, 12] and table["evidence"].iloc[0] == "conflict"
    row = table.set_index("orphan").loc[12]
    # its surface is 0.1 0.1 0.9 spine; the link says 0.8
    spine = 1.1 / 3
    both = 0.8 * spine / (0.8 * spine + 0.2 * (1 - spine))
    assert row["spine_probability"] == pytest.approx(spine) and row["doubt"] == pytest.approx(1 - both)
    waiting = table.set_index("orphan").loc[21]
    assert waiting["spine"] == 3 and waiting["doubt"] == pytest.approx(0.18 / (0.18 + 0.08))


def test_without_synapses_no_spine_lacks_one(surface, spines, best):
    table = compare_mesh(SHAFT, surface, spines.drop(columns="synapses"), best, 0.3)
    assert "spine without orphan and synapse" not in set(table["verdict"])
    # what is bare is not known then: any spine without an orphan may wait for one
    assert verdicts(table)[22] == "not linked, but a bare spine at its way"


def test_a_bare_spine_calls_for_an_orphan_only_where_both_reach_the_threshold(surface, spines, best):
    assert both_together(0.2, 0.9) == pytest.approx(0.18 / (0.18 + 0.08))
    for threshold, verdict in ((0.69, "not linked, but a bare spine at its way"),
                               (0.70, "not linked, and no spine calls for it")):  # fmt: skip
        assert verdicts(compare_mesh(SHAFT, surface, spines, best, threshold))[21] == verdict


def test_a_spine_cut_by_the_volume_may_lack_its_synapse(surface, spines, best):
    upper, border = np.array([1400.0, 1000.0, 1000.0]), np.array([30.0, 30.0, 30.0])
    # the last spine but one vertex lies at 1350
    kept = compare_mesh(SHAFT, surface, spines, best, 0.3, (upper, border)).set_index("spine")["verdict"]
    cut = compare_mesh(SHAFT, surface, spines, best, 0.3, (upper - [30, 0, 0], border)).set_index("spine")["verdict"]
    assert kept[5] == "spine without orphan and synapse" and cut[5] == "spine that was never loose"


def test_probabilities_of_nothing_and_of_all(surface, spines, best):
    certain = best.assign(link_probability=best["linked"].astype(float))
    table = agreement_table([compare_mesh(SHAFT, surface, spines, certain, 0.3)], certain).set_index("orphan")
    assert table.loc[11, "probability"] == 1 and table.loc[21, "probability"] == 0


def test_a_volume_without_orphans_or_meshes(links, best):
    none = agreement_table([], best.iloc[:0])
    assert none.empty and list(none.columns) == COLUMNS
    assert (agreement_table([], best)["evidence"] == "links alone").all()


def test_the_truth_beside(surface, spines, links, best):
    table = agreement_table([compare_mesh(SHAFT, surface, spines, best, 0.3)], best)
    truth = pd.DataFrame({"orphan": [11, 12, 21], "shaft": [7, 8, 7]})
    right = decided_right(table, links, truth).set_index("orphan")["right"]
    assert right[11] and right[22] and not right[12] and not right[21] and not right[13]
    assert right[0].isna().all() and decided_right(table, links, None)["right"].isna().all()
    counted = count_verdicts(decided_right(table, links, truth).assign(volume="v")).set_index("verdict")
    row = counted.loc["linked, but several orphans on one spine"]
    assert (row["count"], row["with_truth"], row["right"]) == (2, 2, 0)
    assert counted.loc["spine that was never loose", "with_truth"] == 0


def test_each_vertex_knows_its_segment():
    labels = np.zeros((20, 30, 30), np.uint64)
    shaft, orphan = (1 << 60) + 1, 5
    labels[5:15, :, 3:13] = shaft
    labels[8:12, 12:18, 17:27] = orphan
    voxel_nm = (30.0, 20.0, 20.0)
    bridge = pd.DataFrame([[orphan, shaft, 300.0, 300.0, 350.0, 300.0, 300.0, 250.0]], columns=[
        "orphan", "shaft", "from_z_nm", "from_y_nm", "from_x_nm", "to_z_nm", "to_y_nm", "to_x_nm"])  # fmt: skip
    ((number, mesh),) = linked_meshes(labels, bridge, np.array([shaft]), voxel_nm, 50.0, 10.0)
    assert number == 1
    found = mesh.vertex_data["segment"]
    x = mesh.vertices[:, 0]
    assert set(found) == {0, orphan, shaft} and found.dtype == labels.dtype
    assert (found[x < 255] == shaft).all()
    assert (found[x > 345] == orphan).all()
    assert (found[(x > 275) & (x < 325)] == 0).all()


def test_what_failed_is_not_known_and_what_was_decided_is_not_doubted(surface, spines, links):
    links = links.assign(known=links["orphan"] != 24, decided=links["orphan"].isin([12, 21]))
    ways = links[["orphan", "shaft"]].assign(to_z_nm=500.0, to_y_nm=500.0, to_x_nm=1150.0)
    segments = pd.DataFrame({"segment": links["orphan"].unique(), "z_nm": 1.0, "y_nm": 2.0, "x_nm": 3.0})
    best = best_candidates(links, ways[ways["shaft"] != 0], segments)
    table = agreement_table([compare_mesh(SHAFT, surface, spines, best, 0.3)], best, failed=[99])
    of = table[table["orphan"] > 0].set_index("orphan")
    assert of.loc[[23, 24], "verdict"].tolist() == list(NOT_KNOWN)[::-1]
    assert set(of.loc[[23, 24], "evidence"]) == {"not known"}
    assert of.loc[[12, 21], "doubt"].isna().all() and of.loc[11, "doubt"] >= 0
    truth = pd.DataFrame({"orphan": [11, 24], "shaft": [7, 7]})
    assert decided_right(table, links, truth).set_index("orphan")["right"][[11, 24]].isna().tolist() == [False, True]


def test_each_mesh_is_compared_with_its_own_spines_and_one_without_labels_is_not_known(surface, spines, best):
    named = pd.concat([spines.assign(neuron=str(SHAFT)), spines.head(1).assign(neuron="99", spine=50)])
    table = compare_meshes(iter([(SHAFT, surface), (99, None)]), named, best, 0.3)
    expected = agreement_table([compare_mesh(SHAFT, surface, spines, best, 0.3)], best, [99])
    pd.testing.assert_frame_equal(table, expected)
    assert verdicts(table)[23] == "labels of the mesh not known"


def test_a_surface_is_a_mesh_with_its_labels():
    corners = np.array([[0, 0, 0], [10, 0, 0], [0, 20, 0]], float)
    mesh = Mesh(corners, np.array([[0, 1, 2]]), {"segment": np.array([7, 7, 11])})
    surface = labelled_surface(mesh, np.array([0, 0, -1]), np.array([0.7, 0.8, 0.1]))
    assert surface.area.sum() == pytest.approx(100) and surface.segment.tolist() == [7, 7, 11]
    assert surface.spine.tolist() == [0, 0, -1] and surface.spine_probability.tolist() == [0.7, 0.8, 0.1]


def test_the_border_of_a_volume_is_a_voxel_of_the_working_resolution():
    upper, border = volume_edge((10, 100, 200), (40.0, 8.0, 8.0), 32.0)
    assert upper.tolist() == [1600, 800, 400] and border.tolist() == [32, 32, 40]
