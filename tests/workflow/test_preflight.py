"""All problems of the input are reported together, with the file and the remedy."""

import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import trimesh
import yaml

from spinome.configuration import complete
from spinome.io.volumes import write_volume
from spinome.workflow import preflight
from spinome.workflow.preflight import (
    check_configured,
    check_inputs,
    check_neuron,
    check_stack,
    check_volume,
    failed_units,
)
from spinome.workflow.samples import NeuronRow, StackRow, VolumeRow

REPOSITORY = Path(__file__).parents[2]
OME = {"axes": "ZYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "PhysicalSizeZ": 1.0}


def stack(path, **columns):
    return StackRow(specimen="s", field="f", timepoint="0", day=0, path=str(path), **columns)


def volume(**columns):
    return VolumeRow(volume="v", **{name: str(value) for name, value in columns.items()})


@pytest.fixture
def good_stack(tmp_path):
    path = tmp_path / "good.ome.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (20, 64, 64), dtype=np.uint8)
    tifffile.imwrite(path, pixels, metadata=OME)
    return path


@pytest.fixture
def em(tmp_path):
    """A store with a good image, labels and membrane probabilities, and one of each that is bad."""
    path = tmp_path / "em.zarr"
    grid, voxel = (8, 20, 20), (40, 8, 8)
    write_volume(path, np.zeros(grid, np.uint8), voxel, name="image")
    write_volume(path, np.zeros(grid, np.uint32), voxel, name="labels")
    write_volume(path, np.zeros(grid, np.float32), voxel, name="membrane")
    write_volume(path, np.full(grid, 3, np.int64), voxel, name="integers")
    write_volume(path, np.ones(grid, np.int64), voxel, name="ones")
    write_volume(path, np.zeros(grid, np.uint8), (1e7, 8, 8), name="no_unit")
    write_volume(path, np.zeros((8, 20, 21), np.uint32), voxel, name="other_shape")
    write_volume(path, np.zeros(grid, np.uint32), (30, 8, 8), name="other_voxel")
    return path


def test_good_input_has_no_problem(good_stack, em, tmp_path):
    mesh, synapses = tmp_path / "mesh.npz", tmp_path / "synapses.parquet"
    np.savez(mesh, vertices_nm=np.eye(3) * 2000, faces=np.array([[0, 1, 2]]))
    columns = ["id", *(f"ctr_pt_position_{axis}" for axis in "xyz")]
    pd.DataFrame([[1, 0.0, 0.0, 0.0]], columns=columns).to_parquet(synapses)
    stacks = [stack(good_stack)]
    volumes = [volume(image=f"{em}::image", segmentation=f"{em}::labels", membrane=f"{em}::membrane")]
    neurons = [NeuronRow(neuron="n", mesh=str(mesh), synapses=str(synapses))]
    assert check_inputs(stacks, volumes, neurons, [str(tmp_path / "results")]) == []


def test_empty_and_truncated_stacks(good_stack, tmp_path):
    empty, cut = tmp_path / "empty.tif", tmp_path / "cut.tif"
    empty.touch()
    cut.write_bytes(good_stack.read_bytes()[:-30_000])
    for path in (empty, cut):
        (problem,) = check_stack(stack(path))
        assert str(path) in problem and "again" in problem


def test_a_stack_without_voxel_size_names_the_columns_that_set_it(tmp_path):
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, np.zeros((5, 16, 16), np.uint8))
    (problem,) = check_stack(stack(path))
    assert str(path) in problem and "voxel_z_um" in problem
    assert check_stack(stack(path, voxel_z_um=1, voxel_y_um=0.1, voxel_x_um=0.1)) == []


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"segmentation": "other_shape"}, ["other_shape", "(8, 20, 21)", "one shape"]),
        ({"segmentation": "other_voxel"}, ["other_voxel", "voxel_z_nm"]),
        ({"segmentation": "membrane"}, ["membrane", "labels must be integers"]),
        ({"membrane": "integers"}, ["integers", "probabilities"]),
        ({"vesicles": "membrane"}, ["membrane", "labels must be integers"]),
        ({"mask": "absent"}, ["absent"]),
    ],
)
def test_volumes_that_do_not_fit(em, columns, words):
    problems = check_volume(volume(image=f"{em}::image", **{k: f"{em}::{name}" for k, name in columns.items()}))
    assert len(problems) == 1
    assert all(word in problems[0] for word in [str(em), *words])


def test_integers_that_the_readers_take(em):
    """A mask of zeros and ones is a map of membranes, and vesicles may be labels of any integers."""
    assert check_volume(volume(image=f"{em}::image", membrane=f"{em}::ones", vesicles=f"{em}::integers")) == []


