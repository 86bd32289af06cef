import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from spinome.twophoton.fields import Field
from spinome.twophoton.training_images import View, field_view, held_out_fields, hold_out, stack_view


def test_small_field_views_are_mirrored_with_their_boxes():
    image = np.zeros((40, 60), np.float32)
    image[10:14, 20:24] = 100
    out = field_view(Field(image, np.array([[20.0, 10, 24, 14]]), "a"), 0.12, 3)
    assert out.stack.shape == (1, 80, 120) and len(out.spines) == 4
    assert (out.folder, out.group) == (3, "a")
    for _, y, x, side in out.spines:
        assert out.stack[0, round(y), round(x)] > 0.5
        assert side == pytest.approx(4)


def test_the_last_stacks_and_every_third_group_of_field_views_are_held_out(view):
    flat = [View(view.stack[:1], view.spines, 1.0, 0, str(number // 5)) for number in range(70)]
    training, held_out = hold_out([view] * 10 + flat)
    assert [len(one.stack) for one in held_out] == [5] + [1] * 20
    assert len(training) == 9 + 50
    held = [number for number, one in enumerate(flat) if any(one is own for own in held_out)]
    assert held[:6] == [10, 11, 12, 13, 14, 25]
    assert hold_out(flat[:1]) == (flat[:1], flat[:1])
    with pytest.raises(ValueError, match="nothing to train"):
        hold_out([])


def test_views_of_one_group_are_never_across(view):
    groups = np.random.default_rng(0).integers(0, 11, 90).astype(str)
    # folders are held out each for itself: the same name in two folders is no group
    flat = [View(view.stack[:1], view.spines, 1.0, folder, group) for folder in (0, 1) for group in groups]
    training, held_out = ({(one.folder, one.group) for one in part} for part in hold_out(flat))
    assert not training & held_out
    assert len(training) == 16 and len(held_out) == 6
    assert held_out_fields(["a"] * 9).sum() == 0


def test_what_lies_far_from_the_traced_dendrites_becomes_dark():
    stack = np.random.default_rng(0).gamma(1, 20, (20, 100, 90))
    truth = pd.DataFrame({"z_um": [10.0], "y_um": [6.0], "x_um": [5.0], "diameter_um": [np.nan]})
    dendrites = pd.DataFrame({"z_um": 10.0, "y_um": 6.0, "x_um": np.arange(0, 10.7, 0.1)})
    voxel = (1.0, 0.12, 0.12)
    whole, near = stack_view(stack, voxel, truth).stack, stack_view(stack, voxel, truth, dendrites).stack
    np.testing.assert_allclose(near[8:12, 35:65], whole[8:12, 35:65], rtol=1e-3, atol=1e-4)
    assert not near[:, :10].any() and not near[:3].any()


@pytest.mark.parametrize("pixel", [0.12, 0.3, 0.05])
def test_targets_are_indices_of_the_pixels_in_which_heads_lie(pixel):
    across, along = (np.arange(round(length / pixel)) * pixel for length in (12.0, 15.0))
    truth = pd.DataFrame({"z_um": [1.0], "y_um": [6.3], "x_um": [8.5], "diameter_um": [0.5]})
    light = np.exp(-0.5 * ((across[:, None] - 6.3) ** 2 + (along - 8.5) ** 2) / 0.4**2)
    out = stack_view(np.stack([light, 2 * light, light]), (1.0, pixel, pixel), truth)
    middle = ndimage.center_of_mass(np.where(out.stack[1] > 1e-3, out.stack[1], 0))
    np.testing.assert_allclose(out.spines[0, :3], [1, *middle], atol=0.05)
