"""When a model that learned from answers is taken."""

import numpy as np
import pandas as pd
import pytest

from spinome.review.held_out import best_threshold, drawn, mean_gain, weigh
from spinome.review.questions import spine_questions


def drawn_judges(count=4000, seed=0):
    """Probabilities by a judge that is right on the whole, by one that knows nothing, and what is true."""
    rng = np.random.default_rng(seed)
    wise = rng.random(count)
    return wise, np.full(count, 0.5), rng.random(count) < wise


def test_the_better_judge_is_taken_and_no_other():
    wise, blind, true = drawn_judges(60)
    weight = np.ones(len(true))
    verdict = weigh(blind, wise, true, weight, (blind >= 0.5, wise >= 0.5))
    assert verdict.better and verdict.new > verdict.old and verdict.held_out == 60
    # neither one that knows nothing, nor one that is as good, nor one that is surer and finds less
    assert not weigh(wise, blind, true, weight, (wise >= 0.5, blind >= 0.5)).better
    assert not weigh(wise, wise, true, weight, (wise >= 0.5, wise >= 0.5)).better
    assert not weigh(blind, wise, true, weight, (wise >= 0.5, wise >= 0.99)).better
    assert not weigh(*(np.zeros(0),) * 2, np.zeros(0, bool), np.zeros(0), (np.zeros(0, bool),) * 2).better


def test_answers_of_one_kind_prove_nothing():
    old, drops, weight = np.full(9, 0.4), np.full(9, 0.1), np.ones(9)
    true = np.zeros(9, bool)
    # as it drops all, it is right about each of them, and neither finds a synapse
    verdict = weigh(old, drops, true, weight, (old >= 0.5, drops >= 0.5))
    assert verdict.gain > verdict.error and verdict.new == verdict.old == 0 and not verdict.better
    assert not weigh(1 - old, 1 - drops, ~true, weight, (drops < 0.5, drops < 0.5)).better
    true[0] = True
    assert weigh(old, np.where(true, 0.9, 0.1), true, weight, (old >= 0.5, true)).better


def test_the_estimated_f1_is_that_of_all_candidates():
    wise, _, true = drawn_judges()
    said = wise >= 0.5
    f1 = 2 * (said & true).sum() / (said.sum() + true.sum())
    rows = np.concatenate([np.flatnonzero(said)[:300], np.flatnonzero(~said)[:100]])
    weight = np.where(said[rows], said.sum() / 300, (~said).sum() / 100)
    verdict = weigh(wise[rows], wise[rows], true[rows], weight, (said[rows], said[rows]))
    assert verdict.old == verdict.new == pytest.approx(f1, abs=0.05)


def test_a_gain_has_the_error_of_its_mean():
    gains = np.random.default_rng(0).normal(0.3, 1.0, 400)
    assert mean_gain(gains, np.ones(400)) == pytest.approx((gains.mean(), gains.std() / 20))
    # an answer that stands for all the others is one answer
    assert mean_gain(gains, np.append(np.full(399, 1e-9), 1.0))[0] == pytest.approx(gains[-1], abs=1e-3)
    assert mean_gain(gains[:1], np.ones(1)) == (0.0, np.inf)


def test_the_threshold_is_the_best_expected():
    # of three sure ones and many that are hardly ever synapses, the three
    assert best_threshold(np.array([0.05] * 50 + [0.9] * 3)) == 0.9
    assert best_threshold(np.zeros(0)) == 0.5


def test_what_the_page_drew_by_lot_is_held_out_although_candidates_have_moved():
    score = np.linspace(0.05, 0.95, 80)
    judged = pd.DataFrame({"specimen": "s", "field": "f", "timepoint": "0", "candidate": range(80), "score": score})
    judged = judged.assign(z_um=np.arange(80.0), y_um=5.0, x_um=5.0, accepted=score > 0.5)
    now = spine_questions(judged.assign(y_um=5.02), "", least=0.0)
    # every other one has an answer, a quarter of these by lot as it was then
    rows = np.arange(0, 80, 2)
    how = np.where(rows % 8 == 0, "random", "active")
    about = pd.DataFrame({"answer": np.where(score[rows] > 0.4, "spine", "no spine"), "drawn": how}, index=rows)
    weight = drawn(now, about, 0)
    assert (weight > 0).sum() >= 8 and (weight[how == "random"] > 0).sum() >= 8
    for counted in (True, False):
        of = (now["counted"] == counted).to_numpy()
        held = weight[of[rows] & (weight > 0)]
        assert held.sum() == pytest.approx(of.sum())


def test_what_a_later_run_drew_by_lot_is_no_better_than_the_rest():
    # the first run keeps 200 of 400, of which a run that has learned drops the 100 that are none
    place = {"z_um": 1.0, "y_um": np.arange(400.0), "x_um": 5.0, "score": 0.5}
    judged = pd.DataFrame({"specimen": "s", "field": "f", "timepoint": "0", "candidate": range(400), **place})
    questions = spine_questions(judged.assign(accepted=np.arange(400) < 200), "", least=0.0)
    true = np.arange(400) < 100
    # as often among the 100 that it keeps as among the 300 others, and none from the start of the lot of today
    rows = np.concatenate([np.arange(1, 100, 4), np.arange(101, 400, 12)])
    about = pd.DataFrame({"answer": np.where(true[rows], "spine", "no spine"), "drawn": "random"}, index=rows)
    naive, weight = (drawn(questions, about, 0, 1.0, kept) for kept in (None, true))
    first = rows < 200
    assert (naive * true[rows])[first].sum() / naive[first].sum() > 0.7
    assert (weight * true[rows])[first].sum() / weight[first].sum() == pytest.approx(0.5, abs=0.02)
    assert weight.sum() == pytest.approx(400)
