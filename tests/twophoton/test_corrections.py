from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from spinome.columns import POSITION
from spinome.io.tables import read_table, write_table
from spinome.twophoton.corrections import correct_links, correct_spines, table_of
from spinome.twophoton.correspond import correspond_series
from spinome.twophoton.depth_track import SPINE_COLUMNS
from spinome.twophoton.review import REVIEW_COLUMNS, review_form
from spinome.twophoton.time_track import candidate_links, follow_series, time_track, track_series
from spinome.workflow.samples import StackRow, read_corrections

# three spines in a row, and the same three in the sessions after it
PLACE = np.array([[5.0, 2, 2], [5, 2, 6], [5, 8, 4]])
DAYS = [("a", 0.0), ("b", 2.0), ("c", 5.0)]


def said(decision, timepoint, place, next_timepoint=None, next_place=(None, None, None)):
    names = ("z_um", "y_um", "x_um")
    row = {"specimen": "s", "field": "f", "decision": decision, "timepoint": timepoint, **dict(zip(names, place))}
    return row | {"next_timepoint": next_timepoint} | {f"next_{n}": v for n, v in zip(names, next_place)}


def linked(places, rows):
    same, different, outcomes = correct_links(table_of(rows), [name for name, _ in DAYS], places)
    reach = {(i, j): places[i] for i in range(len(places)) for j in range(i + 1, len(places))}
    tracks, links = time_track(candidate_links(reach, places, 1.2), [len(p) for p in places], same, different)
    for own in tracks:
        assert len(set(own)) == len(own)
    return tracks, links, outcomes


def test_spines_too_far_apart_to_be_linked_are_linked_on_a_person_s_word():
    places = [PLACE, PLACE[1:], PLACE + np.array([0, 0, 3])]
    tracks, links, outcomes = linked(places, [said("same", "a", PLACE[0], "c", PLACE[0] + [0, 0.3, 3])])
    assert tracks[0][0] == tracks[2][0]
    assert outcomes["applied"].all()
    given = links[links["corrected"]]
    assert len(given) == 1 and given["probability"].item() == 1 and np.isnan(given["distance_um"].item())
    assert (given[["first", "second", "first_session", "second_session"]].to_numpy() == [[0, 0, 0, 2]]).all()


def test_different_spines_are_parted_also_where_a_third_session_joins_them():
    places = [PLACE, PLACE + 0.05, PLACE + 0.1]
    free, _, _ = linked(places, [])
    assert free[0][1] == free[2][1]
    parted, links, _ = linked(places, [said("different", "a", PLACE[1], "c", PLACE[1])])
    assert parted[0][1] != parted[2][1]
    # the others keep their ids, and the new id is none that was used
    assert (parted[2][[0, 2]] == parted[0][[0, 2]]).all() and parted[2][1] not in parted[0]
    assert len(links) == 5


def test_a_group_that_is_one_already_keeps_the_links_between():
    places = [PLACE, PLACE + 0.05, PLACE + 0.1]
    tracks, links, _ = linked(places, [said("same", "a", PLACE[1], "c", PLACE[1])])
    assert tracks[0][1] == tracks[1][1] == tracks[2][1] and not links["corrected"].any()


def test_a_link_that_a_person_confirms_is_decided():
    places = [PLACE, PLACE + np.array([0, 0, 0.9])]
    doubted = linked(places, [])[1]
    tracks, links, outcomes = linked(places, [said("same", "a", PLACE[1], "b", places[1][1])])
    assert outcomes["applied"].all() and tracks[0][1] == tracks[1][1]
    assert links["corrected"].tolist() == [False, True, False]
    assert links["probability"].tolist() == [doubted["probability"][0], 1.0, doubted["probability"][2]]
    pd.testing.assert_series_equal(links["distance_um"], doubted["distance_um"])


def test_a_person_s_word_in_one_place_frees_spines_elsewhere():
    # the first of a is nearer to the first of b, but a person gives that one to the second of a
    first, second = np.array([[5.0, 2, 2.0], [5, 2, 2.9]]), np.array([[5.0, 2, 2.3], [5, 2, 1.3]])
    tracks, _, _ = linked([first, second], [said("same", "a", first[1], "b", second[0])])
    assert list(tracks[0]) == [0, 1] and list(tracks[1]) == [1, 0]


