"""What the judge of synapse candidates learns from answers, and when the old one is kept."""

import json

import numpy as np
import pandas as pd
import pytest

from spinome.review.answers import Answers, candidates_said, standing
from spinome.review.learn_synapses import (
    LEAST_OF_EACH,
    Learned,
    asked_about,
    believed,
    cubes,
    learn,
    painted,
    retrained,
    teach,
    with_extents,
)
from spinome.review.questions import answered_by, in_order
from spinome.review.ways import PARTS
from spinome.synapses.objects.judge import Judge
from spinome.synapses.objects.measures import MEASURES


def measured(count=240, seed=0):
    """Candidates 2 um apart of which the first measure tells nearly all, and the rules of the run little."""
    rng = np.random.default_rng(seed)
    place = {"z_nm": 500.0, "y_nm": np.arange(count) * 2000.0, "x_nm": 500.0}
    frame = pd.DataFrame(rng.normal(size=(count, len(MEASURES))), columns=MEASURES)
    true = frame[MEASURES[0]].to_numpy() + 0.1 * rng.normal(size=count) > 0.5
    kept = rng.random(count) < np.where(true, 0.4, 0.3)
    frame = frame.assign(volume="v", synapse=np.where(kept, np.cumsum(kept), 0), probability=np.nan, **place)
    return frame.assign(score=rng.uniform(0.2, 1, count)), true


def told(folder, frame, true, count):
    questions = asked_about(frame)
    rows = in_order(questions, np.zeros(len(questions), bool), 0)[:count]
    names = ["kind", "unit", "z_um", "y_um", "x_um"]
    given = [dict(zip(names, questions.loc[row, names])) | {"drawn": drawn, "who": "ann"} for row, drawn in rows]
    answers = Answers(folder / "answers.parquet")
    answers.append_all(
        [one | {"answer": "synapse" if true[row] else "no synapse"} for one, (row, _) in zip(given, rows)]
    )
    return answers


def test_a_judge_that_learned_is_taken_and_goes_onto_a_card(tmp_path):
    frame, true = measured()
    learned, row = learn(frame, candidates_said(standing(told(tmp_path, frame, true, 120).read()), "synapse"), 0)
    card = learned.card
    assert row.loc[0, "learned"] == "judge" and learned.network is None
    assert row.loc[0, "taken"] and row.loc[0, "people"] == "ann" and row.loc[0, "answers"] == 120
    assert row.loc[0, "new_f1"] > row.loc[0, "old_f1"]
    # as synapses_merge reads it
    judge = Judge.of_card(card)
    kept = judge.probability(frame) >= card["min_probability"]
    rest = np.setdiff1d(np.arange(len(frame)), in_rows(frame, 120))
    before = frame["synapse"].to_numpy() > 0
    assert (kept == true)[rest].mean() > 0.85 > 0.7 > (before == true)[rest].mean()


def in_rows(frame, count):
    return [row for row, _ in in_order(asked_about(frame), np.zeros(len(frame), bool), 0)[:count]]


def test_the_old_one_is_kept_where_the_new_one_is_no_better(tmp_path):
    frame, true = measured()
    # a judge of before that is right on the whole
    wise = frame.assign(probability=np.where(true, 0.98, 0.02), synapse=np.where(true, np.cumsum(true), 0))
    learned, row = learn(wise, candidates_said(standing(told(tmp_path, wise, true, 80).read()), "synapse"), 0)
    assert learned == Learned() and not row.loc[0, "taken"] and row.loc[0, "reason"].startswith("not better")
    learned, row = learn(frame, candidates_said(standing(told(tmp_path / "few", frame, true, 6).read()), "synapse"), 0)
    assert learned == Learned() and "fewer than" in row.loc[0, "reason"]
    assert row.loc[0, "old_f1"] != row.loc[0, "old_f1"]


def test_where_all_is_answered_there_is_something_left_to_learn_from(tmp_path):
    frame, true = measured(160)
    _, row = learn(frame, candidates_said(standing(told(tmp_path, frame, true, 160).read()), "synapse"), 0)
    assert row.loc[0, "answers"] == 160 and row.loc[0, "held_out"] == 160 and row.loc[0, "taken"]


