"""What answers teach of how deep heads lie, and when the weights of before are kept."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, Wildcards

from spinome.io.models import Model, load_model, save_model
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import STACK, write_volume
from spinome.review.answers import Answers, candidates_said, standing
from spinome.review.learn_depth import depths_taught, heads_seen, relearn_depth
from spinome.twophoton.depth import ESTIMATES
from spinome.twophoton.depth_track import SPINE_COLUMNS
from spinome.twophoton.detect import BOX_COLUMNS
from spinome.twophoton.judge import FEATURES, train_judge
from spinome.workflow import step

SCRIPTS = Path(__file__).parents[2] / "scripts"
DETECTOR = Path(__file__).parents[2] / "workflow" / "models" / "detector.safetensors"

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
    assert heads["z_um"].tolist() == [3.0] * 5 + [7.0] and heads["seen_z_um"].tolist() == [5.0] * 5 + [7.0]
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
    heads = pd.DataFrame({"unit": "a", "z_um": 8.0, "y_um": 3.6, "x_um": [4.0, 20.0], "seen_z_um": [10.0, 6.0]})
    heads = heads.assign(held=[False, True])
    estimates, offsets, held = depths_taught(stack, (1.0, 0.12, 0.12), rows, heads, OLD)
    assert estimates.shape == (2, len(ESTIMATES))
    assert offsets.tolist() == [2.0, -2.0] and held.tolist() == [False, True]
    # a better candidate beside them, which nobody was asked about, takes no head
    near = pd.concat([rows, rows.assign(score=0.99, x_um=rows["x_um"] + 0.7)], ignore_index=True)
    again = depths_taught(stack, (1.0, 0.12, 0.12), near.assign(z_um=[8.0] * 3 + [9.5] * 3), heads, OLD)
    assert again[1].tolist() == [2.0, -2.0] and again[2].tolist() == [False, True]
    # heads that were asked about at the depth of other weights, and marks, are found by where they were seen
    moved = depths_taught(stack, (1.0, 0.12, 0.12), rows, heads.assign(z_um=[12.0, 3.0]), OLD)
    assert moved[1].tolist() == [2.0, -2.0] and moved[2].tolist() == [False, True]
    # and people were asked at the depth of the weights of before
    lower = [*OLD[:-1], 4.0]
    asked = depths_taught(stack, (1.0, 0.12, 0.12), near.assign(z_um=8.0), heads.assign(z_um=12.0), lower)
    assert asked[1].tolist() == [2.0, -2.0] and asked[2].tolist() == [False, True]


def test_of_two_heads_at_one_candidate_the_nearer_one_tells_its_depth_and_whether_it_is_held_out():
    stack = np.random.default_rng(0).normal(100, 1, (20, 60, 200)).astype(np.float32)
    rows = pd.DataFrame(dict.fromkeys(SPINE_COLUMNS, 0.0), index=range(1))
    rows = rows.assign(score=0.9, z_slice=8.0, z_um=8.0, y_um=3.6, x_um=4.0, slices=3, first_slice=7, last_slice=9)
    heads = pd.DataFrame({"z_um": 8.0, "y_um": 3.6, "x_um": [4.3, 4.0], "seen_z_um": [5.0, 10.0]})
    heads = heads.assign(unit="a", held=[True, False])
    _, offsets, held = depths_taught(stack, (1.0, 0.12, 0.12), rows, heads, OLD)
    assert offsets.tolist() == [2.0] and held.tolist() == [False]
    # one that was seen farther away than a head can be from its candidate is a mistake
    assert not len(depths_taught(stack, (1.0, 0.12, 0.12), rows, heads.assign(seen_z_um=14.0), OLD)[1])


def test_a_run_takes_depths_keeps_the_judge_and_loses_no_answer(tmp_path, monkeypatch):
    # a script has its process for itself
    monkeypatch.setattr(step, "log_to", lambda log, asked: None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    rng, count = np.random.default_rng(0), 40
    stack = rng.normal(100, 3, (24, 200, 400)).astype(np.uint16)
    rows = pd.DataFrame(dict.fromkeys(SPINE_COLUMNS, 0.0), index=range(count))
    place = {"y_um": 4.0 + 4.0 * (np.arange(count) // 10), "x_um": 4.0 + 4.0 * (np.arange(count) % 10)}
    rows = rows.assign(candidate=range(count), given=False, score=0.9, z_slice=8.0, z_um=8.0, **place)
    write_table(rows.assign(slices=3, side_um=1.0, first_slice=7, last_slice=9), tmp_path / "candidates.parquet")
    write_volume(tmp_path / "stack.ome.zarr", stack, (1000.0, 120.0, 120.0), kind="image", space=STACK)
    features, labels = rng.normal(size=(60, len(FEATURES))), np.arange(60) % 2 == 0
    judge, threshold, _ = train_judge(features, labels, np.arange(60) // 6, 30)
    save_model(tmp_path / "old.skops", Model(judge, FEATURES, {"depth": OLD, "threshold": threshold}))
    answers = Answers(tmp_path / "answers.parquet")
    for number, (y, x) in enumerate(zip(place["y_um"], place["x_um"])):
        drawn = "random" if number % 4 == 0 else "active"
        said = {"z_um": 8.0, "answer": "spine", "seen_z_um": 11.0}
        # some were asked about before, by who did not move, and others since heads lie deeper
        said = {36: {"z_um": 8.0, "answer": "no spine"}, 37: {"z_um": 11.0, "answer": "no spine"}}.get(number, said)
        answers.append({"kind": "spine", "unit": "m.f.0", "who": "ann", "drawn": drawn, "y_um": y, "x_um": x, **said})
    write_table(pd.DataFrame(columns=[*BOX_COLUMNS, "candidate"]).astype(float), tmp_path / "boxes.parquet")
    given = {"stacks/a": "stack.ome.zarr", "candidates/a": "candidates.parquet", "boxes/a": "boxes.parquet"}
    given = {name: str(tmp_path / file) for name, file in given.items()}
    made = {"model": "new.skops", "detector": "new.safetensors", "scores": "scores.tsv"}
    made = {name: str(tmp_path / file) for name, file in made.items()}
    each = {"a": {"specimen": "m", "field": "f", "timepoint": "0", "series": "m.f"}}
    aside = {"model": tmp_path / "old.skops", "detector": DETECTOR, "answers": tmp_path / "answers.parquet"}
    aside = SimpleNamespace(**{name: str(file) for name, file in aside.items()})
    snakemake = SimpleNamespace(
        input=InputFiles(fromdict=given),
        output=OutputFiles(fromdict=made),
        params=Params(fromdict={"each": each, "gap_slices": 1, "seed": 0, "aside": aside, "code": "code"}),
        wildcards=Wildcards(fromdict={}),
        log=Log(fromdict={"log": str(tmp_path / "logs" / "review_learn.log")}),
        rule="review_learn",
        threads=1,
        config={"results": str(tmp_path), "resources": "resources"},
    )
    runpy.run_path(str(SCRIPTS / "review_learn.py"), {"snakemake": snakemake})
    scores, new = read_table(made["scores"]), load_model(made["model"], FEATURES)
    assert scores.loc[0, ["depth_taken", "taken"]].tolist() == [True, False] and scores.loc[0, "depths"] == count - 2
    # of so few answers no detector learns
    assert Path(made["detector"]).stat().st_size == 0
    # farther than the reach of answers
    assert scores.loc[0, ["answers", "spines", "without_candidate"]].tolist() == [count, count - 2, 0]
    assert new.card["depth"][-1] == pytest.approx(3.0, abs=0.5) and new.card["taught_by"]["depth"] == OLD
    assert (new.probabilities(features) == load_model(aside.model, FEATURES).probabilities(features)).all()
