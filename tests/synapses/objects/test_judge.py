"""The second classifier: what it learns, that its answer is about one candidate alone, and where it operates."""

import numpy as np
import pandas as pd
import pytest

from spinome.synapses.objects.judge import LEAST, Judge, fit_judge, greatest_expected_f1
from spinome.synapses.objects.measures import MEASURES


@pytest.fixture(scope="module")
def candidates():
    """200 candidates, of which the large and dark ones are true."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(0, 1, (200, len(MEASURES))), columns=MEASURES)
    return table, (table["log_volume"] - table["grey"] + rng.normal(0, 0.5, 200)).to_numpy() > 1


def test_it_learns_what_tells_the_true_ones(candidates):
    table, true = candidates
    judge = fit_judge(table[:100], true[:100])
    likely = judge.probability(table[100:])
    assert ((likely > 0.5) == true[100:]).mean() > 0.85
    weight = dict(zip(MEASURES, judge.weight))
    assert weight["log_volume"] > 0 > weight["grey"]
    # calibrated: as many are expected as there are
    assert judge.probability(table[:100]).sum() == pytest.approx(true[:100].sum(), rel=1e-3)


def test_a_probability_does_not_depend_on_the_other_candidates(candidates):
    table, true = candidates
    judge = Judge.of_card({"judge": fit_judge(table, true).for_card()})
    whole = judge.probability(table)
    assert np.concatenate([judge.probability(table[row : row + 1]) for row in range(200)]).tolist() == whole.tolist()


def test_too_few_candidates_teach_nothing(candidates):
    table, _ = candidates
    true = np.arange(200) < LEAST - 1
    assert fit_judge(table, true) is None and fit_judge(table, ~true) is None
    assert Judge.of_card({"threshold": 0.5}) is None


def test_other_measures_are_an_error():
    card = {name: {"size": 1.0} for name in ("middle", "spread", "weight")} | {"offset": 0.0}
    with pytest.raises(ValueError, match="train it again"):
        Judge.of_card({"judge": card})


def test_the_greatest_expected_f1_is_that_of_a_slow_way():
    likely = np.random.default_rng(2).random(30) ** 2
    least, score = greatest_expected_f1(likely, 12)
    tried = {cut: 2 * likely[likely >= cut].sum() / ((likely >= cut).sum() + 12) for cut in likely}
    assert score == pytest.approx(max(tried.values()))
    kept = likely >= least
    assert 2 * likely[kept].sum() / (kept.sum() + 12) == pytest.approx(score)
