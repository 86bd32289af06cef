"""Bars of a fly volume grow from places that were marked by looking, and the volume is seen along each of its axes."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from spinome.io.tables import read_table
from spinome.retrieve.neuroproof import checked_sections, grow_bars, views

PLACES = Path(__file__).parents[2] / "config" / "training" / "neuroproof_ts2_synapses.tsv"


@pytest.fixture
def two_bars():
    image = np.full((30, 40, 50), 160, np.uint8)
    image[8:14, 10:16, 10:16] = image[8:14, 10:16, 36:42] = 40
    return image


def test_a_bar_grows_from_its_place_alone(two_bars):
    bars = grow_bars(two_bars, np.array([[11, 13, 13], [25, 30, 30]]))
    assert bars[9:13, 11:15, 11:15].all() and not bars[:, :, 25:].any() and not bars[20:].any()


def test_a_large_dark_body_is_marked_near_the_place_alone():
    bars = grow_bars(np.full((40, 40, 40), 40, np.uint8), np.array([[20, 20, 20]]))
    away = np.sqrt(((np.argwhere(bars) - 20) ** 2).sum(axis=1))
    assert 8 < away.max() <= 10.1


def test_views_are_cut_along_each_axis_in_two_thicknesses(two_bars):
    bars = two_bars < 100
    found = {name: (grey, truth, voxel_nm) for name, grey, truth, voxel_nm in views(two_bars, bars)}
    assert list(found) == ["z30", "z50", "y30", "y50", "x30", "x50"]
    grey, truth, voxel_nm = found["x50"]
    assert grey.shape == truth.shape == (10, 30, 40) and voxel_nm == (50.0, 10.0, 10.0)
    # x of 10 to 16 is two sections of 5, of which the second is in the bar for one voxel
    assert [int(section.any()) for section in truth] == [0, 0, 1, 0, 0, 0, 0, 1, 0, 0]
    assert grey[2, 10, 12] == 40 and grey[3, 10, 12] == round((40 + 4 * 160) / 5)


def test_another_image_is_named_with_the_remedy(two_bars):
    with pytest.raises(ValueError, match=r"sections: holds other sections .* put the folder training_sample2"):
        checked_sections(two_bars, "sections")


def test_every_marked_place_is_dark(shared_data):
    with h5py.File(shared_data("em/neuroproof_ts2/volume_z000-150.h5")) as file:
        image = checked_sections(file["raw"][:], "raw")
    # as the rule reads them
    places = read_table(PLACES, ["z", "y", "x"]).to_numpy(int)
    bars = grow_bars(image, places)
    assert all(bars[tuple(place)] for place in places)
    assert 0.003 < bars.mean() < 0.02
