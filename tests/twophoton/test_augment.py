import numpy as np

from spinome.twophoton.augment import augmented_crop
from spinome.twophoton.detector import CROP
from spinome.twophoton.training_images import View


def test_augmented_boxes_lie_on_what_they_name(view):
    bright, anywhere = [], []
    for seed in range(10):
        image, spines = augmented_crop(view, np.random.default_rng(seed))
        assert image.shape == (3, CROP, CROP) and image.dtype == np.float32
        inner = spines[(spines[:, :2] > 2).all(1) & (spines[:, :2] < CROP - 2).all(1) & (spines[:, 3] > 0.9)]
        bright += [image[1, int(y), int(x)] for x, y, *_ in inner]
        anywhere.append(np.median(image[1]))
    assert len(bright) > 10
    assert np.median(bright) > 5 * max(np.median(anywhere), 0.05)


def test_spines_out_of_focus_are_no_targets(view):
    shifted = View(view.stack, view.spines + np.array([50, 0, 0, 0]), 1.0)
    _, spines = augmented_crop(shifted, np.random.default_rng(0))
    assert len(spines) == 0
