import numpy as np
import pandas as pd
import pytest
import trimesh

from spinome.io.cave import POSITION, read_synapses
from spinome.io.tables import write_table
from spinome.mesh.nearest_point import nearest_on_surface
from spinome.neurons.synapses import COLUMNS, label_synapses
from spinome.workflow.preflight import check_neuron
from spinome.workflow.samples import NeuronRow


def table(points, pre=1, post=2):
    points = np.asarray(points, float)
    frame = pd.DataFrame(points, columns=POSITION)
    return frame.assign(id=np.arange(len(points)), size=10, pre_pt_root_id=pre, post_pt_root_id=post)


@pytest.fixture
def labels(tube):
    probability = np.where((tube.vertices[:, :1] > 15_000), [[0.2, 0.7, 0.1]], [[0.8, 0.1, 0.1]])
    return probability, np.where(tube.vertices[:, 0] > 15_000, 4, -1)


def test_the_foot_on_a_face_counts_not_the_nearest_vertex():
    vertices = np.array([[0.0, 0, 0], [1000, 0, 0], [0, 1000, 0], [300, 300, 260]])
    faces = np.array([[0, 1, 2]])
    vertex, distance = nearest_on_surface(vertices, faces, np.array([[300.0, 200, 50]]))
    assert (vertex[0], distance[0]) == (0, 50.0)


def test_each_synapse_has_its_label_and_probabilities(tube, labels):
    found = label_synapses(table([[5000, 500, 0], [25_000, 0, 520]]), tube.vertices, tube.faces, *labels)
    assert found["tag"].tolist() == ["shaft", "spine"]
    assert found["value"].tolist() == [0.8, 0.7]
    assert found["p_soma"].tolist() == [0.1, 0.1]
    assert found["spine"].isna().tolist() == [True, False] and found["spine"][1] == 4
    assert found["reason"].isna().all()
    assert list(found) == list(COLUMNS)


def test_whatever_has_no_label_has_a_reason_and_a_row(tube, labels):
    points = [[5000, 500, 0], [5000, 5000, 0], [np.nan, 0, 0], [6000, 500, 0]]
    synapses = table(points, pre=[1, 1, 1, 2])
    found = label_synapses(synapses, tube.vertices, tube.faces, *labels)
    assert found["id"].tolist() == [0, 1, 2, 3]
    assert found["tag"].isna().tolist() == [False, True, True, True]
    assert "4500 nm from the surface" in found["reason"][1]
    assert found["reason"][2] == "has no position"
    assert "autapse" in found["reason"][3]
    assert (found["tag"].isna() == found["reason"].notna()).all()


@pytest.mark.parametrize("count", [3, 20])
def test_the_table_of_another_neuron_is_one_clear_error(tube, labels, count):
    far = table(np.random.default_rng(0).uniform(5e5, 6e5, (count, 3)))
    with pytest.raises(ValueError, match=f"all {count} synapses are farther than 300 nm"):
        label_synapses(far, tube.vertices, tube.faces, *labels)


def write_as(frame, folder, kind):
    path = folder / f"synapses.{kind}"
    if kind == "feather":
        frame.to_feather(path)
    elif kind == "csv.gz":
        frame.to_csv(path)  # with the index as a first column without a name, as pandas writes it by default
    else:
        write_table(frame, path)
    return path


