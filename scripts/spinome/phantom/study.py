"""Simulated studies as tables: animals of two conditions, their dendrites and spines, with effects that are known.

Every quantity is a mean times factors that are log-normal between animals, between the dendrites of an animal, and for
volumes between the spines of a dendrite. So what is drawn has the groups within groups that a comparison must respect.
For studies as images, see the keys of `phantom.specimens` and `config/compare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

CONDITIONS = ("control", "treated")
# measured: density and the share of spines lost from one session to the next, 1 to 4 days later, on the hand-drawn
# spines and backbones of rr30a_upper (mapmanager/PyMapManager-Data); median and spread of volumes on the labelled
# spines of neuron 864691134900032266 (morph-spines)
DENSITY_PER_UM, LOST, VOLUME_UM3, SPREAD_OF_SPINES = 0.53, 0.15, 0.1, 0.9
# of one spine's logarithm of volume from one session to the next; assumed
CHANGE = 0.25
# lengths of dendrites that are drawn from, um: what a field of 80 um shows of one; assumed
LENGTH_UM = (30.0, 80.0)
# a spine can be lost with this probability at most, whatever the factors
MOST_LOST = 0.9


@dataclass(frozen=True)
class Effects:
    """What the treated animals have times what the control animals have; 1 is no effect."""

    density: float = 1.0
    volume: float = 1.0
    turnover: float = 1.0


@dataclass(frozen=True)
class Spread:
    """Standard deviations of the natural logarithms between the members of a group.

    The defaults are assumed: animals that differ by a tenth to a fifth, and dendrites of one animal by a quarter in
    density, as the two of rr30a_upper do (by 0.3 with their counting error).
    """

    density: float
    volume: float
    turnover: float


NO_EFFECT = Effects()
BETWEEN_ANIMALS = Spread(density=0.12, volume=0.12, turnover=0.2)
BETWEEN_DENDRITES = Spread(density=0.25, volume=0.2, turnover=0.25)


def draw_study(
    seed: int,
    animals: int = 6,
    dendrites: int = 8,
    days: Sequence[float] = (0.0, 4.0, 8.0),
    effects: Effects = NO_EFFECT,
    between_animals: Spread = BETWEEN_ANIMALS,
    between_dendrites: Spread = BETWEEN_DENDRITES,
) -> dict[str, pd.DataFrame]:
    """Draw the tables of a study with two conditions.

    Parameters
    ----------
    seed : decides everything random
    animals : of each condition
    dendrites : of each animal
    days : of the sessions, in order
    effects : of the treatment, on the means over dendrites and animals
    between_animals, between_dendrites : how much the members of a group differ

    Returns
    -------
    Tables named as those of the results and with their columns, as far as they go, and `animal condition` in each:
    `spines` (a spine at a session), `dendrites` (a dendrite in a session), and `turnover`, here with a row per dendrite
    and pair of sessions. `truth` has the density, the median volume and the share of spines lost per session of each
    dendrite. The number of spines is stationary: as many form as are lost, on average.
    """
    rng = np.random.default_rng(seed)
    truth = _draw_dendrites(rng, animals, dendrites, effects, (between_animals, between_dendrites))
    spines = _draw_spines(rng, truth, days)
    counts = _per_dendrite(spines, truth, days)
    turnover = _draw_turnover(spines, truth, days)
    named = truth[["animal", "condition", "specimen", "field", "dendrite"]]
    tables = {
        name: named.loc[table.pop("row")].reset_index(drop=True).join(table)
        for name, table in (("spines", spines), ("dendrites", counts), ("turnover", turnover))
    }
    return tables | {"truth": truth}


def _draw_dendrites(
    rng: np.random.Generator, animals: int, dendrites: int, effects: Effects, spreads: tuple[Spread, Spread]
) -> pd.DataFrame:
    """One row per dendrite, with its means."""
    number = np.repeat(np.arange(2 * animals), dendrites)
    treated = number >= animals
    names = np.array([f"{CONDITIONS[index >= animals]}_{index % animals + 1}" for index in range(2 * animals)])
    truth = pd.DataFrame(
        {
            "animal": names[number],
            "condition": np.array(CONDITIONS)[treated.astype(int)],
            "specimen": names[number],
            "field": "field",
            "dendrite": np.tile(np.arange(dendrites), 2 * animals),
            "length_um": rng.uniform(*LENGTH_UM, len(number)),
        }
    )
    means = {"density": DENSITY_PER_UM, "volume": VOLUME_UM3, "turnover": LOST}
    for name, column in (("density", "density_per_um"), ("volume", "median_um3"), ("turnover", "lost")):
        of_animals, of_dendrites = (getattr(spread, name) for spread in spreads)
        logs = rng.normal(0, of_animals, 2 * animals)[number] + rng.normal(0, of_dendrites, len(number))
        # so that the mean of the factors is 1, and an effect is one on the mean
        logs -= (of_animals**2 + of_dendrites**2) / 2
        truth[column] = means[name] * np.where(treated, getattr(effects, name), 1.0) * np.exp(logs)
    truth["lost"] = truth["lost"].clip(upper=MOST_LOST)
    return truth


def _draw_spines(rng: np.random.Generator, truth: pd.DataFrame, days: Sequence[float]) -> pd.DataFrame:
    """One row per spine and session; `row` is that of its dendrite."""
    expected = (truth["density_per_um"] * truth["length_um"]).to_numpy()
    lost, median = truth["lost"].to_numpy(), np.log(truth["median_um3"].to_numpy())
    kept = 1 - CHANGE**2 / (2 * SPREAD_OF_SPINES**2)
    row = np.repeat(np.arange(len(truth)), rng.poisson(expected))
    size, spine = rng.normal(0, SPREAD_OF_SPINES, len(row)), np.arange(len(row))
    known, sessions = len(row), []
    origin = np.full(len(row), "first", object)
    for timepoint, day in enumerate(days):
        last = timepoint == len(days) - 1
        goes = np.zeros(len(row), bool) if last else rng.random(len(row)) < lost[row]
        fate = np.where(goes, "lost", "last" if last else "stable").astype(object)
        volume = np.exp(median[row] + size)
        session = {"row": row, "timepoint": str(timepoint), "day": float(day), "spine": spine}
        sessions.append(pd.DataFrame({**session, "head_volume_um3": volume, "fate": fate, "origin": origin}))
        if last:
            break
        born = np.repeat(np.arange(len(truth)), rng.poisson(expected * lost))
        moved = kept * size[~goes] + rng.normal(0, SPREAD_OF_SPINES * np.sqrt(1 - kept**2), (~goes).sum())
        row, spine = np.r_[row[~goes], born], np.r_[spine[~goes], np.arange(known, known + len(born))]
        size = np.r_[moved, rng.normal(0, SPREAD_OF_SPINES, len(born))]
        origin = np.r_[np.full(len(moved), "stable", object), np.full(len(born), "gained", object)]
        known += len(born)
    return pd.concat(sessions, ignore_index=True)


def _per_dendrite(spines: pd.DataFrame, truth: pd.DataFrame, days: Sequence[float]) -> pd.DataFrame:
    """Length and spines of each dendrite in each session."""
    counts = np.stack([_count(spines, truth, timepoint) for timepoint in range(len(days))])
    length = np.tile(truth["length_um"].to_numpy(), len(days))
    return pd.DataFrame(
        {
            "row": np.tile(np.arange(len(truth)), len(days)),
            "timepoint": np.repeat([str(timepoint) for timepoint in range(len(days))], len(truth)),
            "day": np.repeat(np.array(days, float), len(truth)),
            "length_um": length,
            "spines": counts.ravel(),
            "density_per_um": counts.ravel() / length,
        }
    )


def _draw_turnover(spines: pd.DataFrame, truth: pd.DataFrame, days: Sequence[float]) -> pd.DataFrame:
    """Spines gained and lost on each dendrite from each session to the next."""
    pairs = []
    for timepoint in range(len(days) - 1):
        before, after = (_count(spines, truth, number) for number in (timepoint, timepoint + 1))
        lost = _count(spines[spines["fate"] == "lost"], truth, timepoint)
        gained = _count(spines[spines["origin"] == "gained"], truth, timepoint + 1)
        table = pd.DataFrame({"row": np.arange(len(truth)), "timepoint": str(timepoint)})
        table = table.assign(next_timepoint=str(timepoint + 1), days=float(days[timepoint + 1] - days[timepoint]))
        table = table.assign(spines=before, next_spines=after, stable=before - lost, gained=gained, lost=lost)
        both = before + after
        pairs.append(table.assign(turnover_ratio=np.where(both > 0, (gained + lost) / np.maximum(both, 1), np.nan)))
    return pd.concat(pairs, ignore_index=True) if pairs else pd.DataFrame({"row": np.zeros(0, int)})


def _count(spines: pd.DataFrame, truth: pd.DataFrame, timepoint: int) -> np.ndarray:
    """Spines of each dendrite in a session."""
    return np.bincount(spines.loc[spines["timepoint"] == str(timepoint), "row"], minlength=len(truth))
