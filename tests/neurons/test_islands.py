import numpy as np
import pytest

from spinome.mesh.surface import mesh_edges, vertex_areas
from spinome.neurons.classes import CLASSES
from spinome.neurons.islands import LARGEST_UM2, without_islands
from spinome.neurons.spines import label_mesh

SHAFT, SPINE = CLASSES.index("shaft"), CLASSES.index("spine")


def settle(mesh, label, sure=0.8):
    """The classes of the vertices of a mesh after islands are settled, and their probabilities."""
    probability = np.full((len(label), 3), (1 - sure) / 2)
    probability[np.arange(len(label)), label] = sure
    found = without_islands(probability, mesh_edges(mesh.faces), vertex_areas(mesh.vertices, mesh.faces))
    return found.argmax(axis=1), found


def ring(tube, low, high):
    """Where along the tube, in um, a vertex lies between."""
    return (tube.vertices[:, 0] >= low * 1000) & (tube.vertices[:, 0] < high * 1000)


def test_a_small_place_that_spine_surrounds_is_spine(tube):
    # shaft up to 20 um, then spine with a ring of 0.25 um in it, which is 0.8 um^2
    label = np.where(ring(tube, 20, 31), SPINE, SHAFT)
    island = ring(tube, 25, 25.25)
    label[island] = SHAFT
    found, probability = settle(tube, label)
    assert (found[island] == SPINE).all()
    assert np.array_equal(found[~island], label[~island])
    # as sure as it was of the other class, and no more
    assert probability[island, SPINE] == pytest.approx(0.8)
    assert probability.sum(axis=1) == pytest.approx(1)


def test_a_large_place_and_the_largest_of_a_piece_stay(tube):
    label = np.where(ring(tube, 20, 31), SPINE, SHAFT)
    large = ring(tube, 25, 26)
    area = vertex_areas(tube.vertices, tube.faces)
    assert area[large].sum() > LARGEST_UM2 * 1e6
    label[large] = SHAFT
    assert np.array_equal(settle(tube, label)[0], label)
    alone = np.full(len(label), SPINE)
    alone[ring(tube, 25, 25.25)] = SHAFT
    assert np.array_equal(settle(tube, alone)[0], alone)


def test_a_place_that_touches_the_soma_is_no_island(tube):
    label = np.where(ring(tube, 20, 31), SPINE, SHAFT)
    label[ring(tube, 25, 25.25)] = SHAFT
    label[ring(tube, 25.25, 31)] = CLASSES.index("soma")
    assert np.array_equal(settle(tube, label)[0], label)


def test_spines_are_found_with_the_places_that_belong_to_them(tube):
    label = np.where(ring(tube, 20, 31), SPINE, SHAFT)
    island = ring(tube, 25, 25.25)
    label[island] = SHAFT
    probability = np.eye(3)[label] * 0.7 + 0.1
    labelled, spines = label_mesh(tube, probability)
    assert (labelled.label[island] == SPINE).all()
    assert len(np.unique(labelled.spine[island])) == 1 and labelled.spine[island].min() >= 0
    assert len(spines) == 1
