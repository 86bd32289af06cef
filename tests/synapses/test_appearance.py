"""What a volume looks like: the same tissue however bright it is, another where something is wrong with it."""

import numpy as np
import pytest
from scipy import ndimage

from spinome.io.volumes import Volume
from spinome.limits import unlikeness
from spinome.shipped import shipped_file
from spinome.synapses.appearance import (
    DEPTH,
    FINE,
    GREYS,
    INSIDE,
    LIMIT,
    SIZE,
    THICKNESS,
    TRAITS,
    UNEVEN,
    describe_appearance,
    judge_limits,
    known_of,
)
from spinome.synapses.classifiers import load_card
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import measure_grey

VOXEL_NM = (40.0, 9.0, 9.0)


def tissue(seed=0, shape=(16, 256, 512)):
    """Dark lines on a lighter ground, that go on from section to section: float, mean 0."""
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = ndimage.gaussian_filter(noise, (1, 4, 4))
    lines = -np.exp(-((smooth / smooth.std()) ** 2) * 8)
    return lines + 0.05 * noise


def evidence_of(values, gain=60.0, offset=170.0, voxel_nm=VOXEL_NM):
    image = Volume(np.clip(offset + gain * values, 1, 255).astype(np.uint8), voxel_nm, "image")
    return Evidence(image, measure_grey(image))


@pytest.fixture(scope="module")
def known():
    return known_of([evidence_of(tissue(seed)) for seed in range(3)])


def spoilt(kind):
    """The tissue with something wrong with it."""
    values, rng = tissue(9), np.random.default_rng(1)
    if kind == "noise":
        return values + 0.5 * rng.normal(size=values.shape)
    if kind == "blur":
        return ndimage.gaussian_filter(values, (0, 4, 4))
    if kind == "inverted":
        return -values - 1
    if kind == "uneven":
        return values * np.exp(rng.normal(0, 0.5, (len(values), 1, 1))) + rng.normal(0, 0.3, (len(values), 1, 1))
    if kind == "lost":
        values[1::2] = values.mean()
    if kind == "zoomed":
        return ndimage.zoom(values[:, :64, :128], (1, 4, 4), order=1)
    return values


def test_more_of_the_same_is_within_the_limits_however_bright_it_is(known):
    for gain, offset in ((60, 170), (30, 120)):
        far, _ = unlikeness(known, describe_appearance(evidence_of(spoilt("nothing"), gain, offset)))
        assert far < LIMIT


@pytest.mark.parametrize(
    ("kind", "differs"),
    [
        ("noise", {FINE}),
        ("blur", {FINE}),
        ("zoomed", {FINE}),
        ("inverted", {GREYS}),
        ("uneven", {UNEVEN}),
        ("lost", {DEPTH, UNEVEN}),
    ],
)
def test_what_is_wrong_is_beyond_the_limits_and_named(known, kind, differs):
    judged = judge_limits(evidence_of(spoilt(kind)), {"training data": known.for_card()})
    assert judged["unlike"] and judged["unlikeness"] > LIMIT
    assert judged["differs"] in differs and "synapses.train" in judged["remedy"]


@pytest.mark.parametrize(
    ("voxel_nm", "differs"),
    [
        ((40.0, 72.0, 72.0), {SIZE}),
        ((40.0, 9 / 8, 9 / 8), {FINE}),
        ((320.0, 9.0, 9.0), {THICKNESS}),
        ((5.0, 9.0, 9.0), {THICKNESS}),
    ],
)
def test_another_resolution_by_a_factor_of_8_is_told_of(known, voxel_nm, differs):
    judged = judge_limits(
        evidence_of(tissue(9, (16, 512, 512)), voxel_nm=voxel_nm), {"training data": known.for_card()}
    )
    assert judged["unlike"] and judged["differs"] in differs


@pytest.mark.parametrize(("moved", "beyond"), [(0.02, False), (0.05, False), (0.051, True), (0.5, True)])
def test_a_network_whose_statistics_moved_farther_than_where_it_was_tuned_warns(known, moved, beyond):
    card = {"training data": known.for_card(), "moved": moved, "most moved": 0.05}
    # as the training data look
    judged = judge_limits(evidence_of(tissue(9)), card)
    assert bool(judged["unlike"]) == beyond and (judged["differs"] == INSIDE) == beyond
    assert (judged["unlikeness"] > LIMIT) == beyond and ("synapses.train" in judged["remedy"]) == beyond


def test_a_size_that_is_stated_wrong_is_named_beside_what_the_network_sees(known):
    card = {"training data": known.for_card(), "moved": 0.5, "most moved": 0.05}
    judged = judge_limits(evidence_of(tissue(9, (16, 512, 512)), voxel_nm=(40.0, 72.0, 72.0)), card)
    assert judged["differs"].startswith(SIZE) and judged["differs"].endswith(INSIDE)


@pytest.mark.parametrize("kind", ["resin", "glia"])
def test_a_volume_without_neurites_is_told_of(known, kind):
    rng = np.random.default_rng(4)
    values = 0.05 * rng.normal(size=(16, 256, 512))
    if kind == "glia":
        # dark cytoplasm with grains, and hardly a membrane
        values -= 0.6 * (ndimage.gaussian_filter(rng.normal(size=values.shape), (0, 1.5, 1.5)) > 0.25)
    judged = judge_limits(evidence_of(values), {"training data": known.for_card()})
    assert judged["unlike"] and "synapses.train" in judged["remedy"]


def test_a_volume_of_one_section_and_one_of_few_pixels_have_traits(known):
    for shape in ((1, 64, 64), (3, 5, 300), (2, 40, 7)):
        described = describe_appearance(evidence_of(tissue(3, shape)))
        assert described.shape[1] == len(TRAITS) and np.isfinite(unlikeness(known, described)[0])


@pytest.mark.parametrize(("voxel_nm", "size"), [((40.0, 80.0, 80.0), SIZE), ((300.0, 10.0, 10.0), THICKNESS)])
def test_the_shipped_network_knows_the_voxels_of_its_training(voxel_nm, size):
    judged = judge_limits(evidence_of(tissue(), voxel_nm=voxel_nm), load_card(shipped_file("synapses", ".safetensors")))
    assert judged["unlike"] and judged["differs"] == size


def test_a_card_of_before_is_held_against_what_it_knows(known):
    told = known.for_card()
    card = {"training data": {name: values[:-2] for name, values in told.items()}}
    assert not judge_limits(evidence_of(spoilt("nothing")), card)["unlike"]
    far = judge_limits(evidence_of(spoilt("nothing"), voxel_nm=(320.0, 9.0, 9.0)), card)
    assert not far["unlike"] and np.isfinite(far["unlikeness"])


def test_the_shipped_network_says_what_it_knows_and_a_model_without_a_word_is_not_judged():
    judged = judge_limits(evidence_of(tissue()), load_card(shipped_file("synapses", ".safetensors")))
    assert np.isfinite(judged["unlikeness"])
    assert not judge_limits(evidence_of(tissue()), {})["unlike"]
