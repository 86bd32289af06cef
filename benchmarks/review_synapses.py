"""How fast the judge of synapse candidates learns from answers, where nobody was asked in the fly volume.

The candidates are those of the shipped network, which has seen simulated tissue alone, fitted to the volume. A person
simulated from the truth is asked about the candidates of three quarters along x, and those of the fourth are scored;
then the quarters change places.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from review_curves import COUNTS, Point
from spinome.review.held_out import best_threshold, drawn
from spinome.review.learn_synapses import asked_about, held_against, teach
from spinome.review.questions import in_order
from spinome.scores.objects import Matched, pool, precision_recall_f1
from spinome.synapses.classifiers import of_network
from spinome.synapses.network.adapt import adapt
from spinome.synapses.network.unet import load_network
from spinome.synapses.training.candidates import Candidates, find_candidates
from spinome.synapses.training.folds import SLABS
from synapse_objects import MODELS, first_map, fly

WHERE = "synapses, F1 of objects on drosophila_vnc in the quarter that nobody was asked about, shipped network"


def candidates() -> Candidates:
    """All candidates of the fly volume, `synapse` 0 where the rules of the shipped network drop one."""
    evidence, truth = fly()["fly"]
    classifier = of_network(adapt(load_network(MODELS / "synapses.safetensors"), evidence))
    card = classifier.card
    found = find_candidates(first_map(evidence, classifier), evidence, truth, (card["threshold"],))[card["threshold"]]
    table = found.table
    kept = (table["volume_um3"] >= card["min_volume_um3"]) & (table["max_score"] >= card["min_peak"])
    return replace(found, table=table.assign(volume="fly", synapse=np.where(kept, table["synapse"], 0)))


def f1(results: list[Matched]) -> float:
    """F1 of all quarters together."""
    return precision_recall_f1(pool(results))[2]


def without(found: Candidates) -> float:
    """F1 before anybody answered."""
    kept = found.table["synapse"].to_numpy() > 0
    return f1([found.outcome(kept.astype(float), kept, slab) for slab in range(SLABS)])


def possible(found: Candidates) -> float:
    """F1 of a judge that is always right: what lies in no candidate it cannot find."""
    right = found.partner >= 0
    return f1([found.outcome(right.astype(float), right, slab) for slab in range(SLABS)])


def curve(found: Candidates, order: str, wrong: float, seed: int) -> list[Point]:
    """F1 after each of `COUNTS` answers, and the share of quarters for which the rule takes the new judge."""
    quarters = [_quarter(found, slab, order, wrong, seed) for slab in range(SLABS)]
    points = []
    for place in range(len(COUNTS)):
        results, taken = zip(*(quarter[place] for quarter in quarters))
        points.append(Point(f1(list(results)), float(np.mean(taken))))
    return points


def _quarter(found: Candidates, slab: int, order: str, wrong: float, seed: int) -> list[tuple[Matched, bool]]:
    """What becomes of the candidates of a quarter by what was answered about the others."""
    asked, elsewhere = np.flatnonzero(found.slab != slab), found.slab == slab
    before = found.table.iloc[asked].reset_index(drop=True)
    rng = np.random.default_rng([seed, slab, len(order)])
    said = (found.partner[asked] >= 0) ^ (rng.random(len(asked)) < wrong)
    # of a second piece of a synapse a person is not sure
    sure = found.teaches[asked]
    shuffled, done, table, out = rng.permutation(len(asked)), np.zeros(len(asked), bool), before, []
    for count in COUNTS:
        queue = [row for row, _ in in_order(asked_about(table), done, seed)] if order == "active" else shuffled
        fresh = [row for row in queue if not done[row]][: count - int(done.sum())]
        if not fresh and out:
            # all are answered
            out.append(out[-1])
            continue
        done[fresh] = True
        rows = np.flatnonzero(done & sure)
        judge = teach(before, rows, said[rows], seed)
        kept, taken = found.table["synapse"].to_numpy() > 0, False
        if judge is not None:
            likely = judge.probability(found.table)
            kept = likely >= best_threshold(likely[elsewhere])
            table = before.assign(probability=likely[asked])
            table["synapse"] = np.where(likely[asked] >= best_threshold(likely[asked]), np.arange(1, len(asked) + 1), 0)
            taken = _takes(before, done, rows, said, seed)
        out.append((found.outcome(kept.astype(float), kept, slab), taken))
    return out


def _takes(table: pd.DataFrame, done: np.ndarray, rows: np.ndarray, said: np.ndarray, seed: int) -> bool:
    """Whether the rule takes a judge that learned from these answers, but for those drawn by lot, on the latter."""
    answer = np.where(said, "synapse", "no synapse")
    answer[~np.isin(np.arange(len(table)), rows)] = "unsure"
    # the lot says by itself which were drawn, as no candidate has moved
    about = pd.DataFrame({"answer": answer, "drawn": "active"})[done]
    weight = drawn(asked_about(table), about, seed)[np.isin(np.flatnonzero(done), rows)]
    first = teach(table, rows[weight == 0], said[rows][weight == 0], seed)
    return first is not None and held_against(table, first, rows, said[rows], weight).better
