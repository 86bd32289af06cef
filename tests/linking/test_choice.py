"""The choice among an orphan's candidates, and the weights of scores."""

import numpy as np
import pytest

from spinome.linking.choice import FLOOR, choice_scores, fit_choice, log_odds, weigh_scores
from spinome.linking.links import one_parent


def lists(count=200, each=5, seed=0):
    """Orphans with candidates, of which the first is the shaft; column 0 tells, column 1 does not, 2 is not known."""
    rng = np.random.default_rng(seed)
    orphans = np.repeat(np.arange(count), each)
    right = np.arange(count * each) % each == 0
    columns = rng.uniform(10, 1000, (count * each, 3))
    columns[right, 0] *= 0.3
    columns[:, 2] = np.nan
    best = np.minimum.reduceat(columns[:, 0], np.arange(0, count * each, each))
    return np.column_stack([columns, columns[:, 0] - np.repeat(best, each)]), right, orphans


def test_the_choice_puts_true_shafts_first_among_lists_it_has_not_seen():
    features, right, orphans = lists(count=1000)
    behind = np.array([3])
    choice = fit_choice(features, right, orphans, behind)
    unseen, right, orphans = lists(seed=1)
    score = choice_scores(choice, unseen, behind).reshape(-1, 5)
    chance = (unseen[:, 0].reshape(-1, 5).argmin(axis=1) == 0).mean()
    assert (score.argmax(axis=1) == 0).mean() == pytest.approx(chance, abs=0.02)
    assert choice.weights[0] < 0 and abs(choice.weights[1]) < 0.3 * abs(choice.weights[0]) and choice.weights[2] == 0


def test_whichever_end_is_right_teaches():
    # the true shaft has a good and a bad end, in either order, and is right at both
    rng = np.random.default_rng(2)
    orphans = np.repeat(np.arange(100), 4)
    right = np.arange(400) % 4 < 2
    near = rng.uniform(200, 400, 400)
    near[4 * np.arange(100) + rng.integers(0, 2, 100)] = 50
    choice = fit_choice(near[:, None], right, orphans, np.zeros(0, int))
    best = choice_scores(choice, near[:, None], np.zeros(0, int)).reshape(-1, 4).argmax(axis=1)
    assert (best < 2).all()


def test_an_orphan_without_a_shaft_teaches_no_choice():
    features, right, orphans = lists(count=30)
    more = np.concatenate([features, features[::-1]])
    none = np.concatenate([right, np.zeros(len(right), bool)])
    behind = np.array([3])
    alone, with_none = (
        fit_choice(*rows, behind)
        for rows in ((features, right, orphans), (more, none, np.concatenate([orphans, orphans + 30])))
    )
    # the columns' means move, and nothing else
    assert np.sign(with_none.weights[0]) == np.sign(alone.weights[0])


def test_weighed_scores_are_the_odds_of_one_parent():
    rng = np.random.default_rng(3)
    count, each = 3000, 4
    score = rng.normal(size=(count, each)) * 2
    # the truth is drawn with odds exp(1.5 score - 1) of each, and 1 of none
    odds = np.exp(1.5 * score - 1)
    share = np.cumsum(np.column_stack([odds, np.ones(count)]) / (1 + odds.sum(axis=1, keepdims=True)), axis=1)
    drawn = (rng.random((count, 1)) > share).sum(axis=1)
    right = (drawn[:, None] == np.arange(each)).ravel()
    orphans, shafts = np.repeat(np.arange(count), each), np.tile(np.arange(each), count)
    slope, offset = weigh_scores(score.reshape(-1, 1), right, orphans, shafts)
    # lists without their true shaft make all a little less sure
    assert slope == pytest.approx(1.5, abs=0.15) and offset == pytest.approx(-1.1, abs=0.25)
    alone = 1 / (1 + np.exp(-(slope * score.ravel() + offset)))
    likely = one_parent(orphans, alone)
    sure = likely > 0.7
    assert right[sure].mean() == pytest.approx(likely[sure].mean(), abs=0.05)


def test_pieces_of_one_dendrite_make_nothing_surer():
    # two of three candidates are pieces of the parent of every other orphan, the rest have none; scores tell nothing
    count = 1000
    score = np.random.default_rng(4).normal(size=(3 * count, 1))
    orphans, shafts = np.repeat(np.arange(count), 3), np.tile(np.arange(3), count)
    slope, offset = weigh_scores(score, (orphans % 2 == 0) & (shafts < 2), orphans, shafts)
    likely = one_parent(orphans, 1 / (1 + np.exp(-(slope * score.ravel() + offset))))
    assert likely.reshape(-1, 3).sum(axis=1).mean() == pytest.approx(0.5, abs=0.05)


def test_few_orphans_make_nothing_sure():
    slope, _ = weigh_scores(
        np.array([[2.0], [-2.0], [2.0], [-2.0]]), np.array([1, 0, 1, 0], bool), *np.eye(2, 4, dtype=int)
    )
    assert 0 < slope < 10


def test_log_odds_have_an_end():
    found = log_odds(np.array([0.0, 0.5, 1.0]))
    assert found == pytest.approx([np.log(FLOOR), 0, -np.log(FLOOR)], abs=1e-3)
