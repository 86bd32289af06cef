"""Volumes of any size of voxel reach a network that knows one, and its answer comes back to their voxels."""

import numpy as np
import pytest
import torch
from torch import nn

from spinome.cuboids import cuboids
from spinome.io.volumes import Volume
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import Grey
from spinome.synapses.network import resampled
from spinome.synapses.network.adapt import adapt
from spinome.synapses.network.published import VOXEL_NM, PublishedNet
from spinome.synapses.network.resampled import read_pixels, resampled_probability, scales, tile_size
from spinome.synapses.network.unet import Network

GREY = Grey(resampled.CENTRE, resampled.CONTRAST)


def evidence_of(image, voxel_nm, grey=GREY):
    return Evidence(Volume(image, voxel_nm, "image"), grey)


def whole(shape):
    return next(iter(cuboids(shape, shape)))


class Echo(nn.Module):
    """Gives its image back as a probability."""

    def __init__(self):
        super().__init__()
        self.device = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return torch.logit(x, 1e-6)


@pytest.mark.parametrize(
    ("voxel_nm", "expected"),
    [((40, 7.16, 7.16), (1, 1, 1)), ((47.5, 4.6, 4.6), (1, 1.557, 1.557)), ((10, 10, 10), (4, 0.716, 0.716))],
)
def test_how_many_voxels_make_one_of_the_network(voxel_nm, expected):
    assert scales(voxel_nm) == pytest.approx(expected, abs=0.001)


def test_grey_values_over_255_are_what_the_network_sees_of_its_own_tissue():
    image = np.random.default_rng(0).integers(30, 240, (3, 40, 48)).astype(np.uint8)
    seen, first = read_pixels(evidence_of(image, VOXEL_NM), whole(image.shape).core)
    assert first == [0, 0, 0] and seen.shape == (1, 1, 3, 40, 48)
    # levels are rounded to a 32nd of the spread
    np.testing.assert_allclose(seen[0, 0].numpy(), image / 255, atol=0.7 * resampled.CONTRAST / 32 / 255)


@pytest.mark.parametrize("voxel_nm", [VOXEL_NM, (47.5, 4.6, 4.6), (30, 12.0, 12.0), (20, 5.0, 9.0), (60, 3.58, 3.58)])
def test_a_slope_comes_back_at_its_place(monkeypatch, voxel_nm):
    """There and back again, over tiles, a slope in plane and a step between sections keep their places."""
    monkeypatch.setattr(resampled, "TILE", (4, 24, 24))
    shape = (8, 90, 110)
    z, y, x = np.indices(shape)
    image = (40 + y + 0.5 * x + 20 * (z >= 4)).astype(np.uint8)
    found = resampled_probability(evidence_of(image, voxel_nm), whole(shape), Network(Echo(), {}))
    edge = slice(6, -6)
    np.testing.assert_allclose(found[:, edge, edge], (image / 255)[:, edge, edge], atol=0.006)


@pytest.mark.parametrize("voxel_nm", [(47.5, 4.6, 4.6), (30, 12.0, 12.0), (20, 7.16, 7.16)])
def test_probabilities_do_not_depend_on_the_cuboid(monkeypatch, voxel_nm):
    monkeypatch.setattr(resampled, "TILE", (4, 32, 32))
    torch.manual_seed(1)
    net = PublishedNet().eval()
    nn.init.normal_(net.head.weight, std=0.6)
    network = Network(net, {})
    image = np.random.default_rng(0).integers(0, 255, (4, 44, 52)).astype(np.uint8)
    evidence = evidence_of(image, voxel_nm, Grey(128.0, 70.0))
    expected = resampled_probability(evidence, whole(image.shape), network)
    assert np.ptp(expected) > 0.2
    for size in ((4, 32, 40), (3, 29, 52)):
        found = np.empty_like(expected)
        for piece in cuboids(expected.shape, size):
            found[piece.core] = resampled_probability(evidence, piece, network)
        np.testing.assert_array_equal(found, expected)
    assert all(length >= 1 for length in tile_size(voxel_nm))


def test_the_published_network_can_be_fitted_to_a_volume():
    torch.manual_seed(0)
    network = Network(PublishedNet().eval(), {})
    image = np.random.default_rng(0).integers(0, 255, (4, 40, 40)).astype(np.uint8)
    fitted = adapt(network, evidence_of(image, VOXEL_NM))
    before, after = network.net.state_dict(), fitted.net.state_dict()
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert moved and all("running" in name or "num_batches" in name for name in moved)
