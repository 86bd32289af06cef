"""What scripts of the linking branch take of given files, and what they refuse."""

import h5py
import numpy as np
import pandas as pd
import pytest

from spinome.io.damage import DamagedError
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import write_volume
from spinome.linking.candidates import COLUMNS, TYPES, read_candidates
from spinome.workflow.shards import Finished, Unit, run_shard

VOXEL_NM = (40.0, 8.0, 8.0)


def test_candidates_are_held_against_their_checksums(tmp_path):
    def compute(unit, path):
        write_table(pd.DataFrame(1.0, index=[0], columns=COLUMNS).astype(TYPES), path)

    done, failures = tmp_path / "done.parquet", tmp_path / "failures.parquet"
    shard = {"step": "linking_candidates", "store": tmp_path / "units", "suffix": ".parquet", "key": "k"}
    run_shard([Unit("0-0-0"), Unit("0-0-5")], compute, done=done, failures=failures, **shard)
    finished = Finished.read(done)
    assert len(read_candidates(finished.values())) == 2
    lost = finished["0-0-5"]
    lost.unlink()
    with pytest.raises(DamagedError, match="run again"):
        read_candidates(finished.values())
    # so that the next run makes it again
    assert not done.exists()


def truth_of(run_script, tmp_path, links):
    """What the script says of given true links."""
    write_table(links, tmp_path / "given.parquet")
    write_table(pd.DataFrame({"segment": [1], "on_edge": [False]}), tmp_path / "typing.parquet")
    made = {"links": str(tmp_path / "links.parquet"), "fragments": str(tmp_path / "fragments.parquet")}
    given = {"typing": str(tmp_path / "typing.parquet"), "truth_links": str(tmp_path / "given.parquet")}
    run_script("linking_truth", given, made, cuboid=[8, 8, 8], voxel_nm=None)
    return read_table(tmp_path / "links.parquet")


def test_true_links_are_read_to_the_last_digit(run_script, tmp_path):
    big = 720575940379279312
    links = pd.DataFrame({"orphan": [big + 1, big + 3], "shaft": [5, 7]})
    assert truth_of(run_script, tmp_path, links.astype(str))["orphan"].tolist() == [big + 1, big + 3]
    with pytest.raises(ValueError, match=r"given\.parquet: column orphan must hold integers"):
        truth_of(run_script, tmp_path, links.astype(float))


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
