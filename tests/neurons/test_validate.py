import numpy as np
import pytest

from spinome.neurons.classify import FEATURES, Examples
from spinome.neurons.validate import (
    calibration_table,
    confusion_table,
    feature_groups,
    held_out_predictions,
    score_table,
)
from spinome.report.neurons_training import draw_training

# with the look of figures, in which titles stand to the left
from spinome.report.style import plt


@pytest.fixture(scope="module")
def parts():
    """Two neurons whose first feature tells the class, and a third whose labels are swapped."""
    rng = np.random.default_rng(0)

    def neuron(name, swapped=False):
        label = rng.integers(0, 2, 120)
        features = rng.normal(0, 1, (120, len(FEATURES)))
        features[:, :9] = label[:, None] * 4 + rng.normal(0, 0.3, (120, 9))
        group = np.array([f"{name}:{number}" for number in np.arange(120) // 20], object)
        return Examples(features, 1 - label if swapped else label, np.full(120, 1 / 120), group)

    return {"a": neuron("a"), "b": neuron("b"), "odd": neuron("odd", swapped=True)}


def test_each_example_is_predicted_without_its_branch_and_without_its_neuron(parts):
    predicted, importance = held_out_predictions(parts, 0)
    assert predicted.groupby("held_out").size().to_dict() == {"branch": 360, "neuron": 360}
    scores = score_table(predicted).set_index(["held_out", "neuron"])["weighted_f1"]
    assert scores["neuron", "a"] > scores["neuron", "odd"]
    assert scores["neuron", "odd"] < 0.1
    assert importance["importance"].idxmax() == 0 and importance["features"][0] == "log_hks, within 1.5 um"
    assert set(score_table(predicted)["neuron"]) == {"a", "b", "odd", "all"}
    share = confusion_table(predicted)
    assert share[["shaft", "spine", "soma"]].sum(axis=1).round(9).isin([0, 1]).all()
    assert (calibration_table(predicted)["n"] > 0).all()
    figure = draw_training(predicted, importance)
    assert {axis.get_title(loc="left") for axis in figure.axes} >= {"calibration", "importance", "by neuron"}
    plt.close(figure)


def test_one_neuron_has_scores_by_branch_alone(parts):
    predicted, importance = held_out_predictions({"a": parts["a"]}, 0)
    assert set(predicted["held_out"]) == {"branch"}
    plt.close(draw_training(predicted, importance))


def test_every_feature_is_in_one_group():
    columns = np.concatenate(list(feature_groups().values()))
    assert sorted(columns) == list(range(len(FEATURES)))
    assert len(feature_groups()) == 6
