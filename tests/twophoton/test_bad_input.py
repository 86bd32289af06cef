"""Every kind of bad session: a right answer, or one clear message that names it; the others go on."""

import shutil
from types import SimpleNamespace

import imageio.v3 as imageio
import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

from spinome.columns import POSITION
from spinome.io.opened_stack import require_voxel_um
from spinome.io.stacks import open_stack
from spinome.io.synapflow import read_boxes
from spinome.io.volumes import write_volume
from spinome.twophoton.correspond import correspond_series
from spinome.twophoton.depth import ESTIMATES
from spinome.twophoton.depth_track import find_spines
from spinome.twophoton.detect import BOX_COLUMNS
from spinome.twophoton.dynamics import survival, turnover
from spinome.twophoton.judge import candidate_features
from spinome.twophoton.measure import measure, saturation
from spinome.twophoton.preprocess import scale_intensity
from spinome.twophoton.register import register
from spinome.twophoton.registered import (
    failure_of,
    failures,
    read_registered,
    registered_size,
    standing,
    to_train_on,
    write_failed,
)
from spinome.twophoton.sessions import require_usable, session_table
from spinome.twophoton.time_track import track_series
from spinome.workflow.preflight import check_inputs
from spinome.workflow.samples import StackRow, series_problems

VOXEL = (1.0, 0.12, 0.12)
SIZE = np.array([24.0, 30.0, 40.0])
NO_DENDRITES = pd.DataFrame(columns=["timepoint", "dendrite", "length_um", "spines"])


def write(path, data, voxel=VOXEL, axes="ZYX"):
    sizes = {f"PhysicalSize{axis}": size for axis, size in zip("ZYX", voxel)}
    units = {f"PhysicalSize{axis}Unit": "µm" for axis in "ZYX"}
    tifffile.imwrite(path, data, ome=True, metadata={"axes": axes, **sizes, **units})
    return path


def different_sizes(folder):
    imageio.imwrite(folder / "1.png", np.zeros((8, 9), np.uint8))
    imageio.imwrite(folder / "2.png", np.zeros((9, 9), np.uint8))
    return folder


def missing_slice(folder):
    for z in (1, 2, 4):
        imageio.imwrite(folder / f"{z}.png", np.zeros((8, 9), np.uint8))
    return folder


def dated(folder):
    for day in (1, 2, 3):
        imageio.imwrite(folder / f"m_2024-01-0{day}.png", np.zeros((8, 9), np.uint8))
    return folder


def numbered_days(folder):
    for day in (1, 4, 9):
        imageio.imwrite(folder / f"cell_day_{day}.png", np.zeros((8, 9), np.uint8))
    return folder


def two_channels(folder):
    return write(folder / "s.ome.tif", np.zeros((2, 3, 8, 9), np.uint8), axes="CZYX")


