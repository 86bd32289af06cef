"""The extent of a synapse, as it is painted."""

import json

import numpy as np
import pandas as pd
import pytest

from spinome.review.answers import ANSWER_COLUMNS, Answers, candidates_said, standing
from spinome.review.extent import MOST_POINTS, read_extent, within
from spinome.review.learn_synapses import painted

STROKE = {"z_um": 1.0, "radius_um": 0.1, "way_um": [[0.5, 0.5], [0.5, 1.0]]}
MISSED = {"kind": "missed synapse", "answer": "missed synapse", "unit": "v", "who": "ann", "drawn": "by hand"}
MISSED |= {"z_um": 1.0, "y_um": 0.5, "x_um": 0.7}


def test_what_lies_under_the_brush_is_within():
    strokes = read_extent(json.dumps([STROKE, {"z_um": 2.0, "radius_um": 0.2, "way_um": [[3.0, 3.0]]}]))
    places = [(1.0, 0.5, 0.75), (1.04, 0.58, 0.5), (1.0, 0.62, 0.5), (1.06, 0.5, 0.75), (1.0, 0.5, 1.09), (2, 3.1, 3.1)]
    assert within(strokes, np.array(places), 0.04).tolist() == [True, True, False, False, True, True]
    assert read_extent("") == []


@pytest.mark.parametrize(
    "text",
    [
        "no list",
        '[{"z_um": 1}]',
        json.dumps([STROKE | {"way_um": []}]),
        json.dumps([STROKE | {"way_um": [[1, 2, 3]]}]),
        json.dumps([STROKE | {"radius_um": -1}]),
        json.dumps([STROKE | {"way_um": [[0, 0]] * (MOST_POINTS + 1)}]),
        "[NaN]",
    ],
)
def test_what_is_no_extent_is_refused(text, tmp_path):
    with pytest.raises(ValueError, match="extent"):
        Answers(tmp_path / "answers.parquet").append(MISSED | {"extent": text})
    assert not (tmp_path / "answers.parquet").exists()


def test_an_extent_goes_with_a_synapse_alone(tmp_path):
    with pytest.raises(ValueError, match="of a synapse"):
        Answers(tmp_path / "answers.parquet").append(
            MISSED | {"kind": "synapse", "answer": "no synapse", "extent": json.dumps([STROKE])}
        )


def test_answers_of_before_have_no_extent(tmp_path):
    answers = Answers(tmp_path / "answers.parquet")
    answers.append(MISSED | {"extent": json.dumps([STROKE])})
    (file,) = answers.folder.iterdir()
    pd.read_parquet(file).drop(columns="extent").to_parquet(file, index=False)
    rows = Answers(answers.folder).read()
    assert rows["extent"].tolist() == [""] and list(rows.columns) == list(ANSWER_COLUMNS)
    answers = Answers(answers.folder)
    answers.append(MISSED | {"extent": json.dumps([STROKE])})
    assert sorted(answers.read()["extent"].str.len() > 0) == [False, True]


def test_candidates_within_an_extent_are_parts_of_the_synapse(tmp_path):
    place = np.array([(1.0, 0.5, 0.6), (1.0, 0.5, 0.9), (1.0, 0.9, 0.9)]) * 1000
    frame = pd.DataFrame(place, columns=["z_nm", "y_nm", "x_nm"]).assign(volume="v", section_um=0.04)
    frame = pd.concat([frame, frame.assign(volume="w")], ignore_index=True)
    answers = Answers(tmp_path / "answers.parquet")
    name = answers.append(MISSED | {"extent": json.dumps([STROKE])})["answer_id"]
    rows, owner = painted(frame, candidates_said(standing(answers.read()), "synapse"))
    assert rows.tolist() == [0, 1] and set(owner) == {name}
