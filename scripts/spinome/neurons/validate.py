"""What a forest scores on neurons and branches that it was not trained on, and which features it relies on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from spinome.io.models import Model
from spinome.mesh.hks import TIMES_NM2
from spinome.neurons.classes import CLASSES
from spinome.neurons.classify import (
    FEATURES,
    Examples,
    class_probabilities,
    copied_from,
    folds,
    join_examples,
    train_forest,
)
from spinome.scores.classification import accuracy, calibration, f1_scores, weighted_f1

HELD_OUT = ("branch", "neuron")
# features that are shuffled together: each kind, of times that reach less far than this and of those that reach farther
NEAR_NM = 1500.0


def held_out_predictions(parts: Mapping[str, Examples], seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict every example by a forest that has not seen its branch, and by one that has not seen its neuron.

    Parameters
    ----------
    parts : examples of neurons by name; copies of a neuron are unseen where it is

    Returns
    -------
    table `held_out neuron truth found value weight`, a row for each example and each of `HELD_OUT`, `value` the
    probability of the class found; and table `features importance`: what weighted F1 loses on unseen branches when
    these features are shuffled among the examples of a fold (Breiman 2001)
    """
    every = join_examples(list(parts.values()))
    neuron = np.repeat(list(parts), [len(part.label) for part in parts.values()])
    predicted, losses = [], []
    for held_out, splits in (("branch", folds(every)), ("neuron", _neurons(neuron))):
        for train, test in splits:
            model = train_forest(every[train], seed)
            probability = class_probabilities(model, every.features[test])
            predicted.append(
                pd.DataFrame(
                    {
                        "held_out": held_out,
                        "neuron": neuron[test],
                        "truth": every.label[test],
                        "found": probability.argmax(axis=1),
                        "value": probability.max(axis=1),
                        "weight": every.weight[test],
                    }
                )
            )
            if held_out == "branch":
                losses.append(_losses(model, every[test], seed))
    columns = ["held_out", "neuron", "truth", "found", "value", "weight"]
    table = pd.concat(predicted, ignore_index=True) if predicted else pd.DataFrame(columns=columns)
    importance = pd.DataFrame(losses, columns=list(feature_groups())).mean()
    return table, importance.rename_axis("features").rename("importance").reset_index()


def score_table(predicted: pd.DataFrame) -> pd.DataFrame:
    """Scores `held_out neuron weighted_f1 accuracy f1_shaft f1_spine f1_soma`, each neuron, and all of them last."""
    rows = []
    for held_out, table in predicted.groupby("held_out"):
        for neuron, own in [*table.groupby("neuron"), ("all", table)]:
            counts = _confusion(own)
            scores = {f"f1_{name}": score for name, score in zip(CLASSES, f1_scores(counts))}
            head = {"held_out": held_out, "neuron": neuron}
            rows.append(head | {"weighted_f1": weighted_f1(counts), "accuracy": accuracy(counts)} | scores)
    return pd.DataFrame(rows)


def confusion_table(predicted: pd.DataFrame) -> pd.DataFrame:
    """Share of each true class that was given each class: `held_out truth shaft spine soma`."""
    rows = []
    for held_out, table in predicted.groupby("held_out"):
        counts = _confusion(table)[:, : len(CLASSES)]
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
        rows += [[held_out, name, *values] for name, values in zip(CLASSES, share)]
    return pd.DataFrame(rows, columns=["held_out", "truth", *CLASSES])


def calibration_table(predicted: pd.DataFrame) -> pd.DataFrame:
    """How often a stated probability is right: `held_out stated observed n`, n domains."""
    parts = [
        calibration(table["value"].to_numpy(float), (table["truth"] == table["found"]).to_numpy()).assign(
            held_out=held_out
        )
        for held_out, table in predicted.groupby("held_out")
    ]
    columns = ["held_out", "stated", "observed", "n"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def feature_groups() -> dict[str, np.ndarray]:
    """Columns of features that say the same kind of thing at about the same reach."""
    reach = {f"{time:.3g}_nm2": np.sqrt(4 * time) for time in TIMES_NM2}
    groups: dict[str, list[int]] = {}
    for column, name in enumerate(FEATURES):
        kind, time = name.removesuffix("_nm2").rpartition("_")[::2]
        side = "within" if reach[f"{time}_nm2"] < NEAR_NM else "beyond"
        groups.setdefault(f"{kind}, {side} {NEAR_NM / 1000:g} um", []).append(column)
    return {name: np.array(columns) for name, columns in groups.items()}


def _neurons(neuron: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    original = np.array([copied_from(name) for name in neuron], object)
    names = np.unique(original)
    for name in names if len(names) > 1 else []:
        yield np.flatnonzero(original != name), np.flatnonzero(original == name)


def _losses(model: Model, test: Examples, seed: int) -> list[float]:
    rng = np.random.default_rng(seed)

    def score(features: np.ndarray) -> float:
        found = class_probabilities(model, features).argmax(axis=1)
        return weighted_f1(_confusion(pd.DataFrame({"truth": test.label, "found": found, "weight": test.weight})))

    whole, losses = score(test.features), []
    for columns in feature_groups().values():
        shuffled = test.features.copy()
        shuffled[:, columns] = shuffled[rng.permutation(len(shuffled))][:, columns]
        losses.append(whole - score(shuffled))
    return losses


def _confusion(table: pd.DataFrame) -> np.ndarray:
    counts = np.zeros((len(CLASSES), len(CLASSES) + 1))
    np.add.at(counts, (table["truth"].to_numpy(int), table["found"].to_numpy(int)), table["weight"].to_numpy(float))
    return counts
