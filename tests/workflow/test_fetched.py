"""Meshes from addresses that need not stay: there, gone, and there again, with nothing left of them."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from spinome.io.damage import DamagedError
from spinome.io.meshes import read_mesh
from spinome.neurons.units import NeuronUnit, mesh_hash
from spinome.retrieve.mesh import fetch_mesh
from spinome.workflow.fetched import Fetched
from spinome.workflow.reviewed import reader_of
from spinome.workflow.shards import Unit, run_shard

STORE = Path("results/units/retrieve_mesh")


def serve(number, length=4000):
    """Write a box of a length in nm as the mesh of a number."""
    mesh = trimesh.creation.box(extents=(length, 4000, 4000)).subdivide()
    head = np.uint32(len(mesh.vertices)).tobytes()
    Path(f"meshes/{number}:0").write_text(json.dumps({"fragments": [f"{number}:0:0"]}))
    Path(f"meshes/{number}:0:0").write_bytes(
        head + mesh.vertices.astype("<f4").tobytes() + mesh.faces.astype("<u4").tobytes()
    )


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """Run the step that fetches the neurons a and b; gives those that it asked for, and its meshes for a later step."""
    monkeypatch.chdir(tmp_path)
    Path("meshes").mkdir()
    Path("meshes/info").write_text('{"@type": "neuroglancer_legacy_mesh"}')
    addresses = {name: f"file://{tmp_path}/meshes::{number}" for number, name in enumerate("ab", start=1)}
    for number in (1, 2):
        serve(number)

    def run(store=STORE, leaves=True):
        asked = []

        def compute(unit, part):
            asked.append(unit.name)
            fetch_mesh(addresses[unit.name], None, part)

        places = {"done": "results/retrieve/mesh/0.parquet", "failures": "failures.parquet"}
        run_shard(map(Unit, addresses), compute, step="s", store=store, suffix=".npz", key="k", lent=True, **places)
        rule = SimpleNamespace(
            input=SimpleNamespace(fetched=[places["done"]]),
            params=SimpleNamespace(aside=SimpleNamespace(addresses=addresses)),
            config={"retrieve": {"base_url": None}},
            log=["results/logs/neurons_spines/0.log"],
            rule="neurons_spines",
        )
        return asked, Fetched.of(rule, leaves)

    run.addresses = addresses
    return run


def neuron(fetched, name):
    return NeuronUnit(name, "sheet", name, str(fetched[name]))


def test_a_mesh_that_is_let_go_while_it_is_read_is_fetched_again(fetched, monkeypatch):
    _, meshes = fetched()
    expected = meshes.read(neuron(meshes, "a"))
    reading = read_mesh

    def gone(source):
        if source == str(meshes["a"]):
            Path(source).unlink()
        return reading(source)

    monkeypatch.setattr("spinome.workflow.fetched.read_mesh", gone)
    np.testing.assert_array_equal(meshes.read(neuron(meshes, "a")).vertices, expected.vertices)


def test_a_mesh_that_was_let_go_is_fetched_again_and_left_for_the_steps_after(fetched):
    asked, meshes = fetched()
    assert asked == ["a", "b"]
    first, hashed = meshes.read(neuron(meshes, "a")), mesh_hash(str(meshes["a"]))
    meshes.let_go()
    assert not list(STORE.glob("*/*.npz")) and [file.read_text() for file in STORE.glob("*/*")] == ["26", "26"]
    # they count as fetched, and their content is known
    asked, meshes = fetched()
    assert asked == [] and meshes.hash(neuron(meshes, "a")) == hashed
    again = meshes.read(neuron(meshes, "a"))
    assert np.array_equal(again.vertices, first.vertices) and np.array_equal(again.faces, first.faces)
    assert [file.name[0] for file in STORE.glob("*/*.npz")] == ["a"]
    # from the file, though nothing is served any more
    Path("meshes/1:0").unlink()
    assert np.array_equal(meshes.read(neuron(meshes, "a")).vertices, first.vertices)
    meshes.let_go()
    with pytest.raises(ValueError, match="has no mesh 1"):
        meshes.read(neuron(meshes, "a"))
    # of a figure it is left out
    assert meshes.read_if_had(neuron(meshes, "a")) is None and meshes.read_if_had(neuron(meshes, "b"))


def test_what_no_later_step_lets_go_is_not_left(fetched):
    fetched()[1].let_go()
    meshes = fetched(leaves=False)[1]
    assert len(meshes.read(neuron(meshes, "b")).vertices) == 26
    assert not [file for file in STORE.glob("*/*") if file.suffix != ".spent"]


def test_a_damaged_mesh_is_fetched_again(fetched):
    meshes = fetched()[1]
    meshes["a"].write_bytes(meshes["a"].read_bytes()[:-10])
    assert len(meshes.read(neuron(meshes, "a")).vertices) == 26


def test_an_address_that_gives_another_mesh_is_told_and_taken_by_the_next_run(fetched):
    meshes = fetched()[1]
    meshes.let_go()
    serve(2, length=5000)
    with pytest.raises(DamagedError, match="::2 gives another mesh than before; run again"):
        meshes.read(neuron(meshes, "b"))
    asked, meshes = fetched()
    # with all others of its shard that are not there, which may be others now, too
    assert asked == ["a", "b"] and np.ptp(meshes.read(neuron(meshes, "b")).vertices[:, 0]) == 5000


def test_meshes_that_stay_are_as_they_were(fetched):
    meshes = fetched(store=Path("resources/units/retrieve_mesh"))[1]
    assert meshes.hash(neuron(meshes, "a")) is None
    meshes.let_go()
    assert meshes["a"].exists()
    meshes["a"].unlink()
    with pytest.raises(DamagedError, match="was damaged or is gone"):
        dict(meshes.items())


def test_a_mesh_that_did_not_stay_is_fetched_to_be_looked_at(fetched):
    path = "resources/meshes/a.npz"
    study = SimpleNamespace(
        neuron_of={"a": SimpleNamespace(mesh=path)},
        mesh_addresses={"a": fetched.addresses["a"]},
        config={"retrieve": {"base_url": None}},
    )
    assert len(reader_of(study)(path).vertices) == 26
    assert not Path(path).exists()