def truncated(folder):
    path = write(folder / "s.ome.tif", np.ones((20, 64, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:40_000])
    return path


def not_finite(folder):
    return write(folder / "s.ome.tif", np.full((3, 8, 9), np.nan, np.float32))


def without_voxel_size(folder):
    tifffile.imwrite(folder / "s.tif", np.zeros((5, 8, 9), np.uint8))
    return folder / "s.tif"


def test_slices_with_long_numbers_are_no_days(tmp_path):
    for name in ("slice_00000001", "slice_00000002", "a_0001_0203", "a_0001_0204"):
        (tmp_path / name[:5]).mkdir(exist_ok=True)
        imageio.imwrite(tmp_path / name[:5] / f"{name}.png", np.ones((8, 9), np.uint8))
    for folder in tmp_path.iterdir():
        assert open_stack(folder).shape == (2, 8, 9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (different_sizes, "2.png: is 9 x 9 and 1.png is 8 x 9; all slices of a stack must have one size"),
        (missing_slice, "a slice is missing or double: 2.png is followed by 4.png"),
        (dated, "m_2024-01-01.png and m_2024-01-02.png are of different days and no slices of one stack"),
        (numbered_days, "cell_day_1.png and cell_day_4.png are of different days .*`spinome new`"),
        (two_channels, "s.ome.tif: has 2 channels; choose one in the column `channel`"),
        (truncated, "s.ome.tif: is truncated"),
        (not_finite, "s.ome.tif: slice 0 has values that are not finite"),
        (without_voxel_size, "s.tif: has no voxel size; set voxel_z_um, voxel_y_um and voxel_x_um"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bad_stack_is_named_with_what_is_wrong(tmp_path, make, message):
    with pytest.raises(ValueError, match=message):
        opened = open_stack(make(tmp_path))
        opened.read()
        require_voxel_um(opened)


def test_slices_of_one_date_are_one_stack(tmp_path):
    for z in range(3):
        imageio.imwrite(tmp_path / f"m_2024-01-01_z{z}.png", np.zeros((8, 9), np.uint8))
    assert open_stack(tmp_path).shape == (3, 8, 9)


@pytest.fixture(scope="module")
def image():
    """A field of bright heads, and the places of forty of them that lie at many depths."""
    rng = np.random.default_rng(0)
    place = np.column_stack([rng.uniform(4, 20, 40), rng.uniform(3, 27, 40), rng.uniform(3, 37, 40)])
    y, x = np.ogrid[:250, :334]
    light = sum(np.exp(-((y * 0.12 - py) ** 2 + (x * 0.12 - px) ** 2) / 0.2) for _, py, px in place)
    return SimpleNamespace(place=place, light=(200 * light).astype(np.float32))


def follow(places, images, voxels=None, dendrite=1, saturated=0.0):
    """Spines, links and notes of sessions 0, 1, ... of these places and projections.

    `saturated` is the share of spines beside a saturated shaft.
    """
    voxels = voxels or [VOXEL] * len(places)
    sessions = [
        pd.DataFrame(place, columns=POSITION).assign(
            score=0.9,
            dendrite=dendrite,
            along_um=0.0,
            candidate=range(len(place)),
            shaft_saturated=np.arange(len(place)) < saturated * len(place),
        )
        for place in places
    ]
    expected, shifts = correspond_series(places, images, voxels, 6.0, 1.5, 1)
    days = [(str(number), float(number)) for number in range(len(places))]
    traced = [
        pd.DataFrame({"dendrite": [1], "given": False, "length_um": [20.0], "y_um": [90.0], "x_um": [90.0]})
    ] * len(places)
    spines, links, dendrites = track_series(sessions, days, expected, [SIZE] * len(places), traced, 1.5)
    return spines, links, session_table(days, spines, shifts, {}, dendrites)


def same_ids(spines, session):
    """Share of the spines of a session that have the id of their place in the first."""
    first = spines.loc[spines["timepoint"] == "0", "spine"].to_numpy()
    return (spines.loc[spines["timepoint"] == str(session), "spine"].to_numpy() == first).mean()


def test_z_that_runs_the_other_way_is_turned(image):
    moved = image.place + np.array([1.5, 0.3, -0.2])
    flipped = np.column_stack([24 - moved[:, 0], moved[:, 1:]])
    spines, _, notes = follow([image.place, flipped, moved], [image.light] * 3)
    assert notes["z_turned"].tolist() == [False, True, False]
    assert "z runs the other way" in notes["note"][1]
    assert same_ids(spines, 1) > 0.95 and same_ids(spines, 2) > 0.95
    # its spines stay where they are in their own stack
    np.testing.assert_allclose(spines.loc[spines["timepoint"] == "1", POSITION], flipped)


def test_a_first_session_that_is_the_turned_one_is_told_from_the_others(image):
    flipped = np.column_stack([24 - image.place[:, 0], image.place[:, 1:]])
    spines, _, notes = follow([flipped, image.place, image.place], [image.light] * 3)
    assert notes["z_turned"].tolist() == [True, False, False]
    assert same_ids(spines, 1) > 0.95


def test_spines_of_one_depth_do_not_turn_a_session(image):
    flat = image.place * [0, 1, 1] + [8.0, 0, 0]
    _, _, notes = follow([flat, flat + np.array([2.0, 0, 0])], [image.light] * 2)
    assert not notes["z_turned"].any()


def test_a_session_of_another_voxel_size(image):
    coarse = image.light[::2, ::2]
    spines, _, notes = follow([image.place, image.place], [image.light, coarse], [VOXEL, (2.0, 0.24, 0.24)])
    assert same_ids(spines, 1) > 0.95 and notes["correlation"].min() > 0.8


def test_another_field_or_channel_looks_unlike_the_others(image):
    rng = np.random.default_rng(5)
    noise = rng.gamma(1, 20, image.light.shape).astype(np.float32)
    spines, _, notes = follow(
        [image.place, rng.permuted(image.place, axis=0), image.place], [image.light, noise, image.light]
    )
    assert "looks unlike the sessions around it" in notes["note"][1]
    # chance partners in the strange session take some ids along
    assert same_ids(spines, 2) > 0.7


def test_a_blurred_session_is_followed_and_noted(image):
    rng = np.random.default_rng(2)
    sharp = [image.light + 20 * ndimage.gaussian_filter(rng.standard_normal(image.light.shape), 2) for _ in range(2)]
    blurred = ndimage.gaussian_filter(image.light, 4)
    spines, _, notes = follow([image.place] * 3, [sharp[0], blurred, sharp[1]])
    assert [("is blurred" in note) for note in notes["note"]] == [False, True, False]
    assert same_ids(spines, 1) > 0.95 and same_ids(spines, 2) > 0.95


def test_a_field_that_moved_out_is_not_lost(image):
    # what lies in the last 8 um is not shown by a next session that is shifted so far
    moved = image.place - [0, 0, 5.0]
    later = np.roll(image.light, -round(5.0 / 0.12), axis=1)
    spines, _, _ = follow([image.place, moved[moved[:, 2] > 0]], [image.light, later])
    first = spines[spines["timepoint"] == "0"]
    gone = image.place[:, 2] < 5.0
    assert set(first.loc[gone, "fate"]) == {"out of field"} and (first.loc[~gone, "fate"] == "stable").mean() > 0.9


def test_a_flat_image_is_detected_judged_and_measured(phantom_stack):
    flat = phantom_stack.stack.max(axis=0, keepdims=True)
    registered = register(flat, (5.0, 5.0)).stack
    assert registered.shape == flat.shape
    boxes = pd.DataFrame(phantom_stack.heads[:, 1:], columns=["y_um", "x_um"]).assign(slice=0, score=0.9, side_um=1.1)
    candidates, _ = find_spines(boxes, registered, VOXEL)
    assert candidates["score"].tolist() == pytest.approx([0.9] * len(boxes))
    found, features = candidate_features(registered, VOXEL, candidates, [0.0] * (len(ESTIMATES) + 1))
    assert np.isfinite(features.to_numpy()).all() and not found["z_um"].any()
    assert len(measure(registered, VOXEL, found, 0.4, 2.0)) == len(boxes)


def test_a_session_that_is_there_twice(image):
    _, _, notes = follow([image.place] * 2, [image.light] * 2)
    assert notes["note"].tolist() == [f"shows the image of {other}: is it there twice?" for other in ("1", "0")]


def test_no_spines_in_one_session_or_in_all(image):
    none = np.zeros((0, 3))
    spines, _, notes = follow([image.place, none, image.place], [image.light, 0 * image.light, image.light])
    assert "no spine was found" in notes["note"][1] and same_ids(spines, 2) == 1
    spines, links, notes = follow([none, none], [0 * image.light] * 2)
    assert spines.empty and links.empty and notes["spines"].sum() == 0


def test_spines_beside_no_dendrite_are_followed_and_count_nowhere(image):
    spines, _, notes = follow([image.place] * 2, [image.light] * 2, dendrite=-1)
    assert notes["note"].str.contains("no dendrite was found beside its spines").all()
    assert same_ids(spines, 1) > 0.95
    days = notes.assign(specimen="s", field="f")
    pairs = turnover(spines.assign(specimen="s", field="f"), days, 1)
    assert pairs[["spines", "gained", "lost", "off_dendrite"]].to_numpy().tolist() == [[0, 0, 0, 80]]
    assert np.isnan(pairs["turnover_ratio"].item())


def test_a_saturated_stack_is_noted(image):
    _, _, notes = follow([image.place], [image.light], saturated=0.5)
    (note,) = notes["note"]
    assert note == "20 of 40 spines lie beside a saturated shaft: their volumes come out too large"
    assert follow([image.place], [image.light], saturated=0.2)[2]["note"].tolist() == [""]


def test_a_series_in_which_every_spine_is_stable_has_no_turnover(image):
    spines, _, _ = follow([image.place] * 4, [image.light] * 4)
    assert set(spines["fate"]) == {"stable", "last"}
    days = pd.DataFrame({"timepoint": list("0123"), "day": range(4)}).assign(specimen="s", field="f")
    pairs = turnover(spines.assign(specimen="s", field="f"), days, 1)
    assert not pairs[["gained", "lost", "turnover_ratio", "turnover_high", "corrected_low"]].any(axis=None)
    assert (pairs["corrected_ratio"] < 0.03).all()
    left = survival(spines.assign(specimen="s", field="f"), days)
    assert (left["survival"] == 1).all() and not left["formation"].any()


@pytest.mark.parametrize(("shown", "z"), [(slice(8, None), 0), (slice(9), 8)])
def test_spines_in_the_first_and_the_last_slice_are_judged_and_measured(phantom_stack, shown, z):
    stack = phantom_stack.stack[shown]
    boxes = pd.DataFrame(phantom_stack.heads[:, 1:], columns=["y_um", "x_um"]).assign(slice=z, score=0.9, side_um=1.1)
    candidates, _ = find_spines(boxes, stack, VOXEL)
    found, features = candidate_features(stack, VOXEL, candidates, [0.0] * (len(ESTIMATES) + 1))
    assert np.isfinite(features.to_numpy()).all()
    measured, truth = measure(stack, VOXEL, found, 0.4, 2.0), 4 / 3 * np.pi * phantom_stack.radii**3
    assert measured["fitted"].all() and np.corrcoef(measured["head_volume_um3"], truth)[0, 1] > 0.85
    assert 0.5 < np.median(measured["head_volume_um3"] / truth) < 2


def test_one_timepoint_only(image):
    spines, links, notes = follow([image.place], [image.light])
    assert len(spines) == 40 and links.empty and notes["note"].tolist() == [""]


@pytest.mark.parametrize("value", [0, 255])
def test_an_empty_or_saturated_field_has_no_spine_and_no_error(value):
    stack = np.full((6, 40, 50), value, np.uint8)
    registered = register(stack, (5.0, 5.0))
    assert not registered.shifts_px.any()
    assert not scale_intensity(registered.stack).any()
    boxes = pd.DataFrame(columns=BOX_COLUMNS).astype(float).astype({"slice": int})
    spines, _ = find_spines(boxes, registered.stack, VOXEL)
    assert measure(registered.stack, VOXEL, spines, 0.4, 2.0, saturation(stack)).empty


def test_boxes_over_the_edge_are_measured_without_error(tmp_path, phantom_stack):
    stack = phantom_stack.stack
    rows = [(7, 0.9, -4, -4, 6, 6), (7, 0.9, 190, 90, 215, 110), (7, 0.9, 60, 20, 70, 30)]
    frame = pd.DataFrame(rows, columns=["slice", "score", "xmin", "ymin", "xmax", "ymax"])
    frame.assign(filename="s_layer07").to_csv(tmp_path / "b.csv", index=False)
    boxes = read_boxes(tmp_path / "b.csv", "s", phantom_stack.voxel_um)
    spines, _ = find_spines(boxes, stack, phantom_stack.voxel_um)
    measured = measure(stack, phantom_stack.voxel_um, spines, 0.4, 2.0)
    assert len(measured) == 3
    assert measured[["y_um", "x_um"]].ge(-0.5).all(axis=None)


def row(timepoint, day, path="x.tif", **more):
    return StackRow(specimen="s", field="f", timepoint=timepoint, day=day, path=str(path), **more)


def test_two_sessions_of_one_day_or_of_one_file():
    fine = [row("a", 3, "a.tif"), row("b", 0, "b.tif"), row("c", 1, "two.tif", channel=0)]
    assert series_problems(fine) == []
    (day,) = series_problems([row("a", 3, "a.tif"), row("b", 3, "b.tif")])
    assert day == "s.f: timepoints a and b are both of day 3; give each its own, such as 3.1"
    (file,) = series_problems([row("a", 3), row("b", 4)])
    assert "timepoints a and b name one file, x.tif" in file


def test_a_bad_session_is_left_out_and_the_others_go_on(tmp_path, caplog):
    good = [write(tmp_path / f"{n}.ome.tif", np.full((4, 40, 50), n, np.uint8)) for n in range(4)]
    shutil.copy(good[0], tmp_path / "cut.ome.tif")
    (tmp_path / "cut.ome.tif").write_bytes(good[0].read_bytes()[:3000])
    rows = [row(str(n), n, path) for n, path in enumerate([*good, tmp_path / "cut.ome.tif"])]
    assert check_inputs(rows, [], [], [], 0.1) == []
    assert "cut.ome.tif: is truncated" in caplog.text
    # without leave to fail, or where all are bad, the run does not start
    assert len(check_inputs(rows, [], [], [], 0.0)) == 1
    assert len(check_inputs(rows[-1:], [], [], [], 0.9)) == 1


def test_a_failed_stack_is_marked_and_left_out_of_its_series(tmp_path):
    for name in ("a", "c"):
        write_failed(tmp_path / f"{name}.zarr", f"{name}.tif: is truncated")
    assert failure_of(tmp_path / "a.zarr") == "a.tif: is truncated"
    assert not read_registered(tmp_path / "a.zarr").voxels.any()
    shutil.copytree(tmp_path / "a.zarr", tmp_path / "b.zarr")
    attributes = tmp_path / "b.zarr" / "zarr.json"
    attributes.write_text(attributes.read_text().replace("failed", "other"))
    stacks = {name: str(tmp_path / f"{name}.zarr") for name in "abc"}
    assert standing("cba", stacks) == ["b"]
    assert standing("ca", stacks) == ["c", "a"]


def test_a_failed_stack_is_left_out_of_the_training(tmp_path, capsys):
    for name in "abc":
        write_volume(tmp_path / f"{name}.zarr", np.ones((3, 8, 8), np.uint8), (1000.0, 120.0, 120.0))
    write_failed(tmp_path / "d.zarr", "d.tif: is truncated")
    stacks = {name: str(tmp_path / f"{name}.zarr") for name in "dcba"}
    assert failures(stacks) == {"d": "d.tif: is truncated"}
    assert registered_size(stacks["a"]).tolist() == pytest.approx([3.0, 0.96, 0.96])
    assert to_train_on("abcd", stacks, 0.01) == ["a", "b", "c"]
    assert "d is left out of the training: d.tif: is truncated" in capsys.readouterr().out
    assert to_train_on("abc", stacks, 0.0) == ["a", "b", "c"]
    with pytest.raises(RuntimeError, match=r"1 of 4 stacks to train on failed, .*fraction 0.0; the first, d: d.tif"):
        to_train_on("abcd", stacks, 0.0)
    with pytest.raises(RuntimeError, match="1 of 1 stacks"):
        to_train_on("d", stacks, 0.9)


def test_failed_sessions_are_told_of_and_stop_the_run_where_none_is_left(image):
    shifts = correspond_series([image.place] * 2, [image.light] * 2, [VOXEL] * 2, 6.0, 1.5, 1)[1]
    spines = pd.DataFrame({"timepoint": ["a", "c"], "dendrite": 0, "shaft_saturated": False})
    table = session_table(
        [("a", 0.0), ("b", 1.0), ("c", 2.0)], spines, shifts, {"b": "b.tif: is truncated"}, NO_DENDRITES
    )
    assert table["usable"].tolist() == [True, False, True]
    assert table["note"][1] == "b.tif: is truncated" and "shows the image of c" in table["note"][0]
    require_usable(table)
    with pytest.raises(RuntimeError, match=r"all 1 sessions failed; the first: b.tif: is truncated"):
        require_usable(table[table["timepoint"] == "b"])
