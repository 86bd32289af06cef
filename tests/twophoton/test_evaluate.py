import numpy as np
import pandas as pd
import pytest

from spinome.twophoton.evaluate import compare, evaluation
from spinome.twophoton.truth import read_truth_dendrites, read_truth_spines

VOXEL = (1.0, 0.12, 0.12)


@pytest.fixture
def truth():
    place = pd.DataFrame({"z_um": 5.0, "y_um": 5.0, "x_um": 2.0 + 3.0 * np.arange(6)})
    return place.assign(track=np.arange(6), dendrite=[0, 0, 0, 1, 1, 1], head_volume_um3=0.1 * np.arange(1, 7))


def tables(truth, days=(0, 3)):
    dendrites = pd.DataFrame({"dendrite": 0, "z_um": 5.0, "y_um": 6.0, "x_um": np.arange(0, 25, 0.2)})
    out = []
    for number, day in enumerate(days):
        found = truth[["z_um", "y_um", "x_um"]].assign(candidate=range(6), score=0.9, accepted=True)
        far = pd.DataFrame({"z_um": [5.0], "y_um": [30.0], "x_um": [5.0]}).assign(candidate=6, score=0.9, accepted=True)
        near = far.assign(y_um=7.0, x_um=9.6, candidate=7)
        weak = near.assign(x_um=12.6, candidate=8, score=0.2, accepted=False)
        found = pd.concat([found.iloc[1:], far, near, weak], ignore_index=True).assign(side_um=1.1)
        spines = found[found["accepted"]].assign(spine=lambda table: table["candidate"], head_volume_um3=0.2)
        identity = {"specimen": "s", "field": "f", "timepoint": str(number), "day": day}
        out.append(compare(found, spines, truth, dendrites, 1.0).assign(**identity))
    return pd.concat(out, ignore_index=True)


def test_only_what_lies_near_a_traced_dendrite_is_scored(truth):
    compared = tables(truth)
    rows = {row["metric"]: row for row in evaluation(compared)}
    # each session: five hits, one false alarm near the dendrite, one truth missed; the far candidate does not count
    assert rows["detection_precision"]["value"] == pytest.approx(5 / 6)
    assert rows["detection_recall"]["value"] == pytest.approx(5 / 6)
    assert rows["detection_f1"]["n"] == 12
    assert rows["detection_f1_loose"]["value"] == pytest.approx(5 / 6)
    assert rows["link_f1"]["value"] == pytest.approx(2 * 5 / (2 * 5 + 1 + 1))
    assert rows["idf1"]["value"] == pytest.approx(2 * 10 / (12 + 12))
    assert rows["mota"]["value"] == pytest.approx(1 - (2 + 2) / 12)
    # ten hits whose tracks agree wholly, of ten hits, two misses and two false alarms
    assert rows["hota"]["value"] == pytest.approx(np.sqrt(10 / 14))
    # precision 1 up to recall 5/12 (42 of 101 recalls), 10/11 up to recall 10/12 (42 more), nothing beyond
    assert rows["detection_ap50"]["value"] == pytest.approx((42 + 42 * 10 / 11) / 101)
    assert rows["detection_ap30"]["value"] == rows["detection_ap50"]["value"]
    assert rows["detection_f1"]["ci_low"] <= rows["detection_f1"]["value"] <= rows["detection_f1"]["ci_high"]
    assert {"detection_f1.s.f.0", "detection_f1.s.f.1", "detection_average_precision"} <= set(rows)


def test_a_candidate_below_the_threshold_takes_no_truth_from_one_above(truth):
    found = truth[["z_um", "y_um", "x_um"]].head(1)
    found = pd.concat([found, found + np.array([0, 0.3, 0])], ignore_index=True)
    found = found.assign(candidate=[0, 1], score=[0.1, 0.9], accepted=[False, True], side_um=1.1)
    compared = compare(found, found.assign(spine=0, head_volume_um3=0.1), truth.head(1), None, 1.0)
    assert compared.set_index("candidate")["true"].to_dict() == {0: -1, 1: 0}


