"""What finds synapses learns from answers: the judge of candidates, the network, or both.

The judge tells the true ones among candidates, the second classifier of `spinome.synapses.objects.judge`. It is fitted
to what people said of candidates, whether the run keeps these or not, and goes by few measures, so that some dozens of
answers are enough. The network learns in `spinome.review.learn_network`, alone or with a judge of what it finds then.
The simplest is taken that does best on answers drawn by lot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from spinome.review.extent import read_extent, within
from spinome.review.held_out import best_threshold, drawn
from spinome.review.questions import NM_PER_UM, answered_by, synapse_questions
from spinome.review.ways import (
    PARTS,
    Retrained,
    Said,
    choose,
    crosswise,
    elsewhere,
    found_again,
    parted,
    shares,
    shares_elsewhere,
    spread,
)
from spinome.synapses.objects.judge import Judge, fit_judge
from spinome.synapses.objects.measures import MEASURES

if TYPE_CHECKING:
    from spinome.synapses.network.unet import Network

# fewer answers of either kind teach nothing
LEAST_OF_EACH = 5
# inverse pulls of the weights to 0, of which the one is taken that is least surprised by answers left out
FREEDOMS = (0.03, 0.1, 0.3, 1.0, 3.0)
FOLDS = 5
# candidates of one cube of this edge are in one fold: they may be pieces of one synapse
CUBE_UM = 1.0


def asked_about(candidates: pd.DataFrame) -> pd.DataFrame:
    """The questions about candidates, a row for each in their order, however improbable; see `synapse_questions`."""
    return synapse_questions(candidates, "", least=0.0)


def painted(candidates: pd.DataFrame, answers: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Rows (M,) of the candidates whose middle lies within a painted extent, and the `answer_id` (M,) of the extent.

    Parameters
    ----------
    answers : of `spinome.review.answers.candidates_said`
    """
    rows, owner = [np.zeros(0, int)], [np.zeros(0, object)]
    place = candidates[["z_nm", "y_nm", "x_nm"]].to_numpy(float) / NM_PER_UM
    shown = answers[(answers["answer"] == "synapse") & (answers["extent"] != "")]
    for unit, text, name in zip(shown["unit"], shown["extent"], shown["answer_id"]):
        own = np.flatnonzero((candidates["volume"] == unit).to_numpy())
        # a middle lies between sections where an object has an even number of them
        section = float(candidates["section_um"].iloc[own[0]]) if len(own) else 0.0
        inside = own[within(read_extent(text), place[own], section)]
        rows.append(inside)
        owner.append(np.full(len(inside), name, object))
    return np.concatenate(rows), np.concatenate(owner)


def cubes(candidates: pd.DataFrame) -> np.ndarray:
    """Number (N,) of the cube of each candidate; see `CUBE_UM`."""
    cube = candidates[["z_nm", "y_nm", "x_nm"]] // (CUBE_UM * NM_PER_UM)
    keys = [*cube.columns, "volume"]
    return cube.assign(volume=candidates["volume"]).groupby(keys, sort=False).ngroup().to_numpy()


def teach(candidates: pd.DataFrame, rows: np.ndarray, true: np.ndarray, seed: int) -> Judge | None:
    """A judge that learned from answers; None where there are too few.

    Parameters
    ----------
    candidates : (N) rows with `volume`, places and `MEASURES`
    rows, true : candidates that answers are about (A,), and whether these say that they are synapses
    """
    own, groups = candidates.iloc[rows], cubes(candidates)[rows]
    if min(true.sum(), (~true).sum()) < LEAST_OF_EACH or len(np.unique(groups)) < FOLDS:
        return None
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    splits = [(a, b) for a, b in folds.split(own, true, groups) if 0 < true[a].sum() < len(a) and len(b)]
    surprises = [_surprise(own[MEASURES].to_numpy(float), true, splits, freedom) for freedom in FREEDOMS]
    return fit_judge(own, true, FREEDOMS[int(np.argmin(surprises))], LEAST_OF_EACH)


