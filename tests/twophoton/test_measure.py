import numpy as np
import pandas as pd
import pytest

from spinome.twophoton.backbone import lengths_of
from spinome.twophoton.head import Head, ball_diameter_um, fit_head
from spinome.twophoton.measure import measure, measure_stack, saturation
from spinome.twophoton.shaft import shafts
from spinome.twophoton.shaft_brightness import cylinder_fill, shaft_nearby
from spinome.twophoton.shape import SHAPES, shape_probabilities

PSF = (0.4, 2.0)


def spines(heads, offset=0.0):
    return pd.DataFrame({"z_slice": heads[:, 0], "y_um": heads[:, 1] + offset, "x_um": heads[:, 2] - offset})


def test_volumes_follow_the_truth(phantom_stack):
    truth = 4 / 3 * np.pi * phantom_stack.radii**3
    found = measure(phantom_stack.stack, phantom_stack.voxel_um, spines(phantom_stack.heads), *PSF)
    assert found["fitted"].all()
    assert np.corrcoef(found["head_volume_um3"], truth)[0, 1] > 0.9
    assert 0.5 < np.median(found["head_volume_um3"] / truth) < 2


def test_sizes_do_not_depend_on_where_in_the_box_the_head_lies(phantom_stack):
    centred, beside = (
        measure(phantom_stack.stack, phantom_stack.voxel_um, spines(phantom_stack.heads, offset), *PSF)
        for offset in (0.0, 0.12)
    )
    np.testing.assert_allclose(beside["head_volume_um3"], centred["head_volume_um3"], rtol=0.1)


def test_sizes_do_not_depend_on_gain_and_offset(phantom_stack):
    one = measure(phantom_stack.stack, phantom_stack.voxel_um, spines(phantom_stack.heads), *PSF)
    other = measure(3 * phantom_stack.stack + 100, phantom_stack.voxel_um, spines(phantom_stack.heads), *PSF)
    for column in ("head_volume_um3", "head_diameter_um", "dendrite_distance_um"):
        np.testing.assert_allclose(other[column], one[column], rtol=0.02, atol=0.02)


def test_the_base_lies_on_the_shaft_beside_the_head(phantom_stack):
    found = measure(phantom_stack.stack, phantom_stack.voxel_um, spines(phantom_stack.heads), *PSF)
    assert (found["dendrite"] == 1).all()
    np.testing.assert_allclose(found["base_x_um"], phantom_stack.heads[:, 2], atol=0.6)
    # the head lies 1.7 um beside the middle of a shaft of 0.5 um radius
    np.testing.assert_allclose(found["dendrite_distance_um"], 1.2, atol=0.45)
    assert (found["neck_length_um"] <= found["dendrite_distance_um"]).all()


def test_spines_are_placed_along_the_shaft_of_the_stack_or_the_backbone_that_is_given(phantom_stack):
    stack, voxel_um, heads = phantom_stack.stack, phantom_stack.voxel_um, phantom_stack.heads
    found, dendrites = measure_stack(stack, voxel_um, spines(heads), *PSF)
    dendrites = lengths_of(dendrites)
    assert dendrites["dendrite"].tolist() == [1]
    # the stack is 24 um wide and the shaft runs along x
    assert dendrites["length_um"].item() == pytest.approx(24, abs=2)
    apart = np.abs(found["along_um"] - found["along_um"][0])
    np.testing.assert_allclose(apart, heads[:, 2] - heads[0, 2], atol=0.7)
    nodes = pd.DataFrame({"dendrite": 9, "z_um": 8.0, "y_um": 5.8, "x_um": [4.0, 20.0]})
    given, traced = measure_stack(stack, voxel_um, spines(heads), *PSF, nodes)
    assert (given["dendrite"] == 9).all() and lengths_of(traced).to_numpy().tolist() == [[9, 16]]
    assert traced["given"].all() and len(traced) > 20
    np.testing.assert_allclose(given["along_um"], heads[:, 2].clip(4, 20) - 4, atol=0.7)
    sizes = ["head_volume_um3", "dendrite_distance_um"]
    pd.testing.assert_frame_equal(given[sizes], found[sizes])


def test_diameter_takes_the_point_spread_function_off():
    sigma = 0.4 / 2.3548
    assert ball_diameter_um(sigma, 0.4) == pytest.approx(0, abs=0.01)
    assert ball_diameter_um(sigma / 2, 0.4) == 0
    assert ball_diameter_um(np.hypot(sigma, 0.3 / np.sqrt(5)), 0.4) == pytest.approx(0.6, abs=0.01)


def test_cylinder_fill_goes_from_nothing_to_all():
    values = [cylinder_fill(radius, *PSF) for radius in (0.01, 0.3, 0.6, 1.5, 10)]
    assert values == sorted(values)
    assert values[0] < 0.05 and values[-1] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("radius", [0.3, 0.5, 0.8])
def test_the_dye_is_as_bright_in_thin_dendrites_as_in_thick_ones(phantom_stack, radius):
    stack = phantom_stack.render(phantom_stack.heads, phantom_stack.radii, shaft_radius=radius, noise=8.0)
    found = shafts(stack, (0.12, 0.12))
    levels = [shaft_nearby(stack, 8, found, phantom_stack.voxel_um, (5.8, x), 1, 2.5, PSF) for x in (6.0, 12.0, 18.0)]
    # drawn at 200 above a background of 5
    assert np.median([(level - 5) / filled for level, filled in levels]) == pytest.approx(200, rel=0.15)
    measured = measure(stack, phantom_stack.voxel_um, spines(phantom_stack.heads), *PSF)
    ratio = measured["head_volume_um3"] / (4 / 3 * np.pi * phantom_stack.radii**3)
    assert np.nanmedian(ratio) == pytest.approx(1, abs=0.3)