def test_heads_lie_between_tip_and_base(tmp_path):
    columns = "timepoint,track_id,dendrite_id,tip_z_px,tip_y_px,tip_x_px,base_z_px,base_y_px,base_x_px"
    (tmp_path / "t.csv").write_text(f"{columns}\n0,3,1,5,10,10,5,10,30\n1,3,1,5,10,10,5,10,14\n")
    long = read_truth_spines(tmp_path / "t.csv", "0", VOXEL)
    assert long["x_um"].item() == pytest.approx(1.2 + 0.6)
    short = read_truth_spines(tmp_path / "t.csv", "1", VOXEL)
    assert short["x_um"].item() == pytest.approx(1.2 + 0.24)
    assert read_truth_spines(tmp_path / "t.csv", "7", VOXEL).empty


def test_truth_without_a_column_names_it(tmp_path):
    (tmp_path / "t.csv").write_text("timepoint,node\n0,1\n")
    with pytest.raises(ValueError, match=r"t.csv: lacks the column dendrite_id"):
        read_truth_dendrites(tmp_path / "t.csv", "0", VOXEL)


def test_what_was_measured_is_scored_where_it_was_measured(truth):
    found = truth[["z_um", "y_um", "x_um"]].head(2) + np.array([0, 0.9, 0])
    found = found.assign(candidate=[0, 1], score=0.9, accepted=True, side_um=1.1)
    measured = found.head(1).assign(y_um=5.0, spine=0, head_volume_um3=0.1)
    compared = compare(found, measured, truth.head(2), None, 1.0).set_index("candidate")
    assert compared.loc[[0, 1], "true"].tolist() == [0, -1]
    assert compared.loc[0, "y_um"] == 5.0


def test_a_box_over_a_true_one_at_another_depth_is_neither_a_hit_nor_a_false_alarm(truth):
    dendrites = pd.DataFrame({"dendrite": 0, "z_um": 5.0, "y_um": 6.0, "x_um": np.arange(0, 25, 0.2)})
    above = truth[["z_um", "y_um", "x_um"]].head(2) + np.array([[15.0, 0, 0], [3.5, 0, 0]])
    found = above.assign(candidate=[0, 1], score=0.9, accepted=True, side_um=1.1)
    none = found.head(0).assign(spine=0, head_volume_um3=0.0)
    # 15 um above its truth it belongs to another dendrite
    compared = compare(found.head(1), none, truth, dendrites, 1.0)
    assert (compared["candidate"] == -1).all() and len(compared) == len(truth)
    # beside a traced dendrite it is scored, but its box is no hit 3.5 um above the true one
    near = dendrites.assign(z_um=8.5)
    compared = compare(found.tail(1), none, truth, near, 1.0)
    own = compared[compared["candidate"] == 1].iloc[0]
    assert not own["overlap_30"] and own["true"] == -1 and own["accepted"]


def test_boxes_overlap_in_the_plane(truth):
    place = truth[["z_um", "y_um", "x_um"]].head(3)
    shifted = place + np.array([[0, 0, 0.5], [0, 0, 0.2], [0, 0.8, 0]])
    found = shifted.assign(candidate=range(3), score=0.9, accepted=True, side_um=1.1)
    out = compare(found, found.assign(spine=0, head_volume_um3=0.1), truth.head(3), None, 1.0).set_index("candidate")
    # 0.6 / 1.6, 0.9 / 1.3 and 0.3 / 1.9 of two squares of 1.1 um
    assert out.loc[range(3), "overlap_30"].tolist() == [True, True, False]
    assert out.loc[range(3), "overlap_50"].tolist() == [False, True, False]
    # a head known to be small has a small box
    small = compare(found, found.assign(spine=0, head_volume_um3=0.1), truth.head(3).assign(diameter_um=0.2), None, 1.0)
    assert small.set_index("candidate").loc[1, "overlap_50"] == False  # noqa: E712


def test_sizes_a_fifth_too_large_have_that_error(truth):
    found = truth[["z_um", "y_um", "x_um"]].assign(candidate=range(6), score=0.9, accepted=True, side_um=1.1)
    spines = found.assign(spine=range(6), head_volume_um3=1.2 * truth["head_volume_um3"])
    compared = compare(found, spines, truth, None, 1.0).assign(specimen="s", field="f", timepoint="0", day=0.0)
    rows = {row["metric"]: row["value"] for row in evaluation(compared)}
    assert rows["volume_median_error"] == pytest.approx(0.2) and rows["volume_rank_correlation"] == pytest.approx(1)
