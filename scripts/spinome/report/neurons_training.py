"""Figure of the training of the neurons branch: confusion, calibration, and which features the forest relies on."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from spinome.colours import COLOURS
from spinome.neurons.classes import CLASSES
from spinome.neurons.validate import HELD_OUT, calibration_table, confusion_table, score_table

TITLES = {"branch": "unseen branches", "neuron": "unseen neurons"}


def draw_training(predicted: pd.DataFrame, importance: pd.DataFrame) -> plt.Figure:
    """Confusion of unseen branches and of unseen neurons, calibration, scores by neuron and importance of features.

    Parameters
    ----------
    predicted, importance : what `spinome.neurons.validate.held_out_predictions` returns
    """
    kinds = [kind for kind in HELD_OUT if (predicted["held_out"] == kind).any()]
    figure = plt.figure(figsize=(9, 6), layout="constrained")
    above, below = figure.subfigures(2, 1)
    axes = above.subplot_mosaic([[*kinds, "calibration"]])
    axes |= below.subplot_mosaic([["scores", "importance"]])
    scores, shares = score_table(predicted), confusion_table(predicted)
    for kind in kinds:
        whole = scores[(scores["held_out"] == kind) & (scores["neuron"] == "all")].iloc[0]
        _confusion(axes[kind], shares[shares["held_out"] == kind][list(CLASSES)].to_numpy(), whole)
        axes[kind].set_title(f"{TITLES[kind]}\nweighted F1 {whole['weighted_f1']:.3f}")
    _calibration(axes["calibration"], calibration_table(predicted))
    _scores(axes["scores"], scores[scores["neuron"] != "all"])
    names = importance["features"].str.replace("_", " ").str.replace(", ", ",\n")
    axes["importance"].barh(names, importance["importance"], color=COLOURS["grey"])
    axes["importance"].invert_yaxis()
    axes["importance"].set(xlabel="weighted F1 lost", title="importance")
    return figure


def _confusion(axes: plt.Axes, share: np.ndarray, scores: pd.Series) -> None:
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(share.shape):
        colour = "white" if share[row, column] > 0.55 else "black"
        axes.text(column, row, f"{share[row, column]:.3f}", ha="center", va="center", color=colour)
    axes.set_yticks(range(len(CLASSES)), [f"{name}\nF1 {scores[f'f1_{name}']:.3f}" for name in CLASSES])
    axes.set_xticks(range(len(CLASSES)), CLASSES)
    axes.set(xlabel="predicted", ylabel="true")


def _calibration(axes: plt.Axes, table: pd.DataFrame) -> None:
    axes.plot([1 / 3, 1], [1 / 3, 1], color=COLOURS["grey"], lw=1, ls=":")
    for (kind, rows), style in zip(table.groupby("held_out"), ("o-", "s--")):
        axes.plot(rows["stated"], rows["observed"], style, color=COLOURS["truth"], ms=4, label=TITLES[kind])
    axes.set(
        xlabel="stated probability", ylabel="fraction right", title="calibration", xlim=(0.3, 1.01), ylim=(0, 1.02)
    )
    axes.legend()


def _scores(axes: plt.Axes, scores: pd.DataFrame) -> None:
    names = sorted(scores["neuron"].unique())
    for kind, marker in (("branch", "o"), ("neuron", "s")):
        rows = scores[scores["held_out"] == kind].set_index("neuron").reindex(names)
        filled = {"fc": COLOURS["truth"] if kind == "branch" else "none", "ec": COLOURS["truth"]}
        axes.scatter(rows["weighted_f1"], range(len(names)), marker=marker, s=26, label=TITLES[kind], **filled)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.set(xlabel="weighted F1", xlim=(min(0.6, scores["weighted_f1"].min() - 0.02), 1.01), title="by neuron")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower left")
