"""Crops show what their truth says, and what teaches nothing is refused."""

import numpy as np
import pytest
import torch

from spinome.cuboids import cuboids
from spinome.linking.membrane_training import CROP, Teacher, draw_crop, teachers_of, train_membranes
from spinome.linking.membranes import MembraneNet, Pixels, load_membranes
from spinome.shipped import shipped_file


def test_truth_without_membrane_is_refused():
    for truth in (0.0, 1.0):
        teacher = Teacher(np.zeros(CROP, np.float32), np.full(CROP, truth, np.float32), False)
        with pytest.raises(ValueError, match="flat: its truth has no membrane"):
            train_membranes({"flat": [teacher]}, 1, 0)


@pytest.mark.parametrize("isotropic", [True, False])
@pytest.mark.parametrize("shape", [CROP, (100, 70, 64), (64, 24, 300)])
def test_crops_of_any_volume_show_what_their_truth_says(shape, isotropic):
    if not isotropic and any(length < side for length, side in zip(shape, CROP)):
        pytest.skip("is padded before")
    rng = np.random.default_rng(4)
    truth = np.zeros(shape, np.float32)
    truth[:, ::9] = 1
    teacher = Teacher(1 - truth, truth, isotropic)
    for _ in range(20):
        image, own = draw_crop(teacher, rng)
        assert image.shape == own.shape == CROP and set(own.unique().tolist()) <= {0.0, 1.0}
        if 0.02 < own.mean() < 0.5:
            assert image[own == 1].mean() < image[own == 0].mean()


def test_a_volume_smaller_than_a_crop_teaches(monkeypatch):
    truth = np.ones((5, 40, 200), np.uint64)
    truth[:, 20:] = 2
    pixels = Pixels(np.where(np.diff(truth, axis=1, append=2) > 0, 20, 200), (40.0, 5.0, 5.0), (20.0, 200.0))
    (teacher,) = teachers_of(pixels, truth, cuboids(truth.shape, (64, 256, 256)))
    assert teacher.image.shape == teacher.truth.shape and all(np.array(teacher.image.shape) >= CROP)
    assert not teacher.isotropic and 0 < teacher.truth.mean() < 0.2
    draw_crop(teacher, np.random.default_rng(0))


def test_training_begins_with_a_network_that_stays_as_it_is():
    truth = np.zeros(CROP, np.float32)
    truth[:, ::9] = 1
    teachers = {"stripes": [Teacher(1 - truth, truth, False)]}
    start = load_membranes(shipped_file("membranes", ".safetensors"))
    before = {name: value.clone() for name, value in start.state_dict().items()}

    def far(net):
        weights = dict(net.named_parameters())
        return max(float((weights[name].detach() - before[name]).abs().max()) for name in weights)

    # the first step is a short one, wherever it begins
    assert 0 < far(train_membranes(teachers, 1, 0, start)) < 0.01 < far(train_membranes(teachers, 1, 0))
    assert all(torch.equal(value, before[name]) for name, value in start.state_dict().items())
    assert set(before) == set(MembraneNet().state_dict())
