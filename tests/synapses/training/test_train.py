"""Training ends wherever the classifiers stand: all right, nothing found, nothing right, nothing true."""

import numpy as np
import pandas as pd
import pytest

from spinome.io.models import Model
from spinome.io.volumes import Volume
from spinome.synapses.classifiers import Classifier
from spinome.synapses.classify import Evidence
from spinome.synapses.density.uniformity import correct_density, describe_uniformity
from spinome.synapses.forest.features import FEATURES
from spinome.synapses.grey import Grey
from spinome.synapses.objects.evaluate import compare, evaluate
from spinome.synapses.training.train import lacks, train

VOXEL_NM = (45.0, 8.0, 8.0)
SHAPE = (4, 24, 120)


def truth_of(with_synapses):
    truth = np.zeros(SHAPE, np.uint8)
    if with_synapses:
        for x in range(4, 120, 20):
            truth[1:3, 4:14, x : x + 10] = 1
    return Volume(truth, VOXEL_NM, "truth")


def trained(predicted, with_synapses=True, networks=False):
    """A model from classifiers that give this probability (Z, Y, X) everywhere."""
    image = Volume(np.zeros(SHAPE, np.uint8), VOXEL_NM, "image")
    evidence = Evidence(image, Grey(0.0, 1.0))
    classifier = Classifier(lambda evidence, piece: predicted[piece.core], lambda evidence: (0, 0, 0), {})
    model = Model(None, FEATURES, {})
    volumes = {"v": (evidence, truth_of(with_synapses))}
    return train(volumes, lambda slabs: model, lambda model: classifier, (4, 24, 60), networks).card


@pytest.mark.parametrize(
    ("predicted", "scores"),
    [
        (truth_of(True)[:] * np.float32(0.97), [1, 1, 1]),
        (np.zeros(SHAPE, np.float32), [np.nan, 0, np.nan]),
        (np.roll(truth_of(True)[:], 12, axis=1) * np.float32(0.97), [0, 0, 0]),
    ],
    ids=["all right", "nothing found", "nothing right"],
)
def test_precision_and_recall_of_0_and_1(predicted, scores):
    card = trained(predicted)
    found = card["object precision, recall, F1 on slabs left out"]
    np.testing.assert_allclose(np.nan_to_num(found), np.nan_to_num(scores))
    assert 0 < card["threshold"] < 1


def test_training_says_which_of_its_classifiers_it_is_at(capsys):
    trained(np.zeros(SHAPE, np.float32))
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("classifier")]
    assert [line.split(",")[0] for line in said] == [f"classifier {number} of 5" for number in range(1, 6)]
    assert "all but quarter 2 along x; about 0.0 CPU-min to go" in said[1]
    assert said[4].startswith("classifier 5 of 5, trained on all; about")


def test_networks_of_few_synapses_are_three(capsys):
    card = trained(truth_of(True)[:] * np.float32(0.97), networks=True)
    assert card["threshold"] == 0.8 and card["true synapses"] == 6 and not card["lacking"]
    assert card["object precision, recall, F1 on slabs left out"] == [1, 1, 1]
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("classifier")]
    assert [line.split(",")[0] for line in said] == [f"classifier {number} of 3" for number in range(1, 4)]
    assert "all but quarter 3 and 4 along x; about 0.0 CPU-min to go" in said[1]
    assert said[2].startswith("classifier 3 of 3, trained on all; about")


def test_with_volumes_to_tune_on_one_classifier_is_trained_and_fitted_to_them(capsys):
    image = Volume(np.zeros(SHAPE, np.uint8), VOXEL_NM, "image")
    evidence, asked = Evidence(image, Grey(0.0, 1.0)), []
    predicted = truth_of(True)[:] * np.float32(0.97)
    classifier = Classifier(lambda evidence, piece: predicted[piece.core], lambda evidence: (0, 0, 0), {})
    model = Model(None, FEATURES, {})

    def fit_to(model, evidence):
        asked.append(evidence)
        return model

    tune = {"t": (evidence, truth_of(True))}
    volumes = {"v": (evidence, truth_of(False))}
    made = train(volumes, lambda slabs: model, lambda model: classifier, (4, 24, 60), True, tune, fit_to)
    assert made.card["object precision, recall, F1 on volumes tuned on"] == [1, 1, 1]
    assert made.card["training volumes"] == ["v"] and asked == [evidence]
    assert "classifier 1 of 1, trained on all" in capsys.readouterr().out


def test_labels_that_say_too_little_are_told_of_with_the_remedy():
    def boxes(*sections):
        return [(slice(low, high), slice(0, 4), slice(0, 4)) for low, high in sections]

    assert "only 1 true synapse:" in lacks(boxes((1, 3))) and "label 5 or more" in lacks(boxes((1, 3)))
    assert "only 4 true synapses:" in lacks(boxes((1, 3), (2, 3), (0, 4), (1, 2)))
    alone = lacks(boxes(*[(2, 3)] * 6))
    assert alone.startswith("synapses of a single section alone") and "through several sections" in alone
    assert lacks(boxes((2, 3), (2, 3), (3, 4), (2, 3), (2, 3))) == lacks(boxes(*[(1, 3)] * 6)) == ""


def test_a_volume_without_a_true_synapse():
    assert trained(np.zeros(SHAPE, np.float32), with_synapses=False)["threshold"] > 0


@pytest.mark.parametrize(("kept", "precision", "recall"), [(3, 1.0, 0.5), (0, np.nan, 0.0), (6, 1.0, 1.0)])
def test_a_density_is_corrected_by_any_score(kept, precision, recall):
    """What the evaluation says, as the step after it reads it."""
    truth = truth_of(True)
    labels = truth[:].astype(np.uint64) * np.repeat(np.arange(1, 7, dtype=np.uint64), 20)
    labels[labels > kept] = 0
    objects = pd.DataFrame(
        {"synapse": np.arange(1, kept + 1), "score": 0.9, "volume_um3": 0.001, "probability": np.nan}
    )
    compared = compare(truth, Volume(labels, VOXEL_NM, "found"), objects)
    scores = evaluate([compared], [compared.result]).set_index("metric")
    scores = scores[["value", "ci_low", "ci_high"]]
    assert np.nan_to_num(scores.loc[["precision", "recall"], "value"]).tolist() == [np.nan_to_num(precision), recall]
    blocks = pd.DataFrame({"z_nm": [1.0, 2], "y_nm": 1.0, "x_nm": 1.0, "synapses": [1, 2], "unmasked_um3": 1.0})
    row = correct_density(describe_uniformity(blocks, "v"), tuple(scores.loc["precision"]), tuple(scores.loc["recall"]))
    assert row["value"].isna().all() == (not kept)
