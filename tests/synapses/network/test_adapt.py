"""A network takes over the statistics of a volume, and nothing else of it."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional

from spinome.io.volumes import Volume
from spinome.normalisation import SHARE
from spinome.phantom.em import render_cutout
from spinome.phantom.specimen import grow_specimen
from spinome.shipped import shipped_file
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import Grey, measure_grey
from spinome.synapses.network.adapt import adapt
from spinome.synapses.network.tiles import TILE
from spinome.synapses.network.unet import load_network, shrink

VOXEL_NM = (40.0, 10.0, 10.0)


@pytest.fixture(scope="module")
def network():
    return load_network(shipped_file("synapses", ".safetensors"))


@pytest.fixture(scope="module")
def evidence():
    """A few sections of blobs, smaller than a tile."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(6, 96, 112)), (0.5, 2, 2))
    image = np.clip(128 + 30 * noise / noise.std(), 0, 255).astype(np.uint8)
    return Evidence(Volume(image, VOXEL_NM, "blobs"), Grey(128.0, 30.0))


def statistics(network):
    return {name: value for name, value in network.net.state_dict().items() if "running" in name}


def test_the_first_layer_moves_a_share_of_the_way_to_what_it_sees(network, evidence):
    assert all(length >= size for length, size in zip(TILE, evidence.image.shape))
    seen = torch.from_numpy(shrink(evidence.grey.levels(evidence.image[:]), network.factors(VOXEL_NM)))[None, None]
    convolution = network.net.fine[0][0]
    with torch.no_grad():
        out = functional.conv3d(seen, convolution.weight, stride=convolution.stride, padding=convolution.padding)
    first = "fine.0.1.running_"
    before, after = statistics(network), statistics(adapt(network, evidence))
    for name, measured in (("mean", out.mean((0, 2, 3, 4))), ("var", out.var((0, 2, 3, 4)))):
        expected = (1 - SHARE) * before[first + name] + SHARE * measured
        torch.testing.assert_close(after[first + name], expected, rtol=1e-4, atol=1e-5)


def test_weights_stay_and_the_given_network_as_well(network, evidence):
    before = {name: value.clone() for name, value in network.net.state_dict().items()}
    adapted = adapt(network, evidence)
    assert adapted.card == {**network.card, "moved": adapted.card["moved"]} and not adapted.net.training
    for name, value in adapted.net.state_dict().items():
        assert torch.equal(before[name], network.net.state_dict()[name])
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(value, before[name]), name


def test_the_same_comes_out_again(network, evidence):
    first, second = (statistics(adapt(network, evidence)) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_inverted_tissue_moves_the_network_farther_than_it_was_tuned_for(network):
    specimen = grow_specimen(
        52, [0], (24, 192, 192), VOXEL_NM, (40, 256, 320), spines_per_um=2.4, soma_radius_um=3.0, passing_dendrites=8
    )
    image = render_cutout(specimen)[0]["image"]
    for values, beyond in ((image, False), (255 - image, True)):
        volume = Volume(values, VOXEL_NM, "cutout")
        moved = adapt(network, Evidence(volume, measure_grey(volume))).card["moved"]
        assert (moved > network.card["most moved"]) == beyond
