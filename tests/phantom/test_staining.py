"""A cutout as real tissue looks: another look for each specimen, and synapses that are where the truth says."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from spinome.phantom.em import render_cutout
from spinome.phantom.staining import Staining


@pytest.fixture(scope="module")
def varied(specimen):
    return render_cutout(specimen, varied=True)[0]


def test_only_grey_values_and_the_bars_of_synapses_differ(cutout, varied):
    plain = cutout[0]
    for name in ("segmentation", "detached", "vesicles", "membrane", "mask"):
        np.testing.assert_array_equal(varied[name], plain[name])
    assert varied["image"].dtype == np.uint8 and varied["image"].shape == plain["image"].shape
    assert np.abs(varied["image"].astype(int) - plain["image"]).mean() > 10
    # bars add voxels to some synapses, and take none away
    had = plain["synapses"] > 0
    np.testing.assert_array_equal(varied["synapses"][had], plain["synapses"][had])
    assert set(np.unique(varied["synapses"])) == set(np.unique(plain["synapses"]))


def test_synapses_are_darker_than_what_lies_beside_them(varied):
    image, darker = varied["image"].astype(float), []
    for synapse in np.unique(varied["synapses"])[1:]:
        inside = varied["synapses"] == synapse
        around = binary_dilation(inside, np.ones((1, 9, 9))) & ~inside
        darker.append(image[around].mean() - image[inside].mean())
    assert np.median(darker) > 5


def test_each_specimen_has_a_look_of_its_own_and_keeps_it():
    looks = [dataclasses.astuple(Staining.draw(seed)) for seed in range(40)]
    assert Staining.draw(3) == Staining.draw(3)
    spread = np.std(looks, axis=0) / np.abs(np.mean(looks, axis=0))
    assert (spread > 0.1).all()
    assert {look.myelin > 0 for look in map(Staining.draw, range(40))} == {True, False}