def test_a_missed_synapse_is_about_the_candidate_at_its_place(tmp_path):
    frame, _ = measured(40)
    frame["synapse"] = 0
    answers = Answers(tmp_path / "answers.parquet")
    mark = {"kind": "missed synapse", "answer": "missed synapse", "unit": "v", "who": "ann", "drawn": "by hand"}
    for y_um in (6.1, 7.0):
        answers.append(mark | {"z_um": 0.5, "y_um": y_um, "x_um": 0.5})
    learned, row = learn(frame, candidates_said(standing(answers.read()), "synapse"), 0)
    # the second one lies between two candidates
    assert learned == Learned() and row.loc[0, ["answers", "synapses", "without_candidate"]].tolist() == [1, 1, 1]


def test_what_the_run_says_without_answers():
    frame, true = measured()
    rows = np.arange(100)
    chance = believed(frame, rows, true[rows])
    kept = frame["synapse"].to_numpy() > 0
    assert np.unique(chance[kept]).size == np.unique(chance[~kept]).size == 1
    assert (
        chance[kept][0] == pytest.approx(true[rows][kept[rows]].mean(), abs=0.05) and chance[kept][0] > chance[~kept][0]
    )
    assert (believed(frame.assign(probability=0.3), rows, true[rows]) == 0.3).all()


def test_too_few_answers_teach_nothing():
    frame, true = measured()
    some = np.concatenate([np.flatnonzero(true)[: LEAST_OF_EACH - 1], np.flatnonzero(~true)[:50]])
    assert teach(frame, some, true[some], 0) is None
    # nor do those of one place
    near = frame.assign(y_nm=500.0)
    assert teach(near, np.arange(100), true[:100], 0) is None
    assert len(np.unique(cubes(near))) == 1 and len(np.unique(cubes(frame))) == len(frame)


def a_network(frame, true, found, calls):
    """As `relearn`: a network that finds the candidates that `found` says, and notes what it was told."""

    def relearn(rows, said, told):
        calls.append((rows.tolist(), said.tolist(), told["answer_id"].tolist()))
        kept = found(rows)
        again = frame.assign(synapse=np.where(kept, np.cumsum(kept), 0), section_um=0.04)
        return f"network {len(calls)}", again, np.ones(len(frame), bool)

    return relearn


def test_a_network_alone_is_taken_where_nothing_more_is_needed(tmp_path):
    frame, true = measured()
    answers = candidates_said(standing(told(tmp_path, frame, true, 120).read()), "synapse")
    # measures tell nothing here, so that no judge is better than the network
    blind = frame.assign(**dict.fromkeys(MEASURES, 0.0), section_um=0.04)
    calls = []
    learned, row = learn(blind, answers, 0, a_network(blind, true, lambda rows: true, calls))
    assert row.loc[0, "learned"] == "network" and learned.card is None and learned.network == "network 4"
    *compared, last = ({*rows} for rows, _, _ in calls)
    assert len(last) == 120 and len(compared) == PARTS
    assert all(sum(one in own for own in compared) == PARTS - 1 for one in last)
    for rows, said, _ in calls:
        assert said == true[rows].tolist()


def test_a_network_is_judged_where_that_is_better_and_not_taken_where_it_knows_its_answers_alone(tmp_path):
    frame, true = measured()
    answers = candidates_said(standing(told(tmp_path, frame, true, 120).read()), "synapse")
    frame = frame.assign(section_um=0.04)
    sharp = frame.assign(**{MEASURES[1]: true + 0.05 * np.random.default_rng(1).normal(size=len(true))})
    old = frame.assign(**{MEASURES[0]: 0.0})
    learned, row = learn(old, answers, 0, a_network(sharp, true, lambda rows: np.ones(len(true), bool), []))
    assert row.loc[0, "learned"] == "network and judge" and learned.network == "network 4"
    kept = Judge.of_card(learned.card).probability(sharp) >= learned.card["min_probability"]
    assert (kept == true).mean() > 0.95
    # what it was told it finds, and of the others it knows nothing
    by_heart = a_network(old, true, lambda rows: np.isin(np.arange(len(true)), rows) & true, [])
    learned, row = learn(old, answers, 0, by_heart)
    assert learned.network is None and "network" not in row.loc[0, "learned"]


