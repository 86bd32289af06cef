"""How unlike the data of its training an input is: a model knows its limits, and a run says where it is beyond them.

A model answers whatever it is asked. What an input is like is told by a few numbers, its traits, that need no label and
no prediction. They are held against those of the training data: the unlikeness is the root mean square of how far each
trait lies from its mean there, in spreads. It is about 1 for more of the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

# of a table of inputs: `limit` is the largest unlikeness that goes without a warning, `differs` says in words what is
# most unlike, `remedy` what to do, `lacking` what the training data had too little of, with its own remedy
LIMIT_COLUMNS = ["unlikeness", "limit", "unlike", "differs", "remedy", "lacking"]
# inputs of which each is told by a line; of more the table alone tells
MOST_TOLD = 10
# no trait is known more exactly than this, however alike the training data are
FLOOR = 0.1


@dataclass(frozen=True)
class Known:
    """What the training data of a model were like: of each trait its name, its mean and its spread."""

    traits: tuple[str, ...]
    centre: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> Known | None:
        """What the card of a model says; None where it says nothing."""
        known = card.get("training data")
        return cls(*(tuple(known[name]) for name in ("traits", "centre", "spread"))) if known else None

    def for_card(self) -> dict[str, Any]:
        """What goes on the card of a model, under `training data`."""
        rounded = {name: [round(value, 4) for value in getattr(self, name)] for name in ("centre", "spread")}
        return {"traits": list(self.traits), **rounded}


def learn(described: np.ndarray, traits: Sequence[str]) -> Known:
    """What training data were like.

    Parameters
    ----------
    described : (pieces, traits), NaN where a piece has none; pieces of all sources
    """
    centre, spread = np.nanmean(described, axis=0), np.nanstd(described, axis=0)
    return Known(tuple(traits), tuple(centre.tolist()), tuple(np.hypot(spread, FLOOR).tolist()))


def unlikeness(known: Known, described: np.ndarray) -> tuple[float, str]:
    """How unlike the training data an input is, and the trait that differs most.

    Parameters
    ----------
    described : (pieces, traits) of the input; NaN where a piece has none
    """
    told = np.isfinite(described).any(axis=0)
    means = np.full(described.shape[1], np.nan)
    means[told] = np.nanmean(described[:, told], axis=0)
    far = np.abs(means - known.centre) / known.spread
    return float(np.sqrt(np.nanmean(far**2))), known.traits[int(np.nanargmax(far))]


def left_out(sources: Mapping[str, np.ndarray], traits: Sequence[str]) -> dict[str, float]:
    """The unlikeness of each source of the training data to all others: what more of the same looks like."""
    others = {name: np.concatenate([rows for other, rows in sources.items() if other != name]) for name in sources}
    return {name: unlikeness(learn(others[name], traits), rows)[0] for name, rows in sources.items()}


def judge(
    known: Known | None,
    described: np.ndarray,
    limit: float,
    words: Mapping[str, str],
    remedy: str,
    lacking: str = "",
) -> dict[str, Any]:
    """The `LIMIT_COLUMNS` of one input; its unlikeness is not a number where the model does not say what it knows, or
    the input has no trait.

    Parameters
    ----------
    words : what each trait is in words
    lacking : what the card says that the training data had too little of
    """
    said = known is not None and np.isfinite(described).any()
    far, trait = unlikeness(known, described) if said else (float("nan"), "")
    return {
        "unlikeness": far,
        "limit": limit,
        "unlike": far > limit,
        "differs": words.get(trait, trait),
        "remedy": remedy if far > limit else "",
        "lacking": lacking,
    }


def tell_unlike(inputs: pd.DataFrame, model: str = "model") -> list[str]:
    """A line for each input that is unlike the training data, the most unlike first, and for what these lack.

    Parameters
    ----------
    inputs : first a column of names that says of what kind they are, then `LIMIT_COLUMNS`; possibly `without`, what is
        to be said of an input in which the model had nothing to judge
    model : what it is called
    """
    kind = inputs.columns[0]
    # a table that came through a text file has no empty words
    lacking = [f"the {model} was trained on {text}" for text in inputs["lacking"].dropna().unique() if text]
    unlike = inputs[inputs["unlike"].astype(bool)].sort_values("unlikeness", ascending=False, kind="stable")
    told = [
        f"{kind} {row[kind]} is unlike the data that the {model} was trained on ({row['unlikeness']:.1f}, where up to "
        f"{row['limit']:g} is more of the same), most in {row['differs']}. Take its results for a first look, and "
        f"{row['remedy']}"
        for row in unlike[:MOST_TOLD].to_dict("records")
    ]
    if len(unlike) > MOST_TOLD:
        told.append(f"{len(unlike) - MOST_TOLD} more are unlike it, too; the table limits.parquet names them")
    return lacking + told + _tell_without(inputs)


def _tell_without(inputs: pd.DataFrame) -> list[str]:
    if "without" not in inputs:
        return []
    kind = inputs.columns[0]
    known = inputs[inputs["without"].fillna("") != ""]
    told = [f"{kind} {row[kind]} {row['without']}" for row in known[:MOST_TOLD].to_dict("records")]
    if len(known) > MOST_TOLD:
        told.append(f"{len(known) - MOST_TOLD} more have nothing to judge, too; the table limits.parquet names them")
    return told
