"""What lies around candidates: the same however the volume is cut, and right where the answer is known."""

import numpy as np
import pytest

from spinome.cuboids import cuboids
from spinome.io.volumes import Volume
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import Grey
from spinome.synapses.objects.measures import MEASURES
from spinome.synapses.objects.merge import merge_parts
from spinome.synapses.objects.patches import find_parts
from spinome.synapses.objects.surround import SURROUND, UNIT

# two voxels make a pixel along y, three along x, and the volume does not end on a pixel
VOXEL_NM = (45.0, 4.6, 3.1)
SHAPE = (5, 131, 170)


def measured(image, inside, size, voxel_nm=VOXEL_NM):
    """The table of objects of a mask, by way of cuboids of a size."""
    evidence = Evidence(Volume(image, voxel_nm, "image"), Grey(128.0, 32.0))
    likely = inside * np.float32(0.8)
    parts = [
        find_parts(inside[piece.core].astype(np.uint8), likely[piece.core], piece.start, inside.shape, evidence)
        for piece in cuboids(inside.shape, size)
    ]
    return merge_parts(parts, inside.shape, voxel_nm, measured=True)[0]


@pytest.mark.parametrize("size", [(5, 131, 170), (2, 33, 47), (1, 64, 1), (3, 7, 170)])
def test_measures_do_not_depend_on_the_cuboids(size):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, SHAPE).astype(np.uint8)
    inside = np.kron(rng.random((5, 14, 17)) > 0.8, np.ones((1, 10, 10)))[:, :131, :170] > 0
    inside = np.pad(inside, [(0, 0), (0, 0), (0, 170 - inside.shape[2])])
    inside = np.pad(inside, [(0, 0), (0, 131 - inside.shape[1]), (0, 0)])
    whole = measured(image, inside, SHAPE)
    assert len(whole) > 5
    assert whole.equals(measured(image, inside, size))


def test_a_dark_plate_in_a_light_surround():
    """A plate of 10 x 40 voxels of 9 nm in one section of three, four spreads darker than all around it."""
    image = np.full((3, 200, 200), 160, np.uint8)
    image[1, 95:105, 80:120] = 32
    row = measured(image, image == 32, image.shape, (45.0, 9.0, 9.0)).iloc[0]
    assert row["grey"] == pytest.approx(1.0)
    # the sections above and below are lighter all over
    assert row["darker_neighbour"] == row["lighter_neighbour"] > 2
    assert row["against_sides"] < -1 and row["against_bouton"] < -0.2
    assert np.exp(row["log_volume"]) == pytest.approx(400 * 45 * 81)
    assert np.exp(row["log_largest_area"]) == pytest.approx(400 * 81)
    assert np.exp(row["log_sections"]) == pytest.approx(45)
    # an ellipse with the scatter of a rectangle is 2 / sqrt(3) as thick as it is
    assert np.exp(row["log_thickness"]) == pytest.approx(90 * 2 / np.sqrt(3), rel=0.01)
    assert np.exp(row["elongation"]) == pytest.approx(4, rel=0.01)
    assert row["mean_probability"] == row["peak_probability"] == pytest.approx(0.8)
    assert (row["likely_share"], row["sure_share"], row["second_peak"]) == (1, 0, 0)


def test_a_flat_image_has_no_texture_and_nothing_beside_it():
    inside = np.zeros(SHAPE, bool)
    inside[2:4, 0:30, 150:170] = True
    row = measured(np.full(SHAPE, 64, np.uint8), inside, SHAPE).iloc[0]
    assert row["grey"] == 2.0
    names = ("against_sides", "against_bouton", "darker_neighbour", "lighter_neighbour")
    assert not row[[*names, "texture_sides", "texture_bouton"]].any()
    assert row["dark_sides"] == row["dark_bouton"] == UNIT / UNIT
    assert row["second_peak"] == pytest.approx(0.8)


def test_every_map_has_a_measure():
    assert len(SURROUND) == 10 and len(set(MEASURES)) == len(MEASURES)
