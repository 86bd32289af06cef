"""What jobs ask for: it grows with their inputs and their tries, and every rule has rates of its own."""

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from spinome.workflow import asking
from spinome.workflow.samples import StackRow, VolumeRow
from spinome.workflow.sizes import UNKNOWN_STACK, UNKNOWN_VOLUME, Size, Sizes, of_files

RULES = Path(__file__).parents[2] / "workflow" / "rules"


def rules_with_resources():
    found = {}
    for file in sorted(RULES.glob("*.smk")):
        for rule, body in re.findall(r"^rule (\w+):(.*?)(?=^rule |\Z)", file.read_text(), re.MULTILINE | re.DOTALL):
            resources = re.search(r"^    resources:\n((?:        .*\n)+)", body, re.MULTILINE)
            found |= {rule: resources[1]} if resources else {}
    return found


def test_every_rule_asks_by_rates_of_its_own_and_no_row_is_of_none():
    found = rules_with_resources()
    assert all(re.match(rf'\s+\*\*asks\("{rule}", ', text) for rule, text in found.items())
    assert set(found) == set(asking.rates())


@pytest.fixture
def rate(monkeypatch):
    numbers = {"mb_job": 1000, "mb_size": 100, "cpu_s_job": 60, "cpu_s_size": 600, "written_mb_size": 10}
    monkeypatch.setattr(asking, "rates", lambda: {"r": numbers})


def test_a_job_asks_for_more_with_its_size_and_with_each_try(rate):
    asked = asking.asks("r", lambda wildcards, input: Size(10, 20))
    assert asked["mem_mb"](None, [], 1) == 2800 and asked["mem_mb"](None, [], 3) == 8400
    # three times twenty times ten minutes and one
    assert asked["runtime"](None, [], 1) == 603 and asked["runtime"](None, [], 2) == 1206
    assert asked["disk_mb"](None, []) == asking.LEAST_DISK_MB + 400
    least = asking.asks("r", lambda wildcards, input: Size(0, 0))
    assert least["runtime"](None, [], 1) == asking.LEAST_MINUTES
    assert least["mem_mb"](None, [], 1) == 1400


def test_a_rule_without_rates_is_refused(rate):
    with pytest.raises(ValueError, match="has no rates of other"):
        asking.asks("other", of_files)


def test_files_count_with_all_that_is_in_folders_and_only_once(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a").write_bytes(b"0" * 1_500_000)
    (tmp_path / "b").write_bytes(b"0" * 500_000)
    given = [str(tmp_path / name) for name in ("f", "b", "b", "not made yet")]
    assert of_files(None, given) == (2, 2)


def test_the_size_of_a_volume_is_that_of_the_first_data_that_are_there(tmp_path, monkeypatch):
    image, labels = tmp_path / "image.h5", tmp_path / "labels.h5"
    row = VolumeRow(volume="v", image=f"{image}::main", segmentation=f"{labels}::main")
    sizes = Sizes(tmp_path / ".sizes.json")
    assert sizes.volume(row) == UNKNOWN_VOLUME
    with h5py.File(image, "w") as file:
        file["main"] = np.zeros((10, 20, 30), np.uint8)
    assert sizes.volume(row) == 0.006
    address = "precomputed://https://example.org/v"
    (tmp_path / ".sizes.json").write_text(json.dumps({address: 5_000_000.0}))
    assert Sizes(tmp_path / ".sizes.json").volume(VolumeRow(volume="v", image=address)) == 5_000_000


def test_a_stack_of_coarse_pixels_is_larger_to_a_detector_than_in_its_file(tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((10, 20, 30), np.uint8))
    sizes, file = Sizes(tmp_path / ".sizes.json"), str(tmp_path / "stack.tif")
    told = {"specimen": "m", "field": "f", "timepoint": "0", "day": 0.0, "voxel_z_um": 1.0}
    fine, coarse, gone = (
        StackRow(**told, path=path, voxel_y_um=um, voxel_x_um=um)
        for path, um in ((file, 0.06), (file, 0.36), ("gone.tif", 0.12))
    )
    assert sizes.stack(fine) == sizes.resampled(fine) == 0.006
    assert Sizes(tmp_path / ".sizes.json").resampled(coarse) == pytest.approx(9 * 0.006)
    assert sizes.resampled(gone) == UNKNOWN_STACK


def test_an_address_is_looked_at_once_and_only_where_nothing_else_is_there(tmp_path, monkeypatch):
    looked = []
    monkeypatch.setattr("spinome.workflow.sizes._voxels_of_volume", lambda source, row: looked.append(source) or 3e9)
    address = "precomputed://https://example.org/v"
    rows = [VolumeRow(volume="v", image=address), VolumeRow(volume="w", image=address, segmentation="mine.h5::main")]
    for _ in range(2):
        sizes = Sizes(tmp_path / ".sizes.json")
        sizes.learn(rows)
        assert sizes.volume(rows[0]) == 3000
    assert looked == [address]
