"""What answers teach of how deep heads lie, and when the weights of before are kept."""

import numpy as np
import pandas as pd
import pytest

from spinome.review.answers import Answers, candidates_said, standing
from spinome.review.learn_depth import depths_taught, heads_seen, relearn_depth
from spinome.twophoton.depth import ESTIMATES
from spinome.twophoton.depth_track import SPINE_COLUMNS

OLD = [0.0] * (len(ESTIMATES) + 1)
SPINE = {"kind": "spine", "unit": "m.f.0", "y_um": 5.0, "who": "ann"}


def seen(count, seed=0, weight=0.6):
    """Heads whose first estimate tells most of their depth."""
    rng = np.random.default_rng(seed)
    estimates = rng.normal(size=(count, len(ESTIMATES)))
    return estimates, weight * estimates[:, 0] + 0.5 + 0.2 * rng.normal(size=count), np.arange(count) % 4 == 0


def test_weights_learn_from_the_slices_that_people_moved_to():
    weights, row = relearn_depth(*seen(60), OLD)
    assert weights[0] == pytest.approx(0.6, abs=0.1) and weights[-1] == pytest.approx(0.5, abs=0.15)
    assert row["depth_taken"] and row["depths"] == 60 and row["depths_held_out"] == 15
    assert row["new_depth_error_um"] < row["old_depth_error_um"] / 2


def test_weights_of_before_are_kept_where_new_ones_are_no_better():
    wise = [0.6, *[0.0] * (len(ESTIMATES) - 1), 0.5]
    weights, row = relearn_depth(*seen(60), wise)
    assert weights is None and not row["depth_taken"]
    # too few to learn from, and none at all
    assert relearn_depth(*seen(8), OLD)[0] is None
    weights, row = relearn_depth(np.zeros((0, len(ESTIMATES))), np.zeros(0), np.zeros(0, bool), OLD)
    assert weights is None and row["depths"] == 0 and np.isnan(row["old_depth_error_um"])


def test_without_a_head_held_out_nothing_is_proved():
    estimates, offsets, _ = seen(60)
    assert relearn_depth(estimates, offsets, np.zeros(60, bool), OLD)[0] is None


def test_heads_are_those_that_were_moved_to(tmp_path):
    answers = Answers(tmp_path / "answers.parquet")
    for number, drawn in enumerate(["random", "active", "random", "active", "active"]):
        answers.append(SPINE | {"answer": "spine", "z_um": 3.0, "x_um": 4.0 * number, "drawn": drawn, "seen_z_um": 5.0})
    answers.append(SPINE | {"answer": "spine", "z_um": 3.0, "x_um": 40.0, "drawn": "random"})
    answers.append(SPINE | {"answer": "no spine", "z_um": 3.0, "x_um": 44.0, "drawn": "random"})
    marked = {"kind": "missed spine", "answer": "missed spine", "z_um": 7.0, "x_um": 50.0, "drawn": "by hand"}
    answers.append(SPINE | marked | {"seen_z_um": 7.0})
    heads = heads_seen(candidates_said(standing(answers.read()), "spine"))
    assert heads["z_um"].tolist() == [5.0] * 5 + [7.0]
    assert heads["held"].tolist() == [True, False, True, False, False, False]


def test_answers_of_before_tell_no_depth(tmp_path):
    answers = Answers(tmp_path / "answers.parquet")
    answers.append(SPINE | {"answer": "spine", "z_um": 3.0, "x_um": 4.0, "drawn": "active", "seen_z_um": 5.0})
    (file,) = (tmp_path / "answers.parquet").glob("*.parquet")
    pd.read_parquet(file).drop(columns="seen_z_um").to_parquet(file, index=False)
    said = candidates_said(standing(Answers(tmp_path / "answers.parquet").read()), "spine")
    assert said["seen_z_um"].isna().all() and heads_seen(said).empty
    with pytest.raises(ValueError, match="depth of a spine"):
        answers.append(SPINE | {"answer": "no spine", "z_um": 3.0, "x_um": 4.0, "drawn": "active", "seen_z_um": 5.0})


def test_heads_of_a_stack_find_their_candidates():
    rng = np.random.default_rng(0)
    stack = rng.normal(100, 1, (20, 60, 200)).astype(np.float32)
    rows = pd.DataFrame(dict.fromkeys(SPINE_COLUMNS, 0.0), index=range(3))
    rows = rows.assign(score=0.9, z_slice=8.0, z_um=8.0, y_um=3.6, x_um=[4.0, 12.0, 20.0], slices=3, side_um=1.0)
    rows = rows.assign(first_slice=7, last_slice=9)
    heads = pd.DataFrame({"unit": "a", "z_um": [10.0, 6.0], "y_um": 3.6, "x_um": [4.0, 20.0], "held": [False, True]})
    estimates, offsets, held = depths_taught(stack, (1.0, 0.12, 0.12), rows, heads)
    assert estimates.shape == (2, len(ESTIMATES))
    assert offsets.tolist() == [2.0, -2.0] and held.tolist() == [False, True]
