"""How fast what finds two-photon spines learns from answers: a person simulated from the truth of real stacks.

The person is asked about the candidates of one traced dendrite of `rr30a_upper`, in all six sessions, and the judge is
scored on those of the other dendrite, which nobody was asked about; then the dendrites change places. No judge that has
seen any of these stacks takes part: the answers begin with one that was trained on a simulated series alone. Heads stay
at the depth that the detector gives them, since the weights of their depths come from these stacks, too. Each session
is judged by itself; what the sessions say of each other, which a run weighs in after the judge, takes no part.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from sklearn.calibration import CalibratedClassifierCV

from review_curves import COUNTS, Point, ask
from spinome.io.models import Model
from spinome.io.stacks import open_stack
from spinome.review.candidates import Candidates as Known
from spinome.review.held_out import HELD_OUT, best_threshold
from spinome.review.held_out import drawn as drawn_by_lot
from spinome.review.learn import learn, questions_of, retrained, said_by_judge, taught, teach
from spinome.review.learn_depth import relearn_depth
from spinome.review.learn_detector import Source, relearn
from spinome.review.questions import answered_by, in_order
from spinome.review.ways import Said, compare, parted
from spinome.scores.matching import match_points
from spinome.twophoton.depth import ESTIMATES, true_offsets
from spinome.twophoton.depth_track import find_spines
from spinome.twophoton.detect import detect
from spinome.twophoton.detector import Detector, load_detector
from spinome.twophoton.judge import (
    FEATURES,
    LEAST_SCORE,
    TRAINED_UM,
    blocks,
    candidate_features,
    depth_examples,
    examples,
    judged,
    label_candidates,
    train_judge,
)
from spinome.twophoton.registered import RegisteredStack
from spinome.twophoton.truth import distance_to_dendrites, read_truth_dendrites, read_truth_spines
from spinome.workflow.code import script_hash
from twophoton import LARGE_VOXEL_UM, TAUGHT_SEED, simulated

WHERE = "two-photon detection, F1 on the other dendrite of rr30a_upper, judge of a simulated series"
WHERE_DETECTOR = "detector of two-photon spines, F1 on the other dendrite of rr30a_upper, the slices of heads told"
REPOSITORY = Path(__file__).parents[1]
WORK = REPOSITORY / "benchmarks" / "work" / "review"
DATA = Path(os.environ.get("SPINOME_DATA", REPOSITORY.parent / "shared" / "data")) / "twophoton" / "rr30a_upper"
DETECTOR = REPOSITORY / "workflow" / "models" / "detector.safetensors"
SESSIONS = [str(number) for number in range(6)]
POSITION = ["z_um", "y_um", "x_um"]
# heads stay where the detector has them
DEPTH = [0.0] * (len(ESTIMATES) + 1)
# after so many answers depths are learned, too; candidates so near the dendrites are described anew for it
DEEP_COUNTS, NEAR_UM = (100, 400), 6.0
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
        self.found, self.heads, self.slice_um, self.dendrite = {}, {}, sessions[0][2][0], dendrite
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

    def known(self) -> Known:
        """The same as learning takes them."""
        table, score = self.table.assign(series="rr30a.upper"), self.table["score"].to_numpy(float)
        return Known(table, self.features, self.groups, score, table["z_um"].to_numpy(float))

    def heads_um(self) -> np.ndarray:
        """Depth (N,) of the true head of each candidate that is one, in a slice; not a number of the others."""
        out = np.full(len(self.table), np.nan)
        for name in SESSIONS:
            own = np.flatnonzero((self.table["timepoint"] == name).to_numpy() & self.spine)
            places = self.table.iloc[own].reset_index(drop=True)
            offsets = true_offsets(places, self.heads[name])
            out[own] = np.rint((places["z_um"].to_numpy(float) + offsets) / self.slice_um) * self.slice_um
        return out

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
    model = load_detector(DETECTOR)[0]
    tables = _kept("rr30a", lambda: [table for name in SESSIONS for table in _session(name, model)])
    return list(zip(tables[::3], tables[1::3], voxels))


def _session(
    name: str, detector: Detector, depth: list[float] = DEPTH, near_um: np.ndarray | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Candidates that a detector finds in a session, their features, and its boxes."""
    opened = open_stack(DATA / f"tp{name}.ome.tif")
    stack = opened.read()
    boxes = detect(stack, opened.voxel_um, detector, near_um=near_um)
    found, boxes["candidate"] = find_spines(boxes, stack, opened.voxel_um)
    return *candidate_features(stack, opened.voxel_um, found[found["score"] >= LEAST_SCORE], depth), boxes


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
    shuffled = [(row, "random") for row in rng.permutation(len(said))]
    out, before = [], judge_of_simulated()
    for drawn, model in _learning(asked, said, shuffled if order == "random" else None, seed):
        taken = model is not None and takes(asked, drawn, said, seed)
        out.append(Point(elsewhere.f1(before if model is None else model), float(taken)))
    return out


