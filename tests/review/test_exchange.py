"""Answers to tables of today and back."""

import numpy as np
import pandas as pd
import pytest

from spinome.columns import POSITION
from spinome.linking.measure import INSIDE
from spinome.neurons.spines import PAIR_PLACES
from spinome.review.answers import NEXT, Answers, agreed, standing
from spinome.review.exchange import (
    corrections_of,
    decisions_of,
    from_corrections,
    from_decisions,
    from_labels,
    from_spine_decisions,
    labels_of,
    segment_types_of,
    spine_decisions_of,
)
from spinome.review.questions import no_questions, spine_questions
from spinome.twophoton.corrections import CORRECTION_COLUMNS, correct_spines


def written(tmp_path, rows):
    answers = Answers(tmp_path / "answers.parquet")
    answers.append_all(rows)
    return agreed(standing(answers.read()))[0]


def spine(x, said, **more):
    fixed = {"kind": "spine", "unit": "m.f.0", "z_um": 3.0, "y_um": 2.0, "who": "ann", "drawn": "active"}
    return {**fixed, "x_um": x, "answer": said, **more}


def judged():
    columns = ["candidate", "z_um", "y_um", "x_um", "score", "accepted"]
    rows = [(0, 3.0, 2.0, 1.0, 0.9, True), (1, 3.0, 2.0, 1.8, 0.3, False), (2, 3.0, 2.0, 9.0, 0.2, False)]
    rows.append((3, 3.0, 2.0, 20.0, 0.8, True))
    return pd.DataFrame(rows, columns=columns).assign(specimen="m", field="f", timepoint="0")


def test_answers_correct_the_run_as_a_person_said(tmp_path):
    rows = [spine(1.0, "spine"), spine(1.8, "no spine"), spine(9.0, "spine"), spine(20.0, "no spine")]
    rows += [spine(30.0, "missed spine", kind="missed spine"), spine(1.0, "unsure", who="bob")]
    table = corrections_of(written(tmp_path, rows), spine_questions(judged(), "p"))
    assert list(table.columns) == CORRECTION_COLUMNS
    shape = judged().assign(z_slice=3.0, side_um=1.0, first_slice=3, last_slice=3, slices=1)
    out, outcomes = correct_spines(shape, table.astype({"timepoint": str}), 1.0)
    assert outcomes["applied"].all()
    # the neighbour of what is no spine stays, though it lies within reach
    assert out.loc[out["accepted"], "x_um"].tolist() == [1.0, 9.0, 30.0]


def test_a_spine_is_corrected_at_the_depth_to_which_it_was_brought(tmp_path):
    table = corrections_of(
        written(tmp_path, [spine(1.0, "spine", z_um=6.0, seen_z_um=3.0)]), spine_questions(judged(), "p")
    )
    shape = judged().assign(z_slice=3.0, side_um=1.0, first_slice=3, last_slice=3, slices=1)
    out, outcomes = correct_spines(shape, table.astype({"timepoint": str}), 1.0)
    # it is kept and not added a second time
    assert len(out) == len(shape) and outcomes["applied"].all()


def test_no_answers_are_no_corrections(tmp_path):
    assert list(corrections_of(written(tmp_path, []), no_questions()).columns) == CORRECTION_COLUMNS


def test_corrections_come_back(tmp_path):
    rows = [
        ("m", "f", "no spine", "0", 1.0, 2.0, 3.0, None, None, None, None),
        ("m", "f", "missed spine", "1", 4.0, 5.0, 6.0, None, None, None, None),
        ("m", "f", "different", "0", 1.0, 2.0, 30.0, "1", 1.5, 2.5, 30.5),
        ("m", "f", "", "0", 9.0, 9.0, 9.0, None, None, None, None),
    ]
    table = pd.DataFrame(rows, columns=CORRECTION_COLUMNS)
    back = corrections_of(written(tmp_path, from_corrections(table, "ann")), no_questions())
    back = back.sort_values("x_um").astype(object).where(back.notna(), None).to_numpy().tolist()
    assert back == [list(row) for row in rows[:3]]


def test_decisions_follow_the_segments_when_their_numbers_change(tmp_path):
    segments = pd.DataFrame({"segment": [5, 2**60 + 1, 8]}).assign(
        **dict(zip(INSIDE, (np.array([10.0, 10.0, 10.0]), np.array([10.0, 20.0, 30.0]), np.array([5.0, 5.0, 5.0]))))
    )
    decisions = pd.DataFrame({"volume": "v", "orphan": [2**60 + 1, 8], "shaft": [5, 0]})
    answers = written(tmp_path, from_decisions(decisions, {"v": segments}, "ann"))
    old = {10.0: 5, 20.0: 2**60 + 1, 30.0: 8}

    def label_at(volume, place_um):
        assert volume == "v"
        return old[round(place_um[1] * 1000, 6)]

    back, gone = decisions_of(answers, label_at)
    assert gone == 0
    assert back.to_numpy().tolist() == decisions.to_numpy().tolist()
    back, gone = decisions_of(answers, lambda volume, place: {5: 50, 8: 0}.get(label_at(volume, place), 77))
    assert back.to_numpy().tolist() == [["v", 77, 50]] and gone == 1
    with pytest.raises(ValueError, match="decisions name 9, which is no segment of v"):
        from_decisions(decisions.assign(orphan=9), {"v": segments}, "ann")


def test_labels_of_synapses_come_back(tmp_path):
    points = pd.DataFrame({"x_nm": [1000.5, 2.0, 3.0], "y_nm": 2.0, "z_nm": 3.0, "tag": ["spine", "soma", "axon"]})
    back = labels_of(written(tmp_path, from_labels(points, "n", "ann")), lambda neuron, place: place)
    pd.testing.assert_frame_equal(back["n"], points[:2])


def test_what_is_said_of_one_spine_or_two_goes_there_and_back(tmp_path):
    place = dict(zip([*POSITION, *NEXT], [1.0, 2.0, 3.0, 1.5, 2.5, 3.5]))
    said = {"kind": "one spine", "unit": "n", "who": "ann", "drawn": "random", **place}
    # of two who disagree neither is followed
    others = [said | {"answer": answer, "who": who, "x_um": 30.0} for who, answer in (("ann", "one"), ("bob", "two"))]
    table = spine_decisions_of(written(tmp_path, [said | {"answer": "two"}, *others]))
    assert table.columns.tolist() == ["neuron", *PAIR_PLACES, "decision"] and len(table) == 1
    assert table.iloc[0].tolist() == ["n", 1000.0, 2000.0, 3000.0, 1500.0, 2500.0, 3500.0, "two"]
    (back,) = from_spine_decisions(table, "bob")
    assert {key: back[key] for key in place} == pytest.approx(place)
    assert (back["kind"], back["answer"], back["unit"], back["drawn"]) == ("one spine", "two", "n", "imported")


def test_a_segment_of_which_answers_say_unlike_types_gets_none():
    answers = pd.DataFrame(
        {"kind": "segment", "unit": "v", "answer": ["shaft", "axon", "glia", "glia"], "z_um": 0.0, "y_um": 0.0}
    ).assign(x_um=[1.0, 2.0, 3.0, 4.0])
    segments = {1.0: 7, 2.0: 7, 3.0: 8, 4.0: 8}
    tables, left_out = segment_types_of(answers, lambda unit, place: segments[place[2]])
    assert tables["v"].values.tolist() == [["v", 8, "glia"]] and left_out == 2
