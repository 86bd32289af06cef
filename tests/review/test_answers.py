"""The table of answers: nothing is lost, and answers are found again by place."""

import multiprocessing
import os

import numpy as np
import pandas as pd
import pytest

from spinome.io.damage import DamagedError
from spinome.review import answers as module
from spinome.review.answers import ANSWER_COLUMNS, Answers, agreed, agreement, match, standing, things


def answer(x=1.0, said="spine", who="ann", **more):
    place = {"z_um": 3.0, "y_um": 2.0, "x_um": x}
    fixed = {"kind": "spine", "unit": "m.f.0", "provenance": "run", "drawn": "active"}
    return {**fixed, **place, "who": who, "answer": said, **more}


def table(tmp_path, *rows):
    answers = Answers(tmp_path / "answers.parquet")
    for row in rows:
        answers.append(row)
    return standing(answers.read())


def test_an_answer_comes_back_as_it_was_given(tmp_path):
    Answers(tmp_path / "a.parquet").append(answer(note="dim", subject=2**60 + 1, seconds=1.5))
    rows = Answers(tmp_path / "a.parquet").read()
    assert list(rows.columns) == list(ANSWER_COLUMNS)
    assert rows.astype(ANSWER_COLUMNS).dtypes.equals(rows.dtypes)
    row = rows.iloc[0]
    assert (row["who"], row["answer"], row["note"], row["drawn"]) == ("ann", "spine", "dim", "active")
    # more digits than a float holds
    assert row["subject"] == 2**60 + 1
    assert abs(pd.Timestamp.now(tz="UTC") - row["time"]) < pd.Timedelta("1min")
    # others read the folder as one table
    assert pd.read_parquet(tmp_path / "a.parquet")["answer"].tolist() == ["spine"]


def test_a_study_without_answers_has_an_empty_table(tmp_path):
    rows = Answers(tmp_path / "none.parquet").read()
    assert rows.empty and list(rows.columns) == list(ANSWER_COLUMNS)
    assert standing(rows).empty and agreed(standing(rows))[1] == 0 and agreement(standing(rows)).empty


def _append(folder, number):
    answers = Answers(folder)
    for step in range(25):
        answers.append(answer(x=100.0 * number + step, who=f"p{number}"))
        answers.join()


