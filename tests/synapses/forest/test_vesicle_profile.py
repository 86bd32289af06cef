"""A template measured at marked vesicles looks like them, and finds them."""

import numpy as np
import pytest

from spinome.io.volumes import Volume
from spinome.synapses.forest.vesicle_profile import vesicle_profile
from spinome.synapses.forest.vesicles import mean_template, vesicle_score
from spinome.synapses.grey import Grey

VOXEL_NM = (45.0, 5.0, 5.0)
GREY = Grey(128.0, 32.0)


def rings(centres, radius_nm, shape=(4, 120, 120), voxel_nm=VOXEL_NM):
    """Dark rings on noise, centres (N, 3) in nm."""
    image = np.random.default_rng(0).normal(150, 4, shape)
    rows, columns = ((axis + 0.5) * size for axis, size in zip(np.indices(shape[1:]), voxel_nm[1:]))
    for z, y, x in centres:
        distance = np.hypot(rows - y, columns - x)
        image[int(z / voxel_nm[0])] -= 70 * np.exp(-0.5 * ((distance - radius_nm) / 4) ** 2)
    return Volume(np.clip(image, 0, 255).astype(np.uint8), voxel_nm, "image.tif")


CENTRES = np.array([[22.5, 100, 100], [22.5, 300, 220], [112.5, 400, 500], [157.5, 102.5, 502.5], [67.5, 10, 10]])


def test_the_profile_has_the_radius_of_the_marked_rings():
    for radius in (10.0, 22.0):
        profile = vesicle_profile([(rings(CENTRES, radius), GREY, CENTRES)])
        assert abs(profile[profile[:, 1].argmin(), 0] - radius) <= 4
        assert profile[-1, 1] == pytest.approx(150, abs=5)


def test_a_measured_template_scores_its_vesicles_above_the_made_up_one():
    image = rings(CENTRES, 10.0)
    profile = vesicle_profile([(image, GREY, CENTRES)])
    at = tuple((CENTRES[:4] / VOXEL_NM).astype(int).T)
    levels = GREY.levels(image[:])
    assert (vesicle_score(levels, VOXEL_NM, profile)[at] > vesicle_score(levels, VOXEL_NM)[at] + 0.2).all()


def test_a_measured_template_is_drawn_at_any_voxel_size():
    profile = np.array([[2.0, 150], [10, 90], [20, 150]])
    for pixel in (4.0, 8.0):
        template = mean_template((45.0, pixel, pixel), profile)
        assert template.mean() == pytest.approx(0, abs=1e-4)
        row = template[len(template) // 2, len(template) // 2 :]
        assert abs(row.argmin() * pixel - 10) <= pixel


def test_too_few_marks_and_marks_outside_are_errors():
    image = rings(CENTRES, 15.0)
    with pytest.raises(ValueError, match="2 vesicles are marked, at least 3"):
        vesicle_profile([(image, GREY, CENTRES[:2])])
    with pytest.raises(ValueError, match=r"image\.tif: 1 of 5 marked vesicles lie outside"):
        vesicle_profile([(image, GREY, CENTRES + np.array([0, 0, 98.0]))])
