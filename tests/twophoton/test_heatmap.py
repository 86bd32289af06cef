import numpy as np
import pandas as pd
import pytest
import torch

from spinome.scores.matching import match_points
from spinome.shipped import load_shipped
from spinome.twophoton.heatmap import (
    AROUND,
    HeadFinder,
    HeatMap,
    find_heads,
    half_of,
    heat_map,
    load_finder,
    peaks,
    planes_around,
    save_finder,
)
from spinome.twophoton.train_heatmap import _crop, _in_half, teach, teacher

VOXEL = (1.0, 0.12, 0.12)
POSITION = ["z_um", "y_um", "x_um"]


def constant(logit):
    """A network that says the same everywhere."""
    network = HeatMap().eval()
    with torch.no_grad():
        network.out.weight.zero_()
        network.out.bias.fill_(logit)
    return network


def spot(place, shape=(9, 100, 160), width=(0.9, 0.3, 0.3)):
    """A stack with one head at `place` (z, y, x) in um."""
    axes = np.meshgrid(*(np.arange(n) * size for n, size in zip(shape, VOXEL)), indexing="ij", sparse=True)
    return np.exp(-0.5 * sum(((axis - at) / sigma) ** 2 for axis, at, sigma in zip(axes, place, width)))


def test_a_peak_lies_where_the_heat_does():
    place = np.array([4.3, 6.07, 9.31])
    heat = spot(place)[:, ::2, ::2]
    # cells of two pixels have their centre half a pixel farther
    found = peaks(heat.astype(np.float32), VOXEL, VOXEL[1:])
    assert len(found) == 1
    error = found[POSITION].to_numpy()[0] - place - np.array([0, 0.06, 0.06])
    assert (np.abs(error) <= [0.2, 0.03, 0.03]).all()


def test_planes_are_a_micrometre_apart_and_the_last_slice_goes_on():
    assert planes_around(20, 10, 0.5).tolist() == [4, 6, 8, 10, 12, 14, 16]
    assert planes_around(5, 4, 1.0).tolist() == [1, 2, 3, 4, 4, 4, 4]
    assert planes_around(1, 0, 3.0).tolist() == [0] * (2 * AROUND + 1)


def test_what_taught_a_network_is_seen_by_the_other_one():
    networks = constant(-2.0), constant(2.0)
    image = np.full((2, 50, 70), 0.5, np.float32)
    apart = heat_map(image, 1.0, networks, apart=True)
    # the first half taught the first network
    assert (apart[:, :, :17] > 0.5).all() and (apart[:, :, 18:] < 0.5).all()
    np.testing.assert_allclose(heat_map(image, 1.0, networks), 0.5, atol=0.01)
    finder = HeadFinder(networks, ("m.f",))
    stack = spot((4, 6, 9)) * 100
    assert find_heads(stack, VOXEL, finder, "m.f")["heat"].max() > 0.8
    assert find_heads(stack, VOXEL, finder, "m.g")["heat"].max() < 0.6


def test_dark_slices_hold_nothing():
    assert not heat_map(np.zeros((3, 40, 40), np.float32), 1.0, (constant(2.0),)).any()


def test_the_map_to_learn_lies_over_the_image_however_it_is_turned():
    place = np.array([4.0, 6.0, 14.0])
    truth = pd.DataFrame([place], columns=POSITION)
    one = _in_half(teacher(100 * spot(place), VOXEL, truth, None, False), True)
    for seed in range(6):
        planes, target, counted = _crop(one, True, np.random.default_rng(seed))
        seen = planes.max(axis=0)
        highest = np.array(np.unravel_index(target.argmax(), target.shape))
        brightest = np.array(np.unravel_index(seen.argmax(), seen.shape))
        if target.max() > 0.5:
            assert np.abs(2 * highest + 0.5 - brightest).max() <= 4
        assert counted.any() and not counted.all()


def test_heads_are_learned_in_their_half_alone_and_beside_traced_dendrites():
    assert half_of((10, 20), np.array([[9, 1], [1, 11]])).tolist() == [False, True]
    assert half_of((20, 10), np.array([[9, 1], [11, 1]])).tolist() == [False, True]
    place = np.array([4.0, 6.0, 3.0])
    truth, node = (pd.DataFrame([at], columns=POSITION) for at in (place, place + np.array([0, 0, 1])))
    one = teacher(100 * spot(place), VOXEL, truth, node, False)
    assert [len(_in_half(one, half).heads) for half in (False, True)] == [1, 0]
    _, _, counted = _crop(_in_half(one, False), False, np.random.default_rng(0))
    assert 0 < counted.mean() < 0.6
    with pytest.raises(ValueError, match="train_heatmap"):
        teach([one], ["m.f"], steps=1)


def test_a_finder_is_kept_and_what_is_none_is_refused(tmp_path):
    finder = HeadFinder((constant(-1.0), constant(1.0)), ("m.f", "n.f"))
    save_finder(tmp_path / "a.safetensors", finder, {"spines": 3})
    again = load_finder(tmp_path / "a.safetensors")
    assert again.taught_by == ("m.f", "n.f")
    planes = torch.rand(1, 2 * AROUND + 1, 16, 16)
    for one, other in zip(finder.networks, again.networks):
        torch.testing.assert_close(one(planes), other(planes), atol=0.02, rtol=0.01)
    (tmp_path / "b.safetensors").write_text("x")
    with pytest.raises(ValueError, match=r"b\.safetensors: is no heat map"):
        load_finder(tmp_path / "b.safetensors")
    with pytest.raises(FileNotFoundError, match="train_heatmap"):
        load_finder(tmp_path / "c.safetensors")


def test_the_shipped_networks_find_heads(phantom_stack):
    found = find_heads(phantom_stack.stack, VOXEL, load_shipped("heatmap"))
    rows, _ = match_points(found[POSITION].to_numpy(), phantom_stack.heads, 0.5, 2.0)
    assert len(rows) >= 0.7 * len(phantom_stack.heads)