def test_flat_image_has_no_head():
    assert fit_head(np.ones((30, 30)), (0.12, 0.12), (1.8, 1.8)) is None


def test_far_from_any_shaft_nothing_is_made_up(phantom_stack):
    stack = phantom_stack.render(np.array([[8.0, 2.0, 12.0]]), [0.4], shaft_y=-50.0)
    row = measure(stack, phantom_stack.voxel_um, spines(np.array([[8.0, 2.0, 12.0]])), *PSF).iloc[0]
    assert row["dendrite"] == -1
    assert np.isnan(row["head_volume_um3"]) and np.isnan(row["dendrite_distance_um"])
    assert np.isnan(row["neck_length_um"]) and row["shape"] == ""
    assert row["head_diameter_um"] == pytest.approx(0.8, abs=0.25)


def test_saturation_is_flagged(phantom_stack):
    clipped = np.clip(phantom_stack.stack, 0, 60).astype(np.uint8)
    assert saturation(clipped) == 60
    assert saturation(phantom_stack.stack) == np.inf
    found = measure(clipped.astype(np.float32), phantom_stack.voxel_um, spines(phantom_stack.heads), *PSF, 60.0)
    assert found["shaft_saturated"].all()
    assert found["saturated"].iloc[-1] and not found["saturated"].iloc[0]


def test_no_spines_and_no_shaft():
    none = pd.DataFrame({"z_slice": [], "y_um": [], "x_um": []})
    assert measure(np.zeros((5, 40, 40), np.float32), (1, 0.12, 0.12), none, *PSF).empty
    assert shafts(np.zeros((5, 40, 40)), (0.12, 0.12)).labels.max() == 0


def test_the_stated_error_is_what_noise_does(phantom_stack):
    clean = phantom_stack.render(phantom_stack.heads, phantom_stack.radii)
    rng = np.random.default_rng(3)
    found = [
        measure(clean + 4 * rng.standard_normal(clean.shape), phantom_stack.voxel_um, spines(phantom_stack.heads), *PSF)
        for _ in range(8)
    ]
    volumes, stated = (np.array([own[name] for own in found]) for name in ("head_volume_um3", "head_volume_sd_um3"))
    bright = np.isfinite(volumes).all(axis=0) & (phantom_stack.radii > 0.25)
    ratio = volumes.std(axis=0, ddof=1)[bright] / stated.mean(axis=0)[bright]
    assert 0.6 < np.median(ratio) < 1.5


def test_a_dim_head_is_flagged(phantom_stack):
    clean = phantom_stack.render(phantom_stack.heads, phantom_stack.radii)
    noisy = clean + 12 * np.random.default_rng(0).standard_normal(clean.shape)
    found = measure(noisy, phantom_stack.voxel_um, spines(phantom_stack.heads), *PSF)
    assert found["low_signal"].iloc[0] and not found["low_signal"].iloc[-1]
    assert found["signal_to_noise"].iloc[-1] > 5


@pytest.mark.parametrize(
    ("width", "distance", "shape"),
    [(0.5, 0.0, "stubby"), (0.9, 1.2, "mushroom"), (0.35, 0.9, "thin"), (0.0, 3.0, "filopodium")],
)
def test_shapes_of_clear_cases(width, distance, shape):
    sigma = float(np.hypot(0.4 / 2.3548, width / np.sqrt(20)))
    likely = shape_probabilities(Head((0.0, 0.0), sigma, 1.0, 0.01, 0.05, 0.1), distance, 0.4)
    assert likely.sum() == pytest.approx(1)
    assert SHAPES[int(np.argmax(likely))] == shape and likely.max() > 0.8


def test_a_head_on_the_border_is_unsure():
    sigma = float(np.hypot(0.4 / 2.3548, 0.6 / np.sqrt(20)))
    likely = shape_probabilities(Head((0.0, 0.0), sigma, 1.0, 0.03, 0.05, 0.1), 1.2, 0.4)
    assert 0.3 < likely[SHAPES.index("mushroom")] < 0.7 and likely[SHAPES.index("thin")] > 0.3


def test_a_head_whose_place_was_given_stays_there(phantom_stack):
    places = pd.DataFrame(phantom_stack.heads[:2] + np.array([0, 0.1, 0.1]), columns=["z_um", "y_um", "x_um"])
    spines = places.assign(z_slice=places["z_um"], given=[True, False])
    out = measure(phantom_stack.stack, phantom_stack.voxel_um, spines, 0.4, 2.0)
    assert out.loc[0, ["y_um", "x_um"]].tolist() == places.loc[0, ["y_um", "x_um"]].tolist()
    assert out.loc[1, "x_um"] == pytest.approx(phantom_stack.heads[1, 2], abs=0.05)
    assert out["head_volume_um3"].notna().all()


def test_a_head_wider_than_the_fit_allows_is_flagged(phantom_stack):
    heads = phantom_stack.heads[[0, -1]]
    stack = phantom_stack.render(heads, np.array([0.25, 1.1]), noise=0.5)
    out = measure(stack, phantom_stack.voxel_um, spines(heads), *PSF)
    assert out["size_at_bound"].tolist() == [False, True]
