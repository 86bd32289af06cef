"""How fast a judge of two-photon candidates learns from answers: a person simulated from the truth of real stacks.

The person is asked about the candidates of one traced dendrite of `rr30a_upper`, in all six sessions, and the judge is
scored on those of the other dendrite, which nobody was asked about; then the dendrites change places. No judge that has
seen any of these stacks takes part: the answers begin with one that was trained on a simulated series alone. Heads stay
at the depth that the detector gives them, since the weights of their depths come from these stacks, too. Each session
is judged by itself; what the sessions say of each other, which a run weighs in after the judge, takes no part.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
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
    FEATURES,
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
from spinome.workflow.code import script_hash
from twophoton import LARGE_VOXEL_UM, TAUGHT_SEED, simulated

WHERE = "two-photon detection, F1 on the other dendrite of rr30a_upper, judge of a simulated series"
REPOSITORY = Path(__file__).parents[1]
WORK = REPOSITORY / "benchmarks" / "work" / "review"
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

    `found` has those of each session with their features, doubles among them, and `heads` the true heads. Of those that
    a person is asked about, `table` is what a rule of judging writes, `features` (N, F), `spine` whether each is one by
    the truth, and `groups` (N,) parts of the field.
    """

    def __init__(self, sessions: list[tuple], judge: CalibratedClassifierCV, dendrite: int):
        tables, features, spine, groups = [], [], [], []
        self.found, self.heads, self.slice_um = {}, {}, sessions[0][2][0]
        for name, (found, described, voxel_um) in zip(SESSIONS, sessions):
            truth = read_truth_spines(DATA / "spines.csv", name, voxel_um)
            traced = read_truth_dendrites(DATA / "dendrites.csv", name, voxel_um)
            distance, node = cKDTree(traced[POSITION]).query(found[POSITION])
            used = (distance <= TRAINED_UM) & (traced["dendrite"].to_numpy()[node] == dendrite)
            own, rows = found[used].reset_index(drop=True), described[used].to_numpy()
            self.found[name] = own, rows
            self.heads[name] = truth[truth["dendrite"] == dendrite]
            scored = judged(own, _of(judge, rows), self.slice_um)
            kept = np.flatnonzero(own["candidate"].isin(scored["candidate"]))
            tables.append(scored.assign(specimen="rr30a", field="upper", timepoint=name))
            features.append(rows[kept])
            # of what is asked about the best one near a head is the spine, whichever of its doubles is left
            spine.append(label_candidates(scored, truth, self.slice_um))
            groups.append(blocks(scored, "rr30a"))
        self.table = pd.concat(tables, ignore_index=True)
        self.features, self.spine, self.groups = (np.concatenate(parts) for parts in (features, spine, groups))
        self.table["accepted"] = self.table["score"] >= best_threshold(self.table["score"].to_numpy(float))

    def f1(self, judge: CalibratedClassifierCV) -> float:
        """F1 of what a run with this judge accepts, which has it choose among doubles, too."""
        scored = {name: judged(own, _of(judge, rows), self.slice_um) for name, (own, rows) in self.found.items()}
        least = best_threshold(np.concatenate([own["score"].to_numpy(float) for own in scored.values()]))
        return self._f1({name: own[own["score"] >= least] for name, own in scored.items()})

    def possible(self) -> float:
        """F1 of a judge that is always right about its candidates."""
        right = {name: label_candidates(own, self.heads[name], self.slice_um) for name, (own, _) in self.found.items()}
        return self._f1({name: self.found[name][0][kept] for name, kept in right.items()})

    def _f1(self, accepted: dict[str, pd.DataFrame]) -> float:
        hits, reach = 0, (HIT_UM, HIT_SLICES * self.slice_um)
        for name, own in accepted.items():
            places = (frame[POSITION].to_numpy(float) for frame in (own, self.heads[name]))
            hits += len(match_points(*places, *reach)[0])
        return 2 * hits / sum(len(own) + len(self.heads[name]) for name, own in accepted.items())


def described() -> list[tuple]:
    """Candidates of each session, their features and the size of a voxel; the detector has seen none of them."""
    voxels = [open_stack(DATA / f"tp{name}.ome.tif").voxel_um for name in SESSIONS]
    tables = _kept("rr30a", lambda: [table for name in SESSIONS for table in _session(name)])
    return list(zip(tables[::2], tables[1::2], voxels))