def _learning(
    asked: Candidates, said: np.ndarray, shuffled: list[tuple[int, str]] | None, seed: int
) -> Iterator[tuple[np.ndarray, CalibratedClassifierCV | None]]:
    """How each candidate came to be asked about, and the judge that learned from the answers, after each of `COUNTS`.

    The judge puts the next questions in order, unless they are `shuffled`.
    """
    old, table = asked.table["score"].to_numpy(float), asked.table
    drawn = np.full(len(old), "", object)
    for count in COUNTS:
        queue = shuffled or in_order(questions_of(table), drawn != "", seed)
        ask(queue, drawn, count)
        rows = np.flatnonzero(drawn != "")
        model = teach(asked.features, rows, said[rows], old, asked.groups, seed)
        yield drawn, model
        if model is not None:
            score = _of(model, asked.features)
            table = asked.table.assign(score=score, accepted=score >= best_threshold(score))


def with_detector(sides: list[Candidates], count: int, seed: int) -> dict[str, float]:
    """What the detector learns from so many right answers in active order, and what `review.learn` ends with.

    The person moves to the slice of a head before saying that there is a spine, so that depths learn first.

    Returns
    -------
    by name F1 on the dendrites that nobody was asked about: "judge" alone, "detector", and "detector and judge" as they
    learned from all answers, "taken" as the rule takes one of them or the old ones; `seconds` of the processor that
    learning took on a dendrite, and `share` of dendrites after which the rule takes a detector
    """
    ways = [_detector_way(*pair, count, seed) for pair in zip(sides, sides[::-1])]
    return {name: float(np.mean([way[name] for way in ways])) for name in ways[0]}


def _detector_way(asked: Candidates, elsewhere: Candidates, count: int, seed: int) -> dict[str, float]:
    judge = judge_of_simulated()
    drawn = next(drawn for told, (drawn, _) in zip(COUNTS, _learning(asked, asked.spine, None, seed)) if told == count)
    about = asked.table[drawn != ""].assign(drawn=drawn[drawn != ""])
    names = ["timepoint", "candidate"]
    depth, _ = _depth_of(asked, about[asked.spine[drawn != ""]].set_index(names)["drawn"])
    mine, others = asked, elsewhere
    if depth is not None:
        deep = described_at(depth)
        mine, others = (Candidates(deep, judge, side.dendrite) for side in (asked, elsewhere))
    rows = np.flatnonzero(pd.MultiIndex.from_frame(mine.table[names]).isin(pd.MultiIndex.from_frame(about[names])))
    how = pd.Series(about["drawn"].to_numpy(), pd.MultiIndex.from_frame(about[names]))
    answers = questions_of(mine.table).iloc[rows].assign(who="simulated", seen_z_um=mine.heads_um()[rows])
    answers["answer"] = np.where(mine.spine[rows], "spine", "no spine")
    answers["drawn"] = how.reindex(pd.MultiIndex.from_frame(mine.table.iloc[rows][names])).to_numpy()
    answers = answers.assign(answer_id=[str(row) for row in rows]).reset_index(drop=True)
    known = mine.known()
    old = Model(judge, FEATURES, {"depth": depth or DEPTH, "threshold": best_threshold(known.ranked)})
    sources, detector = [_source(name) for name in SESSIONS], load_detector(DETECTOR)[0]
    kept: dict = {}

    def noted(told: pd.DataFrame, near: pd.DataFrame):
        # learning again with the same answers gives the same
        key = told.to_json()
        if key not in kept:
            kept[key] = relearn(detector, sources, old, depth or DEPTH, told, near, seed)
        return kept[key]

    started = time.process_time()
    scores = learn(known, answers, seed, noted)[1]
    seconds = time.process_time() - started
    said = scores.T.to_string(header=False).replace("\n", "; ")
    print(asked.dendrite, count, seed, said, f"{seconds:.0f} CPU-s", flush=True)
    found, spine = taught(known.table, answers)
    alone = teach(known.features, found, spine, known.ranked, known.groups, seed)
    out = {"before": others.f1(judge), "judge": others.f1(alone or judge)}
    part, about = parted(known.groups[found], spine, seed), answered_by(questions_of(known.table), answers)
    course = retrained(known, answers, about, part, noted, seed)
    there = None
    for name in ("detector", "detector and judge"):
        ended = course.finish(name if name in course.said else "detector")
        there = there or _elsewhere(ended.detector, depth or DEPTH, elsewhere.dendrite)
        out[name] = there.f1(ended.judge or judge)
    taken = scores.loc[0, "learned"]
    out |= {"taken": out[taken or "before"], "possible": there.possible()}
    out |= {"seconds": seconds, "share": float("detector" in taken)}
    print(out, flush=True)
    return out