def test_a_row_against_one_above_it_is_told_of_and_not_followed():
    places = [PLACE, PLACE, PLACE]
    rows = [
        said("same", "a", PLACE[0], "b", PLACE[0]),
        said("different", "a", PLACE[0], "b", PLACE[0]),
        said("same", "a", PLACE[0], "b", PLACE[1]),
        said("different", "a", PLACE[2], "c", PLACE[2]),
        said("same", "a", PLACE[2], "c", PLACE[2]),
        said("same", "a", PLACE[2] + 9, "c", PLACE[2]),
    ]
    tracks, _, outcomes = linked(places, rows)
    assert list(outcomes["applied"]) == [True, False, False, True, False, False]
    reasons = outcomes["reason"].tolist()
    assert "that they are the same" in reasons[1]
    assert "two spines of one session" in reasons[2]
    assert "that they are different" in reasons[4]
    assert "no spine of a was found within 1 um" in reasons[5]
    assert tracks[0][0] == tracks[1][0] and tracks[0][2] != tracks[2][2]


def candidates(places, accepted):
    table = pd.DataFrame(places, columns=POSITION).assign(
        candidate=range(len(places)), score=0.5, z_slice=lambda t: t["z_um"] / 2, side_um=1.0, accepted=accepted
    )
    return table.assign(given=False, first_slice=2, last_slice=3, slices=2)[[*SPINE_COLUMNS, "accepted"]]


def test_no_spine_and_missed_spines():
    table = candidates(PLACE, [True, True, False])
    rows = [
        said("no spine", "a", PLACE[0]),
        said("missed spine", "a", PLACE[1]),
        said("missed spine", "a", PLACE[2]),
        said("missed spine", "a", [6.0, 9, 9]),
        said("no spine", "a", [6.0, 20, 9]),
    ]
    out, outcomes = correct_spines(table, table_of(rows), 2.0)
    assert list(out["accepted"]) == [False, True, True, True]
    assert list(out["corrected"]) == [False, False, True, True]
    assert list(out["candidate"]) == [0, 1, 2, 3]
    assert out.loc[3, ["z_slice", "y_um", "score"]].tolist() == [3, 9, 1]
    assert list(outcomes["applied"]) == [True] * 4 + [False]
    assert (out.dtypes[table.columns] == table.dtypes).all()


def test_a_spine_is_given_to_a_stack_without_any(tmp_path):
    out, outcomes = correct_spines(
        candidates(PLACE, True).head(0), table_of([said("missed spine", "a", PLACE[0])]), 2.0
    )
    assert out["candidate"].tolist() == [0] and out["accepted"].all() and outcomes["applied"].all()
    out.to_parquet(tmp_path / "spines.parquet")


def test_without_a_correction_nothing_changes():
    table = candidates(PLACE, [True, True, False])
    out, outcomes = correct_spines(table, table_of([]), 2.0)
    pd.testing.assert_frame_equal(out.drop(columns="corrected"), table)
    assert outcomes.empty


STACKS = [StackRow(specimen="s", field="f", timepoint=name, day=day, path="x.tif") for name, day in DAYS]
HEADER = "specimen\tfield\tdecision\ttimepoint\tz_um\ty_um\tx_um\tnext_timepoint\tnext_z_um\tnext_y_um\tnext_x_um\n"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("s\tf\tequal\ta\t1\t1\t1\t\t\t\t", r"row 2, column decision: give one of same"),
        ("s\tf\tsame\ta\t1\t1\t1\t\t\t\t", "'same' is said of two spines; fill in all next_"),
        ("s\tf\tno spine\ta\t1\t1\t1\tb\t1\t1\t1", "'no spine' is said of one spine"),
        ("s\tf\tno spine\tq\t1\t1\t1\t\t\t\t", "names s.f.q, which is no row of the sheet of stacks"),
        ("s\tf\tsame\tb\t1\t1\t1\ta\t1\t1\t1", "next_timepoint a is not later than timepoint b"),
        ("s\tf\tsame\ta\t1\t1\tone\tb\t1\t1\t1", "row 2, column x_um"),
    ],
)
def test_a_bad_row_is_told_of_when_the_workflow_is_parsed(tmp_path, row, message):
    (tmp_path / "corrections.tsv").write_text(HEADER + row + "\n")
    with pytest.raises(ValueError, match=message) as told:
        read_corrections(tmp_path / "corrections.tsv", STACKS)
    assert "corrections.tsv" in str(told.value)


