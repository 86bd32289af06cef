"""Candidates are told apart by what rules about volume and probability cannot see, and no score is optimistic."""

import numpy as np
import pytest

from spinome.io.volumes import Volume
from spinome.scores.objects import precision_recall_f1
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import Grey
from spinome.synapses.training.candidates import THRESHOLDS, choose_operation, find_candidates, train_judge
from spinome.synapses.training.train import operate, operate_few

VOXEL_NM = (45.0, 9.0, 9.0)
SHAPE = (5, 80, 1280)


@pytest.fixture(scope="module")
def volume():
    """64 objects of one section, alike in shape and probability: the dark half are true."""
    rng = np.random.default_rng(0)
    image = np.full(SHAPE, 160, np.uint8)
    truth, probability = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.float32)
    for number in range(64):
        z, y, x = rng.integers(5), rng.integers(5, 60), 20 * number + rng.integers(4)
        place = (z, slice(y, y + 8), slice(x, x + 12))
        probability[place] = rng.uniform(0.75, 0.95, (8, 12))
        dark = rng.random() < 0.5
        image[place] = 60 if dark else 130
        truth[place] = dark
    return Evidence(Volume(image, VOXEL_NM, "image"), Grey(128.0, 32.0)), Volume(truth, VOXEL_NM, "truth"), probability


def test_synapses_of_a_single_section_are_told_from_specks_like_them(volume):
    evidence, truth, probability = volume
    card, result = operate({"v": (evidence, truth)}, [probability])
    assert precision_recall_f1(result)[2] > 0.95
    assert card["min_volume_um3"] == card["min_peak"] == 0
    assert card["threshold"] in THRESHOLDS and 0 < card["min_probability"] < 1
    assert card["judge"]["weight"]["grey"] < 0


def test_what_is_left_out_teaches_nothing(volume):
    evidence, truth, probability = volume
    candidates = find_candidates(probability, evidence, truth)
    before = choose_operation([candidates], (1,))[0]
    spoilt = truth[:].copy()
    spoilt[:, :, 320:640] = 1 - spoilt[:, :, 320:640] * (probability[:, :, 320:640] > 0)
    after = choose_operation([find_candidates(probability, evidence, Volume(spoilt, VOXEL_NM, "spoilt"))], (1,))[0]
    assert after.threshold == before.threshold
    np.testing.assert_allclose(after.judge.weight, before.judge.weight)
    assert after.min_probability == pytest.approx(before.min_probability)


def test_a_second_piece_of_a_synapse_is_neither_true_nor_false(volume):
    evidence, truth, probability = volume
    cut = probability.copy()
    first = np.argwhere(truth[:])[0]
    label = (first[0], slice(None), slice(first[2] + 4, first[2] + 6))
    cut[label] = 0
    whole, pieces = (find_candidates(array, evidence, truth, (0.5,))[0.5] for array in (probability, cut))
    assert len(pieces.table) == len(whole.table) + 1
    assert (~pieces.teaches).sum() == 1 and whole.teaches.all()
    assert (pieces.partner >= 0).sum() == (whole.partner >= 0).sum()


def test_rules_decide_where_there_is_too_little_to_learn_from(volume):
    evidence, _, probability = volume
    nothing = Volume(np.zeros(SHAPE, np.uint8), VOXEL_NM, "nothing")
    assert train_judge([find_candidates(probability, evidence, nothing)[0.5]]) is None
    assert "judge" not in operate({"v": (evidence, nothing)}, [probability])[0]


def test_networks_of_few_synapses_keep_what_is_about_as_large_as_these(volume):
    evidence, truth, probability = volume
    sure = np.where(probability > 0, np.float32(0.95), 0)
    # a speck of a tenth of a synapse
    sure[2, 70:72, 300:305] = 0.95
    card, result = operate_few({"v": (evidence, truth)}, [sure])
    assert card["threshold"] == 0.8 and "judge" not in card
    assert card["min_volume_um3"] == pytest.approx(24 * 45 * 81 / 1e9)
    assert result.truth_found.all() and len(result.found_true) == 64
