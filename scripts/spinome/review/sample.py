"""What people answered to questions drawn by lot, from which the machine's error is estimated without a truth."""

from __future__ import annotations

import pandas as pd

from spinome.review.questions import answered_by, sampled

SAMPLE_COLUMNS = ["kind", "unit", "now", "counted", "answer"]


def sample(questions: pd.DataFrame, answers: pd.DataFrame, seed: int) -> pd.DataFrame:
    """All questions of one kind (N, `SAMPLE_COLUMNS`), with the answers to those from the start of the lot.

    The questions that a person was asked for their worth are the ones that the run has wrong more often than others, so
    their answers stay empty here unless the lot came to them, too (`spinome.review.questions.accuracy`).

    Parameters
    ----------
    questions : of one kind (`spinome.review.questions`)
    answers : of `spinome.review.answers.standing`
    seed : of the lot
    """
    about = answered_by(questions, answers)
    said = pd.Series("", questions.index, dtype="string")
    for counted in (True, False):
        rows = sampled(questions, about, seed, counted)
        said.iloc[rows] = about.loc[rows, "answer"].to_numpy()
    return questions.assign(answer=said)[SAMPLE_COLUMNS]
