"""What the judge of synapse candidates learns from answers.

The network that finds candidates stays as it is. What tells the true ones among them, the second classifier of
`spinome.synapses.objects.judge`, is fitted to what people said of candidates, whether the run keeps these or not. It
goes by few measures, so that some dozens of answers are enough.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from spinome.review.extent import read_extent, within
from spinome.review.held_out import Verdict, best_threshold, drawn, weigh
from spinome.review.questions import NM_PER_UM, answered_by, synapse_questions
from spinome.synapses.objects.judge import Judge, fit_judge
from spinome.synapses.objects.measures import MEASURES

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
    kept = candidates["synapse"].to_numpy() > 0
    shares = {of: (true[kept[rows] == of].sum() + 1) / ((kept[rows] == of).sum() + 2) for of in (False, True)}
    ruled = np.where(kept, shares[True], shares[False])
    judged = candidates["probability"].to_numpy(float)
    return np.where(np.isnan(judged), ruled, judged)


def learn(candidates: pd.DataFrame, answers: pd.DataFrame, seed: int) -> tuple[dict[str, Any] | None, pd.DataFrame]:
    """Teach, hold against what the run does without answers, and teach again with all of them where that is better.

    Parameters
    ----------
    candidates : of all volumes: `volume`, columns of `merge_candidates`, measured, by the model without answers, and
        `section_um`, the thickness of a section
    answers : of `spinome.review.answers.candidates_said`
    seed : of the lot by which questions are drawn

    Returns
    -------
    `judge min_probability` for a card, None where the old one is to be kept; a table of one row that says why
    """
    questions = asked_about(candidates)
    about = answered_by(questions, answers)
    rows, true = about.index.to_numpy(int), (about["answer"] == "synapse").to_numpy()
    weight = drawn(questions, about, seed)
    # what lies within a painted extent is a part of that synapse, whatever number of candidates it was cut into; it is
    # no answer to a question, and so is not held out. With an extent that is held out its other parts are left out, too
    parts, owner = painted(candidates, answers)
    held_out = set(about.loc[weight > 0, "answer_id"])
    parts = parts[[name not in held_out for name in owner]]
    parts = np.setdiff1d(parts, rows)
    rows, true = np.concatenate([rows, parts]), np.concatenate([true, np.ones(len(parts), bool)])
    weight = np.concatenate([weight, np.zeros(len(parts))])
    held = weight > 0
    verdict, card = Verdict(int(held.sum()), np.nan, np.nan, np.nan, np.nan), None
    first = teach(candidates, rows[~held], true[~held], seed)
    if first is None:
        reason = f"fewer than {LEAST_OF_EACH} answers of either kind to learn from, or all in few places"
    else:
        verdict = held_against(candidates, first, rows, true, weight)
        reason = "better" if verdict.better else "not better on the answers drawn by lot"
    if verdict.better and (judge := teach(candidates, rows, true, seed)) is not None:
        card = {"judge": judge.for_card(), "min_probability": best_threshold(judge.probability(candidates))}
    people = " ".join(sorted(answers["who"].unique()))
    row = {
        "answers": len(about),
        "synapses": int(true.sum()),
        "painted": len(parts),
        "people": people,
        "held_out": verdict.held_out,
    }
    row |= {"gain_bits": verdict.gain, "gain_error": verdict.error, "old_f1": verdict.old, "new_f1": verdict.new}
    row |= {"without_candidate": len(answers) - len(about), "taken": card is not None}
    return card, pd.DataFrame([row | {"reason": reason}])


def held_against(
    candidates: pd.DataFrame, judge: Judge, rows: np.ndarray, true: np.ndarray, weight: np.ndarray
) -> Verdict:
    """Hold a judge against the run without answers, on those drawn by lot.

    Parameters
    ----------
    candidates, rows, true : as `teach` takes them
    weight : of `spinome.review.held_out.drawn`, 0 for the answers that the judge has learned from
    """
    held = weight > 0
    old, new = believed(candidates, rows[~held], true[~held]), judge.probability(candidates)
    seen = rows[held]
    said = candidates["synapse"].to_numpy()[seen] > 0, new[seen] >= best_threshold(new)
    return weigh(old[seen], new[seen], true[held], weight[held], said)
