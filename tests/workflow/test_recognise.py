"""What a folder of data is taken for, and what is asked where it does not say."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile

from spinome.io.volumes import write_volume
from spinome.workflow.recognise import recognise

OPEN_UM = {"voxel_z_um": "?", "voxel_y_um": "?", "voxel_x_um": "?"}


def stack(path, slices=4, **metadata):
    shape = (slices, 16, 16) if slices > 1 else (16, 16)
    image = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    tifffile.imwrite(path, image, photometric="minisblack", **metadata)


def test_files_that_differ_by_their_date_are_sessions_of_one_series(tmp_path):
    for day in ("20240501", "20240503", "20240510"):
        stack(tmp_path / f"mouse7_{day}.tif")
    found = recognise([tmp_path])
    rows = found.rows["stacks"]
    assert [(row["specimen"], row["timepoint"], row["day"]) for row in rows] == [
        ("mouse7", "2024-05-01", "0"),
        ("mouse7", "2024-05-03", "2"),
        ("mouse7", "2024-05-10", "9"),
    ]
    # a plain TIFF does not say its voxel size, and nobody guesses it
    assert all(OPEN_UM.items() <= row.items() for row in rows)
    assert sum("voxel size" in question for question in found.questions) == 3


def test_the_day_of_a_numbered_session_is_asked(tmp_path):
    for session in (1, 2):
        stack(tmp_path / f"m_tp{session}.tif")
    found = recognise([tmp_path])
    assert [row["day"] for row in found.rows["stacks"]] == ["?", "?"]
    assert any("write the day of each" in question for question in found.questions)


def test_numbered_slices_in_a_folder_are_one_stack_and_dated_images_are_not(tmp_path):
    (tmp_path / "slices").mkdir()
    (tmp_path / "dated").mkdir()
    for number in range(4):
        stack(tmp_path / "slices" / f"z{number:03}.tif", slices=1)
        stack(tmp_path / "dated" / f"m_2024-01-0{number + 1}.tif", slices=1)
    found = recognise([tmp_path])
    paths = {row["path"]: row for row in found.rows["stacks"]}
    assert str(tmp_path / "slices") in paths
    assert len(paths) == 5
    (asked,) = (question for question in found.questions if "one slice each" in question)
    assert asked.startswith("m: its 4 images have one slice each, and their names tell sessions")


def test_flat_images_of_numbered_days_are_sessions_and_are_asked_about(tmp_path):
    for number in (1, 4, 9):
        stack(tmp_path / f"cell3_day_{number}.tif", slices=1)
    found = recognise([tmp_path])
    assert [(row["specimen"], row["timepoint"], row["day"]) for row in found.rows["stacks"]] == [
        ("cell3", number, "?") for number in "149"
    ]
    assert sum("one slice each" in question for question in found.questions) == 1
    assert any("write the day of each" in question for question in found.questions)


def test_the_data_sets_of_a_file_are_the_columns_of_one_volume(tmp_path):
    shape = (6, 32, 32)
    with h5py.File(tmp_path / "cutout.h5", "w") as file:
        file["raw"] = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
        file["bodies"] = np.ones(shape, np.uint64)
        file["boundaries"] = np.zeros(shape, np.float32)
        file["truth"] = np.ones(shape, np.uint32)
        file["mitochondria"] = np.ones(shape, np.uint8)
        file["table"] = np.zeros((3, 3))
    found = recognise([tmp_path])
    (row,) = found.rows["volumes"]
    source = tmp_path / "cutout.h5"
    assert row["volume"] == "cutout"
    assert {key: row[key] for key in ("image", "segmentation", "membrane", "truth_segmentation")} == {
        "image": f"{source}::raw",
        "segmentation": f"{source}::bodies",
        "membrane": f"{source}::boundaries",
        "truth_segmentation": f"{source}::truth",
    }
    assert row["voxel_z_nm"] == "?" and any("voxel size" in question for question in found.questions)
    assert found.passed_over == [f"{source}::mitochondria (there is no column for it)"]


def test_a_store_with_thin_sections_is_a_volume(tmp_path):
    write_volume(tmp_path / "em.zarr", np.zeros((4, 32, 32), np.uint8), (40.0, 8.0, 8.0), name="image")
    (row,) = recognise([tmp_path]).rows["volumes"]
    assert row["image"] == f"{tmp_path / 'em.zarr'}::image" and "voxel_z_nm" not in row


def test_a_mesh_has_the_synapses_that_bear_its_name(tmp_path):
    np.savez(tmp_path / "n1_mesh.npz", vertices_nm=np.zeros((3, 3)), faces=np.zeros((1, 3), int))
    (tmp_path / "n2.ply").write_text("ply\n")
    synapses = pd.DataFrame({"id": [1], "ctr_pt_position": ["[1 2 3]"]})
    synapses.to_csv(tmp_path / "n1_synapses.csv", index=False)
    synapses.to_csv(tmp_path / "others.csv", index=False)
    found = recognise([tmp_path])
    rows = {row["neuron"]: row for row in found.rows["neurons"]}
    assert set(rows) == {"n1", "n2"}
    assert rows["n1"]["synapses"].endswith("n1_synapses.csv") and rows["n1"]["synapse_voxel_x_nm"] == "?"
    assert "synapses" not in rows["n2"]
    assert any("others.csv: holds synapses of no neuron" in question for question in found.questions)


def test_neuroglancer_folders_and_addresses(tmp_path):
    (tmp_path / "mesh").mkdir()
    (tmp_path / "mesh" / "info").write_text(json.dumps({"@type": "neuroglancer_legacy_mesh"}))
    (tmp_path / "mesh" / "7:0").write_text(json.dumps({"fragments": []}))
    found = recognise([tmp_path, "precomputed://gs://bucket/meshes::12", "precomputed://gs://bucket/em"])
    assert [(row["neuron"], row["mesh"]) for row in found.rows["neurons"]] == [
        ("7", f"{tmp_path / 'mesh'}::7"),
        ("12", "precomputed://gs://bucket/meshes::12"),
    ]
    assert found.rows["volumes"] == [{"volume": "em", "image": "precomputed://gs://bucket/em"}]


def test_what_is_not_recognised_is_said(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "broken.tif").write_text("x")
    found = recognise([tmp_path])
    assert not any(found.rows.values())
    assert len(found.passed_over) == 2
    with pytest.raises(FileNotFoundError, match="no such folder or file"):
        recognise([tmp_path / "nowhere"])