def test_an_answer_whose_candidate_a_network_does_not_find_is_dropped_by_it(tmp_path):
    frame, true = measured()
    answers = candidates_said(standing(told(tmp_path, frame, true, 120).read()), "synapse")
    frame = frame.assign(**dict.fromkeys(MEASURES, 0.0), section_um=0.04)

    def relearn(rows, said, told):
        again = frame[true].assign(synapse=np.arange(1, true.sum() + 1)).reset_index(drop=True)
        return "network", again, np.ones(len(frame), bool)

    learned, row = learn(frame, answers, 0, relearn)
    assert row.loc[0, ["learned", "new_f1"]].tolist() == ["network", 1.0] and learned.network == "network"
    learned, row = learn(frame, answers, 0, lambda rows, said, told: None)
    assert learned == Learned() and not row.loc[0, "taken"]


def test_answers_where_a_network_did_not_look_do_not_count_for_it_or_against_it(tmp_path):
    frame, true = measured()
    answers = candidates_said(standing(told(tmp_path, frame, true, 120).read()), "synapse")
    frame = frame.assign(**dict.fromkeys(MEASURES, 0.0), section_um=0.04)
    looked = np.arange(len(frame)) < len(frame) // 2

    def learned_where(found):
        kept = frame[looked & found].assign(synapse=np.arange(1, (looked & found).sum() + 1)).reset_index(drop=True)
        return learn(frame, answers, 0, lambda rows, said, told: ("network", kept, looked))[1]

    row = learned_where(true)
    assert row.loc[0, ["learned", "new_f1"]].tolist() == ["network", 1.0]
    assert 0 < row.loc[0, "held_out"] < learn(frame, answers, 0)[1].loc[0, "held_out"]
    # one that finds all where it looked is not credited for the false ones elsewhere
    assert not learned_where(np.ones(len(frame), bool)).loc[0, "taken"]


def test_an_extent_teaches_no_network_that_is_asked_about_what_it_covers(tmp_path):
    frame, true = measured()
    answers = candidates_said(standing(told(tmp_path, frame, true, 120).read()), "synapse")
    frame = frame.assign(section_um=0.04)
    about = answered_by(asked_about(frame), answers)
    # one person painted over all of the volume
    way = [[0.0, 0.5], [2.0 * len(frame), 0.5]]
    yes = answers["answer"] == "synapse"
    one = answers.loc[yes, "answer_id"].iloc[0]
    extent = json.dumps([{"z_um": 0.5, "radius_um": 0.2, "way_um": way}])
    over = answers.assign(extent=np.where(answers["answer_id"] == one, extent, ""))
    rows, owner = painted(frame, over)
    assert len(rows) == len(frame) and set(owner) == {one}
    calls = []
    part = np.arange(len(about)) % PARTS
    course = retrained(frame, over, about, part, a_network(frame, true, lambda rows: true, calls), 0)
    assert [extents for _, _, extents in calls] == [[], [], []]
    # the answer itself is one like the others, except for those who are asked about it
    row = about.index[about["answer_id"] == one][0]
    assert sum(row in rows for rows, _, _ in calls) == PARTS - 1
    course.finish("network")
    assert calls[-1][2] == [one]


def test_an_extent_is_silent_where_a_candidate_beside_what_it_covers_is_asked_about():
    frame, _ = measured(40)
    places = cubes(frame)
    # the extent of another answer covers row 1, and row 0 is moved into the same cube
    frame.loc[0, ["z_nm", "y_nm", "x_nm"]] = frame.loc[1, ["z_nm", "y_nm", "x_nm"]].to_numpy()
    assert cubes(frame)[0] == cubes(frame)[1] and places[2] != places[1]
    about = pd.DataFrame(
        {"answer_id": ["a", "b", "c"], "answer": ["no synapse", "synapse", "synapse"]}, index=[0, 2, 3]
    )
    parts, owner = np.array([1, 3]), np.array(["b", "c"], object)
    rows, true = with_extents(frame, about, parts, owner, np.array([True, False, False]))
    assert rows.tolist() == [2, 3] and true.all()
    rows, _ = with_extents(frame, about, parts, owner, np.array([False, False, True]))
    assert sorted(rows.tolist()) == [0, 1, 2]
