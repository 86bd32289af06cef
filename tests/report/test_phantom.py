"""Pictures of simulated specimens."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from spinome.io.meshes import Mesh
from spinome.report.phantom import draw_em, draw_mesh, draw_session
from spinome.report.style import COLOURS


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_the_nearest_label_of_a_pixel_is_the_one_that_is_seen():
    square = np.array([[0, 0], [2000, 0], [0, 2000], [2000, 2000.0]])
    vertices = np.concatenate([np.c_[square, np.full(4, z)] for z in (0.0, 900.0)])
    faces = np.array([[0, 1, 2], [1, 3, 2], [4, 5, 6], [5, 7, 6]])
    for labels, seen in ((np.repeat([1, 0], 4), "spine"), (np.repeat([0, 1], 4), "shaft")):
        image = draw_mesh(Mesh(vertices, faces, {"label": labels})).axes[0].images[0].get_array()
        painted = np.asarray(image).reshape(-1, 3)
        painted = painted[(painted < 0.9).any(axis=1)]
        ratio = painted / np.array(to_rgb(COLOURS[seen]))
        assert np.allclose(ratio, ratio[:, :1])


def test_em_marks_dendrites_and_synapses():
    dendrites, synapses = np.zeros((8, 8), int), np.zeros((8, 8), int)
    dendrites[:4], synapses[6] = 5, 1
    over = draw_em(np.zeros((8, 8), np.uint8), dendrites, synapses, 0.012).axes[1].images[1].get_array()
    alpha = np.asarray(over)[..., 3]
    assert (alpha[:4] > 0).all() and (alpha[6] > alpha[0]).all() and (alpha[4:6] == 0).all()


def test_a_session_marks_its_spines_in_micrometres():
    truth = pd.DataFrame({"tip_x_px": [10.0], "tip_y_px": [20.0]})
    axes = draw_session(np.random.default_rng(0).random((3, 40, 40)), truth, (1.0, 0.12, 0.12)).axes[1]
    (points,) = [line for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(points.get_xydata(), [[1.2, 2.4]])
