"""What scripts of the linking branch take of given files, and what they refuse."""

import h5py
import numpy as np
import pandas as pd

from spinome.io.tables import read_table, write_table
from spinome.io.volumes import write_volume

VOXEL_NM = (40.0, 8.0, 8.0)


def test_a_truth_takes_the_size_of_a_voxel_from_the_synapses(run_script, tmp_path):
    segments = np.ones((4, 24, 24), np.uint32)
    segments[:, :, 12:] = 2
    marks = np.zeros(segments.shape, np.uint8)
    marks[1:3, 4:8, 10:14] = marks[1:3, 16:20, 10:14] = 255
    with h5py.File(tmp_path / "truth.h5", "w") as file:
        file["segments"], file["synapses"] = segments, marks
    write_volume(tmp_path / "found.zarr", (marks > 0) * np.uint32(1), VOXEL_NM)
    write_table(pd.DataFrame({"orphan": [], "shaft": []}, dtype=np.int64), tmp_path / "links.parquet")
    row = {
        "truth_segmentation": f"{tmp_path}/truth.h5::segments",
        "truth_synapses": f"{tmp_path}/truth.h5::synapses",
        "segmentation": None,
        "synapses": f"{tmp_path}/found.zarr",
    }
    given = {"links": str(tmp_path / "links.parquet"), "gaps": [], "synapses": row["synapses"]}
    made = {name: str(tmp_path / f"{name}.parquet") for name in ("pairs", "matches")}
    run_script("linking_true_graph", given, made, aside={"row": row}, voxel_nm=None)
    # two synapses of both masks, each between the two neurites
    assert read_table(made["matches"]).to_numpy().tolist() == [[1, 1], [2, 2]]
    assert read_table(made["pairs"]).to_numpy().tolist() == [[1, 2]]
