import numpy as np
import pandas as pd
import pytest

from spinome.io.napari import napari_tracks
from spinome.io.synapflow import (
    BOXES,
    DETECTIONS,
    MEASURES,
    TRACKS,
    read_boxes,
    stack_boxes,
    tracked_boxes,
    write_boxes,
)

VOXEL = (1.0, 0.1, 0.2)
SHAPE = (9, 80, 90)


@pytest.fixture
def boxes():
    return pd.DataFrame(
        {"slice": [3, 4, 4], "score": [0.5, 0.75, 0.9], "y_um": [2.0, 2.1, 5.0], "x_um": [4.0, 4.0, 1.0],
         "side_um": [1.0, 1.2, 0.8], "candidate": [0, 0, 1]}
    )  # fmt: skip


@pytest.fixture
def spines():
    return pd.DataFrame(
        {"candidate": [0, 7], "spine": [17, 18], "score": [0.7, 1.0], "z_slice": [3.4, 6.2], "y_um": 2.0, "x_um": 4.0,
         "side_um": 1.1, "intensity_ratio_um2": [0.5, np.nan], "dendrite_distance_um": [1.0, 2.0]}
    )  # fmt: skip


def test_tracked_boxes_come_back_from_the_file(tmp_path, boxes, spines):
    table = tracked_boxes(boxes, spines, "s.f.0", SHAPE, VOXEL)
    assert list(table.columns) == [*TRACKS, *MEASURES]
    # the spine that a person put in has no box of the detector's
    assert table["id"].tolist() == [17, 17, 18]
    assert list(table["filename"]) == ["s.f.0_layer03", "s.f.0_layer04", "s.f.0_layer06"]
    assert table["size"].tolist()[:2] == [25, 25] and np.isnan(table["size"].iloc[2])
    assert table["spine_to_dendrite_distance"].iloc[2] == pytest.approx(2 / np.sqrt(0.02), abs=0.01)
    write_boxes(tmp_path / "t.csv", [table])
    again = read_boxes(tmp_path / "t.csv", "s.f.0", VOXEL)
    pd.testing.assert_frame_equal(again.loc[:1, BOXES], boxes.loc[:1, BOXES], atol=0.01, check_dtype=False)
    assert again["id"].tolist() == [17, 17, 18] and again["size"].tolist()[:2] == [25, 25]
    with pytest.raises(ValueError, match=r"t.csv: has no box of other_layerNN; it has s.f.0"):
        read_boxes(tmp_path / "t.csv", "other", VOXEL)


def test_a_folder_of_detections_a_slice(tmp_path, boxes):
    table = stack_boxes(boxes, "s.f.0", SHAPE, VOXEL)
    assert list(table.columns) == DETECTIONS
    for name, own in table.groupby("filename"):
        own.to_csv(tmp_path / f"{name}.csv", index=False)
    table.head(0).to_csv(tmp_path / "s.f.0_layer08.csv", index=False)
    again = read_boxes(tmp_path, "s.f.0", VOXEL)
    pd.testing.assert_frame_equal(again, boxes[BOXES], atol=0.01, check_dtype=False)
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="none: is a folder without a CSV"):
        read_boxes(tmp_path / "none", "s.f.0", VOXEL)


def test_boxes_over_the_edge_are_cut(tmp_path, boxes):
    over = boxes.assign(y_um=[0.1, 7.9, 4.0], x_um=[0.1, 17.9, 9.0])
    table = stack_boxes(over, "s.f.0", SHAPE, VOXEL)
    assert (table[["xmin", "ymin"]] >= 0).all(axis=None)
    assert table["xmax"].max() <= 90 and table["ymax"].max() <= 80
    write_boxes(tmp_path / "d.csv", [table])
    assert len(read_boxes(tmp_path / "d.csv", "s.f.0", VOXEL)) == 3


def test_a_box_without_extent_is_named(tmp_path, boxes):
    table = stack_boxes(boxes, "s.f.0", SHAPE, VOXEL)
    table.loc[1, "xmax"] = table.loc[1, "xmin"]
    write_boxes(tmp_path / "d.csv", [table])
    with pytest.raises(ValueError, match=r"d.csv: a box of s.f.0_layer04 has no extent"):
        read_boxes(tmp_path / "d.csv", "s.f.0", VOXEL)


def test_tracks_of_napari_are_sorted_by_track_and_time():
    spines = pd.DataFrame({"timepoint": ["b", "a", "a", "c"], "spine": [1, 1, 0, 0], "z_um": 1.0, "y_um": 2.0})
    spines = spines.assign(x_um=[3.0, 4, 5, 6], score=0.5, head_volume_um3=0.1, fate="stable", origin="stable")
    table = napari_tracks(spines, ["a", "b", "c"])
    assert table[["track_id", "t"]].to_numpy().tolist() == [[0, 0], [0, 2], [1, 0], [1, 1]]
    assert table["x_um"].tolist() == [5, 6, 4, 3]
