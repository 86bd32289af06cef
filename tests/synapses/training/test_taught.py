"""What a network of others says of a volume is learnt as it says it, at sections as thick as it knows them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from spinome.configuration.synapses import Synapses
from spinome.io.volumes import Volume
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import measure_grey
from spinome.synapses.network.augment import draw_crop, teacher
from spinome.synapses.network.published import PUBLISHED, THRESHOLD, PublishedNet
from spinome.synapses.network.unet import Network
from spinome.synapses.training.learners import TAUGHT, network_learner
from spinome.synapses.training.taught import teach, thicken

THIN_NM = (10.0, 7.16, 7.16)
TEACHER = {"address": "https://example.org/net.chkpt", "sha256": "0" * 64}


def evidence_of(values, voxel_nm):
    image = Volume(values, voxel_nm, "image")
    return Evidence(image, measure_grey(image))


@pytest.fixture(scope="module")
def grey():
    return np.random.default_rng(0).integers(1, 255, (9, 48, 64)).astype(np.uint8)


def test_the_lesson_has_thick_sections_and_is_half_sure_at_the_published_threshold(grey):
    torch.manual_seed(0)
    net = PublishedNet().eval()
    card = {"kind": PUBLISHED, "threshold": 0.5, "min_volume_um3": 0.0}
    probability = teach(evidence_of(grey, THIN_NM), Network(net, card)).target
    card["threshold"] = float(np.median(probability))
    lesson = teach(evidence_of(grey, THIN_NM), Network(net, card))
    assert lesson.voxel_nm == (40.0, 7.16, 7.16) and lesson.image.dtype == np.uint8
    np.testing.assert_array_equal(lesson.image, np.rint(grey[:8].reshape(2, 4, 48, 64).mean(axis=1)))
    assert lesson.target.shape == lesson.truth.shape == lesson.image.shape
    assert lesson.truth.mean() == pytest.approx(0.5, abs=0.01)
    np.testing.assert_array_equal(lesson.truth > 0, lesson.target >= 0.5)
    np.testing.assert_allclose(lesson.target, np.clip(0.5 * probability / card["threshold"], 0, 1), rtol=1e-5)


def test_small_objects_are_no_truth_and_still_a_target(grey):
    torch.manual_seed(0)
    net = PublishedNet().eval()
    card = {"kind": PUBLISHED, "threshold": THRESHOLD, "min_volume_um3": 1e6}
    lesson = teach(evidence_of(grey, THIN_NM), Network(net, card))
    assert not lesson.truth.any() and lesson.target.max() > 0.5


def test_sections_that_are_left_over_go():
    values = np.arange(7, dtype=np.float32)[:, None, None]
    np.testing.assert_array_equal(thicken(values, 3).ravel(), [1, 4])
    assert thicken(values, 1) is not values and thicken(values, 1).shape == values.shape


def test_a_crop_covers_as_much_as_its_zoom_says(monkeypatch):
    monkeypatch.setattr("spinome.synapses.network.augment._spoil", lambda image, weight, rng: (image, weight))
    image, slopes = np.tile(np.arange(600, dtype=np.float32), (12, 600, 1)), {}
    source = teacher(image, np.zeros_like(image))
    for zoom in (0.7, 1.0, 1.5):
        rng, slopes[zoom] = np.random.default_rng(1), []
        for _ in range(10):
            crop, _, _ = draw_crop(replace(source, zoom=(zoom, zoom + 1e-9)), rng)
            along_y, along_x = (np.median(np.diff(crop.numpy(), axis=axis)) for axis in (1, 2))
            slopes[zoom].append(np.hypot(along_y, along_x))
    for zoom, found in slopes.items():
        assert np.median(found) == pytest.approx(zoom, rel=0.25)


def test_a_share_of_the_crops_comes_from_taught_volumes(grey, tmp_path, monkeypatch):
    seen = []

    def record(teachers, steps, seed, start):
        seen.extend(teachers)
        raise InterruptedError

    monkeypatch.setattr("spinome.synapses.network.fit.fit_network", record)
    truth = np.zeros(grey.shape, np.uint8)
    truth[2:5, 10:20, 10:20] = 1
    voxels = {"own": (40.0, 11.0, 11.0), "theirs": (40.0, 7.16, 7.16)}
    volumes = {name: (evidence_of(grey, size), Volume(truth, size, name)) for name, size in voxels.items()}
    target = Volume(np.full(grey.shape, 0.3, np.float32), voxels["theirs"], "target")
    learn = network_learner(volumes, steps=1, seed=0, store=tmp_path, code="", targets={"theirs": target})
    with pytest.raises(InterruptedError):
        learn(())
    own, theirs = seen
    drawn = [source.image.size * source.weight for source in (own, theirs)]
    assert drawn[1] / sum(drawn) == pytest.approx(TAUGHT)
    np.testing.assert_allclose(theirs.truth, 0.3)
    assert own.truth.max() == 1
    # each is seen at the sizes of both
    np.testing.assert_allclose([own.zoom, theirs.zoom], [(7.16 / 11, 1), (1, 11 / 7.16)])


def test_each_volume_gives_as_many_crops_whatever_its_size(grey, tmp_path, monkeypatch):
    seen = []

    def record(teachers, steps, seed, start):
        seen.extend(teachers)
        raise InterruptedError

    monkeypatch.setattr("spinome.synapses.network.fit.fit_network", record)
    volumes = {}
    for name, deep in (("large", 9), ("small", 3)):
        image = grey[:deep]
        truth = np.zeros(image.shape, np.uint8)
        truth[1:2, 10:20, 10:20] = 1
        volumes[name] = evidence_of(image, (40.0, 11.0, 11.0)), Volume(truth, (40.0, 11.0, 11.0), name)
    with pytest.raises(InterruptedError):
        network_learner(volumes, steps=1, seed=0, store=tmp_path, code="")(())
    large, small = (source.image.size * source.weight for source in seen)
    assert large == pytest.approx(small)


def test_pixels_that_differ_too_much_are_told_of(grey, tmp_path):
    volumes = {}
    for name, size in (("fine", 7.0), ("coarse", 13.0)):
        voxel_nm = (40.0, size, size)
        volumes[name] = evidence_of(grey, voxel_nm), Volume(np.ones(grey.shape, np.uint8), voxel_nm, name)
    with pytest.raises(ValueError, match=r"fine, coarse have pixels of 7 to 13 nm.*train one network a pixel size"):
        network_learner(volumes, steps=1, seed=0, store=tmp_path, code="")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"train": ["a"], "taught": ["b"]}, "needs a `teacher`"),
        ({"train": ["a"], "taught": ["a"], "teacher": TEACHER}, "a: is in two of"),
        ({"tune": ["a"]}, "needs samples to `train` on"),
        ({"train": ["a"], "teacher": {"address": "https://x.org/y"}}, "both `address` and `sha256`"),
        ({"train": ["a"], "taught": ["b"], "teacher": TEACHER, "classify": {"kind": "forest"}}, "kind: network"),
    ],
)
def test_what_cannot_be_learnt_so_is_told_of(keys, message):
    with pytest.raises(ValidationError, match=message):
        Synapses(**keys)