def _session(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    opened, (model, _) = open_stack(DATA / f"tp{name}.ome.tif"), load_detector(DETECTOR)
    stack = opened.read()
    found, _ = find_spines(detect(stack, opened.voxel_um, model), stack, opened.voxel_um)
    return candidate_features(stack, opened.voxel_um, found[found["score"] >= LEAST_SCORE], DEPTH)


@cache
def judge_of_simulated() -> CalibratedClassifierCV:
    """A judge that has seen a simulated series alone."""
    (taught,) = _kept("simulated", lambda: [_simulated_examples()])
    labels = taught["spine"].to_numpy(bool)
    return train_judge(taught[FEATURES].to_numpy(), labels, taught["group"].to_numpy(object), int(labels.sum()))[0]


def _simulated_examples() -> pd.DataFrame:
    made = zip(*simulated(TAUGHT_SEED))
    taught = [examples(stack, LARGE_VOXEL_UM, own, truth, None, "simulated", DEPTH) for stack, own, truth in made]
    features, labels, groups = (np.concatenate(parts) for parts in zip(*taught))
    return pd.DataFrame(features, columns=FEATURES).assign(spine=labels, group=groups.astype(str))


def _kept(name: str, make: Callable[[], list[pd.DataFrame]]) -> list[pd.DataFrame]:
    """What takes minutes to detect and to describe stays in `benchmarks/work/review`; it depends on no answer."""
    code = script_hash("twophoton_detect") + script_hash("twophoton_judge") + DETECTOR.read_bytes().hex()
    folder = WORK / f"{hashlib.blake2b(code.encode(), digest_size=8).hexdigest()}-{name}"
    if not (folder / "all").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for number, table in enumerate(make()):
            table.to_parquet(folder / f"{number}.parquet")
        (folder / "all").touch()
    return [pd.read_parquet(folder / f"{number}.parquet") for number in range(len(list(folder.glob("*.parquet"))))]


def curve(sides: list[Candidates], order: str, wrong: float, seed: int) -> list[Point]:
    """F1 after each of `COUNTS` answers, and how often the rule takes the new judge, mean over the two ways."""
    ways = [_way(*pair, order, wrong, seed) for pair in zip(sides, sides[::-1])]
    return [Point(*np.mean(points, axis=0).tolist()) for points in zip(*ways)]


def without(sides: list[Candidates]) -> float:
    """F1 before anybody answered."""
    return float(np.mean([side.f1(judge_of_simulated()) for side in sides]))


def with_all(sides: list[Candidates]) -> float:
    """F1 after right answers about all candidates of the other dendrite."""
    scores = []
    for asked, elsewhere in zip(sides, sides[::-1]):
        rows, old = np.arange(len(asked.spine)), asked.table["score"].to_numpy(float)
        scores.append(elsewhere.f1(teach(asked.features, rows, asked.spine, old, asked.groups, 0)))
    return float(np.mean(scores))


def possible(sides: list[Candidates]) -> float:
    """F1 of a judge that is always right about the candidates."""
    return float(np.mean([side.possible() for side in sides]))


def _way(asked: Candidates, elsewhere: Candidates, order: str, wrong: float, seed: int) -> list[Point]:
    """F1 on the dendrite that nobody was asked about, and whether the rule would take the new judge."""
    rng = np.random.default_rng([seed, len(order)])
    said = asked.spine ^ (rng.random(len(asked.spine)) < wrong)
    old = asked.table["score"].to_numpy(float)
    shuffled = [(row, "random") for row in rng.permutation(len(old))]
    drawn, out, table, before = np.full(len(old), "", object), [], asked.table, judge_of_simulated()
    for count in COUNTS:
        queue = in_order(questions_of(table), drawn != "", seed) if order == "active" else shuffled
        fresh = [pair for pair in queue if not drawn[pair[0]]][: count - int((drawn != "").sum())]
        for row, how in fresh:
            drawn[row] = how
        rows = np.flatnonzero(drawn != "")
        model = teach(asked.features, rows, said[rows], old, asked.groups, seed)
        taken = model is not None and takes(asked, drawn, said, seed)
        out.append(Point(elsewhere.f1(before if model is None else model), float(taken)))
        if model is not None:
            score = _of(model, asked.features)
            table = asked.table.assign(score=score, accepted=score >= best_threshold(score))
    return out


def takes(asked: Candidates, drawn: np.ndarray, said: np.ndarray, seed: int) -> bool:
    """Whether the rule takes a judge that learned from these answers, but for those held out, on the latter.

    Parameters
    ----------
    drawn : (N,) how each candidate came to be asked about, empty where it was not
    said : (N,) whether it is a spine by the answer
    """
    questions, rows = questions_of(asked.table), np.flatnonzero(drawn != "")
    answer = np.where(said[rows], "spine", "no spine")
    answers = questions.iloc[rows].assign(who="simulated", answer=answer, drawn=drawn[rows])
    found, spine, held, weight = taught(asked.table, answers.reset_index(drop=True), seed)
    old = asked.table["score"].to_numpy(float)
    model = teach(asked.features, found[~held], spine[~held], old, asked.groups, seed)
    if model is None:
        return False
    new, seen = _of(model, asked.features), found[held]
    kept = asked.table["accepted"].to_numpy(bool)[seen], new[seen] >= best_threshold(new)
    return weigh(old[seen], new[seen], spine[held], weight[held], kept).better


def _of(model: CalibratedClassifierCV, features: np.ndarray) -> np.ndarray:
    return model.predict_proba(features)[:, 1]


def sides_of(sessions: list[tuple]) -> list[Candidates]:
    """The candidates of each of the two dendrites."""
    traced, judge = read_truth_dendrites(DATA / "dendrites.csv", SESSIONS[0], sessions[0][2]), judge_of_simulated()
    return [Candidates(sessions, judge, dendrite) for dendrite in sorted(traced["dendrite"].unique())]
