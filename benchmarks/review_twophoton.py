"""How fast a judge of two-photon candidates learns from answers: a person simulated from the truth of real stacks.

The person is asked about the candidates of one traced dendrite of `rr30a_upper`, in all six sessions, and the judge is
scored on those of the other dendrite, which nobody was asked about; then the dendrites change places. No judge that has
seen any of these stacks takes part: the answers begin with one that was trained on a simulated series alone. Heads stay
at the depth that the detector gives them, since the weights of their depths come from these stacks, too.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from sklearn.calibration import CalibratedClassifierCV

from review_curves import COUNTS, Point
from spinome.io.stacks import open_stack
from spinome.review.held_out import best_threshold, weigh
from spinome.review.learn import questions_of, taught, teach
from spinome.review.questions import in_order
from spinome.scores.matching import match_points
from spinome.twophoton.depth import ESTIMATES
from spinome.twophoton.depth_track import find_spines
from spinome.twophoton.detect import detect
from spinome.twophoton.detector import load_detector
from spinome.twophoton.judge import (
    LEAST_SCORE,
    TRAINED_UM,
    blocks,
    candidate_features,
    examples,
    judged,
    label_candidates,
    train_judge,
)
from spinome.twophoton.truth import read_truth_dendrites, read_truth_spines
from twophoton import LARGE_VOXEL_UM, TAUGHT_SEED, simulated

WHERE = "two-photon detection, F1 on the other dendrite of rr30a_upper, judge of a simulated series"
REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("SPINOME_DATA", REPOSITORY.parent / "shared" / "data")) / "twophoton" / "rr30a_upper"
DETECTOR = REPOSITORY / "workflow" / "models" / "detector.safetensors"
SESSIONS = [str(number) for number in range(6)]
POSITION = ["z_um", "y_um", "x_um"]
# heads stay where the detector has them
DEPTH = [0.0] * (len(ESTIMATES) + 1)
# a hit lies this near to a head, in the plane and in slices
HIT_UM, HIT_SLICES = 0.7, 2


class Candidates:
    """Candidates of all sessions beside one dendrite, as a judge has them.

    `table` is what a rule of judging writes, `features` (N, F), `spine` whether each is one by the truth, `groups` (N,)
    parts of the field, and `heads` the true heads of each session.
    """

    def __init__(self, sessions: list[tuple], judge: CalibratedClassifierCV, dendrite: int):
        tables, features, spine, groups = [], [], [], []
        self.heads, self.slice_um = {}, sessions[0][2][0]
        for name, (found, described, voxel_um) in zip(SESSIONS, sessions):
            truth = read_truth_spines(DATA / "spines.csv", name, voxel_um)
            traced = read_truth_dendrites(DATA / "dendrites.csv", name, voxel_um)
            distance, node = cKDTree(traced[POSITION]).query(found[POSITION])
            used = (distance <= TRAINED_UM) & (traced["dendrite"].to_numpy()[node] == dendrite)
            own, rows = found[used].reset_index(drop=True), described[used].reset_index(drop=True)
            scored = judged(own, judge.predict_proba(rows.to_numpy())[:, 1], voxel_um[0])
            kept = np.flatnonzero(own["candidate"].isin(scored["candidate"]))
            tables.append(scored.assign(specimen="rr30a", field="upper", timepoint=name))
            features.append(rows.to_numpy()[kept])
            spine.append(label_candidates(own, truth, voxel_um[0])[kept])
            groups.append(blocks(own, "rr30a")[kept])
            self.heads[name] = truth.loc[truth["dendrite"] == dendrite, POSITION].to_numpy()
        self.table = pd.concat(tables, ignore_index=True)
        self.features, self.spine, self.groups = (np.concatenate(parts) for parts in (features, spine, groups))
        self.table["accepted"] = self.table["score"] >= best_threshold(self.table["score"].to_numpy(float))

    def f1(self, accepted: np.ndarray) -> float:
        """F1 of the accepted candidates against the true heads."""
        hits = 0
        for name, heads in self.heads.items():
            place = self.table.loc[accepted & (self.table["timepoint"] == name).to_numpy(), POSITION].to_numpy(float)
            hits += len(match_points(place, heads, HIT_UM, HIT_SLICES * self.slice_um)[0])
        return 2 * hits / (int(accepted.sum()) + sum(map(len, self.heads.values())))


def described() -> list[tuple]:
    """Candidates of each session, their features and the size of a voxel; the detector has seen none of them."""
    model, _ = load_detector(DETECTOR)
    out = []
    for name in SESSIONS:
        opened = open_stack(DATA / f"tp{name}.ome.tif")
        stack = opened.read()
        found, _ = find_spines(detect(stack, opened.voxel_um, model), stack, opened.voxel_um)
        found = found[found["score"] >= LEAST_SCORE].reset_index(drop=True)
        out.append((*candidate_features(stack, opened.voxel_um, found, DEPTH), opened.voxel_um))
    return out


def judge_of_simulated() -> CalibratedClassifierCV:
    """A judge that has seen a simulated series alone."""
    made = zip(*simulated(TAUGHT_SEED))
    taught = [examples(stack, LARGE_VOXEL_UM, own, truth, None, "simulated", DEPTH) for stack, own, truth in made]
    features, labels, groups = (np.concatenate(parts) for parts in zip(*taught))
    return train_judge(features, labels, groups, int(labels.sum()))[0]


def curve(sides: list[Candidates], order: str, wrong: float, seed: int) -> list[Point]:
    """F1 after each of `COUNTS` answers, and how often the rule takes the new judge, mean over the two ways."""
    ways = [_way(*pair, order, wrong, seed) for pair in zip(sides, sides[::-1])]
    return [Point(*np.mean(points, axis=0).tolist()) for points in zip(*ways)]


def without(sides: list[Candidates]) -> float:
    """F1 before anybody answered."""
    return float(np.mean([side.f1(side.table["accepted"].to_numpy()) for side in sides]))


def _way(asked: Candidates, elsewhere: Candidates, order: str, wrong: float, seed: int) -> list[Point]:
    """F1 on the dendrite that nobody was asked about, and whether the rule would take the new judge."""
    rng = np.random.default_rng([seed, len(order)])
    said = asked.spine ^ (rng.random(len(asked.spine)) < wrong)
    old = asked.table["score"].to_numpy(float)
    shuffled = rng.permutation(len(old))
    done, out = np.zeros(len(old), bool), []
    table = asked.table
    for count in COUNTS:
        queue = [row for row, _ in in_order(questions_of(table), done, seed)] if order == "active" else shuffled
        fresh = [row for row in queue if not done[row]][: count - int(done.sum())]
        done[fresh] = True
        rows = np.flatnonzero(done)
        model = teach(asked.features, rows, said[rows], old, asked.groups, seed)
        accepted = elsewhere.table["accepted"].to_numpy()
        if model is not None:
            probability = _of(model, elsewhere)
            accepted = probability >= best_threshold(probability)
        out.append(Point(elsewhere.f1(accepted), float(model is not None and takes(asked, rows, said, seed))))
        if model is not None:
            score = _of(model, asked)
            table = asked.table.assign(score=score, accepted=score >= best_threshold(score))
    return out


def takes(asked: Candidates, rows: np.ndarray, said: np.ndarray, seed: int) -> bool:
    """Whether the rule takes a judge that learned from these answers, but for those drawn by lot, on the latter."""
    questions = questions_of(asked.table)
    answer = np.where(said[rows], "spine", "no spine")
    # the lot says by itself which were drawn, as no candidate has moved
    answers = questions.iloc[rows].assign(who="simulated", answer=answer, drawn="active")
    found, spine, held, weight = taught(asked.table, answers.reset_index(drop=True), seed)
    old = asked.table["score"].to_numpy(float)
    model = teach(asked.features, found[~held], spine[~held], old, asked.groups, seed)
    if model is None:
        return False
    new = _of(model, asked)
    seen = found[held]
    said = old[seen] >= best_threshold(old), new[seen] >= best_threshold(new)
    return weigh(old[seen], new[seen], spine[held], weight[held], said).better


def _of(model, candidates: Candidates) -> np.ndarray:
    return model.predict_proba(candidates.features)[:, 1]


def sides_of(sessions: list[tuple]) -> list[Candidates]:
    """The candidates of each of the two dendrites."""
    traced, judge = read_truth_dendrites(DATA / "dendrites.csv", SESSIONS[0], sessions[0][2]), judge_of_simulated()
    return [Candidates(sessions, judge, dendrite) for dendrite in sorted(traced["dendrite"].unique())]