def _surprise(measures: np.ndarray, true: np.ndarray, splits: list, freedom: float) -> float:
    """Log loss of a judge on answers that it has not seen."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=freedom, max_iter=2000))
    said, seen = [], []
    for learned, left in splits:
        said.append(model.fit(measures[learned], true[learned]).predict_proba(measures[left])[:, 1])
        seen.append(true[left])
    return log_loss(np.concatenate(seen), np.concatenate(said), labels=[False, True]) if seen else np.inf


def believed(candidates: pd.DataFrame, rows: np.ndarray, true: np.ndarray) -> np.ndarray:
    """How likely each candidate (N,) is a synapse by what the run says without the answers.

    Where the model has a judge, it says so. Rules only keep a candidate or drop it: then it is as likely as others that
    these answers are about, of the same kind.

    Parameters
    ----------
    candidates, rows, true : as `teach` takes them; `synapse` is 0 where the run drops a candidate
    """
    kept, known, said = candidates["synapse"].to_numpy() > 0, np.zeros(len(candidates), bool), np.zeros(len(candidates))
    known[rows], said[rows] = True, true
    ruled = shares(kept, said, known)
    judged = candidates["probability"].to_numpy(float)
    return np.where(np.isnan(judged), ruled, judged)


# gives a network that learned from answers, and its candidates in places that were answered, with the columns of those
# that the answers are about, and which of the latter (N,) lie in these places: from their rows (A,), whether each is a
# synapse (A,), and answers with an extent
Relearn = Callable[[np.ndarray, np.ndarray, pd.DataFrame], "tuple[Network, pd.DataFrame, np.ndarray] | None"]


@dataclass(frozen=True)
class Learned:
    """What was learned: `judge min_probability` for a card, a network, both, or neither."""

    card: dict[str, Any] | None = None
    network: Network | None = None


def learn(
    candidates: pd.DataFrame, answers: pd.DataFrame, seed: int, relearn: Relearn | None = None
) -> tuple[Learned, pd.DataFrame]:
    """Teach, hold against what the run does without answers, and teach again with all of them where that is better.

    Parameters
    ----------
    candidates : of all volumes: `volume`, columns of `merge_candidates`, measured, by the model without answers, and
        `section_um`, the thickness of a section
    answers : of `spinome.review.answers.candidates_said`
    seed : of the lot by which questions are drawn
    relearn : how the network learns; without it the judge learns alone

    Returns
    -------
    what was learned, nothing where the old model is to be kept; a table of one row that says why
    """
    questions = asked_about(candidates)
    about = answered_by(questions, answers)
    rows, true = about.index.to_numpy(int), (about["answer"] == "synapse").to_numpy()
    # answers about the same cube may be about one synapse
    part = parted(cubes(candidates)[rows], true, seed)
    tried = {"": before(candidates, rows, true, part)}
    extents = painted(candidates, answers)
    judged = said_by_judge(candidates, about, part, extents, seed)
    if judged is not None:
        tried["judge"] = judged.of(rows)
    weight = drawn(questions, about, seed, 1.0, judged.kept if judged else None)
    again = relearn and retrained(candidates, answers, about, part, relearn, seed)
    tried |= again.said if again else {}
    taken, verdict, reason = choose(tried, true, weight, again)
    reason = reason or f"fewer than {LEAST_OF_EACH} answers of either kind to learn from, or all in few places"
    learned = Learned()
    every, all_true = with_extents(candidates, about, *extents, np.zeros(len(about), bool))
    if taken == "judge" and (judge := teach(candidates, every, all_true, seed)) is not None:
        learned = Learned(_for_card(judge, candidates))
    elif again and taken:
        learned = again.finish(taken)
    people = " ".join(sorted(answers["who"].unique()))
    row = {
        "answers": len(about),
        "synapses": int(all_true.sum()),
        "painted": len(every) - len(about),
        "people": people,
        "held_out": verdict.held_out,
    }
    row |= {"gain_bits": verdict.gain, "gain_error": verdict.error, "old_f1": verdict.old, "new_f1": verdict.new}
    row |= {"without_candidate": len(answers) - len(about), "taken": learned != Learned(), "learned": taken}
    return learned, pd.DataFrame([row | {"reason": reason}])


def _for_card(judge: Judge, candidates: pd.DataFrame) -> dict[str, Any]:
    return {"judge": judge.for_card(), "min_probability": best_threshold(judge.probability(candidates))}


def before(candidates: pd.DataFrame, rows: np.ndarray, true: np.ndarray, part: np.ndarray) -> Said:
    """What the run says without answers of the candidates that they are about.

    Parameters
    ----------
    candidates, rows, true : as `teach` takes them
    part : (A,) of `spinome.review.ways.parted`
    """
    likely = np.zeros(len(rows))
    for number in range(PARTS):
        own = part == number
        likely[own] = believed(candidates, rows[~own], true[~own])[rows[own]]
    return Said(likely, candidates["synapse"].to_numpy()[rows] > 0)


def with_extents(
    candidates: pd.DataFrame, about: pd.DataFrame, parts: np.ndarray, owner: np.ndarray, left: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What teaches a judge: rows of the candidates (B,) of answers and under extents, and whether each is a synapse.

    What lies within a painted extent is a part of that synapse, whatever number of candidates it was cut into.

    Parameters
    ----------
    about : of `spinome.review.questions.answered_by`
    candidates, parts, owner : as `painted` takes and gives them
    left : answers (A,) that are left out, and with them the extents that tell of candidates in a cube of theirs
    """
    rows, true = about.index.to_numpy(int), (about["answer"] == "synapse").to_numpy()
    silent = _telling(candidates, parts, owner, about, left)
    more = np.setdiff1d(parts[[name not in silent for name in owner]], rows)
    return np.concatenate([rows[~left], more]), np.concatenate([true[~left], np.ones(len(more), bool)])


