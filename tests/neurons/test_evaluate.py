import numpy as np
import pandas as pd
import pytest

from spinome.mesh.surface import Mesh
from spinome.neurons.evaluate import compare_spines, evaluation
from spinome.neurons.truth import read_vertex_truth

NO_LABELS = pd.DataFrame({"kind": []})


@pytest.fixture
def four(sphere, joined):
    """Four balls far apart, the last a shaft, and which one (V,) a vertex is on."""
    balls = joined(*(Mesh(sphere.vertices + np.array([30_000 * number, 0, 0]), sphere.faces) for number in range(4)))
    ball = np.repeat(np.arange(4), len(sphere.vertices))
    return balls, np.where(ball < 3, ball, -1)


def test_the_same_spines_are_all_matched_with_the_same_volume(four):
    mesh, true = four
    table = compare_spines("n", mesh, np.where(true >= 0, 7 - true, -1), true)
    rows = pd.DataFrame(evaluation(NO_LABELS, table)).set_index("metric")["value"]
    assert rows[["spine_recall", "spine_precision", "spine_count_ratio"]].tolist() == [1, 1, 1]
    assert rows[["spine_split", "spine_merged", "spine_volume_error"]].tolist() == [0, 0, 0]


def test_split_merged_and_missed_spines_are_told(four):
    mesh, true = four
    found = np.where(true == 1, 0, true)  # two in one
    found[(true == 2) & (mesh.vertices[:, 2] > 0)] = 5  # one in two
    table = compare_spines("n", mesh, found, true)
    assert table[["true", "found", "matched", "split", "merged"]].sum().tolist() == [3, 3, 2, 1, 1]
    missed = compare_spines("n", mesh, np.where(true == 0, 0, -1), true)
    assert missed[["true", "found", "matched", "split", "merged"]].sum().tolist() == [3, 1, 1, 0, 0]


def test_the_volume_of_a_match_is_compared(four, joined):
    mesh, true = four
    half = np.where((true == 0) & (mesh.vertices[:, 2] < -400), -1, true)
    ratio = compare_spines("n", mesh, half, true)["volume_ratio"].dropna().sort_values().tolist()
    # a ball without a cap of 0.6 of its radius
    assert ratio == pytest.approx([1 - 0.6**2 * 2.4 / 4, 1, 1], rel=0.05)


def test_seams_of_the_mesh_are_no_borders(four):
    mesh, true = four
    corners = mesh.faces.reshape(-1)
    apart = Mesh(mesh.vertices[corners], np.arange(len(corners)).reshape(-1, 3))
    table = compare_spines("n", apart, true[corners], true[corners])
    assert table["matched"].sum() == 3 and table["volume_ratio"].dropna().tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", ["int64", "uint64"])
def test_ids_of_true_spines_may_be_of_any_size(four, tmp_path, kind):
    mesh, true = four
    ids = true.copy()
    ids[true >= 0] += 648518346349539862
    if kind == "uint64":
        ids = np.where(true < 0, 0, ids).astype("uint64") + np.uint64(1 << 63)
    np.savez(tmp_path / "truth.npz", label=np.where(true < 0, 0, 1), spine_id=ids)
    read = read_vertex_truth(tmp_path / "truth.npz", mesh).spine
    assert read.tolist() == (true + (kind == "uint64")).tolist()
    assert compare_spines("n", mesh, true, read)["matched"].sum() == 3
