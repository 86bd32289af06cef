"""Parts above several thresholds: each level as it is by itself, and each part in one of the level below."""

from itertools import pairwise

import numpy as np
import pytest

from spinome.io.volumes import Volume
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import Grey
from spinome.synapses.objects.detect import thresholds_of
from spinome.synapses.objects.patches import find_nested_parts, find_parts, paint_parts

SHAPE, START, THRESHOLDS = (9, 60, 80), (2, 10, 21), (0.3, 0.5, 0.55)


@pytest.fixture(scope="module")
def cuboid():
    rng = np.random.default_rng(0)
    image = Volume(rng.integers(0, 255, SHAPE).astype(np.uint8), (45.0, 9.0, 9.0), "image")
    return Evidence(image, Grey(128.0, 32.0)), rng.random((5, 30, 40), np.float32) ** 2


def test_each_level_is_as_it_is_by_itself(cuboid):
    evidence, probability = cuboid
    nested = find_nested_parts(probability, THRESHOLDS, START, SHAPE, evidence)
    for level, threshold in enumerate(THRESHOLDS):
        own = np.flatnonzero(nested.level == level)
        alone = find_parts((probability >= threshold).astype(np.uint8), probability, START, SHAPE, evidence)
        np.testing.assert_array_equal(nested.table[own], alone.table)
        for name, columns in (("contacts", [0, 1]), ("shell", [-1]), ("runs", [-1])):
            mine = getattr(nested, name)
            mine = mine[np.isin(mine[:, columns[0]], own)].copy()
            mine[:, columns] -= own[0]
            np.testing.assert_array_equal(mine, getattr(alone, name))


def test_each_part_lies_in_its_parent(cuboid):
    _, probability = cuboid
    nested = find_nested_parts(probability, THRESHOLDS, START, SHAPE)
    numbers = np.arange(1, len(nested.level) + 1)
    levels = [paint_parts(nested, numbers * (nested.level == level)) for level in range(len(THRESHOLDS))]
    assert (nested.parent[nested.level == 0] == -1).all()
    for below, above in pairwise(levels):
        inside = above > 0
        np.testing.assert_array_equal(nested.parent[above[inside] - 1], below[inside] - 1)


def test_a_threshold_of_the_settings_goes_before_lower_ones_of_the_model():
    card = {"threshold": 0.3, "further_thresholds": [0.6, 0.8]}
    assert thresholds_of(card) == [0.3, 0.6, 0.8]
    assert thresholds_of(card, 0.6) == [0.6, 0.8] and thresholds_of({"threshold": 0.2}) == [0.2]
