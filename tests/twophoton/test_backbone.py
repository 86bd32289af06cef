import numpy as np
import pandas as pd
import pytest

from spinome.twophoton.backbone import (
    NODE_COLUMNS,
    given_backbones,
    lengths_of,
    nearest_backbone,
    nodes,
    place_along,
    trace,
)
from spinome.twophoton.shaft import Shafts, shafts

VOXEL = (1.0, 0.12, 0.12)


def tube(ends, shape=(24, 160, 320), radius=0.5):
    """A bright tube of this radius between two places (2, 3) in um."""
    z, y, x = (axis * size for axis, size in zip(np.ogrid[tuple(slice(n) for n in shape)], VOXEL))
    body = np.zeros(shape)
    for pz, py, px in np.linspace(*ends, 60):
        near = np.exp(-((y - py) ** 2 + (x - px) ** 2) / radius**2 - (z - pz) ** 2 / 2.0)
        body = np.maximum(body, near)
    return (200 * body).astype(np.float32)


def test_a_straight_dendrite_has_its_length(phantom_stack):
    (backbone,) = trace(phantom_stack.stack, phantom_stack.voxel_um, shafts(phantom_stack.stack, (0.12, 0.12)))
    # 200 pixels of 0.12 um; the skeleton of the mask ends a little before the field does
    assert backbone.length_um == pytest.approx(24.0, abs=1.5)


def test_the_course_through_depth_counts():
    nodes = np.array([[3.0, 9, 3], [20, 9, 35]])
    stack = tube(nodes)
    (backbone,) = trace(stack, VOXEL, shafts(stack, VOXEL[1:]))
    assert backbone.length_um == pytest.approx(np.linalg.norm(nodes[1] - nodes[0]), rel=0.08)


def test_a_branch_counts_and_a_bump_does_not():
    mask = np.zeros((160, 320), np.int32)
    mask[78:84, 10:310] = 1
    mask[20:80, 150:156] = 1
    mask[66:80, 230:236] = 1
    stack = np.zeros((3, 160, 320), np.float32)
    (backbone,) = trace(stack, VOXEL, Shafts(mask, np.ones(mask.shape)))
    # a skeleton ends half a width before its mask does, at three ends
    assert backbone.length_um == pytest.approx((300 + 60 - 9) * 0.12, abs=1.0)
    spines = pd.DataFrame(
        {"dendrite": 1, "y_um": 0.0, "x_um": 0.0, "base_y_um": [9.7, 9.7, 3.0], "base_x_um": [6.0, 30.0, 18.3]}
    )
    along = place_along(spines, [backbone])
    # the third sits on the branch, 0.12 x 55 um off the middle of the dendrite
    np.testing.assert_allclose(along, [6 - 1.3, 30 - 1.3, 18.3 - 1.3 + 6.6], atol=1.0)


def test_what_is_on_no_dendrite_has_no_place_along_it(phantom_stack):
    spines = pd.DataFrame(
        {"dendrite": [-1], "y_um": [3.0], "x_um": [4.0], "base_y_um": [np.nan], "base_x_um": [np.nan]}
    )
    found = trace(phantom_stack.stack, phantom_stack.voxel_um, shafts(phantom_stack.stack, (0.12, 0.12)))
    assert np.isnan(place_along(spines, found)).all()
    empty = np.zeros((4, 30, 30), np.float32)
    assert trace(empty, VOXEL, shafts(empty, VOXEL[1:])) == []
    assert list(nodes([], False).columns) == NODE_COLUMNS


def test_given_backbones_take_the_place_of_traced_ones():
    given = pd.DataFrame({"dendrite": [3, 3, 3, 7, 7], "z_um": [0.0, 0, 4, 0, 0], "y_um": [5.0, 5, 8, 20, 20]})
    backbones = given_backbones(given.assign(x_um=[0.0, 10, 10, 0, 15]))
    assert lengths_of(nodes(backbones, True))["length_um"].tolist() == [15, 15]
    spines = pd.DataFrame(
        {"y_um": [6.0, 19.0, 12.5], "x_um": [4.0, 9.0, 4.0], "base_y_um": np.nan, "base_x_um": np.nan}
    )
    spines["dendrite"] = nearest_backbone(spines, backbones)
    assert spines["dendrite"].tolist() == [3, 7, -1]
    along = place_along(spines, backbones)
    np.testing.assert_allclose(along[:2], [4, 9], atol=0.15)
    assert np.isnan(along[2])
    assert nearest_backbone(spines, []).tolist() == [-1, -1, -1]
