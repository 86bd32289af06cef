import weakref

import numpy as np
import pandas as pd
import pytest

from spinome.report.film_strips import FRAME_PX, draw_strips, frames, least_sure
from spinome.report.style import plt
from spinome.twophoton.registered import RegisteredStack

NAMES = ["a", "b", "c"]


@pytest.fixture
def series():
    """Spines in a row that move by 1 um per session; number 2 is missed in b, number 3 is gained in c."""
    rows = []
    for session, name in enumerate(NAMES):
        for spine in range(4):
            if (spine, name) != (2, "b") and (spine < 3 or name == "c"):
                rows.append((name, spine, 3.0, 5.0, 3.0 * spine + session + 2))
    spines = pd.DataFrame(rows, columns=["timepoint", "spine", "z_um", "y_um", "x_um"])
    spines = spines.assign(fate="stable", origin="stable", score=0.8, corrected=False, dendrite=0)
    spines.loc[spines["spine"] == 3, "origin"] = "gained"
    links = pd.DataFrame({"spine": [0, 0, 1, 1, 2], "probability": [0.9, 0.7, 0.95, 0.99, 0.3]})
    return spines, links


def test_the_least_sure_tracks_come_first(series):
    spines, links = series
    assert least_sure(spines, links) == [2, 0, 1, 3]
    assert least_sure(spines.assign(dendrite=np.where(spines["spine"] == 0, -1, 0)), links) == [2, 1, 3]


def test_an_unseen_spine_is_looked_for_where_its_neighbours_place_it(series):
    spines, _ = series
    strip = frames(2, spines, NAMES)
    assert [frame.mark for frame in strip] == ["", "not found", ""]
    np.testing.assert_allclose(strip[1].place_um, [3, 5, 9])
    assert [frame.mark for frame in frames(3, spines, NAMES)] == ["not found", "not found", "gained"]


def test_what_was_more_likely_missed_is_marked_as_missed_and_not_as_lost(series):
    spines, _ = series
    spines = spines.assign(lost_probability=np.nan, gained_probability=np.nan)
    lost, gained = (spines["spine"] == 0) & (spines["timepoint"] == "b"), spines["spine"] == 3
    spines = spines[~((spines["spine"] == 0) & (spines["timepoint"] == "c"))]
    spines.loc[lost, "fate"] = "lost"
    for probability, marks in ((0.9, ("lost", "gained")), (0.2, ("missed", "missed"))):
        spines.loc[lost, "lost_probability"] = spines.loc[gained, "gained_probability"] = probability
        assert (frames(0, spines, NAMES)[1].mark, frames(3, spines, NAMES)[2].mark) == marks


def test_strips_have_one_scale_whatever_the_pixel(series):
    spines, links = series
    stacks = []
    for session, pixel in enumerate((0.1, 0.1, 0.2)):
        y, x = np.ogrid[: int(12 / pixel), : int(20 / pixel)]
        image = sum(
            np.exp(-((y * pixel - 5) ** 2 + (x * pixel - (3.0 * spine + session + 2)) ** 2) / 0.1) for spine in range(4)
        )
        stacks.append(RegisteredStack((np.stack([image] * 5) * 200).astype(np.uint8), (1.0, pixel, pixel)))
    figure = draw_strips(stacks, ["0", "1", "2"], spines, links, NAMES)
    sheet = figure.axes[0].images[0].get_array()
    texts = [text.get_text() for text in figure.axes[0].texts]
    plt.close(figure)
    assert texts[:4] == ["2\n0.30", "0\n0.70", "1\n0.95", "3"]
    # the head is in the middle of each frame and as wide in each
    widths = []
    for column in range(3):
        frame = sheet[2 : 2 + FRAME_PX, 54 + 42 * column + 2 :][:, :FRAME_PX, 0]
        frame = frame / frame.max()
        centre = np.argwhere(frame > 0.9).mean(axis=0)
        np.testing.assert_allclose(centre, (FRAME_PX - 1) / 2, atol=1.5)
        widths.append((frame > 0.5).sum())
    assert max(widths) < 1.4 * min(widths)


def test_of_a_long_series_two_stacks_are_held_at_most(series):
    spines, links = series
    names = [str(number) for number in range(30)]
    every = pd.concat([spines[spines["timepoint"] == "a"].assign(timepoint=name) for name in names])
    read, held = [], []

    def registered(_):
        stack = RegisteredStack(np.full((5, 60, 100), 9, np.uint8), (1.0, 0.2, 0.2))
        read.append(weakref.ref(stack))
        held.append(sum(one() is not None for one in read))
        return stack

    plt.close(draw_strips(map(registered, names), names, every, links, names))
    assert len(held) == 30 and max(held) <= 2
