"""Pictures of neurons and their spines."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import trimesh

from spinome.mesh.surface import Mesh
from spinome.neurons.classes import CLASSES
from spinome.neurons.spines import find_spines
from spinome.report import neurons as figures

SHAFT, SPINE, SOMA = (CLASSES.index(name) for name in ("shaft", "spine", "soma"))


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    for name, size in (("PIXELS", (76, 110)), ("WIDE_PIXELS", (96, 220))):
        monkeypatch.setattr(figures, name, size)
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def ball():
    """A ball whose upper part is a spine."""
    shape = trimesh.creation.icosphere(subdivisions=3, radius=1000.0)
    mesh = Mesh(np.asarray(shape.vertices), np.asarray(shape.faces))
    on_spine = mesh.vertices[:, 2] > 200
    spine, table = find_spines(mesh, on_spine, on_spine * 1.0)
    return mesh, spine, table


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_legend_names_only_what_is_there(ball):
    mesh, spine, _ = ball
    label = np.where(spine >= 0, SPINE, SHAFT)
    assert legend(figures.draw_neuron(mesh, label)) == ["shaft", "spine"]
    truth = np.where(spine >= 0, -1, SOMA)
    assert legend(figures.draw_neuron(mesh, label, truth)) == ["shaft", "spine", "soma", "no truth"]


def test_a_true_spine_has_the_colour_of_the_one_that_was_found(ball):
    mesh, spine, _ = ball
    place = np.zeros(3)
    one, two = figures.draw_instances(mesh, spine, place, np.where(spine >= 0, 7, -1)).axes
    assert np.array_equal(one.images[0].get_array(), two.images[0].get_array())
    missed = figures.draw_instances(mesh, np.full(len(spine), -1), place, spine).axes
    assert not np.array_equal(missed[0].images[0].get_array(), missed[1].images[0].get_array())


def test_the_gallery_tells_sizes_with_units(ball):
    mesh, spine, table = ball
    (axis,) = figures.draw_gallery(mesh, spine, table).axes
    row = table.iloc[0]
    assert axis.get_title() == f"{row['volume_um3']:.3f} um³\nhead {row['head_diameter_nm']:.0f} nm\nneck none"
    assert not figures.draw_gallery(mesh, spine, table.iloc[:0]).axes[0].images


def test_few_synapses_make_no_crowded_axis():
    neurons = pd.DataFrame(
        {
            "neuron": ["n", "failed"],
            "source": "sheet",
            "on_soma": [0, None],
            "on_shaft": [1, None],
            "on_spine": [1, None],
        }
    )
    synapses = pd.DataFrame({"tag": ["spine", "shaft", None], "value": [0.9, 0.6, None]})
    left, right = figures.draw_synapses(neurons, synapses).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["n (n=2)"]
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["spine", "shaft"]
    right.figure.draw_without_rendering()
    assert not any(tick.get_text() for tick in right.get_yticklabels(minor=True))


def test_histograms_of_few_spines(ball):
    _, _, table = ball
    axes = figures.draw_spines(table).axes
    assert [axis.get_xlabel() for axis in axes][:2] == ["volume (um³)", "head diameter (nm)"]
    axes[0].figure.draw_without_rendering()
    assert len(axes[0].get_yticks()) <= 6
