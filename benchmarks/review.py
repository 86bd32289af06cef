"""How fast models learn from answers: a person simulated from the truth of real data, scored where nobody was asked.

`python benchmarks/review.py two-photon` (or `detector`, `synapses`, `links`, `types`, `neurons`) runs one branch and
leaves the rows of the others.
"""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
import pandas as pd

import review_links
import review_neurons
import review_synapses
import review_twophoton
import review_types
from review_curves import COUNTS, SEEDS, curve_rows
from runner import RESULTS, Row, write_rows

TWOPHOTON_SEEDS = SEEDS
# all candidates are described anew for each, which takes a CPU-minute
DEPTH_SEEDS = 3
# F1 that so many answers are to bring
TWOPHOTON_GAINS = {100: 0.05, 400: 0.08}
# a forest of links takes ten seconds to learn from 150 answers
LINK_SEEDS = 5
NEURON_SEEDS = SEEDS
# four quarters a seed
TYPE_SEEDS = 3
# of 75 to 88 candidates in three quarters of the fly volume, so that these are all
NETWORK_ANSWERS = 100


def twophoton_rows() -> list[Row]:
    """The judge of two-photon candidates, from one of a simulated series, which has seen neither dendrite."""
    sides = review_twophoton.sides_of(review_twophoton.described())
    start, where = review_twophoton.without(sides), review_twophoton.WHERE
    goals = {count: start + gain for count, gain in TWOPHOTON_GAINS.items()}
    every = f"{where}, right answers about all candidates of one dendrite"
    first = [
        Row(f"{where}, no answers", start, ""),
        Row(every, review_twophoton.with_all(sides), ""),
        Row(f"{where}, a judge that is always right about the candidates", review_twophoton.possible(sides), ""),
    ]
    curves = curve_rows(where, partial(review_twophoton.curve, sides), goals, TWOPHOTON_SEEDS)
    seen = [review_twophoton.with_depths(sides, seed) for seed in range(DEPTH_SEEDS)]
    return [*first, *curves, *depth_rows(seen, goals)]


def depth_rows(seen: list[dict[int, tuple[float, float]]], goals: dict[int, float]) -> list[Row]:
    """What is learned where the person moves to the slice of each head, by seed as `review_twophoton.with_depths`."""
    rows = []
    for count in seen[0]:
        score, taken = np.array([one[count] for one in seen]).T
        name = f"{review_twophoton.WHERE}, {count} answers in active order, 0% of them wrong, {len(seen)} seeds"
        name += ", the slices of heads told"
        rows.append(Row(name, float(score.mean()), "", goals[count]))
        rows.append(Row(f"{name}: standard deviation", float(score.std(ddof=1)), ""))
        rows.append(Row(f"{name}: how often depths are taken", float(taken.mean()), "share"))
    return rows


def detector_rows() -> list[Row]:
    """The network that finds two-photon spines, with one seed, since it learns four times for each dendrite."""
    sides, rows = review_twophoton.sides_of(review_twophoton.described()), []
    start = review_twophoton.without(sides)
    for count, gain in TWOPHOTON_GAINS.items():
        where = f"{review_twophoton.WHERE_DETECTOR}, {count} answers in active order, 0% of them wrong, 1 seed"
        made = review_twophoton.with_detector(sides, count, 0)
        rows += [
            Row(f"{where}: depths alone learned from them", made["before"], ""),
            Row(f"{where}: the judge learned from them", made["judge"], ""),
            Row(f"{where}: the detector learned from them", made["detector"], ""),
            Row(f"{where}: the detector and a judge learned from them", made["detector and judge"], ""),
            Row(f"{where}: what the rule takes", made["taken"], "", start + gain),
            Row(f"{where}: how often the rule takes the detector", made["share"], "share"),
            Row(f"{where}: a judge that is always right about what the detector finds then", made["possible"], ""),
            Row(f"{where}: learning from a dendrite", made["seconds"], "CPU-s"),
        ]
    return rows


def synapse_rows() -> list[Row]:
    """The judge of synapse candidates, from the rules of the shipped network, and that network itself."""
    found, where = review_synapses.candidates(), review_synapses.WHERE
    right = f"{where}, a judge that is always right about its {len(found.table)} candidates"
    first = [
        Row(f"{where}, no answers", review_synapses.without(found), ""),
        Row(right, review_synapses.possible(found), ""),
    ]
    curves = curve_rows(where, partial(review_synapses.curve, found), {100: 0.65, 400: 0.75})
    return [*first, *curves, *network_rows(found)]


def network_rows(found: review_synapses.Candidates) -> list[Row]:
    """The network that learned from answers, with one seed, since it learns four times for each quarter."""
    where = f"{review_synapses.WHERE}, {NETWORK_ANSWERS} answers in active order, 0% of them wrong, 1 seed"
    made = review_synapses.networks(found, NETWORK_ANSWERS, 0)
    return [
        Row(f"{where}: the network learned from them", made["network"], ""),
        Row(f"{where}: the network and a judge learned from them", made["network and judge"], "", 0.75),
        Row(f"{where}: what the rule takes", made["taken"], "", 0.65),
        Row(f"{where}: how often the rule takes the network", made["share"], "share"),
        Row(f"{where}: learning in a quarter", made["seconds"], "CPU-s", 120.0, True),
    ]


def link_rows() -> list[Row]:
    """The forest of links, from that of simulated tissue."""
    where, whole = review_links.WHERE, review_links.with_all()
    first = [
        Row(f"{where}, no answers", review_links.without(), ""),
        Row(f"{where}, forest of all {review_links.asked()} orphans on the other dendrites", whole, ""),
    ]
    return [*first, *curve_rows(where, review_links.curve, {100: whole - 0.03, 400: whole}, LINK_SEEDS)]


def type_rows() -> list[Row]:
    """The forest that types segments, from that of simulated tissue."""
    where, start, whole = review_types.WHERE, review_types.without(), review_types.with_all()
    first = [
        Row(f"{where}, no answers", start, "f1"),
        Row(f"{where}, forest of all labelled segments of the other quarters", whole, "f1"),
        Row(f"{where}, right answers about all links of the other quarters alone", review_types.with_links(), "f1"),
    ]
    return [*first, *curve_rows(where, review_types.curve, {}, TYPE_SEEDS, "f1")]


def neuron_rows() -> list[Row]:
    """The forest of neurons, on branches of one that it has not seen, and on synapses labelled by eye."""
    out = []
    for name, where in review_neurons.WHERE.items():
        start = review_neurons.without(name)
        goals = dict.fromkeys(COUNTS, start)
        out += [Row(f"{where}, no answers", start, "")]
        out += curve_rows(where, partial(review_neurons.curve, name), goals, NEURON_SEEDS)
    return out


BRANCHES = {
    "two-photon": twophoton_rows,
    "detector": detector_rows,
    "synapses": synapse_rows,
    "links": link_rows,
    "types": type_rows,
    "neurons": neuron_rows,
}


def main(names: list[str]) -> None:
    """Run some branches, or all where none is named."""
    path = RESULTS / "review.tsv"
    others = pd.read_table(path) if names and path.exists() else pd.DataFrame()
    write_rows("review", [row for name in names or BRANCHES for row in BRANCHES[name]()])
    if len(others):
        rest = others[~others["what"].str.startswith(tuple(names))]
        pd.concat([rest, pd.read_table(path)]).to_csv(path, sep="\t", index=False)


if __name__ == "__main__":
    main(sys.argv[1:])