def _source(name: str) -> Source:
    """A session as the detector of before sees it."""

    def read() -> RegisteredStack:
        opened = open_stack(DATA / f"tp{name}.ome.tif")
        return RegisteredStack(opened.read(), opened.voxel_um)

    tables = _kept("rr30a", list)
    row = {"specimen": "rr30a", "field": "upper", "timepoint": name, "series": "rr30a.upper"}
    return Source(f"rr30a.upper.{name}", row, read, tables[3 * SESSIONS.index(name) + 2])


def _elsewhere(detector: Detector, depth: list[float], dendrite: int) -> Candidates:
    """What a detector finds along a dendrite."""
    sessions = []
    for name in SESSIONS:
        voxel_um = open_stack(DATA / f"tp{name}.ome.tif").voxel_um
        traced = read_truth_dendrites(DATA / "dendrites.csv", name, voxel_um)
        near = traced.loc[traced["dendrite"] == dendrite, POSITION].to_numpy(float)
        sessions.append((*_session(name, detector, depth, near)[:2], voxel_um))
    return Candidates(sessions, judge_of_simulated(), dendrite)


def with_depths(sides: list[Candidates], seed: int) -> dict[int, tuple[float, float]]:
    """F1 after each of `DEEP_COUNTS` right answers in active order, and in how many of the two ways depths are taken.

    The person moves to the slice of a head before saying that there is a spine, so that the weights of depths learn,
    too. Then all candidates are described anew, at their new depth.
    """
    ways = [_deep_way(*pair, seed) for pair in zip(sides, sides[::-1])]
    return {count: tuple(np.mean([way[count] for way in ways], axis=0).tolist()) for count in DEEP_COUNTS}


def _deep_way(asked: Candidates, elsewhere: Candidates, seed: int) -> dict[int, tuple[float, float]]:
    out, names, judge = {}, ["timepoint", "candidate"], judge_of_simulated()
    for count, (drawn, model) in zip(COUNTS, _learning(asked, asked.spine, None, seed)):
        if count not in DEEP_COUNTS:
            continue
        about = asked.table[drawn != ""].assign(drawn=drawn[drawn != ""])
        depth, row = _depth_of(asked, about[asked.spine[drawn != ""]].set_index(names)["drawn"])
        print(asked.dendrite, count, seed, row, flush=True)
        if depth is None:
            out[count] = elsewhere.f1(model or judge), 0.0
            continue
        deep = described_at(depth)
        mine, others = (Candidates(deep, judge, side.dendrite) for side in (asked, elsewhere))
        rows = np.flatnonzero(pd.MultiIndex.from_frame(mine.table[names]).isin(pd.MultiIndex.from_frame(about[names])))
        old = mine.table["score"].to_numpy(float)
        model = teach(mine.features, rows, mine.spine[rows], old, mine.groups, seed)
        out[count] = others.f1(model or judge), 1.0
    return out


