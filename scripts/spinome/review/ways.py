"""Ways to find things that learned from answers, held against each other: a judge of candidates, a network, or both.

What a way says of answers that it has not learned from decides. The simpler way stays unless the next one is better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import pandas as pd

from spinome.review.held_out import Verdict, weigh
from spinome.review.questions import answered_by

# answers are parted by where they are into so many: what learns from all but one is asked about that one
PARTS = 3
Made = TypeVar("Made")
Learned = TypeVar("Learned")


@dataclass(frozen=True)
class Said:
    """How likely candidates (A,) are true by a way to find them, and which of them it keeps (A,)."""

    likely: np.ndarray
    kept: np.ndarray

    def of(self, rows: np.ndarray) -> Said:
        """What is said of some of them."""
        return Said(self.likely[rows], self.kept[rows])


@dataclass(frozen=True)
class Retrained(Generic[Learned]):
    """What networks that learned from a part of the answers say of the others, and how to end with all answers.

    said : of the network alone, and of it with a judge where there is enough to judge by, the simpler one first
    looked : which answers (A,) are about places where they looked
    finish : gives what was learned under one of these names
    """

    said: dict[str, Said]
    looked: np.ndarray
    finish: Callable[[str], Learned]


def compare(old: Said, new: Said, true: np.ndarray, weight: np.ndarray) -> Verdict:
    """Hold a new way to find things against another, on the answers that are held out.

    Parameters
    ----------
    true, weight : (A,) what the answers say, and how many candidates each of those held out stands for, else 0
    """
    held = weight > 0
    return weigh(old.likely[held], new.likely[held], true[held], weight[held], (old.kept[held], new.kept[held]))


def choose(
    tried: Mapping[str, Said], true: np.ndarray, weight: np.ndarray, again: Retrained | None
) -> tuple[str, Verdict, str]:
    """The way to take, how it is against that of before, and why; the name is empty where the old way stays.

    Parameters
    ----------
    tried : what each way says, from the simplest on: first under an empty name that of before; without another one
        nothing is compared
    true, weight : as `compare` takes them
    again : networks, which are compared where they looked
    """
    counts = {name: weight * again.looked if again and name in again.said else weight for name in tried}
    taken, names = "", [name for name in tried if name]
    for name in names:
        if compare(tried[taken], tried[name], true, counts[name]).better:
            taken = name
    if not names:
        return "", Verdict(int((weight > 0).sum()), np.nan, np.nan, np.nan, np.nan), ""
    verdicts = {name: compare(tried[""], tried[name], true, counts[name]) for name in names}
    verdict = verdicts[taken or max(verdicts, key=lambda name: verdicts[name].gain)]
    return taken, verdict, "better" if taken else "not better on the answers drawn by lot"


def parted(groups: np.ndarray, true: np.ndarray, seed: int) -> np.ndarray:
    """The part (A,) of each answer; what is of one group is in one part, and each has about as many true ones, and all.

    Parameters
    ----------
    groups : (A,) answers of one group may be about one thing, as a spine that was looked at in several sessions
    true : (A,) what they say
    """
    names, number = np.unique(groups, return_inverse=True)
    counts, yes = (np.bincount(number, values, minlength=len(names)) for values in (np.ones(len(true)), true))
    part, filled = np.zeros(len(names), int), np.zeros((PARTS, 2))
    shuffled = np.random.default_rng(seed).permutation(len(names))
    for group in shuffled[np.lexsort((-counts[shuffled], -yes[shuffled]))]:
        part[group] = min(range(PARTS), key=lambda place: tuple(filled[place] if yes[group] else filled[place, ::-1]))
        filled[part[group]] += yes[group], counts[group]
    return part[number]


def crosswise(part: np.ndarray, make: Callable[[np.ndarray], Made | None]) -> list[Made] | None:
    """What learned from all parts but one, for each of them; None where one of them cannot be made.

    What has learned from an answer is sure of it, and of whatever looks like it: of the same spine in another session.
    So of each part that is believed which has learned from the others alone.

    Parameters
    ----------
    part : (A,) of `parted`
    make : from which answers it is to learn (A,); None where they are too few
    """
    out = []
    for number in range(PARTS):
        made = make(part != number)
        if made is None:
            return None
        out.append(made)
    return out


def spread(part: np.ndarray, groups: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The part (N,) of all candidates: that of the answers in their group, the first one where there are none.

    Parameters
    ----------
    part : (A,) of `parted`
    groups : (N,) of all candidates
    rows : those that answers are about (A,)
    """
    known = dict(zip(groups[rows].tolist(), part.tolist()))
    return np.array([known.get(group, 0) for group in groups.tolist()], int)


def elsewhere(made: Sequence[Made], part: np.ndarray, likely_by: Callable[[Made], np.ndarray], least: Callable) -> Said:
    """What judges say of all candidates (N,), each of its own part (`crosswise`).

    Parameters
    ----------
    part : (N,) of `spread`
    likely_by : the probability (N,) by a judge
    least : from which one on a judge keeps a candidate, of all of its probabilities
    """
    likely, kept = np.zeros(len(part)), np.zeros(len(part), bool)
    for number, judge in enumerate(made):
        every, own = likely_by(judge), part == number
        likely[own], kept[own] = every[own], every[own] >= least(every)
    return Said(likely, kept)


def found_again(questions: pd.DataFrame, answers: pd.DataFrame, about: pd.DataFrame) -> np.ndarray:
    """The row of another network's candidate that each answer of `about` (A,) is about, -1 where there is none.

    Parameters
    ----------
    questions : about the candidates of the other network, a row for each
    about : of `spinome.review.questions.answered_by`, to the questions about the candidates of before
    """
    again = answered_by(questions, answers)
    row_of = pd.Series(again.index.to_numpy(int), again["answer_id"])
    return row_of.reindex(about["answer_id"]).fillna(-1).to_numpy(int)


def shares(of: np.ndarray, true: np.ndarray, known: np.ndarray) -> np.ndarray:
    """How likely each is true (A,): as often as others that are known, of the same kind `of` (A,) bool."""
    share = [(true[known & (of == kind)].sum() + 1) / ((known & (of == kind)).sum() + 2) for kind in (False, True)]
    return np.where(of, share[1], share[0])


def shares_elsewhere(of: np.ndarray, true: np.ndarray, part: np.ndarray, looked: np.ndarray) -> np.ndarray:
    """How likely each answer is true (A,): as often as others in other places, of the same kind `of` (A,) bool.

    Parameters
    ----------
    part : (A,) of `parted`
    looked : which answers (A,) count
    """
    out = np.zeros(len(true))
    for number in range(PARTS):
        own = part == number
        out[own] = shares(of, true, ~own & looked)[own]
    return out
