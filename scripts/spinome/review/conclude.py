"""How learning from answers ends: its scores are told, and the new model is written or the old one stays."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from spinome.io.atomic import atomic
from spinome.io.models import Model, save_model
from spinome.io.tables import write_table


def conclude(scores: pd.DataFrame, path: str | Path) -> dict[str, Any]:
    """Print the scores of learning, write them as a table, and return them for the card of what was learned.

    Parameters
    ----------
    scores : one row, which says what was learned from and whose answers these are, and whether it is `taken`
    """
    print(scores.T.to_string())
    write_table(scores, path)
    # what is not known is null there
    return json.loads(scores.to_json(orient="records"))[0]


def save_nothing(path: str | Path) -> None:
    """Write the empty file that stands for a network that has not learned; `is_nothing` tells it."""
    with atomic(Path(path)) as part:
        part.touch()


def is_nothing(path: str | Path) -> bool:
    """Whether a network has not learned (`save_nothing`), so that what was found before holds on."""
    return Path(path).stat().st_size == 0


def save_taken(path: str | Path, taken: Any, said: dict[str, Any], old: Model, file: Path, **card: Any) -> None:
    """Write the forest that learned from answers with its card, or the old one as it is where none was taken.

    Parameters
    ----------
    taken : the new estimator, or None
    said : of `conclude`
    old, file : the old model, and where it lies
    card : what the card says beside whose answers taught, and what the old model was
    """
    if taken is None:
        with atomic(path) as part:
            shutil.copyfile(file, part)
    else:
        save_model(path, Model(taken, old.features, {"learned_from_answers": said, "taught_by": old.card, **card}))
