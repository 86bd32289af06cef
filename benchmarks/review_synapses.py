"""How fast the judge of synapse candidates learns from answers, where nobody was asked in the fly volume.

The candidates are those of the shipped network, which has seen another fly, fitted to the volume. A person
simulated from the truth is asked about the candidates of three quarters along x, and those of the fourth are scored;
then the quarters change places.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pandas as pd

from review_curves import COUNTS, Point, ask
from spinome.cuboids import cuboids
from spinome.review.held_out import best_threshold, drawn
from spinome.review.learn_network import Source, relearn
from spinome.review.learn_synapses import asked_about, before, cubes, learn, retrained, said_by_judge, teach
from spinome.review.questions import answered_by, in_order
from spinome.review.ways import compare, parted
from spinome.scores.objects import Matched, pool, precision_recall_f1
from spinome.synapses.classifiers import of_network
from spinome.synapses.network.adapt import adapt
from spinome.synapses.network.unet import Network, load_network
from spinome.synapses.objects.judge import Judge
from spinome.synapses.objects.merge import Rules, merge_parts
from spinome.synapses.objects.patches import find_parts
from spinome.synapses.training.candidates import Candidates, find_candidates
from spinome.synapses.training.folds import SLABS, slab_width
from synapse_objects import MODELS, first_map, fly

WHERE = "synapses, F1 of objects on drosophila_vnc in the quarter that nobody was asked about, shipped network"
# a person simulated paints nothing
NOTHING_PAINTED = np.zeros(0, int), np.zeros(0, object)


@cache
def shipped() -> tuple[Network, np.ndarray]:
    """The shipped network as it is fitted to the fly volume, and what it says of each voxel there."""
    evidence = fly()["fly"][0]
    network = adapt(load_network(MODELS / "synapses.safetensors"), evidence)
    return network, first_map(evidence, of_network(network))


def candidates() -> Candidates:
    """All candidates of the fly volume, `synapse` 0 where the rules of the shipped network drop one."""
    evidence, truth = fly()["fly"]
    network, probability = shipped()
    card = network.card
    found = find_candidates(probability, evidence, truth, (card["threshold"],))[card["threshold"]]
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
    own = found.table.iloc[asked].reset_index(drop=True)
    rng = np.random.default_rng([seed, slab, len(order)])
    said = (found.partner[asked] >= 0) ^ (rng.random(len(asked)) < wrong)
    # of a second piece of a synapse a person is not sure
    sure = found.teaches[asked]
    shuffled = [(row, "random") for row in rng.permutation(len(asked))]
    drawn_by, table, out = np.full(len(asked), "", object), own, []
    for count in COUNTS:
        queue = in_order(asked_about(table), drawn_by != "", seed) if order == "active" else shuffled
        if not ask(queue, drawn_by, count) and out:
            # all are answered
            out.append(out[-1])
            continue
        rows = np.flatnonzero((drawn_by != "") & sure)
        judge = teach(own, rows, said[rows], seed)
        kept, taken = found.table["synapse"].to_numpy() > 0, False
        if judge is not None:
            likely = judge.probability(found.table)
            kept = likely >= best_threshold(likely[elsewhere])
            table = own.assign(probability=likely[asked])
            table["synapse"] = np.where(likely[asked] >= best_threshold(likely[asked]), np.arange(1, len(asked) + 1), 0)
            taken = _takes(own, drawn_by, rows, said, seed)
        out.append((found.outcome(kept.astype(float), kept, slab), taken))
    return out


def _takes(table: pd.DataFrame, drawn_by: np.ndarray, rows: np.ndarray, said: np.ndarray, seed: int) -> bool:
    """Whether the rule takes a judge that learned from these answers, by those drawn by lot.

    Parameters
    ----------
    drawn_by : (N,) how each candidate came to be asked about, empty where it was not
    rows : candidates (A,) that a person was sure of
    said : (N,) whether each is a synapse by the answer
    """
    answer = np.where(said, "synapse", "no synapse")
    # what a person is not sure of is no answer
    about = pd.DataFrame({"answer": answer, "drawn": drawn_by}).iloc[rows]
    part = parted(cubes(table)[rows], said[rows], seed)
    new = said_by_judge(table, about, part, NOTHING_PAINTED, seed)
    if new is None:
        return False
    weight = drawn(asked_about(table), about, seed, 1.0, new.kept)
    return compare(before(table, rows, said[rows], part), new.of(rows), said[rows], weight).better


def networks(found: Candidates, count: int, seed: int) -> dict[str, Matched | float]:
    """What the network learns from so many answers in active order, and what `review.learn` ends with.

    Returns
    -------
    by name what became of the objects of the quarters that nobody was asked about: "network" and "network and judge" as
    they learned from all answers, "taken" as the rule takes one of them, the judge alone or the old ones; `seconds` of
    the processor that learning took in a quarter, and `share` of quarters in which the rule takes a network
    """
    quarters = [_networks(found, slab, count, seed) for slab in range(SLABS)]
    outcomes = {name: f1([quarter[name] for quarter in quarters]) for name in ("network", "network and judge", "taken")}
    return outcomes | {name: float(np.mean([one[name] for one in quarters])) for name in ("seconds", "share")}


def _networks(found: Candidates, slab: int, count: int, seed: int) -> dict:
    asked = np.flatnonzero(found.slab != slab)
    table = found.table.iloc[asked].reset_index(drop=True)
    evidence, truth = fly()["fly"]
    table["section_um"] = evidence.voxel_nm[0] / 1000
    # a person answers all that is asked up to the count as the judge alone makes the order
    drawn_by = _asked_first(found, asked, table, count, seed)
    said = np.where(found.partner[asked] >= 0, "synapse", "no synapse")
    rows = np.flatnonzero((drawn_by != "") & found.teaches[asked])
    answers = asked_about(table).iloc[rows].assign(answer=said[rows], who="simulated", extent="", drawn=drawn_by[rows])
    answers["answer_id"] = [str(row) for row in rows]
    started = time.process_time()
    again = partial(relearn, shipped()[0], [_source(asked, slab)], table, seed=seed)
    kept: dict = {}

    def noted(*told):
        # learning again with the same answers gives the same
        key = str([np.asarray(one).tolist() for one in told[:2]])
        if key not in kept:
            kept[key] = again(*told)
        return kept[key]

    learned, scores = learn(table, answers, seed, noted)
    seconds = time.process_time() - started
    about = answered_by(asked_about(table), answers)
    part = parted(cubes(table)[about.index], (about["answer"] == "synapse").to_numpy(), seed)
    course = retrained(table, answers, about, part, noted, seed)
    taken, out = scores.loc[0, "learned"], {}
    print(slab, count, seed, scores.T.to_string(header=False).replace("\n", "; "), f"{seconds:.0f} CPU-s", flush=True)
    old = found.table["synapse"].to_numpy() > 0
    out["taken"] = found.outcome(old.astype(float), old, slab)
    if taken == "judge":
        likely = Judge.of_card(learned.card).probability(found.table)
        judged = likely >= learned.card["min_probability"]
        out["taken"] = found.outcome(likely, judged, slab)
    for name in ("network", "network and judge"):
        ended = course.finish(name if name in course.said else "network")
        out[name] = _outcome(ended.network, ended.card, evidence, truth, slab)
        if taken == name:
            out["taken"] = out[name]
    return out | {"seconds": seconds, "share": float("network" in taken)}


def _asked_first(found: Candidates, asked: np.ndarray, table: pd.DataFrame, count: int, seed: int) -> np.ndarray:
    """How candidates (N,) come to be asked about in active order, as the judge has them after each of `COUNTS`."""
    drawn_by, now = np.full(len(table), "", object), table
    for step in [one for one in COUNTS if one < count] + [count]:
        done = drawn_by != ""
        for row, how in in_order(asked_about(now), done, seed)[: step - int(done.sum())]:
            drawn_by[row] = how
        rows = np.flatnonzero((drawn_by != "") & found.teaches[asked])
        judge = teach(table, rows, found.partner[asked][rows] >= 0, seed)
        if judge is not None:
            likely = judge.probability(table)
            kept = np.where(likely >= best_threshold(likely), np.arange(1, len(table) + 1), 0)
            now = table.assign(probability=likely, synapse=kept)
    return drawn_by


def _source(asked: np.ndarray, slab: int) -> Source:
    """The quarters of the fly volume that are asked about; candidates of the others have no number."""
    (evidence, _), (network, probability) = fly()["fly"], shipped()
    shape, parts = probability.shape, []
    quarters = list(cuboids(shape, (*shape[:2], slab_width(shape[2]))))
    for one in quarters:
        own = probability[one.core]
        inside = (own >= network.card["threshold"]).astype(np.uint8)
        parts.append(find_parts(inside, own, one.start, shape, evidence))
    table, ids = merge_parts(parts, shape, evidence.voxel_nm)
    number = np.zeros(len(table) + 1, np.int64)
    number[asked + 1] = np.arange(1, len(asked) + 1)
    kept = [place for place in range(SLABS) if place != slab]
    lists = ([values[place] for place in kept] for values in (quarters, parts, [number[own] for own in ids]))
    open_ = dict.fromkeys(("min_volume_um3", "min_peak", "min_probability"))
    return Source("fly", evidence, 0, *lists, {"connectivity": 18, **vars(Rules()), **open_})


def _outcome(network: Network, card: dict | None, evidence, truth, slab: int) -> Matched:
    """What becomes of the objects of a quarter by a network that learned, and its judge if it has one."""
    threshold = network.card["threshold"]
    found = find_candidates(first_map(evidence, of_network(network)), evidence, truth, (threshold,))[threshold]
    if card is None:
        rank = found.table["volume_um3"].to_numpy()
        return found.outcome(rank, rank >= network.card["min_volume_um3"], slab)
    likely = Judge.of_card(card).probability(found.table)
    return found.outcome(likely, likely >= card["min_probability"], slab)
