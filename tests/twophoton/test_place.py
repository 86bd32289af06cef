"""Where a head lies, by the light around a candidate."""

import numpy as np
import pandas as pd
import pytest

from spinome.twophoton.place import GRID, WIDTHS, learn_place, moved, moves, offsets_in_frame, profiles

VOXEL = (1.0, 0.12, 0.12)


def test_light_is_taken_in_the_frame_of_the_shaft():
    # a ramp along y: outward it rises or falls as the shaft lies, along the shaft it is even
    light = np.broadcast_to(np.linspace(0, 1, 100)[:, None], (12, 100, 100))
    outward = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    z, out, along = profiles(light, VOXEL, np.full((3, 3), 6.0), outward, np.ones(3))
    assert [own.shape[1] for own in (z, out, along)] == list(WIDTHS)
    rises = np.diff(out.reshape(3, 2, GRID[1]), axis=2)
    assert (rises[0] > 0).all() and (rises[1] < 0).all() and np.allclose(rises[2], 0, atol=1e-6)
    assert np.allclose(np.diff(along.reshape(3, 2, GRID[2])[:2], axis=2), 0, atol=1e-6)
    assert np.allclose(z.reshape(3, 3, GRID[0])[:, 0].std(axis=1), 0, atol=1e-6)


def test_moves_undo_offsets():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 50)
    outward = np.column_stack([np.sin(angle), np.cos(angle)])
    offsets = rng.uniform(-0.5, 0.5, (50, 3))
    told = offsets_in_frame(offsets, outward)
    described = [told[:, [axis]] for axis in range(3)]
    weights = learn_place(described, told)
    np.testing.assert_allclose(moves(described, weights, outward), offsets, atol=0.02)


def test_no_candidate_is_moved_far_and_none_out_of_the_stack():
    frame = pd.DataFrame({"z_um": [0.5, 8.0], "y_um": [3.0, 3.0], "x_um": [3.0, 3.0]})
    step = moves([np.full((2, 1), -50.0)] * 3, [[1.0, 0.0]] * 3, np.array([[1.0, 0.0]] * 2))
    out = moved(frame, step, (10, 40, 40), (1.0, 0.12, 0.12))
    assert out["z_um"].tolist() == [0.0, 6.0] and out["y_um"].tolist() == pytest.approx([2.4, 2.4])
    out = moved(frame.assign(y_um=0.1, x_um=4.5), -step, (10, 40, 36), (1.0, 0.12, 0.12))
    assert out["y_um"].tolist() == pytest.approx([0.7, 0.7]) and (out["x_um"] <= 35 * 0.12).all()
    assert moved(frame.assign(y_um=0.1), step, (10, 40, 40), (1.0, 0.12, 0.12))["y_um"].tolist() == [0.0, 0.0]


def test_nobody_to_learn_from_leaves_all_where_it_is():
    weights = learn_place([np.ones((3, width)) for width in WIDTHS], np.full((3, 3), np.nan))
    assert not moves([np.ones((3, width)) for width in WIDTHS], weights, np.tile([1.0, 0.0], (3, 1))).any()
    assert [
        own.shape for own in profiles(np.zeros((3, 9, 9)), VOXEL, np.zeros((0, 3)), np.zeros((0, 2)), np.zeros(0))
    ] == [(0, width) for width in WIDTHS]