def said_by_judge(
    candidates: pd.DataFrame, about: pd.DataFrame, part: np.ndarray, extents: tuple[np.ndarray, np.ndarray], seed: int
) -> Said | None:
    """What judges say of all candidates (N,) that learned from answers in other places; None where these are too few.

    Parameters
    ----------
    about : of `spinome.review.questions.answered_by`, to the questions about `candidates`
    part : (A,) of `spinome.review.ways.parted`
    extents : of `painted`
    """
    made = crosswise(part, lambda used: teach(candidates, *with_extents(candidates, about, *extents, ~used), seed))
    if made is None:
        return None
    places = spread(part, cubes(candidates), about.index.to_numpy(int))
    return elsewhere(made, places, lambda judge: judge.probability(candidates), best_threshold)


def retrained(
    candidates: pd.DataFrame, answers: pd.DataFrame, about: pd.DataFrame, part: np.ndarray, relearn: Relearn, seed: int
) -> Retrained[Learned] | None:
    """Let the network learn, and a judge of what it finds then; None where there is too little to learn from.

    Parameters
    ----------
    about : of `spinome.review.questions.answered_by`, to the questions about `candidates`
    part : (A,) of `spinome.review.ways.parted`
    """
    rows, true = about.index.to_numpy(int), (about["answer"] == "synapse").to_numpy()
    extents = painted(candidates, answers)

    def with_answers(used: np.ndarray) -> tuple[Network, pd.DataFrame, np.ndarray] | None:
        told = answers[(answers["answer"] == "synapse") & (answers["extent"] != "")]
        told = told[~told["answer_id"].isin(_telling(candidates, *extents, about, ~used))]
        masked = np.isin(about["answer_id"].to_numpy(), told["answer_id"].to_numpy())
        return relearn(rows[used & ~masked], true[used & ~masked], told)

    made = crosswise(part, with_answers)
    if made is None:
        return None
    # each answer as the network has it that learned from other places
    every_there = [found_again(asked_about(found), answers, about) for _, found, _ in made]
    mine = [np.flatnonzero((part == number) & (there >= 0)) for number, there in enumerate(every_there)]
    order = np.concatenate(mine)
    measured = pd.concat(
        [found.iloc[there[own]] for (_, found, _), there, own in zip(made, every_there, mine)], ignore_index=True
    )
    looked = made[0][2][rows]
    seen, kept = np.isin(np.arange(len(rows)), order), np.zeros(len(rows), bool)
    kept[order] = measured["synapse"].to_numpy() > 0

    said = {"network": Said(shares_elsewhere(kept, true, part, looked), kept)}
    judges = [
        teach(measured[other], np.arange(other.sum()), true[order][other], seed)
        for other in (part[order] != number for number in range(PARTS))
    ]
    if all(judge is not None for judge in judges):
        likely, enough = shares_elsewhere(seen, true, part, looked), np.zeros(len(rows), bool)
        for number, (judge, (_, found, _)) in enumerate(zip(judges, made)):
            own = order[part[order] == number]
            likely[own] = judge.probability(measured)[part[order] == number]
            enough[own] = likely[own] >= best_threshold(judge.probability(found))
        said["network and judge"] = Said(likely, enough)

    def finish(name: str) -> Learned:
        network, found, _ = with_answers(np.ones(len(rows), bool))
        if name == "network":
            return Learned(None, network)
        judge = teach(measured, np.arange(len(measured)), true[order], seed)
        return Learned(_for_card(judge, found), network)

    return Retrained(said, looked, finish)


def _telling(
    candidates: pd.DataFrame, parts: np.ndarray, owner: np.ndarray, about: pd.DataFrame, left: np.ndarray
) -> set[str]:
    """The answers that tell of those left out (A,) of `about`: these, and the extents in a cube of theirs.

    Parameters
    ----------
    candidates, parts, owner : as `painted` takes and gives them
    """
    places, rows = cubes(candidates), about.index.to_numpy(int)
    near = np.isin(places[parts], places[rows[left]])
    return {*about["answer_id"].to_numpy()[left], *owner[near]}
