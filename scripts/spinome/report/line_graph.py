"""Figure of the line graph of synapses: what links and a proofreader are worth to it."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from spinome.colours import COLOURS
from spinome.linking.evaluate import KS

STATES = {
    "orphans": "no orphan linked",
    "linked": "as linked",
    **{f"proofread_top_{k}": f"proofread, top {k}" for k in KS},
    "all": "all orphans on true shafts",
    "largest_fragment": "segments on largest fragments",
}


def draw_graph(evaluation: pd.DataFrame, detachment: pd.DataFrame) -> plt.Figure:
    """Graph f1 in every state, whole and on the synapses of orphans, and against the fraction of detached spines.

    Parameters
    ----------
    evaluation : `linking/evaluation.tsv`, with rows `graph_f1_<state>` and `subgraph_f1_<state>`
    detachment : `linking/detachment.parquet`
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.6), layout="constrained")
    value = evaluation.set_index("metric")["value"]
    shown = [state for state in STATES if f"graph_f1_{state}" in value][::-1]
    for graph, offset, colour, name in (
        ("graph", 0.2, COLOURS["found"], "whole graph"),
        ("subgraph", -0.2, COLOURS["missed"], "synapses on orphans"),
    ):
        values = [value[f"{graph}_f1_{state}"] for state in shown]
        bars = left.barh([place + offset for place in range(len(shown))], values, 0.38, color=colour, label=name)
        left.bar_label(bars, ["" if pd.isna(f1) else f"{f1:.2f}" for f1 in values], padding=2, fontsize=7)
    left.set(yticks=range(len(shown)), yticklabels=[STATES[state] for state in shown], xlim=(0, 1.1), xlabel="graph f1")
    left.legend(fontsize=7, loc="upper right", bbox_to_anchor=(1, 1.12), ncols=2)
    for number, (volume, curve) in enumerate(detachment.groupby("volume", sort=False)):
        style = ("-", "--", ":", "-.")[number % 4]
        right.plot(curve["fraction"], curve["f1"], style, color="black", label=f"{volume}")
        right.fill_between(curve["fraction"], curve["f1_low"], curve["f1_high"], color=COLOURS["grey"], alpha=0.3, lw=0)
    right.set(xlabel="fraction of the spines detached", ylabel="graph f1", xlim=(0, 1), ylim=(0, 1.02))
    if len(detachment):
        right.legend(fontsize=7, loc="lower left")
    return figure