@pytest.mark.parametrize("kind", ["parquet", "feather", "csv", "tsv", "csv.gz"])
def test_every_format_keeps_ids_of_64_bits_also_beside_empty_ones(tmp_path, kind):
    roots = pd.array([864691135361314119, None], "Int64")
    frame = table([[352136.5, 2, 3], [4, 5, 6]]).assign(pre_pt_root_id=roots, id=[2**53 + 1, 7])
    path = write_as(frame, tmp_path, kind)
    assert check_neuron(NeuronRow(neuron="n", mesh="", synapses=str(path))) == []
    found = read_synapses(path)
    assert found["pre_pt_root_id"].tolist() == [864691135361314119, pd.NA]
    assert found["id"].tolist() == [2**53 + 1, 7]
    assert found[POSITION].to_numpy().tolist() == [[352136.5, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("kind", ["parquet", "feather", "csv"])
def test_positions_in_one_column_are_refused_with_the_remedy(tmp_path, kind):
    frame = table([[1, 2, 3]]).drop(columns=POSITION).assign(ctr_pt_position=[[1, 2, 3]])
    path = write_as(frame, tmp_path, kind)
    (problem,) = check_neuron(NeuronRow(neuron="n", mesh="", synapses=str(path)))
    assert problem.startswith(str(path)) and "desired_resolution=[1, 1, 1]" in problem
    with pytest.raises(ValueError, match=r"synapses\..*: positions in one column .* fill synapse_voxel_x_nm"):
        read_synapses(path)


VOXEL = {f"synapse_voxel_{axis}_nm": size for axis, size in zip("xyz", (4, 4, 40))}


@pytest.mark.parametrize("kind", ["parquet", "feather", "csv"])
def test_voxels_in_one_column_or_three_are_made_nm(tmp_path, kind):
    row = NeuronRow(neuron="n", mesh="", synapses=str(tmp_path / f"synapses.{kind}"), **VOXEL)
    points = [[100, 200, 30], [4, 5, 6]]
    apart = table(points)
    together = apart.drop(columns=POSITION).assign(ctr_pt_position=points)
    for frame in (apart, together, together.assign(ctr_pt_position=[np.array(point) for point in points])):
        write_as(frame, tmp_path, kind)
        assert check_neuron(row) == []
        found = read_synapses(row.synapses, row.synapse_voxel_nm)
        assert found[POSITION].to_numpy().tolist() == [[400, 800, 1200], [16, 20, 240]]
    write_as(together.assign(ctr_pt_position=[points[0], None]), tmp_path, kind)
    assert read_synapses(row.synapses, row.synapse_voxel_nm)[POSITION].isna().all(axis=1).tolist() == [False, True]
    write_as(together.assign(ctr_pt_position=[[1, 2], [3, 4]]), tmp_path, kind)
    with pytest.raises(ValueError, match="column ctr_pt_position must hold three numbers per row"):
        read_synapses(row.synapses, row.synapse_voxel_nm)


def test_a_table_without_a_row(tmp_path, tube, labels):
    for kind in ("parquet", "csv"):
        path = write_as(table([[0, 0, 0]]).iloc[:0], tmp_path, kind)
        found = label_synapses(read_synapses(path), tube.vertices, tube.faces, *labels)
        assert found.empty and list(found) == list(COLUMNS)


def test_synapses_without_an_id_are_one_message(tmp_path):
    path = write_as(table([[0, 0, 0], [1, 1, 1]]).assign(id=pd.array([1, None], "Int64")), tmp_path, "csv")
    with pytest.raises(ValueError, match=r"synapses\.csv: 1 of 2 synapses have no id; number them"):
        read_synapses(path)


def test_ids_that_are_no_integers_are_one_message(tmp_path):
    write_table(table([[0, 0, 0]]).assign(id="a12"), tmp_path / "synapses.csv")
    with pytest.raises(ValueError, match=r"synapses\.csv.*a12"):
        read_synapses(tmp_path / "synapses.csv")


def test_a_missing_column_is_named(tmp_path):
    write_table(table([[0, 0, 0]]).drop(columns="ctr_pt_position_z"), tmp_path / "synapses.parquet")
    with pytest.raises(ValueError, match=r"synapses\.parquet: lacks the column ctr_pt_position_z"):
        read_synapses(tmp_path / "synapses.parquet")


def test_positions_are_enough(tmp_path, tube, labels):
    write_table(table([[5000, 500, 0]])[["id", *POSITION]], tmp_path / "synapses.parquet")
    found = label_synapses(read_synapses(tmp_path / "synapses.parquet"), tube.vertices, tube.faces, *labels)
    assert found["tag"].tolist() == ["shaft"]
    assert found["pre_pt_root_id"].isna().all()


def test_the_foot_is_the_nearest_of_all_faces(bumpy_tube):
    # one long face far from its corners, among small ones
    far = np.array([[0.0, -30_000, 1500], [0, 30_000, 1500], [12_000, 0, 1500]])
    vertices = np.concatenate([bumpy_tube.vertices, far])
    faces = np.concatenate([bumpy_tube.faces, len(bumpy_tube.vertices) + np.array([[0, 1, 2]])])
    points = np.random.default_rng(0).uniform([-500, -1500, -1500], [12_500, 1500, 2000], (60, 3))
    vertex, distance = nearest_on_surface(vertices, faces, points)
    for point, own, least in zip(points, vertex, distance):
        feet = trimesh.triangles.closest_point(vertices[faces], np.repeat(point[None], len(faces), axis=0))
        exact = np.linalg.norm(feet - point, axis=1)
        assert least == pytest.approx(exact.min(), abs=1e-6)
        corners = faces[np.isclose(exact, exact.min(), atol=1e-6)]
        assert own in corners


def test_no_points_have_no_feet(tube):
    vertex, distance = nearest_on_surface(tube.vertices, tube.faces, np.zeros((0, 3)))
    assert len(vertex) == len(distance) == 0
