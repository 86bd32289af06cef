"""What a classifier learnt from is shown side by side, around its synapses."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

from spinome.io.volumes import Volume
from spinome.report.synapse_training import SIDE_NM, draw_lessons, piece


def volume_pair(size, shape=(3, 300, 400)):
    voxel_nm = (40.0, size, size)
    truth = np.zeros(shape, np.uint8)
    truth[1, 20:30, 350:370] = 1
    image = np.random.default_rng(0).integers(1, 255, shape).astype(np.uint8)
    return Volume(image, voxel_nm, "image"), Volume(truth, voxel_nm, "truth")


@pytest.mark.parametrize("size", [7.0, 10.0])
def test_the_piece_holds_the_synapse_and_is_as_wide_as_said(size):
    image, truth = volume_pair(size)
    shown, marked = piece(image, truth)
    assert shown.shape == marked.shape
    np.testing.assert_allclose(np.array(shown.shape) * size, SIDE_NM, atol=size)
    assert marked.sum() == truth[:].sum()


def test_a_small_volume_is_shown_whole_and_one_without_synapses_from_its_middle():
    image, _ = volume_pair(7.0, (3, 60, 400))
    empty = Volume(np.zeros(image.shape, np.uint8), image.voxel_nm, "truth")
    shown, marked = piece(image, empty)
    assert shown.shape[0] == 60 and not marked.any()


def test_taught_volumes_come_last_and_say_so(tmp_path, monkeypatch):
    titles, close = [], plt.close

    def read_titles(figure):
        titles.extend(panel.get_title("left") or panel.get_title() for panel in figure.axes)
        close(figure)

    monkeypatch.setattr(plt, "close", read_titles)
    draw_lessons(tmp_path, {"theirs": volume_pair(7.0), "own": volume_pair(10.0)}, ["theirs"])
    assert [title for title in titles if title] == ["own", "theirs, labelled by a network"]
    (entry,) = json.loads((tmp_path / "figures.json").read_text())
    assert (tmp_path / f"{entry['name']}.png").exists() and "2 um wide" in entry["caption"]
