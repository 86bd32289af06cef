"""Bad input end to end: all problems in one message, before the first job."""

import numpy as np
import pandas as pd
import pytest
import tifffile
import trimesh
import yaml

from spinome.io.volumes import write_volume


@pytest.fixture
def project(tmp_path):
    """A folder in which every sheet names something bad."""
    (tmp_path / "empty.tif").touch()
    tifffile.imwrite(tmp_path / "no_voxel.tif", np.zeros((5, 16, 16), np.uint8))
    tifffile.imwrite(tmp_path / "cut.tif", np.ones((20, 64, 64), np.uint8), metadata={"axes": "ZYX"})
    (tmp_path / "cut.tif").write_bytes((tmp_path / "cut.tif").read_bytes()[:40_000])
    write_volume(tmp_path / "em.zarr", np.zeros((8, 16, 16), np.uint8), (40, 8, 8), name="image")
    write_volume(tmp_path / "em.zarr", np.zeros((8, 16, 20), np.uint32), (40, 8, 8), name="segmentation")
    write_volume(tmp_path / "em.zarr", np.zeros((8, 16, 16), np.float32), (40, 8, 8), name="mask")
    np.savez(tmp_path / "empty.npz", vertices_nm=np.zeros((0, 3)), faces=np.zeros((0, 3), int))
    pd.DataFrame({"id": [1]}).to_parquet(tmp_path / "synapses.parquet")
    stacks = [f"s\tf\t{number}\t{number}\t{name}.tif" for number, name in enumerate(["empty", "no_voxel", "cut"])]
    sheets = {
        "stacks": ["specimen\tfield\ttimepoint\tday\tpath", *stacks],
        "volumes": ["volume\timage\tsegmentation\tmask", "v\tem.zarr::image\tem.zarr::segmentation\tem.zarr::mask"],
        "neurons": ["neuron\tmesh\tsynapses", "n\tempty.npz\tsynapses.parquet"],
    }
    for kind, lines in sheets.items():
        (tmp_path / f"{kind}.tsv").write_text("\n".join(lines) + "\n")
    # the shipped forest knows the signatures of the other solver
    content = {"samples": {kind: f"{kind}.tsv" for kind in sheets}, "neurons": {"hks": {"solver": "bands"}}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def test_all_problems_are_told_before_the_first_job(snakemake, project):
    run = snakemake(project, "--configfile", project / "config.yaml", "--cores", "1")
    assert run.returncode == 1
    for words in [
        "empty.tif: is empty or no TIFF",
        "no_voxel.tif: has no voxel size; set voxel_z_um",
        "cut.tif: is truncated",
        "em.zarr::segmentation: has shape (8, 16, 20)",
        "em.zarr::mask: labels must be integers",
        "empty.npz: the mesh is empty",
        "synapses.parquet: lacks the column ctr_pt_position_x",
        "neurons.skops: was trained on signatures of the full spectrum, here they are cut off at 1e-05 nm^-2",
    ]:
        assert words in run.stdout, words
    assert "Finished jobid" not in run.stdout
    assert "Traceback" not in run.stdout


def test_results_in_the_place_of_a_file(snakemake, project):
    (project / "occupied").touch()
    run = snakemake(project, "--configfile", project / "config.yaml", "--cores", "1", "--config", "results=occupied/x")
    assert run.returncode == 1
    assert "occupied: is a file where a folder is needed" in run.stdout


def test_a_bad_mesh_is_told_of_and_the_others_go_on(snakemake, tmp_path):
    tube = trimesh.creation.cylinder(radius=400, height=20_000).subdivide().subdivide().subdivide()
    vertices, faces = np.asarray(tube.vertices), np.asarray(tube.faces)
    broken = vertices.copy()
    broken[7] = np.nan
    meshes = {"good": vertices, "in_um": vertices / 1000, "not_finite": broken}
    for name, array in meshes.items():
        np.savez(tmp_path / f"{name}.npz", vertices_nm=array, faces=faces)
    rows = [f"{name}\t{name}.npz" for name in meshes]
    (tmp_path / "neurons.tsv").write_text("\n".join(["neuron\tmesh", *rows]) + "\n")
    content = {"samples": {"neurons": "neurons.tsv"}, "neurons": {"shards": 1}, "max_failed_fraction": 0.7}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    failures = "results/failures/neurons_simplify/0.parquet"
    run = snakemake(tmp_path, "--configfile", tmp_path / "config.yaml", "--cores", "1", "--", failures)
    assert run.returncode == 0, run.stdout
    reasons = pd.read_parquet(tmp_path / failures).set_index("unit").reason
    assert set(reasons.index) == {"in_um", "not_finite"}
    assert "in_um.npz" in reasons["in_um"] and "multiply them by 1e3" in reasons["in_um"]
    assert "not_finite.npz" in reasons["not_finite"] and "not finite" in reasons["not_finite"]
    done = pd.read_parquet(tmp_path / "results" / "neurons" / "simplify" / "0.parquet")
    assert list(done.unit) == ["good"]
    # another run is at work in this folder: the second one stops, and says how a lock that a kill has left is removed
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(exist_ok=True)
    (locks / "0.output.lock").write_text(f"{failures}\n")
    again = ["--forcerun", "neurons_simplify", "--", failures]
    second = snakemake(tmp_path, "--configfile", tmp_path / "config.yaml", "--cores", "1", *again)
    assert second.returncode == 1 and "cannot be locked" in second.stdout and "--unlock" in second.stdout
    assert (tmp_path / failures).exists()
