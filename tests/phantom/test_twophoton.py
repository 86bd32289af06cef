import numpy as np
import pytest
import tifffile

from spinome.phantom.specimen import FIELD_VOXEL_NM, NEURON
from spinome.phantom.spines import points
from spinome.phantom.twophoton import (
    render_session,
    session_dendrites,
    session_spines,
    slice_jitter,
    to_session,
    write_session,
)


@pytest.fixture(scope="module")
def stacks(specimen):
    return [render_session(specimen, timepoint) for timepoint in range(len(specimen.days))]


def test_stack_has_the_shape_of_the_field_and_comes_out_the_same_again(specimen, stacks):
    assert stacks[0].shape == tuple(specimen.field_shape)
    assert stacks[0].dtype == np.uint8
    np.testing.assert_array_equal(render_session(specimen, 0), stacks[0])
    assert (stacks[0] != stacks[1]).any()


def test_ids_and_places_are_those_of_the_specimen(specimen):
    truth = session_spines(specimen)
    first = truth[truth["timepoint"] == 0].set_index("track_id")
    spines = specimen.spines[specimen.spines["neuron"] == NEURON].set_index("spine")
    assert set(first.index) <= set(spines.index)
    heads = (points(spines.loc[first.index], "head") - specimen.field_origin_nm) / FIELD_VOXEL_NM
    tips = first[["tip_z_px", "tip_y_px", "tip_x_px"]].to_numpy()
    away = np.linalg.norm((tips - heads) * FIELD_VOXEL_NM, axis=1)
    assert (away < 0.9 * spines.loc[first.index, "head_diameter_nm"]).all()


def test_spines_are_listed_only_while_they_are_there(specimen):
    truth = session_spines(specimen)
    spines = specimen.spines.set_index("spine").loc[truth["track_id"]]
    assert (truth["timepoint"].to_numpy() >= spines["first_timepoint"].to_numpy()).all()
    assert (truth["timepoint"].to_numpy() <= spines["last_timepoint"].to_numpy()).all()


def test_spines_are_brighter_than_the_background(specimen, stacks):
    truth = session_spines(specimen)
    contrast = []
    for timepoint, stack in enumerate(stacks):
        there = specimen.spines.set_index("spine").loc[truth.loc[truth["timepoint"] == timepoint, "track_id"]]
        head = to_session(specimen, points(there, "head"), timepoint) / FIELD_VOXEL_NM
        jitter = slice_jitter(specimen, timepoint)
        for z, y, x in head:
            plane = round(z)
            row, column = (np.array([y, x]) + jitter[plane]).round().astype(int)
            spot = stack[plane, max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
            contrast.append(spot.mean() - np.median(stack))
    assert len(contrast) > 10
    assert np.median(contrast) > 10
    assert np.mean(np.array(contrast) > 2) > 0.85


def test_shafts_are_brighter_than_spines(specimen, stacks):
    place = session_dendrites(specimen)
    place = place[place["timepoint"] == 0]
    index = place[["z_px", "y_px", "x_px"]].to_numpy().round().astype(int)
    tips = session_spines(specimen).query("timepoint == 0")[["tip_z_px", "tip_y_px", "tip_x_px"]]
    tips = tips.to_numpy().round().astype(int).clip(0, specimen.field_shape - 1)
    assert stacks[0][tuple(index.T)].mean() > 1.5 * stacks[0][tuple(tips.T)].mean()


def test_sessions_are_shifted_and_warped(specimen):
    nodes = specimen.dendrites[["z_nm", "y_nm", "x_nm"]].to_numpy()
    shift = to_session(specimen, nodes, 1) - to_session(specimen, nodes, 0)
    assert np.linalg.norm(shift.mean(axis=0)) > 100
    assert shift.std(axis=0).max() > 50


def test_file_carries_its_voxel_size_and_has_the_same_bytes_again(stacks, tmp_path):
    for name in ("a", "b"):
        write_session(tmp_path / f"{name}.ome.tif", stacks[0])
    assert (tmp_path / "a.ome.tif").read_bytes() == (tmp_path / "b.ome.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        np.testing.assert_array_equal(file.asarray(), stacks[0])
        assert 'PhysicalSizeZ="1.0"' in file.ome_metadata
        assert 'PhysicalSizeX="0.12"' in file.ome_metadata


def test_a_session_that_is_not_there_is_refused(specimen):
    with pytest.raises(ValueError, match="sessions 0 to 2, not 3"):
        render_session(specimen, 3)
