import numpy as np
import pandas as pd
import pytest

from spinome.scores.tracking import idf1
from spinome.twophoton.depth_track import (
    SPINE_COLUMNS,
    depth_track,
    find_spines,
    focus,
    given_spines,
    overlap_track,
    overlaps,
    summarise,
    without_doubles,
)


def boxes(rows):
    return pd.DataFrame(rows, columns=["slice", "y_um", "x_um", "score"]).assign(side_um=1.2)


def test_one_spine_through_a_missed_slice():
    ids = depth_track(boxes([(3, 1.0, 1.0, 0.5), (4, 1.1, 1.0, 0.9), (6, 1.1, 1.1, 0.6)]), gap_slices=1)
    assert ids.nunique() == 1
    ids = depth_track(boxes([(3, 1.0, 1.0, 0.5), (4, 1.1, 1.0, 0.9), (6, 1.1, 1.1, 0.6)]), gap_slices=0)
    assert ids.nunique() == 2


def test_nothing_is_dropped_after_an_empty_slice():
    frame = boxes([(0, 1.0, 1.0, 0.5), (7, 1.0, 1.0, 0.5), (8, 1.0, 1.1, 0.5)])
    assert depth_track(frame).tolist() == [0, 1, 1]


def test_neighbours_keep_apart():
    frame = boxes([(z, 1.0, x + 0.02 * z, 0.5) for z in range(5) for x in (1.0, 1.6)])
    ids = depth_track(frame)
    assert ids.nunique() == 2
    assert (frame.groupby(ids)["x_um"].std() < 0.1).all()


def test_rows_in_any_order_give_the_same_groups():
    frame = boxes([(z, y, x + 0.05 * z, 0.5) for z in range(4) for y, x in ((1.0, 1.0), (3.0, 1.2), (5.0, 4.0))])
    ids = depth_track(frame)
    shuffled = frame.sample(frac=1, random_state=0)
    again = depth_track(shuffled).sort_index()
    assert (pd.factorize(again)[0] == pd.factorize(ids)[0]).all()


def test_summary_weights_by_score():
    frame = boxes([(3, 1.0, 1.0, 0.1), (4, 1.0, 1.2, 0.9)])
    spine = summarise(frame, depth_track(frame), 1.0).iloc[0]
    assert spine["score"] == pytest.approx((0.1 + 0.9) / 3)
    assert (spine["first_slice"], spine["last_slice"], spine["slices"]) == (3, 4, 2)
    assert spine["z_slice"] == pytest.approx((3 * 0.01 + 4 * 0.81) / 0.82)


def test_no_boxes_give_no_spines():
    empty = boxes([]).astype({"slice": int})
    spines, ids = find_spines(empty, np.zeros((4, 9, 9)), (1.0, 0.12, 0.12))
    assert spines.empty and len(ids) == 0 and list(spines.columns) == SPINE_COLUMNS


def test_a_flat_image_is_asked_for_no_more_than_its_one_slice():
    frame = boxes([(0, 2.0, 2.0, 0.9)])
    # whatever depth a flat image is said to have
    for slice_um in (0.3, 1.0, 3.0):
        spines, _ = find_spines(frame, np.ones((1, 40, 40)), (slice_um, 0.12, 0.12))
        assert spines["score"].tolist() == [0.9] and spines["z_um"].tolist() == [0.0]
    in_a_stack, _ = find_spines(frame, np.ones((5, 40, 40)), (1.0, 0.12, 0.12))
    assert in_a_stack["score"].tolist() == pytest.approx([0.3])


def test_what_is_given_is_taken_where_it_is_given():
    # one box each; two heads of one place at two depths, two in one slice nearer than a double
    frame = boxes([(3, 1.0, 1.0, 1.0), (9, 1.0, 1.0, 1.0), (3, 1.0, 1.4, 0.6)])
    spines, ids = given_spines(frame, 0.5)
    places = [[1.5, 1.0, 1.0, 1.0], [1.5, 1.0, 1.4, 0.6], [4.5, 1.0, 1.0, 1.0]]
    np.testing.assert_allclose(spines[["z_um", "y_um", "x_um", "score"]], places)
    assert spines["given"].all() and list(spines.columns) == SPINE_COLUMNS
    assert ids.tolist() == [0, 2, 1]


