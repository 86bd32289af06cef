from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial import cKDTree

from spinome.twophoton.detect import BOX_COLUMNS, detect
from spinome.twophoton.detector import Detector, load_detector, save_detector
from spinome.twophoton.preprocess import PIXEL_UM, compress, resample, scale_intensity

DETECTOR = Path(__file__).parents[2] / "workflow" / "models" / "detector.safetensors"


class Brightest(torch.nn.Module):
    """Stands for the network: one box on the brightest pixel of each crop, at its index, as the network learned to."""

    def forward(self, image):
        flat = image[:, 1].flatten(1).argmax(1)
        width = image.shape[-1]
        boxes = torch.stack([flat % width, flat // width, torch.zeros(len(flat))], -1)
        return {"stages": [(boxes[:, None], torch.full((len(flat), 1), 4.0))]}


def blob(across, along, y, x, sigma):
    """A round blob (Y, X) at a place, on these coordinates of pixel centres."""
    return np.exp(-0.5 * ((across[:, None] - y) ** 2 + (along - x) ** 2) / sigma**2)


@pytest.mark.parametrize("pixel", [0.12, 0.2, 0.07])
@pytest.mark.parametrize("shape", [(90, 400), (330, 310)])
def test_positions_are_in_micrometres_whatever_tile_they_lie_in(pixel, shape):
    across, along = (np.arange(round(length * 0.12 / pixel)) * pixel for length in shape)
    places = np.random.default_rng(0).uniform(1, [across[-1] - 1, along[-1] - 1], (20, 2))
    stack = np.stack([blob(across, along, *place, 0.3) for place in places])
    found = detect(stack, (1.0, pixel, pixel), Brightest())
    offset = found[["y_um", "x_um"]].to_numpy() - places[found["slice"]]
    near = np.hypot(*offset.T) < PIXEL_UM
    assert found.loc[near, "slice"].tolist() == list(range(20))
    # one way as often as the other, or a half pixel is lost on the way
    assert (np.abs(offset[near].mean(axis=0)) < 0.2 * PIXEL_UM).all()


@pytest.mark.parametrize("turned", [False, True])
def test_the_shipped_detector_puts_boxes_on_heads(turned):
    rng = np.random.default_rng(0)
    across, along = np.arange(100) * PIXEL_UM, np.arange(400) * PIXEL_UM
    # as many on one side of the shaft as on the other, as the shaft may draw boxes to itself
    heads = np.array([(6 + side, x) for side in (-1.3, 1.3) for x in np.arange(3, 46, 3)])
    heads += rng.uniform(-0.1, 0.1, heads.shape)
    shaft = 100 * np.exp(-0.5 * ((across - 6) / 0.35) ** 2)[:, None]
    light = shaft + sum(70 * blob(across, along, *head, 0.25) for head in heads)
    stack = rng.poisson(light * np.exp(-0.5 * (np.arange(-1, 2)[:, None, None] / 0.8) ** 2) + 5)
    model, _ = load_detector(DETECTOR)
    found = detect(stack.swapaxes(1, 2) if turned else stack, (1.0, PIXEL_UM, PIXEL_UM), model, 0.3)
    place = found.loc[found["slice"] == 1, ["x_um", "y_um"] if turned else ["y_um", "x_um"]].to_numpy()
    offset = place - heads[cKDTree(heads).query(place)[1]]
    near = np.hypot(*offset.T) < 0.5
    assert near.sum() > 20
    assert (np.abs(offset[near].mean(axis=0)) < 0.2 * PIXEL_UM).all()


@pytest.mark.parametrize("length", [319, 511, 607, 622, 1022])
def test_tiles_that_differ_by_a_pixel_are_looked_through_together(length):
    stack = np.random.default_rng(0).gamma(1, 20, (1, 90, length)).astype(np.float32)
    for sides in (stack, stack.swapaxes(1, 2)):
        assert len(detect(sides, (1.0, 0.12, 0.12), Brightest()))


def test_an_empty_stack_gives_an_empty_table():
    found = detect(np.full((3, 50, 60), 7, np.uint16), (1.0, 0.12, 0.12), Brightest())
    assert found.empty and list(found.columns) == BOX_COLUMNS


def test_intensity_scale_ignores_gain_and_offset():
    stack = np.random.default_rng(0).gamma(1, 20, (4, 50, 60)).astype(np.float32)
    np.testing.assert_allclose(scale_intensity(stack), scale_intensity(7 * stack + 300), atol=1e-3)
    assert compress(np.array([0.0, 1.0])) == pytest.approx([0, 1])
    assert not scale_intensity(np.ones((3, 9, 9))).any()


@pytest.mark.parametrize("width", [120, 400])
@pytest.mark.parametrize("spot", [0, 3000])
def test_shafts_set_the_scale_whatever_else_is_in_the_field(width, spot):
    stack = np.random.default_rng(0).gamma(1, 2, (3, width, 120)).astype(np.float32)
    stack[1, 50:60] = 100
    stack[1, 20:23, 20:23] += spot
    shaft = scale_intensity(stack)[1, 55]
    assert np.median(shaft) == pytest.approx(0.5, abs=0.03)


def test_resampling_keeps_extent():
    stack = np.random.default_rng(0).random((2, 50, 83))
    out, pixel = resample(stack, (1.0, 0.3, 0.07))
    assert out.shape[1] * pixel[0] == pytest.approx(50 * 0.3) and out.shape[2] * pixel[1] == pytest.approx(83 * 0.07)
    assert pixel == pytest.approx((PIXEL_UM, PIXEL_UM), rel=0.02)
    assert out.mean() == pytest.approx(stack.mean(), rel=0.05)


def test_weights_survive_the_file(tmp_path):
    torch.manual_seed(0)
    model = Detector().eval()
    save_detector(tmp_path / "d.safetensors", model, {"threshold": 0.4})
    assert (tmp_path / "d.safetensors").stat().st_size < 3e6
    again, facts = load_detector(tmp_path / "d.safetensors")
    assert facts == {"threshold": 0.4}
    image = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        one, other = (network(image)["stages"][-1][1].sort().values for network in (model, again))
    torch.testing.assert_close(one, other, atol=0.02, rtol=0.02)


def test_a_file_that_is_no_detector(tmp_path):
    (tmp_path / "d.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"d.safetensors: is not a detector of Spinome"):
        load_detector(tmp_path / "d.safetensors")
    with pytest.raises(FileNotFoundError, match="no such detector"):
        load_detector(tmp_path / "none.safetensors")


def test_around_places_is_found_what_is_found_in_the_whole_stack():
    stack = np.random.default_rng(0).gamma(1, 20, (20, 500, 400)).astype(np.float32)
    stack[:, 100:120] += 200
    stack[:, 380:400] += 200
    voxel_um = (1.0, 0.12, 0.12)
    every, near = (detect(stack, voxel_um, Brightest(), near_um=places) for places in (None, np.array([[9.0, 12, 20]])))
    # in the first tile alone, in slices up to 5 um away
    expected = every[(every["y_um"] < 30) & (every["x_um"] < 24) & every["slice"].between(4, 14)]
    assert len(near) and near["slice"].unique().tolist() == list(range(4, 15))
    pd.testing.assert_frame_equal(near, expected.reset_index(drop=True))