def test_a_table_in_the_place_of_labels(em, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("z,y,x\n1,2,3\n")
    (problem,) = check_volume(volume(image=f"{em}::image", segmentation=table))
    assert str(table) in problem and "unknown kind of volume" in problem


def test_every_volume_that_is_asked_for_its_voxel_size_has_one(em, tmp_path):
    plain = tmp_path / "plain.h5"
    with h5py.File(plain, "w") as file:
        file["labels"], file["membrane"] = np.zeros((8, 20, 20), np.uint32), np.zeros((8, 20, 20), np.float32)
    labels, membrane = f"{plain}::labels", f"{plain}::membrane"
    (problem,) = check_volume(volume(image=f"{em}::image", segmentation=labels))
    assert labels in problem and "voxel_z_nm" in problem
    (problem,) = check_volume(volume(image=f"{em}::image", membrane=membrane))
    assert membrane in problem and "voxel_z_nm" in problem
    # beside segments, membranes take the size of those, and a mask and a truth take that of any
    assert check_volume(volume(segmentation=f"{em}::labels", membrane=membrane, mask=labels)) == []


def test_a_voxel_size_that_no_microscope_has(em, tmp_path):
    (problem,) = check_volume(volume(image=f"{em}::no_unit"))
    assert "no_unit" in problem and "no microscope" in problem and "voxel_z_nm" in problem
    path = tmp_path / "nm_for_um.ome.tif"
    sizes = {"axes": "ZYX", "PhysicalSizeX": 120, "PhysicalSizeY": 120, "PhysicalSizeZ": 1000}
    tifffile.imwrite(path, np.ones((5, 16, 16), np.uint8), metadata=sizes)
    (problem,) = check_stack(stack(path))
    assert str(path) in problem and "1000 x 120 x 120 um" in problem and "voxel_z_um" in problem
    assert check_stack(stack(path, voxel_z_um=1, voxel_y_um=0.12, voxel_x_um=0.12)) == []


def test_a_volume_without_voxel_size(tmp_path):
    path = tmp_path / "v.tif"
    tifffile.imwrite(path, np.zeros((5, 16, 16), np.uint8))
    (problem,) = check_volume(volume(image=path))
    assert str(path) in problem and "voxel_z_nm" in problem


def test_empty_and_truncated_meshes(tmp_path):
    empty, cut = tmp_path / "empty.npz", tmp_path / "cut.npz"
    np.savez(empty, vertices_nm=np.zeros((0, 3)), faces=np.zeros((0, 3), int))
    cut.write_bytes(empty.read_bytes()[:-50])
    (problem,) = check_neuron(NeuronRow(neuron="n", mesh=str(empty)))
    assert str(empty) in problem and "the mesh is empty" in problem
    (problem,) = check_neuron(NeuronRow(neuron="n", mesh=str(cut)))
    assert str(cut) in problem and "again" in problem


def test_synapses_without_a_column(tmp_path):
    path = tmp_path / "synapses.csv"
    path.write_text("id,ctr_pt_position_x,ctr_pt_position_y\n1,0,0\n")
    mesh = tmp_path / "mesh.ply"
    mesh.write_text("ply\n")
    (problem,) = check_neuron(NeuronRow(neuron="n", mesh=str(mesh), synapses=str(path)))
    assert str(path) in problem and "lacks the column ctr_pt_position_z" in problem


def test_tables_that_their_readers_would_refuse(good_stack, tmp_path):
    spines, traced = tmp_path / "spines.csv", tmp_path / "traced.tsv"
    spines.write_text("timepoint,track_id,dendrite_id,tip_z_px,tip_y_px,tip_x_px\n")
    traced.write_text("timepoint\tdendrite_id\tz_px\ty_px\tx_px\n")
    other = tmp_path / "traced.xlsx"
    other.touch()
    (unknown,) = check_inputs([stack(good_stack, dendrites=str(other))], [], [], [])
    assert str(other) in unknown and "unknown kind of table" in unknown
    row = stack(good_stack, truth_spines=str(spines), truth_dendrites=str(traced))
    of_spines, of_dendrites = check_inputs([row], [], [], [])
    assert str(spines) in of_spines and "lacks the column base_z_px, base_y_px, base_x_px" in of_spines
    assert str(traced) in of_dendrites and "lacks the column node" in of_dendrites


def test_a_truth_without_numbers_or_without_the_timepoint(good_stack, tmp_path):
    table = tmp_path / "traced.csv"
    header = "timepoint,dendrite_id,node,z_px,y_px,x_px\n"
    table.write_text(f"{header}0,1,0,1,2,3\n0,1,1,1,many,3\n")
    (problem,) = check_inputs([stack(good_stack, dendrites=str(table))], [], [], [])
    assert str(table) in problem and "row 2" in problem and "y_px" in problem and "'many'" in problem
    table.write_text(f"{header}1,1,0,1,2,3\n2,1,1,1,2,3\n")
    (problem,) = check_inputs([stack(good_stack, dendrites=str(table))], [], [], [])
    assert str(table) in problem and "no row of timepoint 0, it has 1, 2" in problem


def test_a_truth_of_neurons_without_labels(tmp_path):
    mesh, truth, table = tmp_path / "mesh.npz", tmp_path / "truth.npz", tmp_path / "truth.csv"
    np.savez(mesh, vertices_nm=np.eye(3) * 2000, faces=np.array([[0, 1, 2]]))
    np.savez(truth, tag=np.zeros(3))
    table.write_text("id,tag\n1,dendrite\n")
    (problem,) = check_neuron(NeuronRow(neuron="n", mesh=str(mesh), truth_labels=str(truth)))
    assert str(truth) in problem and "array label" in problem and "it has tag" in problem
    (problem,) = check_neuron(NeuronRow(neuron="n", mesh=str(mesh), truth_labels=str(table)))
    assert str(table) in problem and "soma, shaft or spine" in problem


@pytest.mark.parametrize(
    "error",
    [
        KeyError("axes"),
        RecursionError("too deep"),
        IndexError(3),
        PermissionError(13, "Permission denied"),
        MemoryError(),
    ],
)
def test_whatever_a_reader_stumbles_over_names_the_file(monkeypatch, good_stack, error):
    def stumble(*_):
        raise error

    monkeypatch.setattr(preflight, "open_stack", stumble)
    (problem,) = check_stack(stack(good_stack))
    assert problem.startswith(f"{good_stack}: cannot be read (") and "again" in problem


@pytest.fixture
def study(tmp_path):
    """A folder with one stack and one volume, and a function from keys of the configuration to problems."""
    (tmp_path / "boxes.csv").write_text("filename,score,xmin,ymin,xmax,ymax\ns.f.7_layer00,0.5,1,1,4,4\n")
    (tmp_path / "decisions.tsv").write_text("volume\torphan\tshaft\nw\t1\t2\n")
    (tmp_path / "marked.tsv").write_text("z_nm\ty_nm\tx_nm\n1\t2\tfar\n")
    (tmp_path / "blocks.csv").write_text("z_nm,y_nm,x_nm,synapses\n1,2,3,4\n")
    (tmp_path / "fields" / "images").mkdir(parents=True)
    (tmp_path / "fields" / "boxes.csv").write_text("image,x_min_px,y_min_px,x_max_px,y_max_px\na.png,1,1,4,4\n")
    (tmp_path / "outlined").mkdir()
    (tmp_path / "outlined" / "outlines.csv").write_text("image,spine,y_px,x_px\na.png,0,1,2\n")
    (tmp_path / "grouped").mkdir()
    (tmp_path / "grouped" / "boxes.csv").write_text("image,group,x_min_px,y_min_px,x_max_px,y_max_px\na.png,,1,1,4,4\n")
    (tmp_path / "text.skops").write_text("no model")
    (tmp_path / "text.safetensors").write_text("no model")

    def problems(**keys):
        return check_configured(complete(keys), [stack("s.tif")], [volume(image="v.zarr")])

    return tmp_path, problems


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("twophoton: {detect: {boxes: boxes.csv}}", "boxes.csv: has no box of s.f.0_layerNN; it has s.f.7"),
        ("linking: {proofread: {decisions: decisions.tsv}}", "decisions.tsv: decides on w, which is no volume"),
        ("linking: {proofread: {decisions: marked.tsv}}", "marked.tsv: lacks the column volume, orphan, shaft"),
        ("synapses: {classify: {marked_vesicles: {v: marked.tsv}}}", "column x_nm: 'far' is no number"),
        ("synapses: {uniformity: {block_tables: {b: blocks.csv}}}", "blocks.csv: lacks the column unmasked_um3"),
        ("twophoton: {training: {fields: [fields]}}", "boxes.csv: names a.png, which is not in"),
        ("twophoton: {training: {fields: [outlined]}}", "outlines.csv: names a.png, which is not in"),
        ("twophoton: {training: {fields: [grouped]}}", "boxes.csv: a.png has no group"),
        ("models: {links: text.skops}", "text.skops: is not a model of Spinome"),
        ("models: {synapses: text.safetensors}", "text.safetensors"),
        ("models: {detector: text.safetensors}", "text.safetensors: is not a detector of Spinome"),
        ("twophoton: {training: {start: text.safetensors}}", "text.safetensors: is not a detector of Spinome"),
    ],
)
def test_files_that_the_configuration_names_are_opened(study, monkeypatch, keys, words):
    folder, problems = study
    monkeypatch.chdir(folder)
    (problem,) = problems(**yaml.safe_load(keys))
    assert words in problem