def test_several_processes_write_and_join_at_once_and_lose_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MANY_FILES", 5)
    folder = tmp_path / "answers.parquet"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append, args=(folder, number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    rows = Answers(folder).read()
    assert sorted(rows["x_um"]) == sorted(100.0 * number + step for number in range(4) for step in range(25))
    assert not list(folder.glob(".*"))


def test_a_reader_sees_what_others_wrote_since(tmp_path):
    first, second = Answers(tmp_path / "a.parquet"), Answers(tmp_path / "a.parquet")
    first.append(answer(1.0))
    assert len(second.read()) == 1
    first.append(answer(2.0))
    assert len(second.read()) == 2


def test_joining_keeps_every_row(tmp_path, monkeypatch):
    answers = Answers(tmp_path / "a.parquet")
    for x in range(6):
        answers.append(answer(float(x)))
    before = answers.read()
    monkeypatch.setattr(module, "MANY_FILES", 5)
    answers.join()
    assert len(list((tmp_path / "a.parquet").iterdir())) == 1
    pd.testing.assert_frame_equal(Answers(tmp_path / "a.parquet").read(), before)


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    answers = Answers(tmp_path / "a.parquet")
    answers.append(answer(1.0))

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"a\.parquet: the answer could not be written .No space left"):
            answers.append(answer(2.0))
    assert answers.read()["x_um"].tolist() == [1.0]
    assert len(list((tmp_path / "a.parquet").iterdir())) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"answer": "perhaps"}, "'perhaps' is no answer to a question of the kind 'spine'"),
        ({"kind": "colour"}, "no question is of the kind 'colour'"),
        ({"who": " "}, "who gave it"),
        ({"x_um": float("nan")}, "must have a place"),
        ({"kind": "same spine", "answer": "same"}, "next_"),
        ({"kind": "link", "answer": "shaft"}, "which one"),
        ({"drawn": "guessed"}, "drawn"),
        ({"answer": ""}, "is no answer"),
        ({"colour": 1}, "no column colour"),
    ],
)
def test_a_wrong_answer_is_refused(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        Answers(tmp_path / "a.parquet").append(answer() | wrong)
    assert not (tmp_path / "a.parquet").exists()


def test_what_is_no_table_of_answers_is_named(tmp_path):
    (tmp_path / "file.parquet").write_text("x")
    with pytest.raises(ValueError, match=r"file\.parquet: is a file"):
        Answers(tmp_path / "file.parquet")
    answers = Answers(tmp_path / "a.parquet")
    answers.append(answer())
    (tmp_path / "a.parquet" / "1.parquet").write_text("x")
    with pytest.raises(DamagedError, match=r"1\.parquet: cannot be read"):
        answers.read()
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet" / "1.parquet")
    with pytest.raises(DamagedError, match=r"1\.parquet: is no table of answers"):
        answers.read()


def test_an_answer_is_changed_and_taken_back(tmp_path):
    answers = Answers(tmp_path / "a.parquet")
    first = answers.append(answer(1.0))
    second = answers.append(answer(1.2, "no spine", replaces=first["answer_id"]))
    assert standing(answers.read())["answer"].tolist() == ["no spine"]
    answers.append(answer(1.2, "", replaces=second["answer_id"]))
    assert standing(answers.read()).empty
    assert len(answers.read()) == 3


def test_of_two_windows_that_answer_one_question_the_later_counts(tmp_path):
    assert table(tmp_path, answer(), answer(said="no spine"))["answer"].tolist() == ["no spine"]


def test_of_two_shafts_for_one_orphan_the_later_counts(tmp_path):
    links = [
        {"kind": "link", "chosen": shaft, "next_z_um": 1.0, "next_y_um": 1.0, "next_x_um": shaft} for shaft in (5, 6)
    ]
    assert table(tmp_path, *(answer(said="shaft", **link) for link in links))["chosen"].tolist() == [6]


def questions(*places, kind="spine", unit="m.f.0"):
    frame = pd.DataFrame(places, columns=["z_um", "y_um", "x_um"])
    missing = pd.DataFrame(np.nan, frame.index, ["next_z_um", "next_y_um", "next_x_um"])
    return frame.assign(kind=kind, unit=unit, next_unit="").join(missing)


def test_answers_are_found_by_place_when_numbers_change(tmp_path):
    given = table(tmp_path, answer(1.0, subject=7), answer(5.0, subject=8), answer(9.0), answer(1.0, unit="m.f.1"))
    # another run: other order, places a little off, in depth by a slice, and one is gone
    now = questions((3.0, 2.0, 5.1), (4.0, 2.2, 1.1))
    assert match(now, given).tolist() == [1, 0, -1, -1]


def test_a_spine_is_found_at_the_depth_where_it_was_seen(tmp_path):
    given = table(tmp_path, answer(1.0, seen_z_um=6.0), answer(5.0), answer(9.0, seen_z_um=6.0))
    assert given["z_um"].tolist() == [3.0] * 3
    # heads were brought deeper since, but one
    assert match(questions((6.0, 2.0, 1.0), (6.0, 2.0, 5.0), (3.0, 2.0, 9.0)), given).tolist() == [0, -1, 2]
    # one that was asked about goes before one that lies where it was seen
    assert match(questions((6.0, 2.0, 1.0), (3.0, 2.0, 1.0)), given).tolist() == [1, -1, -1]


def test_people_who_are_asked_about_a_head_at_two_depths_speak_of_one_thing(tmp_path):
    bob, eve = answer(1.0, who="bob", z_um=6.0), answer(1.0, "no spine", "eve", z_um=9.5)
    later = [answer(1.0, seen_z_um=6.0), bob | {"provenance": "b"}, eve | {"provenance": "b"}]
    assert things(table(tmp_path / "later", *later)).tolist() == [0, 0, 1]
    # in one run these are two questions
    assert things(table(tmp_path / "once", answer(1.0, seen_z_um=6.0), bob, eve)).tolist() == [0, 1, 2]


def test_two_spines_are_found_by_both_places(tmp_path):
    ends = {"next_unit": "m.f.1", "next_z_um": 3.0, "next_y_um": 2.0, "next_x_um": 1.5}
    given = table(tmp_path, answer(1.0, "same", kind="same spine", **ends))
    now = questions((3, 2, 1.0), (3, 2, 1.1), kind="same spine").assign(next_unit="m.f.1")
    now[["next_z_um", "next_y_um", "next_x_um"]] = [(3, 2, 9.0), (3, 2, 1.6)]
    assert match(now, given).tolist() == [1]


def test_neighbours_in_one_run_are_two_things_and_in_two_runs_one(tmp_path):
    close = table(tmp_path, answer(1.0), answer(1.3, "no spine"), answer(1.0, who="bob"), answer(1.02, provenance="b"))
    assert things(close).tolist() == [0, 1, 0, 0]


def test_agreed_answers_leave_out_what_people_dispute(tmp_path):
    rows = [answer(1.0), answer(1.0, who="bob"), answer(5.0), answer(5.0, "no spine", who="bob"), answer(9.0, "unsure")]
    kept, disputed = agreed(table(tmp_path, *rows))
    assert kept["x_um"].tolist() == [1.0] and disputed == 1


def test_an_extent_stays_when_another_agrees_without_painting_one(tmp_path):
    extent = "[[[0.0,1.0,1.0],[0.0,1.0,9.0],[0.0,9.0,9.0]]]"
    rows = [answer(1.0), answer(1.0, who="bob")]
    answers = table(tmp_path, *rows).assign(extent=pd.array([extent, ""], "string"))
    assert agreed(answers)[0]["extent"].tolist() == [extent]


def test_a_depth_stays_when_another_agrees_without_moving(tmp_path):
    rows = [answer(1.0, seen_z_um=6.0), answer(5.0), answer(1.0, who="bob"), answer(9.0, seen_z_um=4.0)]
    rows += [answer(9.0, who="bob", seen_z_um=5.0), answer(5.0, who="bob")]
    kept = agreed(table(tmp_path, *rows))[0].sort_values("x_um")
    assert kept["who"].tolist() == ["bob"] * 3
    assert kept["seen_z_um"].fillna(-1).tolist() == [6.0, -1.0, 5.0] and kept["extent"].tolist() == [""] * 3


def test_kappa_of_two_people_is_that_of_the_textbook(tmp_path):
    # Cohen's example as in Fleiss: 20 both yes, 15 both no, 5 and 10 apart: kappa 0.4
    told = [("spine", "spine")] * 20 + [("no spine", "no spine")] * 15
    told += [("spine", "no spine")] * 5 + [("no spine", "spine")] * 10
    answers = Answers(tmp_path / "a.parquet")
    for who, column in (("ann", 0), ("bob", 1)):
        answers.append_all([answer(5.0 * place, pair[column], who) for place, pair in enumerate(told)])
    answers.append(answer(999.0, who="bob"))
    row = agreement(standing(answers.read())).iloc[0]
    assert (row["first"], row["second"], row["both"], row["same"]) == ("ann", "bob", 50, 35)
    assert row["kappa"] == pytest.approx(0.4)


def test_kappa_is_empty_where_there_is_one_answer_alone(tmp_path):
    row = agreement(table(tmp_path, answer(), answer(who="bob"))).iloc[0]
    assert row["both"] == row["same"] == 1 and np.isnan(row["kappa"])
