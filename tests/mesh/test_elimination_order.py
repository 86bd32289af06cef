import numpy as np
import trimesh

from spinome.mesh import elimination_order as elimination
from spinome.mesh.elimination_order import eliminate
from spinome.mesh.laplacian import mesh_laplacian


def work(pattern):
    return (np.diff(pattern.columns).astype(float) ** 2).sum()


def test_a_long_tube_has_few_entries_a_vertex(tube):
    stiffness, _ = mesh_laplacian(tube.vertices, tube.faces)
    pattern = eliminate(stiffness)
    assert sorted(pattern.order) == list(range(len(tube.vertices)))
    assert len(pattern.column_rows) < 25 * len(tube.vertices)


def test_a_soma_is_dissected(monkeypatch):
    ball = trimesh.creation.icosphere(subdivisions=5, radius=5000.0)
    stiffness, _ = mesh_laplacian(*map(np.asarray, (ball.vertices, ball.faces)))
    dissected = eliminate(stiffness)
    monkeypatch.setattr(elimination, "HEAVY", np.inf)
    assert work(dissected) < 0.6 * work(eliminate(stiffness))
    assert dissected.dense < len(ball.vertices)


def test_a_worse_order_is_not_taken(sphere, monkeypatch):
    stiffness, _ = mesh_laplacian(sphere.vertices, sphere.faces)
    monkeypatch.setattr(elimination, "HEAVY", 0)
    monkeypatch.setattr(elimination, "DENSE", 20)
    monkeypatch.setattr(elimination, "_dissect", lambda graph, nodes: np.sort(nodes))
    taken = work(eliminate(stiffness))
    monkeypatch.setattr(elimination, "HEAVY", np.inf)
    assert taken == work(eliminate(stiffness))
