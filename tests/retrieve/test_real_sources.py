"""What the rules make of the real archives equals the reference copies, where both are at hand."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spinome.retrieve.archives import read_member
from spinome.retrieve.meshparty import read_mesh, read_meshwork_synapses
from spinome.retrieve.morph_spines import label_neuron

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def archive():
    """Return a function that gives a source archive that the workflow has retrieved, or skips the test."""

    def find(name):
        folder = Path(os.environ.get("SPINOME_RESOURCES", REPOSITORY / "resources"))
        path = folder / "archives" / f"{name}.tar.gz"
        if not path.exists():
            pytest.skip(f"{path} is absent; `make demo` retrieves it")
        return path

    return find


def test_meshparty_neuron(archive, shared_data):
    mesh_file = shared_data("neurons/648518346349539862_mesh.npz")
    file = read_member(archive("meshparty-2.0.3"), "meshparty-2.0.3/test/test_files/648518346349539862_meshwork.h5")
    mesh = read_mesh(file, "mesh")
    reference = np.load(mesh_file)
    assert np.array_equal(mesh.vertices.astype(np.float32), reference["vertices_nm"])
    assert np.array_equal(mesh.faces, reference["faces"])
    expected = pd.read_parquet(shared_data("neurons/648518346349539862_synapses.parquet"))
    pd.testing.assert_frame_equal(read_meshwork_synapses(file), expected)


def test_morph_spines_labels(archive, shared_data):
    reference = np.load(shared_data("neurons/864691134900032266_labelled.npz"))
    name, files = "morph_spines_visualizer-0.3.0", "morph_spines_visualizer-0.3.0/data/864691134900032266"
    obj, parts = (read_member(archive(name), f"{files}.{kind}") for kind in ("obj", "h5"))
    mesh = label_neuron(obj, parts, "864691134900032266")
    assert np.array_equal(mesh.vertex_data["spine_id"], reference["spine_id"])
    assert (mesh.vertex_data["label"] != reference["label"]).mean() < 1e-3
