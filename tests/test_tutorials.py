"""The code of the documentation's pages runs as it stands."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import trimesh

from spinome.neurons.pipeline import label_neuron

REPOSITORY = Path(__file__).parents[1]


def run_blocks(page):
    """Run the Python of a page from top to bottom; returns the names it leaves."""
    names = {"MODELS": REPOSITORY / "workflow" / "models"}
    for block in re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / page).read_text(), re.DOTALL):
        exec(compile(block, page, "exec"), names)
    return names


@pytest.fixture
def neuron(tmp_path, monkeypatch):
    """A folder with a mesh and three synapses on it, a fourth one far away."""
    mesh = trimesh.creation.capsule(height=8000.0, radius=600.0, count=[24, 24]).subdivide()
    mesh.export(tmp_path / "neuron.ply")
    points = np.concatenate([np.asarray(mesh.vertices)[::400][:3], [[1e6, 0, 0]]])
    table = pd.DataFrame(points, columns=[f"ctr_pt_position_{axis}" for axis in "xyz"])
    table.assign(id=range(4), pre_pt_root_id=7, post_pt_root_id=8).to_csv(tmp_path / "synapses.csv", index=False)
    monkeypatch.chdir(tmp_path)


def test_neurons(neuron):
    names = run_blocks("neurons.md")
    whole = names["neuron"]
    assert np.isfinite(names["signature"]).all()
    assert len(whole.vertices.probability) == len(names["mesh"].vertices)
    assert whole.synapses["tag"].notna().tolist() == [True, True, True, False]
    assert whole.synapses["reason"].notna().tolist() == [False, False, False, True]
    # one line does what the steps do
    pd.testing.assert_frame_equal(whole.synapses, names["table"])
    pd.testing.assert_frame_equal(whole.spines, names["spines"])
    assert np.array_equal(whole.vertices.spine, names["labelled"].spine)
    assert label_neuron(names["mesh"], names["forest"]).synapses is None
