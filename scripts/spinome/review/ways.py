"""Ways to find things that learned from answers, held against each other: a judge of candidates, a network, or both.

What a way says of answers that it has not learned from decides. The simpler way stays unless the next one is better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import pandas as pd

from spinome.review.held_out import Verdict, weigh
from spinome.review.questions import answered_by

# the answers are parted into this many: two to learn from, each in turn, and those held out
HALVES, HELD = 2, 2
Made = TypeVar("Made")
Learned = TypeVar("Learned")


@dataclass(frozen=True)
class Said:
    """How likely answered candidates (A,) are true by a way to find them, and which of them it keeps (A,)."""

    likely: np.ndarray
    kept: np.ndarray


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


def parted(groups: np.ndarray, held: np.ndarray, seed: int) -> np.ndarray:
    """The part (A,) of each answer: one of two halves, or `HELD`; what is of one group is in one half.

    Parameters
    ----------
    groups : (A,) answers of one group may be about one thing
    held : which of them (A,) are held out
    """
    names, number = np.unique(groups, return_inverse=True)
    return np.where(held, HELD, np.random.default_rng(seed).permutation(len(names))[number] % HALVES)


def crosswise(
    part: np.ndarray, make: Callable[[np.ndarray], Made | None], rows_of: Callable[[Made], np.ndarray]
) -> list[tuple[Made, np.ndarray, np.ndarray]] | None:
    """What networks find of the answers that they have not learned from.

    A network is sure of what it was told, and a judge that learned from that would rely on it too much. So each half of
    the answers is looked at as a network finds them that has learned from the other half; those held out, as one finds
    them that has learned from both.

    Parameters
    ----------
    part : (A,) of `parted`
    make : what a network finds that has learned from the answers that are marked (A,); None where they are too few
    rows_of : the row of its candidate that each answer (A,) is about, -1 where there is none

    Returns
    -------
    for each part what was made, its answers that were found again, and the rows of their candidates; None where one of
    them cannot be made
    """
    out = []
    for number in range(HELD + 1):
        made = make((part != number) & (part != HELD))
        if made is None:
            return None
        there = rows_of(made)
        own = np.flatnonzero((part == number) & (there >= 0))
        out.append((made, own, there[own]))
    return out


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
