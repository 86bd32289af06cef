"""Figures of the linking branch show what they are given, the same each time."""

import numpy as np
import pandas as pd
import pytest

from spinome.report.linking import draw_dendrites, draw_scores, draw_segments, label_colours, outlines


@pytest.fixture
def links():
    return pd.DataFrame(
        {
            "volume": "v",
            "orphan": [10, 10, 11],
            "shaft": [1, 2, 0],
            "rank": [1, 2, 0],
            "probability": [0.9, 0.2, 0.0],
            "linked": [True, False, False],
        }
    )


@pytest.fixture
def labels():
    labels = np.zeros((6, 40, 40), int)
    labels[2:4, 5:12], labels[2:4, 30:36] = 1, 2
    labels[1, 14:20, 18:24], labels[1, 24:27, 4:8] = 10, 11
    return labels


def test_colours_belong_to_labels():
    first, second = label_colours(np.array([[0, 5, 7]])), label_colours(np.array([[7, 5, 9]]))
    assert (first[0, 0] == 0).all()
    np.testing.assert_array_equal(first[0, 1], second[0, 1])
    assert not np.array_equal(first[0, 1], first[0, 2])


def test_outlines_lie_between_labels():
    assert outlines(np.array([[1, 1, 1, 2, 2, 2]] * 3))[1].tolist() == [False, False, True, True, False, False]


def test_an_orphan_has_the_colour_of_its_link(labels, links):
    bridges = pd.DataFrame([[10, 1, 45.0, 290.0, 410.0, 75.0, 230.0, 410.0]], columns=[
        "orphan", "shaft", "from_z_nm", "from_y_nm", "from_x_nm", "to_z_nm", "to_y_nm", "to_x_nm"])  # fmt: skip
    figure = draw_dendrites(labels, np.array([1, 2]), links, bridges, (30.0, 20.0, 20.0))
    picture = figure.axes[0].images[0].get_array()
    red, green, blue = picture[17, 21]
    assert red > 1.5 * green and red > 1.5 * blue
    loose = picture[25, 6]
    assert np.ptp(loose) < 0.1 and (picture[22, 30] == 1).all()
    assert len(figure.axes[0].lines) >= 2


def test_panels_without_data_are_left_out(labels, links):
    truth = pd.DataFrame({"volume": ["v"], "orphan": [10], "shaft": [1]})
    table = pd.DataFrame({"threshold": [0, 1.0], "vi_split": [2.0, 0.0], "vi_merge": [0.0, 2.0]})
    assert len(draw_scores(links, truth, {"v": table}, 0.5, 0.3).axes) == 3
    assert len(draw_scores(links, truth.iloc[:0], {"v": table}, 0.5, 0.3).axes) == 1
    assert len(draw_scores(links, truth, {}, 0.5, 0.3).axes) == 2


def test_segments_are_drawn_beside_the_image(labels):
    image = np.random.default_rng(0).integers(0, 255, (40, 40))
    figure = draw_segments(image, {"superpixels": labels[2], "segments": labels[3]}, labels[2], (30.0, 20.0, 20.0))
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["grey values", "superpixels", "segments"]