def _depth_of(asked: Candidates, spines: pd.Series) -> tuple[list[float] | None, dict[str, object]]:
    """Weights of depths that learned from the slices of heads, None where those of before stay, and what says why.

    Parameters
    ----------
    spines : by `timepoint` and `candidate` how each spine came to be asked about
    """
    (seen,) = _kept(f"seen-{asked.dendrite}", lambda: [_seen(asked)])
    seen = seen.set_index(spines.index.names)
    own = seen[seen.index.isin(spines.index)]
    held = np.flatnonzero(spines.reindex(own.index).to_numpy() == "random")[: int(HELD_OUT * len(own))]
    told = own[ESTIMATES].to_numpy(), own["offset_um"].to_numpy(), np.isin(np.arange(len(own)), held)
    return relearn_depth(*told, DEPTH)


def _seen(asked: Candidates) -> pd.DataFrame:
    """Estimates of the depth of candidates with a true head, and where a person sees it: in a slice."""
    tables = []
    for name, (own, _) in asked.found.items():
        opened, heads = open_stack(DATA / f"tp{name}.ome.tif"), asked.heads[name]
        heads = heads.assign(z_um=np.rint(heads["z_um"] / asked.slice_um) * asked.slice_um)
        estimates, offsets = depth_examples(opened.read(), opened.voxel_um, own, heads)
        known = own["candidate"].to_numpy()[np.isfinite(true_offsets(own, heads))]
        table = pd.DataFrame(estimates, columns=ESTIMATES)
        tables.append(table.assign(timepoint=name, candidate=known, offset_um=offsets))
    return pd.concat(tables, ignore_index=True)


def described_at(depth: list[float]) -> list[tuple]:
    """As `described`, of candidates near the dendrites, at the depth of these weights."""
    out = []
    for name, (found, _, voxel_um) in zip(SESSIONS, described()):
        traced = read_truth_dendrites(DATA / "dendrites.csv", name, voxel_um)
        # farther ones are neither asked about nor scored, wherever their depth moves them
        near = found[distance_to_dendrites(found[POSITION].to_numpy(float), traced) <= NEAR_UM].reset_index(drop=True)
        stack = open_stack(DATA / f"tp{name}.ome.tif").read()
        out.append((*candidate_features(stack, voxel_um, near, depth), voxel_um))
    return out


def takes(asked: Candidates, drawn: np.ndarray, said: np.ndarray, seed: int) -> bool:
    """Whether the rule takes a judge that learned from these answers, by those drawn by lot.

    Parameters
    ----------
    drawn : (N,) how each candidate came to be asked about, empty where it was not
    said : (N,) whether it is a spine by the answer
    """
    questions, rows = questions_of(asked.table), np.flatnonzero(drawn != "")
    answer = np.where(said[rows], "spine", "no spine")
    answers = questions.iloc[rows].assign(who="simulated", answer=answer, drawn=drawn[rows])
    answers = answers.reset_index(drop=True)
    found, spine = taught(asked.table, answers)
    old, known = asked.table["score"].to_numpy(float), asked.known()
    new = said_by_judge(known, old, found, spine, parted(asked.groups[found], spine, seed), seed)
    if new is None:
        return False
    weight = drawn_by_lot(questions, answered_by(questions, answers), seed, 1.0, new.kept)
    before = Said(old, known.table["accepted"].to_numpy(bool))
    return compare(before.of(found), new.of(found), spine, weight).better


def _of(model: CalibratedClassifierCV, features: np.ndarray) -> np.ndarray:
    return model.predict_proba(features)[:, 1]


def sides_of(sessions: list[tuple]) -> list[Candidates]:
    """The candidates of each of the two dendrites."""
    traced, judge = read_truth_dendrites(DATA / "dendrites.csv", SESSIONS[0], sessions[0][2]), judge_of_simulated()
    return [Candidates(sessions, judge, dendrite) for dendrite in sorted(traced["dendrite"].unique())]