def test_given_ids_join_boxes_and_keep_them_apart():
    frame = boxes([(3, 1.0, 1.0, 0.9), (4, 1.0, 1.0, 0.9), (5, 1.0, 1.0, 0.9), (8, 1.0, 1.0, 0.9)])
    spines, ids = given_spines(frame.assign(id=[7, 7, 2, 7]), 1.0)
    assert ids.nunique() == 2 and ids[0] == ids[1] == ids[3]
    assert sorted(spines["z_um"]) == pytest.approx([5.0, 5.0])
    # a box without an id is joined by its place
    _, ids = given_spines(frame.assign(id=[7, 7, np.nan, -1]), 1.0)
    assert ids[0] == ids[1] and ids.nunique() == 3


def test_doubles_are_joined_and_neighbours_are_not():
    rows = [(z, y, x, s) for z in (4, 5) for y, x, s in ((2.0, 2.0, 0.9), (2.3, 2.2, 0.4), (2.9, 2.0, 0.5))]
    rows += [(12, 2.0, 2.0, 0.6), (13, 2.0, 2.0, 0.6)]
    frame = boxes(rows)
    kept = without_doubles(summarise(frame, depth_track(frame, reach_um=0.15), 1.0), 1.0)
    assert sorted(zip(kept["y_um"].round(1), kept["first_slice"])) == [(2.0, 4), (2.0, 12), (2.9, 4)]


def test_the_head_s_slice_is_the_brightest(phantom_stack):
    heads = phantom_stack.heads
    spines = pd.DataFrame({"z_slice": heads[:, 0] + 2, "y_um": heads[:, 1], "x_um": heads[:, 2]})
    np.testing.assert_allclose(focus(phantom_stack.stack, phantom_stack.voxel_um, spines), heads[:, 0], atol=0.4)


@pytest.mark.parametrize("unit", [0.02, 1.0, 40.0])
def test_given_boxes_are_joined_whatever_they_are_measured_in(unit):
    # two neighbours that drift, and one that has a slice without a box
    frame = boxes(
        [(z, 1.0, x + 0.1 * z, 0.5) for z in range(5) for x in (1.0, 2.4)] + [(0, 5, 5, 0.9), (2, 5.2, 5, 0.9)]
    )
    frame[["y_um", "x_um", "side_um"]] *= unit
    ids = overlap_track(frame)
    assert ids.nunique() == 3 and (frame.groupby(ids)["slice"].nunique().tolist()) == [2, 5, 5]
    assert overlap_track(frame, gap_slices=0).nunique() == 4


def test_overlap_of_squares():
    shared = overlaps(np.array([[0, 0, 2.0]]), np.array([[0, 0, 2.0], [0, 1, 2.0], [0, 3, 2.0], [0, 0, 1.0]]))
    np.testing.assert_allclose(shared, [[1, 1 / 3, 0, 1 / 4]])


def test_real_boxes(shared_data):
    frame = pd.read_csv(shared_data("twophoton/depth_boxes") / "annotated.csv")
    pixel_um = 0.0944
    scores = []
    for _, own in frame.groupby("stack"):
        table = pd.DataFrame(
            {
                "slice": own["slice"],
                "score": own["score"],
                "y_um": (own["ymin"] + own["ymax"]) / 2 * pixel_um,
                "x_um": (own["xmin"] + own["xmax"]) / 2 * pixel_um,
                "side_um": np.sqrt((own["xmax"] - own["xmin"]) * (own["ymax"] - own["ymin"])) * pixel_um,
            }
        )
        points = pd.DataFrame({"time": own["slice"], "track": overlap_track(table), "true": own["id"]})
        scores.append((idf1(points), len(own)))
    values, weights = zip(*scores)
    assert np.average(values, weights=weights) > 0.99
