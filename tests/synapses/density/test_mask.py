"""Masks by rules: a vessel, a dark body and a blank margin are hidden, tissue is not, however the volume is cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinome.cuboids import cuboids
from spinome.io.volumes import Volume, write_volume
from spinome.synapses.density.mask import HIDDEN, cell_size, hide, open_mask, survey
from volumes import draw_cut, draw_membrane, draw_shape

VOXEL_NM = (100.0, 50.0, 50.0)
SHAPE = (60, 200, 240)


@pytest.fixture(scope="module")
def tissue():
    """6 x 10 x 12 um: a bright vessel 4 um wide, a dark body 3.6 um wide, small bright spots, a blank margin."""
    rng = np.random.default_rng(0)
    image = rng.normal(120, 20, SHAPE)
    z, y, x = (np.arange(length)[:, None, None] * size for length, size in zip(SHAPE, (0.1, 0.05, 0.05)))
    y, x = y.reshape(1, -1, 1), x.reshape(1, 1, -1)
    vessel = np.broadcast_to((y - 3) ** 2 + (x - 3) ** 2 < 2**2, SHAPE)
    body = (z - 3) ** 2 + (y - 7) ** 2 + (x - 7) ** 2 < 1.8**2
    spots = (z - 3) ** 2 + (y - 3) ** 2 + (x - 8) ** 2 < 0.5**2
    image[vessel], image[body] = rng.normal(200, 15, vessel.sum()), rng.normal(40, 10, body.sum())
    image[spots] = 220
    image[:, :, 210:] = 0
    return Volume(image.clip(0, 255).astype(np.uint8), VOXEL_NM, "tissue"), vessel, body


def hidden_in(image, cuboid=(64, 256, 256)):
    return hide(survey(image, cell_size(image, 0.25), cuboid), body_um=2.5, contrast=2.0)


def test_bodies_and_blank_areas_are_hidden(tissue):
    image, vessel, body = tissue
    cells = hidden_in(image)
    voxels = np.stack([cells[int((z + 0.5) * 0.1 / 0.25)].repeat(5, 0).repeat(5, 1) for z in range(SHAPE[0])])
    assert (voxels[:, :, 210:] == HIDDEN["blank"]).all()
    assert (voxels[vessel] == HIDDEN["bright body"]).mean() > 0.9
    assert (voxels[body] == HIDDEN["dark body"]).mean() > 0.85
    rest = ~(vessel | body)
    rest[:, :, 195:] = False
    assert (voxels[rest] > 0).mean() < 0.05


def test_any_cuboids_give_the_same_mask(tissue):
    image = tissue[0]
    np.testing.assert_array_equal(hidden_in(image, (7, 33, 51)), hidden_in(image))


@settings(max_examples=60)
@given(st.randoms())
def test_any_cuboids_give_the_same_cells(random):
    """Draws images of integers and of floats of all magnitudes, cells from a voxel to the volume, and cuts."""
    shape = draw_shape(random)
    values = draw_membrane(random, shape) * random.choice([1, 255, 1e7]) + random.choice([0, 1e6])
    values = values.clip(0, 65535).astype(np.uint16) if random.random() < 0.3 else values.astype(np.float32)
    image = Volume(values, VOXEL_NM, "image")
    cell_um = tuple(random.uniform(1, 1.5 * length) * size / 1000 for length, size in zip(shape, VOXEL_NM))
    whole, cut = (survey(image, cell_um, size) for size in (shape, draw_cut(random, shape)))
    np.testing.assert_array_equal(cut.mean, whole.mean)
    np.testing.assert_array_equal(cut.spread, whole.spread)


def test_a_cell_of_floats_is_added_up_in_one_order():
    image = Volume(np.array([[[1e17, 1], [-1e17, 1]]], np.float32), VOXEL_NM, "floats")
    for cuboid in ((1, 2, 2), (1, 1, 2), (1, 2, 1), (1, 1, 1)):
        assert survey(image, (0.1, 0.1, 0.1), cuboid).mean.tolist() == [[[0.25]]]


def test_a_mask_of_cells_is_sliced_as_voxels(tissue, tmp_path):
    image = tissue[0]
    overview = survey(image, cell_size(image, 0.25), (64, 256, 256))
    cells = hide(overview, 2.5, 2.0)
    write_volume(tmp_path / "mask.zarr", cells, tuple(1000 * size for size in overview.cell_um), name="hidden")
    mask = open_mask(str(tmp_path / "mask.zarr"), image)
    for piece in cuboids(SHAPE, (17, 90, 101)):
        shown = mask[piece.core]
        assert shown.shape == piece.shape and shown.dtype == bool
        z, y, x = (part.start for part in piece.core)
        expected = cells[int((z + 0.5) * 0.1 / 0.25), int((y + 0.5) / 5), int((x + 0.5) / 5)] == 0
        assert shown[0, 0, 0] == expected


def test_even_tissue_is_left_whole_and_a_blank_volume_is_hidden():
    noise = np.random.default_rng(0).normal(120, 20, (20, 60, 60)).clip(0, 255).astype(np.uint8)
    assert not hidden_in(Volume(noise, VOXEL_NM, "tissue")).any()
    assert (hidden_in(Volume(np.full((20, 60, 60), 7, np.uint8), VOXEL_NM, "blank")) == HIDDEN["blank"]).all()
    assert (hidden_in(Volume(np.full((20, 60, 60), np.nan, np.float32), VOXEL_NM, "nan")) == HIDDEN["blank"]).all()


def test_cells_are_no_smaller_than_voxels():
    assert cell_size(Volume(np.zeros((2, 2, 2)), (700.0, 50.0, 50.0), "thick"), 0.5) == (0.7, 0.5, 0.5)
