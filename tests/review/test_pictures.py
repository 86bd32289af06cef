"""Cuts of volumes as pictures."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from spinome.io.volumes import Volume
from spinome.review.pictures import coloured, cut, data_address, mesh_views, slices_view, squares, stretched


def volume(array):
    return Volume(array, (40.0, 8.0, 8.0), "made")


def test_squares_lie_where_they_should_at_the_edge_too():
    array = np.zeros((5, 20, 20), np.float32)
    array[2, 3, 17] = 1.0
    index = np.array([2.0, 3.0, 17.0])
    box = cut(volume(array), index, (10, 10), 1)
    assert box.middle == 1 and box.voxels.shape[0] == 3
    # ten pixels for ten voxels: the place lies between the pixels 4 and 5, where half of it is seen in each
    seen = squares(box, index, (1, 1), 10.0, 10, 1)[1]
    assert seen[4:6, 4:6] == pytest.approx(np.full((2, 2), 0.25))
    # beyond the volume there is nothing
    assert seen[:, 8:].sum() == 0 and seen.sum() == pytest.approx(1.0)
    labels = squares(cut(volume(array.astype(np.int64) * 7), index, (10, 10), 1), index, (1, 1), 10.0, 11, 0)[1]
    assert labels[5, 5] == 7 and (labels > 0).sum() == 1


def test_a_place_outside_is_shown_as_nothing():
    box = cut(volume(np.ones((3, 4, 4), np.float32)), np.array([-50.0, 400.0, 400.0]), (10, 10), 1)
    assert squares(box, np.array([-50.0, 400.0, 400.0]), (1, 1), 10.0, 8, 1).sum() == 0


def test_a_projection_is_one_picture():
    array = np.random.default_rng(0).random((9, 30, 30)).astype(np.float32)
    view = slices_view(
        "a", "u", volume(array), (1.0, 0.1, 0.1), 0.0, np.array([4.0, 1.5, 1.5]), 2.0, 2, 50, project=True
    )
    assert (view.slices, view.side_px, view.z_um) == (1, 50, 4.0)
    assert view.um_per_px == pytest.approx(0.04)


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_come_back_from_an_address_as_they_were(channels):
    colours = np.random.default_rng(0).integers(0, 256, (3, 20, 30, channels)).astype(np.uint8)
    address = data_address(colours)
    stored = io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,")))
    assert (np.asarray(Image.open(stored)) == colours.reshape(60, 30, channels)).all()


def test_grey_values_hardly_differ():
    grey = stretched(np.random.default_rng(0).normal(size=(2, 64, 64)))
    stored = io.BytesIO(base64.b64decode(data_address(grey).removeprefix("data:image/jpeg;base64,")))
    assert np.abs(np.asarray(Image.open(stored)).reshape(grey.shape).astype(int) - grey).max() < 20


def test_even_grey_values_are_a_picture():
    assert stretched(np.full((2, 5, 5), 7.0)).max() == 0


def test_each_label_has_its_colour_and_the_rest_is_clear():
    labels = np.zeros((1, 40, 40), int)
    labels[0, 5:15, 5:15], labels[0, 20:35, 20:35] = 3, 4
    over = coloured(labels, [3], ["#E69F00"], [""])
    assert over[0, 10, 10, :3].tolist() == [230, 159, 0] and 0 < over[0, 10, 10, 3] < 255
    assert over[0, 5, 10].tolist() == [230, 159, 0, 255]
    assert over[0, 30, 30].tolist() == [0, 0, 0, 0]


def test_a_mesh_without_a_vertex_near_is_not_drawn(sphere):
    assert mesh_views(sphere.vertices, sphere.faces, np.array([90_000.0, 0, 0])) == []
    near = mesh_views(sphere.vertices, sphere.faces, np.array([0, 0, 1000.0]))
    assert [view.title for view in near] == ["from the front", "from the side"]
