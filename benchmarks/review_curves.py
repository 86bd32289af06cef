"""Curves of a score against the number of answers, by a simulated person, in active and in random order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from runner import Row

COUNTS = (20, 50, 100, 200, 400)
SEEDS = 5
# share of wrong answers
WRONG = (0.0, 0.05)
ORDERS = ("active", "random")
# active order is to reach with so many answers what random order reaches with so many
WITH_RANDOM, WITH_ACTIVE = 200, 120


class Point(NamedTuple):
    """The score after some answers, and how often the rule takes the new model."""

    score: float
    taken: float


# a curve in this order, with this share of wrong answers, by this seed: a point for each of `COUNTS`
Curve = Callable[[str, float, int], list[Point]]


def ask(queue: Sequence[tuple[int, str]], drawn_by: np.ndarray, count: int) -> bool:
    """Note in `drawn_by` (N,) how further rows of a queue were drawn, until so many are; whether there was one."""
    fresh = [pair for pair in queue if not drawn_by[pair[0]]][: count - int((drawn_by != "").sum())]
    for row, how in fresh:
        drawn_by[row] = how
    return bool(fresh)


def curve_rows(where: str, curve: Curve, goals: Mapping[int, float], seeds: int = SEEDS, unit: str = "") -> list[Row]:
    """All curves of a branch, each point the mean over seeds with its standard deviation.

    Parameters
    ----------
    where : what is scored, on what
    goals : what active order without wrong answers is to reach, by number of answers
    """
    out = []
    for wrong in WRONG:
        means = {}
        for order in ORDERS:
            runs = []
            for seed in range(seeds):
                runs.append(curve(order, wrong, seed))
                print(where[:20], order, wrong, seed, [round(point.score, 3) for point in runs[-1]], flush=True)
            score, taken = np.moveaxis(np.array(runs, float), 2, 0)
            means[order] = score.mean(axis=0)
            for place, count in enumerate(COUNTS):
                goal = goals.get(count) if (order, wrong) == (ORDERS[0], 0.0) else None
                name = f"{where}, {count} answers in {order} order, {wrong:.0%} of them wrong, {seeds} seeds"
                out.append(Row(name, float(score[:, place].mean()), unit, goal))
                if seeds > 1:
                    out.append(Row(f"{name}: standard deviation", float(score[:, place].std(ddof=1)), unit))
                out.append(Row(f"{name}: how often the rule takes it", float(taken[:, place].mean()), "share"))
        goal = means["random"][COUNTS.index(WITH_RANDOM)]
        name = f"{where}: answers in active order for what random order reaches with {WITH_RANDOM}"
        name += f", {wrong:.0%} of them wrong, {seeds} seeds"
        out.append(Row(name, reached(means["active"], goal), "answers", WITH_ACTIVE, True))
    return out


def reached(curve: np.ndarray, goal: float) -> float:
    """Answers with which a curve reaches a score, between its points along a straight line; infinite if it does not."""
    for place, value in enumerate(curve):
        if value >= goal:
            before = curve[place - 1] if place else value
            return float(COUNTS[0] if not place else np.interp(goal, [before, value], COUNTS[place - 1 : place + 1]))
    return float("inf")
