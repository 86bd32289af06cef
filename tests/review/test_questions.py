"""Questions, their order, and the accuracy that random ones tell."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from made_questions import SERIES, answers_to, judged
from spinome.columns import POSITION
from spinome.review.answers import NEXT
from spinome.review.questions import (
    QUESTION_COLUMNS,
    accuracy,
    answered_by,
    by_worth,
    in_order,
    label_questions,
    link_questions,
    lost_questions,
    lot,
    no_questions,
    pair_questions,
    patch_questions,
    spine_questions,
    synapse_questions,
    track_questions,
    tracks_answered,
    whole_track_questions,
    wilson,
)


def test_a_spine_is_asked_about_the_more_the_likelier_the_run_is_wrong():
    questions = spine_questions(judged([0.9, 0.55, 0.4, 0.1, 0.01], [True, True, False, False, False]), "p")
    assert list(questions.columns) == list(QUESTION_COLUMNS)
    assert questions["subject"].tolist() == [0, 1, 2, 3]
    assert questions["now"].tolist() == ["spine", "spine", "no spine", "no spine"]
    assert questions["worth"].tolist() == pytest.approx([0.1, 0.45, 0.4, 0.1])
    assert questions["counted"].tolist() == [True, True, False, False]
    assert by_worth(questions).tolist()[:2] == [1, 2]
    assert questions["unit"].tolist() == ["m.f.0"] * 4


def test_a_track_has_two_places():
    spines = pd.DataFrame(
        [("m", "f", 3, "0", 1.0, 2.0, 3.0), ("m", "f", 3, "1", 1.5, 2.5, 3.5), ("m", "f", 4, "0", 9.0, 9.0, 9.0)],
        columns=["specimen", "field", "spine", "timepoint", *POSITION],
    )
    links = pd.DataFrame({**SERIES, "spine": [3, 4], "timepoint": "0", "next_timepoint": "1", "probability": 0.6})
    asked = track_questions(spines, links.assign(corrected=[False, True]), "p")
    assert asked[[*POSITION, *NEXT]].to_numpy().tolist() == [[1.0, 2.0, 3.0, 1.5, 2.5, 3.5]]
    assert asked["unit"].tolist() == ["m.f.0"] and asked["next_unit"].tolist() == ["m.f.1"]
    assert asked["worth"].tolist() == pytest.approx([0.4])


def test_a_whole_track_is_asked_about_and_answered_by_its_links():
    seen = [(spine, str(session)) for spine in (3, 4) for session in range(3 if spine == 3 else 2)]
    spines = pd.DataFrame(seen, columns=["spine", "timepoint"]).assign(**SERIES, z_um=1.0, y_um=2.0)
    spines["x_um"] = spines["spine"] + spines["timepoint"].astype(float)
    joined = [(3, "0", "1", 0.5), (3, "1", "2", 0.8), (4, "0", "1", 0.6)]
    links = pd.DataFrame(joined, columns=["spine", "timepoint", "next_timepoint", "probability"]).assign(**SERIES)
    links["corrected"] = False
    # spine 4 is seen twice, which is a question about two sessions
    tracks, pairs = (maker(spines, links, "p") for maker in (whole_track_questions, track_questions))
    assert tracks["subject"].tolist() == [3] and tracks["worth"].tolist() == pytest.approx([0.6])
    assert tracks[["unit", "next_unit", "x_um", "next_x_um"]].to_numpy().tolist() == [["m.f.0", "m.f.2", 3.0, 5.0]]
    assert not tracks["counted"].any()
    first = answered_by(pairs, answers_to(pairs, [0], ["same"]))
    assert tracks_answered(tracks, pairs, first).empty
    for said in (["same", "same"], ["unsure", "same"]):
        both = answered_by(pairs, answers_to(pairs, [0, 1], said))
        assert tracks_answered(tracks, pairs, both).index.tolist() == [0]
    another = answered_by(pairs, answers_to(pairs, [0], ["different"]))
    assert tracks_answered(tracks, pairs, another).index.tolist() == [0]
    # what a person made or confirmed is not asked again
    links["corrected"] = True
    assert whole_track_questions(spines, links, "p").empty


def test_patches_are_the_spines_of_neurons():
    nm = {"z_nm": 1000.0, "y_nm": 2000.0, "x_nm": 3000.0}
    asked = patch_questions(pd.DataFrame({"neuron": "n", "spine": [4, 5], "probability": [0.6, 0.9], **nm}), "p")
    assert asked["worth"].tolist() == pytest.approx([0.4, 0.1]) and asked["subject"].tolist() == [4, 5]
    assert asked[POSITION].to_numpy().tolist() == [[1.0, 2.0, 3.0]] * 2


def test_two_peaks_are_asked_about_the_more_the_nearer_they_are_to_the_border():
    nm = {"z_nm": 1000.0, "y_nm": 2000.0, "x_nm": 3000.0, "next_z_nm": 1100.0, "next_y_nm": 2100.0, "next_x_nm": 3100.0}
    pairs = pd.DataFrame({"neuron": "n", "spine": [4, 5, 5], "next_spine": [4, 6, 7], "rise_nm": [100, 320, 900], **nm})
    asked = pair_questions(pairs, 300.0, "p")
    assert asked["now"].tolist() == ["one", "two", "two"] and by_worth(asked)[0] == 1
    assert asked["probability"].tolist() == pytest.approx([5 / 6, 1 - 300 / 640, 5 / 6])
    assert asked[NEXT].to_numpy()[0] == pytest.approx([1.1, 2.1, 3.1]) and asked["subject"].tolist() == [4, 5, 5]


def test_lost_spines_links_synapses_and_labels_are_asked_about():
    form = pd.DataFrame({**SERIES, "timepoint": ["1", "0"], **dict.fromkeys(POSITION, 1.0), "probability": [0.8, 0.5]})
    lost = lost_questions(form.assign(question=["missed spine? lost from here on", "no spine? gained here"]), "p")
    assert lost["unit"].tolist() == ["m.f.1"] and lost["now"].tolist() == ["no spine"]
    assert lost["subject"].isna().all() and not lost["counted"].any()
    nm = {"z_nm": 1000.0, "y_nm": 2000.0, "x_nm": 3000.0}
    queue = {
        "volume": "v",
        "orphan": [2**60 + 1, 8],
        "worth": [4.0, 1.0],
        "linked_to": [5, 0],
        "candidates": ["5 6", "7"],
    }
    links = link_questions(pd.DataFrame({**queue, "probability": [0.7, 0.0], "no_parent": [0.2, 0.9], **nm}), "p")
    assert links["subject"].tolist() == [2**60 + 1, 8] and links["chosen"].tolist() == [5, 0]
    assert links["now"].tolist() == ["shaft", "none of them"] and links["probability"].tolist() == [0.7, 0.9]
    assert links[POSITION].to_numpy().tolist() == [[1.0, 2.0, 3.0]] * 2
    found = pd.DataFrame({"volume": "v", "synapse": [1], "score": [0.7], "probability": np.nan, **nm})
    objects = synapse_questions(found, "p")
    assert objects["worth"].tolist() == pytest.approx([0.3]) and objects["unit"].tolist() == ["v"]
    # a judge knows better than the voxels
    assert synapse_questions(found.assign(probability=0.4), "p")["worth"].tolist() == pytest.approx([0.6])
    # what the run drops is asked about where there is a chance, and has no number
    dropped = synapse_questions(found.assign(synapse=0), "p")
    assert dropped["now"].tolist() == ["no synapse"] and dropped["worth"].tolist() == pytest.approx([0.7])
    assert dropped["subject"].isna().all() and not dropped["counted"].any()
    assert synapse_questions(found.assign(synapse=0, probability=0.01), "p").empty
    tags = {"neuron": "n", "id": pd.array([1, 2], "Int64"), "tag": ["spine", None], "value": [0.6, np.nan]}
    labels = label_questions(pd.DataFrame({**tags, **nm}), "p")
    assert labels["now"].tolist() == ["spine"] and labels["probability"].tolist() == [0.6]


def test_questions_of_nothing_are_none():
    empty = spine_questions(judged([], []).astype({"accepted": bool}), "p")
    assert empty.empty and empty.dtypes.equals(no_questions().dtypes)
    assert in_order(empty, np.zeros(0, bool), 0) == []
    assert accuracy(empty, answered_by(empty, answers_to(empty, [], [])), 0).answered == 0


def test_questions_are_spread_over_the_data():
    close = spine_questions(judged([0.5, 0.5, 0.5], [True] * 3, spread_um=1.0), "p")
    far = spine_questions(judged([0.6], [True]).assign(y_um=100.0), "p")
    assert by_worth(pd.concat([close, far], ignore_index=True)).tolist() == [0, 3, 1, 2]


def test_one_question_in_four_is_drawn_by_lot_and_each_is_asked_once():
    rng = np.random.default_rng(0)
    score = rng.random(40).clip(0.05)
    questions = spine_questions(judged(score, score > 0.5), "p")
    done = np.zeros(40, bool)
    done[[3, 7]] = True
    order = in_order(questions, done, seed=1)
    assert sorted(row for row, _ in order) == sorted(set(range(40)) - {3, 7})
    assert [drawn for _, drawn in order[:9]] == ["random", *["active"] * 3, "random", *["active"] * 3, "random"]
    # what is counted and what is not are drawn in turns
    said = questions["counted"].tolist()
    assert [said[row] for row, drawn in order if drawn == "random"][:4] == [True, False, True, False]
    # the lot does not depend on the order of the rows
    turned = questions[::-1].reset_index(drop=True)
    first = [questions.loc[row, "subject"] for row in lot(questions, 1)]
    assert [turned.loc[row, "subject"] for row in lot(turned, 1)] == first
    assert [questions.loc[row, "subject"] for row in lot(questions, 2)] != first


def test_accuracy_is_without_bias_though_the_doubtful_come_first():
    # the run calls 400 things spines, 70 % of which are; the doubtful ones are wrong far more often
    values = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        score = rng.uniform(0.4, 1.0, 400)
        questions = spine_questions(judged(score, np.ones(400, bool)), "p")
        true = np.where(rng.random(400) < score, "spine", "no spine")
        asked = [row for row, _ in in_order(questions, np.zeros(400, bool), seed)[:120]]
        told = answered_by(questions, answers_to(questions, asked, true[asked]))
        estimate = accuracy(questions, told, seed)
        assert 30 <= estimate.answered <= 120
        naive = (true[asked] == "spine").mean()
        values.append((estimate.value, naive, (true == "spine").mean(), estimate.low, estimate.high))
    estimate, naive, truth, low, high = np.array(values).T
    assert abs((estimate - truth).mean()) < 0.03
    assert (naive - truth).mean() < -0.08
    assert ((low <= truth) & (truth <= high)).mean() > 0.88


def test_what_nobody_is_sure_of_does_not_count():
    questions = spine_questions(judged([0.9] * 6, [True] * 6), "p")
    order = lot(questions, 0)
    told = answered_by(questions, answers_to(questions, order[:4], ["spine", "unsure", "no spine", "spine"]))
    found = accuracy(questions, told, 0)
    assert (found.right, found.answered, found.of) == (2, 3, 6)
    # a question not answered ends the sample
    told = answered_by(questions, answers_to(questions, [order[0], *order[2:]], "spine"))
    assert accuracy(questions, told, 0).answered == 1


def test_a_link_is_right_only_with_the_right_shaft():
    nm = {"z_nm": 0.0, "y_nm": 0.0, "x_nm": np.arange(4) * 9000.0}
    queue = {"volume": "v", "orphan": range(1, 5), "worth": 1.0, "linked_to": [5, 5, 0, 0], "candidates": "5 6"}
    questions = link_questions(pd.DataFrame({**queue, "probability": 0.7, "no_parent": 0.2, **nm}), "p")
    told = answers_to(questions, range(4), ["shaft", "shaft", "no orphan", "shaft"])
    told["chosen"] = pd.array([5, 6, None, 5], "Int64")
    found = accuracy(questions, answered_by(questions, told), 0)
    assert (found.right, found.answered) == (2, 4)


def test_the_interval_is_that_of_statsmodels():
    assert wilson(52, 60) == pytest.approx(proportion_confint(52, 60, method="wilson"))
    assert np.isnan(wilson(0, 0)).all()


def test_each_person_has_their_own_answers():
    questions = spine_questions(judged([0.9, 0.8], [True] * 2), "p")
    told = pd.concat([answers_to(questions, [0], "spine"), answers_to(questions, [0, 1], "no spine", "bob")])
    assert answered_by(questions, told, "ann").index.tolist() == [0]
    assert answered_by(questions, told, "bob")["answer"].tolist() == ["no spine"] * 2
    assert answered_by(questions, told)["answer"].tolist() == ["no spine"] * 2
