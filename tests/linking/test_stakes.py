"""The larger the smaller of two regions, the surer the forest has to be."""

import numpy as np
import pytest

from spinome.linking.stakes import EVEN_UM3, weigh


@pytest.mark.parametrize("smaller_um3", [1e-6, EVEN_UM3, 1.0, 1000.0])
def test_what_is_sure_stays_sure_and_the_order_stays(smaller_um3):
    weighed = [weigh(probability, smaller_um3) for probability in np.linspace(0, 1, 21)]
    assert weighed[0] == 0 and weighed[-1] == pytest.approx(1)
    assert (np.diff(weighed) > 0).all()


def test_odds_grow_with_the_fourth_root_of_the_volume():
    assert weigh(0.3, EVEN_UM3) == pytest.approx(0.3)
    odds = [weighed / (1 - weighed) for weighed in (weigh(0.3, 0.01), weigh(0.3, 0.16))]
    assert odds[1] == pytest.approx(2 * odds[0])
