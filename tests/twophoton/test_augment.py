import numpy as np

from spinome.twophoton.augment import augmented_crop, chances
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


def test_folders_are_drawn_by_their_spines_and_groups_equally(view):
    spine, flat = view.spines[:1], view.stack[:1]
    lone = View(flat, np.repeat(spine, 40, axis=0), 1.0, 0, "a")
    alike = [View(flat, spine, 1.0, 1, "a")] * 9
    views = [view, view, lone, *alike, View(flat, spine, 1.0, 1, "b")]
    chance = chances(views)
    assert chance.sum() == 1
    np.testing.assert_allclose(chance[:3], [0.25, 0.25, 0.5 * 40 / 50])
    np.testing.assert_allclose([chance[3:12].sum(), chance[12]], 0.5 * 10 / 50 / 2)
    # one kind alone, and views without a spine
    np.testing.assert_allclose(chances([view, view]), 0.5)
    np.testing.assert_allclose(chances([View(flat, spine[:0], 1.0)] * 4), 0.25)