def test_shipped_models_are_models_and_one_in_the_place_of_another_is_none(study):
    _, problems = study
    shipped = REPOSITORY / "workflow" / "models"
    names = ["judge", "agglomeration", "links", "typing"]
    right = {name: str(shipped / f"{name}.skops") for name in names}
    right |= {name: str(shipped / f"{name}.safetensors") for name in ("detector", "synapses", "membranes")}
    assert problems(models=right) == []
    (problem,) = problems(models={"links": right["typing"]})
    assert "typing.skops: was trained on other features" in problem
    (problem,) = problems(models={"membranes": right["synapses"]})
    assert "synapses.safetensors: is not a membrane network" in problem


def test_files_that_the_workflow_makes_are_not_checked(tmp_path):
    made = tmp_path / "resources"
    neuron = NeuronRow(neuron="n", mesh=str(made / "mesh.npz"), synapses=str(made / "synapses.parquet"))
    assert check_inputs([stack(made / "s.tif")], [volume(image=f"{made}/em.zarr::image")], [neuron], [str(made)]) == []


def test_results_without_permission_to_write(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    # root may write anywhere, so the question is asked by a process without rights
    code = f"""
        import os, sys
        from spinome.workflow.preflight import check_folder
        if os.geteuid() == 0:
            os.setuid(65534)
        print(*check_folder({str(locked / "results")!r}))
    """
    temporary = Path(tempfile.gettempdir())
    for parent in locked.parents:
        if temporary in parent.parents and parent.stat().st_uid == tmp_path.stat().st_uid:
            parent.chmod(parent.stat().st_mode | 0o055)
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={"PYTHONPATH": str(REPOSITORY / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(locked) in answer.stdout and "no permission to write" in answer.stdout


def test_thousands_of_files_take_seconds(tmp_path):
    mesh = tmp_path / "mesh.npz"
    vertices = np.random.default_rng(0).uniform(0, 2e4, (100_000, 3))
    np.savez(mesh, vertices_nm=vertices, faces=np.arange(99_999).reshape(-1, 3))
    neurons = [NeuronRow(neuron=f"n{number}", mesh=str(mesh)) for number in range(2000)]
    started = time.process_time()
    assert check_inputs([], [], neurons, []) == []
    # reading the meshes instead of their headers would take minutes
    assert time.process_time() - started < 20


def test_a_mesh_in_micrometres_is_told_of_before_work(tmp_path):
    sphere = trimesh.creation.icosphere(subdivisions=3, radius=5.0)
    sphere.export(tmp_path / "um.ply")
    row = NeuronRow(neuron="n", mesh=str(tmp_path / "um.ply"))
    [problem] = check_inputs([], [], [row], [str(tmp_path / "results")])
    assert "um.ply" in problem and "multiply them by 1e3" in problem


def test_a_table_of_failures_that_cannot_be_read_is_told_of(tmp_path):
    (tmp_path / "failures.parquet").write_text("cut")
    (line,) = failed_units(tmp_path / "failures.parquet")
    assert "failures.parquet: cannot be read" in line and "not known" in line


def test_failed_units_are_told_of_at_the_end(tmp_path):
    assert failed_units(tmp_path / "absent.parquet") == []
    table = pd.DataFrame({"step": ["neurons_simplify"], "unit": ["n"], "reason": ["ValueError: um.ply: too small"]})
    table.to_parquet(tmp_path / "failures.parquet")
    first, second = failed_units(tmp_path / "failures.parquet")
    assert first.startswith("1 unit(s) failed")
    assert "neurons_simplify n: ValueError: um.ply" in second


def test_true_links_that_floats_have_rounded(em, tmp_path):
    links, big = tmp_path / "links.parquet", 720575940379279312
    table = pd.DataFrame({"orphan": [big + 1], "shaft": [3]})
    table.to_parquet(links)
    assert check_volume(volume(segmentation=f"{em}::labels", truth_links=links)) == []
    table.astype(float).to_parquet(links)
    (problem,) = check_volume(volume(segmentation=f"{em}::labels", truth_links=links))
    assert str(links) in problem and "column orphan must hold integers" in problem


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ("1\tshaft\n2\tbouton\n", "bouton"),
        ("1\taxon\n2\tspine\n", "no segment is a shaft"),
        ("1\tshaft\n1\taxon\n", "segment 1 has two rows"),
        ("one\tshaft\n", "'one' is no number"),
    ],
)
def test_a_table_of_types_that_cannot_be_learned_from(em, tmp_path, rows, word):
    types = tmp_path / "types.tsv"
    types.write_text("segment\ttype\n" + rows)
    (problem,) = check_volume(volume(image=f"{em}::image", truth_types=types))
    assert str(types) in problem and word in problem
