"""Which candidate is an orphan's shaft, as a choice among all of them: a conditional logit (McFadden 1974).

A forest asks of each candidate alone whether it is the parent, and leans on what its lessons had in common, such as the
stub that a torn neck leaves. A weighted sum of the measures, fitted so that of all candidates of an orphan the true one
comes first, knows less and errs elsewhere: it ranks cuts without a stub better, of which it saw none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

PENALTY = 0.01  # on the square of the weights, in nats an orphan
MOST_SPREADS = 5.0  # what lies farther from the mean counts as this far
FLOOR = 1e-4  # a probability is taken for no nearer to 0 or 1 than this
NO_PARENT = 0.05  # weight in `weigh_scores` of an orphan's candidates without the true one
PRIOR = 3.0  # standard deviation of the weights of scores before anything is known, so that few orphans make none sure


class Choice(NamedTuple):
    """A fitted sum of columns.

    Attributes
    ----------
    scale, mean, spread : (F,) of the columns, see `_prepared`
    weights : (F + B,) of the columns and of whether each of B of them is 0
    """

    scale: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray


def fit_choice(features: np.ndarray, right: np.ndarray, orphans: np.ndarray, behind: np.ndarray) -> Choice:
    """Fit the weights with which the true shafts come first, at whichever end of the orphan.

    Parameters
    ----------
    features : (N, F), possibly nan
    right : (N,) bool, rows of the true shaft, of any end
    orphans : (N,) which orphan each row is of
    behind : (B,) columns that are 0 for the best row of an orphan
    """
    size = np.abs(features.astype(np.float64))
    scale = _of_known(np.where(size > 0, size, np.nan), np.nanmedian, 1.0)
    logged = _logged(features, scale)
    mean = _of_known(logged, np.nanmean, 0.0)
    spread = np.maximum(_of_known(logged, np.nanstd, 1.0), 1e-6)
    unfitted = Choice(scale, mean, spread, np.zeros(features.shape[1] + len(behind)))
    rows = _prepared(unfitted, features, behind)
    _, lists = np.unique(orphans, return_inverse=True)
    told = np.bincount(lists, right) > 0  # of an orphan without a parent there is no choice to learn

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        score = rows @ weights
        all_rows, true_rows = _share(score, lists), _share(np.where(right, score, -np.inf), lists)
        pull = np.where(told[lists], all_rows.share - true_rows.share, 0.0) / told.sum()
        value = (all_rows.total - true_rows.total)[told].mean() + PENALTY / 2 * weights @ weights
        return value, pull @ rows + PENALTY * weights

    return unfitted._replace(weights=minimize(loss, unfitted.weights, jac=True, method="L-BFGS-B").x)


def choice_scores(choice: Choice, features: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """The sum (N,) of each row; of two candidates of an orphan the difference is the logarithm of their odds."""
    return _prepared(choice, features, behind) @ choice.weights


def weigh_scores(scores: np.ndarray, right: np.ndarray, orphans: np.ndarray, shafts: np.ndarray) -> np.ndarray:
    """Weights (S + 1,) of several scores and of 1, whose sum is the logarithm of the odds that a row's shaft is the
    parent: those with which `links.one_parent` makes the truth likeliest.

    Of the ends of an orphan the one with the largest sum counts. That an orphan may have no parent among its candidates
    is learned from those that have none, and from the candidates of the others without the true one, which weigh
    NO_PARENT.

    Parameters
    ----------
    scores : (N, S), of forests that did not see the row's dendrite
    right : (N,) bool, rows of the true shaft, of any end
    orphans, shafts : (N,) what each row is of
    """
    pairs, pair = np.unique(np.stack([orphans, shafts]), axis=1, return_inverse=True)
    pair = pair.ravel()
    _, lists = np.unique(pairs[0], return_inverse=True)
    true = np.bincount(pair, right) > 0
    told = np.bincount(lists, true) > 0
    rows = np.column_stack([scores, np.ones(len(scores))])
    weights = np.append(np.ones(scores.shape[1]), -1.0)
    for _ in range(3):  # the ends that count follow the weights
        order = np.lexsort((rows @ weights, pair))
        best = rows[order[np.flatnonzero(np.diff(pair[order], append=-1))]]

        def loss(weights: np.ndarray, best: np.ndarray = best) -> tuple[float, np.ndarray]:
            score = best @ weights
            chosen, without = _share(score, lists, none=True), _share(np.where(true, -np.inf, score), lists, none=True)
            # of several pieces of the true dendrite any may be named
            named = _share(np.where(true, score, -np.inf), lists)
            value = (chosen.total - np.where(told, named.total, 0.0) + NO_PARENT * told * without.total).mean()
            pull = (chosen.share - named.share + NO_PARENT * told[lists] * without.share) / len(told)
            prior = weights / (PRIOR**2 * len(told))
            return value + prior @ weights / 2, pull @ best + prior

        weights = minimize(loss, weights, jac=True, method="L-BFGS-B").x
    return weights


def log_odds(probability: np.ndarray) -> np.ndarray:
    """The logarithm of the odds of probabilities, with none nearer to 0 or 1 than FLOOR."""
    inner = np.clip(probability, FLOOR, 1 - FLOOR)
    return np.log(inner / (1 - inner))


class _Shares(NamedTuple):
    """`total` (lists,), the logarithm of the sum of exponentials, and the `share` (N,) of it that each row has."""

    total: np.ndarray
    share: np.ndarray


def _share(score: np.ndarray, lists: np.ndarray, none: bool = False) -> _Shares:
    """Shares of the rows of each list, of none of them as well if asked, whose score is 0."""
    most = np.full(lists.max() + 1, 0.0 if none else -1e300)
    np.maximum.at(most, lists, score)
    power = np.exp(score - most[lists])
    total = np.bincount(lists, power) + (np.exp(-most) if none else 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _Shares(np.log(total) + most, np.nan_to_num(power / total[lists]))


def _logged(features: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.sign(features) * np.log1p(np.abs(features) / scale)


def _prepared(choice: Choice, features: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """The logarithms of columns, in spreads from their mean, 0 where they are not known; and who is the best."""
    away = (_logged(features.astype(np.float64), choice.scale) - choice.mean) / choice.spread
    away = np.clip(np.nan_to_num(away), -MOST_SPREADS, MOST_SPREADS)
    return np.column_stack([away, (features[:, behind] == 0).astype(np.float64)])


def _of_known(columns: np.ndarray, measure, otherwise: float) -> np.ndarray:
    """A measure of each column (F,), of one without any value what is given."""
    known = np.isfinite(columns).any(axis=0)
    out = np.full(columns.shape[1], otherwise)
    out[known] = measure(columns[:, known], axis=0)
    return out