def test_the_form_comes_back_as_corrections(tmp_path):
    moved = PLACE[:2] + np.array([0, 0.9, 0])
    places = [PLACE, moved, np.concatenate([moved, [[5.0, 9, 9]]])]
    sessions = [
        pd.DataFrame(place, columns=POSITION).assign(score=0.7, dendrite=1, along_um=0.0, candidate=range(len(place)))
        for place in places
    ]
    rows = [
        np.column_stack([np.full((len(places[i]), 2), (i, j)), np.arange(len(places[i])), places[i]])
        for i in range(3)
        for j in range(3)
        if i != j
    ]
    expected = pd.DataFrame(np.concatenate(rows), columns=["session", "other", "row", *POSITION])
    expected = expected.astype({"session": int, "other": int, "row": int}).assign(support=1.0)
    traced = [pd.DataFrame({"dendrite": [1], "given": False, "length_um": [20.0], "y_um": [90.0], "x_um": [90.0]})] * 3
    spines, links, _ = track_series(sessions, DAYS, expected, [np.array([20.0, 20, 20])] * 3, traced, 1.2)
    spines, links = (table.assign(specimen="s", field="f") for table in (spines, links))
    form = review_form(spines, links, expected, ["a", "b", "c"])
    assert list(form.columns) == REVIEW_COLUMNS
    assert form["question"].str.partition("?")[0].tolist() == ["same or different"] * 2 + ["missed spine", "no spine"]
    lost = form[form["question"].str.startswith("missed")].iloc[0]
    assert lost["timepoint"] == "b" and lost[POSITION].tolist() == list(PLACE[2])
    form.loc[0, "decision"] = "same"
    form.loc[2, "decision"] = "missed spine"
    form.to_csv(tmp_path / "review.tsv", sep="\t", index=False)
    again = read_corrections(tmp_path / "review.tsv", STACKS)
    assert [row.decision for row in again] == ["same", "missed spine"]
    # the link that was confirmed is not asked about again
    same, different, _ = correct_links(table_of([asdict(again[0])]), ["a", "b", "c"], places)
    spines, links, _ = track_series(sessions, DAYS, expected, [np.array([20.0] * 3)] * 3, traced, 1.2, same, different)
    spines, links = (table.assign(specimen="s", field="f") for table in (spines, links))
    tables = follow_series(
        dict(zip("abc", sessions)), dict(DAYS), table_of([asdict(again[0])]), expected, [np.array([20.0] * 3)] * 3,
        traced, 1.2,
    )  # fmt: skip
    pd.testing.assert_frame_equal(tables["links"].assign(specimen="s", field="f"), links)
    pd.testing.assert_frame_equal(tables["spines"].assign(specimen="s", field="f"), spines)
    assert tables["corrections"]["applied"].tolist() == [True]
    answered = review_form(spines, links, expected, ["a", "b", "c"])
    assert links["corrected"].sum() == 1 and len(answered) == len(form) - 1
    pd.testing.assert_frame_equal(answered, form.assign(decision="").drop(index=0).reset_index(drop=True))


def test_a_table_written_with_numbers_for_names_is_read(tmp_path):
    stacks = [StackRow(specimen="s", field="f", timepoint=name, day=float(name), path="x.tif") for name in ("0", "5")]
    (tmp_path / "c.tsv").write_text(HEADER + "s\tf\tsame\t0\t1\t1\t1\t5.0\t1\t1\t1\n")
    (row,) = read_corrections(tmp_path / "c.tsv", stacks)
    assert (row.timepoint, row.next_timepoint) == ("0", "5")


@pytest.mark.parametrize("sessions", [1, 2])
@pytest.mark.parametrize("dendrite", [1, -1])
@pytest.mark.parametrize("count", [0, 3])
def test_a_form_of_a_single_session_of_no_spine_and_of_none_lost(tmp_path, sessions, dendrite, count):
    columns = {"score": 0.7, "dendrite": dendrite, "along_um": 0.0, "candidate": range(count)}
    tables = [pd.DataFrame(PLACE[:count], columns=POSITION).assign(**columns) for _ in range(sessions)]
    places = [table[POSITION].to_numpy(float) for table in tables]
    expected, _ = correspond_series(
        places, [np.zeros((40, 40), np.float32)] * sessions, [(1, 0.5, 0.5)] * sessions, 3, 1, 1
    )
    traced = [
        pd.DataFrame({"dendrite": [1], "given": False, "length_um": [20.0], "y_um": [90.0], "x_um": [90.0]})
    ] * sessions
    days = [(str(number), float(number)) for number in range(sessions)]
    spines, links, _ = track_series(tables, days, expected, [np.array([20.0] * 3)] * sessions, traced, 1.2)
    named = {"spines": spines.assign(specimen="s", field="f"), "links": links.assign(specimen="s", field="f")}
    # as the next step finds them
    for name, table in (named | {"expected": expected}).items():
        write_table(table, tmp_path / f"{name}.parquet")
    files = (read_table(tmp_path / f"{name}.parquet") for name in ("spines", "links", "expected"))
    form = review_form(*files, [name for name, _ in days])
    assert list(form.columns) == REVIEW_COLUMNS
    assert form.empty or (sessions > 1 and dendrite > 0 and count)
