"""The evaluation counts objects of a single section apart."""

import numpy as np
import pandas as pd
import pytest

from spinome.io.volumes import Volume
from spinome.synapses.evaluate import compare, evaluate

VOXEL_NM = (45.0, 8.0, 8.0)


def test_a_missed_single_section_costs_nothing_where_it_is_left_out():
    truth, found = np.zeros((5, 40, 90), np.uint8), np.zeros((5, 40, 90), np.uint64)
    truth[1:4, 5:15, 5:15] = truth[1:4, 5:15, 35:45] = truth[2, 5:15, 65:75] = 1
    found[1:4, 5:15, 5:15], found[1:4, 5:15, 35:45], found[2, 25:35, 5:15] = 1, 2, 3
    # the false one is the most certain and the smallest
    objects = pd.DataFrame(
        {"synapse": [1, 2, 3], "score": [0.9, 0.8, 0.95], "volume_um3": np.array([300, 300, 100]) * 2.88e-6}
    )
    compared = compare(Volume(truth, VOXEL_NM, "truth"), Volume(found, VOXEL_NM, "found"), objects)
    assert compared.partner.tolist() == [0, 2, -1] or compared.partner.tolist() == [0, 1, -1]
    values = evaluate([compared]).set_index("metric")["value"]
    assert values["f1"] == pytest.approx(2 / 3)
    assert values["f1_of_two_sections_or_more"] == pytest.approx(0.8)
    assert values["recall_of_two_sections_or_more"] == 1
    assert values["average_precision"] == pytest.approx(2 / 3)
