"""The scale bar has a round length in the units of its picture, and leaves the picture as it is."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from spinome.report.scale_bar import scale_bar


@pytest.mark.parametrize(
    ("pixels", "unit_nm", "name", "length"),
    [(512, 8.0, "1 µm", 125), (300, 4.0, "200 nm", 50), (1500, 40.0, "10 µm", 250)],
)
def test_bar_is_round_and_at_most_a_quarter_of_the_picture(pixels, unit_nm, name, length):
    figure, axes = plt.subplots()
    axes.imshow(np.zeros((100, pixels)))
    limits = axes.get_xlim(), axes.get_ylim()
    scale_bar(axes, unit_nm)
    (bar,) = axes.lines
    assert np.ptp(bar.get_xdata()) == pytest.approx(length)
    assert [text.get_text() for text in axes.texts] == [name]
    assert (axes.get_xlim(), axes.get_ylim()) == limits
    # y runs downwards in a picture: the bar is near its lower edge
    assert bar.get_ydata()[0] > 90
    plt.close(figure)
