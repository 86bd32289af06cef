"""Membranes are found where grey values show them, and blocks leave no seam."""

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from spinome.cuboids import cuboids
from spinome.flat_forest import flatten_forest
from spinome.linking.membranes import (
    CONTEXT_FEATURES,
    GREY_FEATURES,
    grey_range,
    halo,
    membrane_truth,
    predict_membranes,
    train_membranes,
    training_voxels,
)
from volumes import draw_cut, draw_membrane, draw_shape

VOXEL = (60.0, 24.0, 24.0)


@pytest.fixture(scope="module")
def tissue():
    """Cells of a random Voronoi diagram, dark where they meet."""
    rng = np.random.default_rng(0)
    places = np.stack(np.meshgrid(*[np.arange(n) for n in (20, 60, 60)], indexing="ij"), -1) * VOXEL
    seeds = rng.random((30, 3)) * places[-1, -1, -1]
    labels = np.argmin([((places - seed) ** 2).sum(-1) for seed in seeds], axis=0) + 1
    image = 160 - 90 * membrane_truth(labels) + rng.normal(0, 12, labels.shape)
    return image.clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def forests(tissue):
    image, labels = tissue
    blocks = list(cuboids(image.shape, (20, 60, 30), halo(VOXEL)))

    def draw(first):
        features, membrane = training_voxels(image, labels, VOXEL, blocks, 8000, 0, first)
        assert membrane.mean() == 0.5
        assert features.shape[1] == len(GREY_FEATURES if first is None else CONTEXT_FEATURES)
        return features, membrane

    return [flatten_forest(forest) for forest in train_membranes(draw, 0)]


def whole_of(image):
    return tuple(slice(0, length) for length in image.shape)


def test_finds_membranes(tissue, forests):
    image, labels = tissue
    found = predict_membranes(image, whole_of(image), grey_range(image), VOXEL, forests)
    assert roc_auc_score(membrane_truth(labels).ravel(), found.ravel()) > 0.95


@pytest.fixture(scope="module")
def opinionated(tissue):
    """Forests trained on chance: they have an opinion on every voxel, and a seam shows in the last digit."""
    image, labels = tissue
    blocks = list(cuboids(image.shape, (20, 60, 30), halo(VOXEL)))
    chance = np.random.default_rng(5)

    def draw(first):
        features, _ = training_voxels(image, labels, VOXEL, blocks, 8000, 0, first)
        return features, chance.random(len(features)) < 0.5

    return [flatten_forest(forest) for forest in train_membranes(draw, 0)]


@settings(max_examples=60, deadline=None)
@given(random=st.randoms())
def test_blocks_leave_no_seam(opinionated, random):
    """Draws images of membranes of all kinds with noise or none, integers or floats, voxels, and cuts."""
    shape = draw_shape(random)
    voxel_nm = random.choice([VOXEL, (200.0, 100.0, 100.0), (90.0, 45.0, 33.3), (400.0, 181.0, 70.0)])
    noise = np.random.default_rng(random.getrandbits(32)).normal(0, random.choice([0, 10, 60]), shape)
    image = (255 * draw_membrane(random, shape) + noise).clip(0, 255).astype(random.choice([np.uint8, np.float32]))
    grey, size = grey_range(image), draw_cut(random, shape, most=8)
    note(f"blocks of {size} in {shape}, voxels of {voxel_nm} nm")
    whole = predict_membranes(image, whole_of(image), grey, voxel_nm, opinionated)
    for block in cuboids(shape, size, halo(voxel_nm)):
        part = predict_membranes(image[block.padded], block.inner, grey, voxel_nm, opinionated)
        np.testing.assert_array_equal(part, whole[block.core])


def test_contrast_and_offset_do_not_matter(tissue, forests):
    image, _ = tissue
    brighter = image.astype(np.float32) * 3 + 100
    first = predict_membranes(image, whole_of(image), grey_range(image), VOXEL, forests).astype(int)
    second = predict_membranes(brighter, whole_of(image), grey_range(brighter), VOXEL, forests).astype(int)
    assert np.abs(first - second).mean() < 0.5


def test_truth_without_membrane_is_refused():
    with pytest.raises(ValueError, match="no membrane"):
        train_membranes(lambda first: (np.zeros((10, 16), np.float32), np.zeros(10, bool)), 0)
