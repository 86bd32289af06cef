import numpy as np
import pandas as pd
import pytest
import torch

from spinome.twophoton.detect import BOX_COLUMNS, detect
from spinome.twophoton.detector import Detector, load_detector, save_detector
from spinome.twophoton.preprocess import PIXEL_UM, compress, resample, scale_intensity


class Brightest(torch.nn.Module):
    """Stands for the network: one box on the brightest pixel of each crop."""

    def forward(self, image):
        flat = image[:, 1].flatten(1).argmax(1)
        width = image.shape[-1]
        boxes = torch.stack([flat % width + 0.5, flat // width + 0.5, torch.zeros(len(flat))], -1)
        return {"stages": [(boxes[:, None], torch.full((len(flat), 1), 4.0))]}


@pytest.mark.parametrize("pixel", [0.12, 0.2, 0.07])
@pytest.mark.parametrize("shape", [(90, 400), (330, 310)])
def test_positions_are_in_micrometres_whatever_tile_they_lie_in(pixel, shape):
    size = tuple(round(length * 0.12 / pixel) for length in shape)
    stack = np.zeros((3, *size), np.float32)
    y, x = size[0] - 12, size[1] // 2 + 3
    stack[1, y - 1 : y + 2, x - 1 : x + 2] = 100
    found = detect(stack, (1.0, pixel, pixel), Brightest())
    own = found[found["slice"] == 1]
    error = np.hypot(own["y_um"] - y * pixel, own["x_um"] - x * pixel)
    assert (error < 2.5 * max(pixel, PIXEL_UM)).sum() == 1


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
