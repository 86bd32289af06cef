import pandas as pd
import pytest

from spinome.io.synapflow import TRACKS, read_detections, tracked_boxes, write_tracks

VOXEL = (1.0, 0.1, 0.2)


def test_boxes_come_back_from_the_file(tmp_path):
    boxes = pd.DataFrame(
        {"slice": [3, 4, 4], "score": [0.5, 0.75, 0.9], "y_um": [2.0, 2.1, 5.0], "x_um": [4.0, 4.0, 1.0],
         "side_um": [1.0, 1.2, 0.8], "candidate": [0, 0, 1]}
    )  # fmt: skip
    table = tracked_boxes(boxes, pd.Series({0: 17}), "s.f.0", (9, 80, 90), VOXEL)
    assert list(table.columns) == TRACKS and set(table["id"]) == {17}
    assert list(table["filename"]) == ["s.f.0_layer03", "s.f.0_layer04"]
    write_tracks(tmp_path / "t.csv", [table])
    again = read_detections(tmp_path / "t.csv", "s.f.0", VOXEL)
    pd.testing.assert_frame_equal(again, boxes.iloc[:2].drop(columns="candidate"), atol=0.01, check_dtype=False)
    with pytest.raises(ValueError, match=r"t.csv: has no box of other_layerNN; it has s.f.0"):
        read_detections(tmp_path / "t.csv", "other", VOXEL)
