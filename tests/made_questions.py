"""Judged candidates, and answers to questions about them."""

import numpy as np
import pandas as pd

from spinome.columns import POSITION
from spinome.review.answers import ANSWER_COLUMNS, NEXT

SERIES = {"specimen": "m", "field": "f"}


def judged(score, accepted, spread_um=20.0):
    count = len(score)
    place = {"z_um": 3.0, "y_um": np.arange(count) * spread_um, "x_um": 5.0}
    return pd.DataFrame(
        {**SERIES, "timepoint": "0", "candidate": range(count), "score": score, "accepted": accepted, **place}
    )


def answers_to(questions, rows, said, who="ann"):
    """As `standing` has them, at the places of the questions."""
    own = questions.iloc[list(rows)][["kind", "unit", "next_unit", *POSITION, *NEXT, "provenance"]]
    frame = own.assign(answer_id=[f"{who}{row}" for row in rows], who=who, answer=said, drawn="random")
    return frame.reindex(columns=list(ANSWER_COLUMNS)).astype(ANSWER_COLUMNS).reset_index(drop=True)
