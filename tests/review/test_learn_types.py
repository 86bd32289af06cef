"""What the forest of types learns from answers about segments and links, and when the old one is kept."""

import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, Wildcards

from spinome.columns import POSITION
from spinome.io.models import Model, load_model, save_model
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import write_volume
from spinome.linking.shape import FEATURES, HKS_FEATURES, voxel_features
from spinome.linking.typing import measure_segments
from spinome.review.answers import NEXT, Answers, standing
from spinome.review.held_out import HELD_OUT
from spinome.review.learn_types import LEAST, NO_SPINE, Taught, learn, shares, statements, taught, teach, types_said
from spinome.workflow import step
from spinome.workflow.shards import Unit, run_shard

SCRIPTS = Path(__file__).parents[2] / "scripts"
KINDS = np.array(["axon", "shaft", "spine"], object)


def segments_of(count=300, seed=0):
    """Features of segments whose types are told by the second one, and an old forest that asks the first one."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, len(FEATURES))).astype(np.float32)
    types = KINDS[np.digitize(features[:, 1], [-0.5, 0.5])]
    elsewhere = rng.normal(size=(200, len(FEATURES))).astype(np.float32)
    forest = ExtraTreesClassifier(50, random_state=0).fit(elsewhere, KINDS[np.digitize(elsewhere[:, 0], [-0.5, 0.5])])
    return features, types, Model(forest, FEATURES)


def test_a_forest_that_learned_is_taken_and_keeps_its_trees():
    features, types, old = segments_of()
    held = np.arange(120) % 4 == 0
    forest, row = learn(old, Taught(features, np.arange(120), types[:120], held, 0), 0)
    assert row["taken"] and row["held_out"] == 30 and row["new_right"] > row["old_right"]
    assert row["shaft"] == (types[:120] == "shaft").sum() and row[NO_SPINE] == 0
    assert forest.estimators_[:50] == old.estimator.estimators_ and len(forest.estimators_) > 50
    right = [(Model(one, FEATURES).probabilities(features[120:]).argmax(axis=1)) for one in (old.estimator, forest)]
    before, after = [(KINDS[found] == types[120:]).mean() for found in right]
    assert after > before + 0.2


def test_the_old_forest_is_kept_where_the_new_one_is_no_better():
    features, types, _ = segments_of()
    wise = Model(ExtraTreesClassifier(50, random_state=0).fit(features, types), FEATURES)
    held = np.arange(60) % 4 == 0
    forest, row = learn(wise, Taught(features, np.arange(60), types[:60], held, 0), 0)
    assert forest is None and row["reason"].startswith("not better")
    few = LEAST - 1
    forest, row = learn(wise, Taught(features, np.arange(few), types[:few], np.zeros(few, bool), 0), 0)
    assert forest is None and row["reason"].startswith("fewer than")
    forest, row = learn(wise, Taught(features, np.arange(60), types[:60], np.zeros(60, bool), 0), 0)
    assert forest is None and "by lot" in row["reason"]


def test_shafts_alone_do_not_make_a_shaft_of_all():
    features, types, old = segments_of()
    rows = np.flatnonzero(types == "shaft")[:40]
    believed = old.probabilities(features)
    forest = teach(old, features, believed, rows, types[rows], 0)
    found = Model(forest, FEATURES).probabilities(features)
    assert found.shape == believed.shape
    # what the old forest is sure of it still says
    sure = believed.max(axis=1) > 0.6
    sure[rows] = False
    said = KINDS[believed[sure].argmax(axis=1)]
    assert (KINDS[found[sure].argmax(axis=1)] == said)[said != "shaft"].mean() > 0.9


def test_what_is_no_spine_is_what_else_the_old_forest_takes_it_for():
    believed = np.array([[0.1, 0.3, 0.6], [0.2, 0.2, 0.6], [0.0, 0.0, 1.0]])
    out = shares(np.array([NO_SPINE, "axon", NO_SPINE], object), believed, KINDS)
    assert out == pytest.approx(np.array([[0.25, 0.75, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]))
    # a type that the forest does not know is another, or nothing
    assert shares(np.array(["glia"], object), believed[:1], KINDS).sum() == 0
    assert shares(np.array(["glia"], object), believed[:1], np.array(["axon", "other", "spine"])).tolist() == [
        [0, 1, 0]
    ]


def answered(folder, *rows):
    answers = Answers(folder / "answers.parquet")
    answers.append_all([{"unit": "v", "who": "ann", "drawn": "active", **row} for row in rows])
    return types_said(standing(answers.read()))


def at(*place, columns=POSITION):
    return dict(zip(columns, map(float, place)))


def test_answers_about_segments_and_links_say_types(tmp_path):
    told = answered(
        tmp_path,
        {"kind": "segment", "answer": "axon", **at(1, 1, 1)},
        {"kind": "segment", "answer": "unsure", **at(1, 1, 2)},
        {"kind": "link", "answer": "shaft", "chosen": 5, **at(1, 1, 3), **at(1, 1, 4, columns=NEXT)},
        {"kind": "link", "answer": "shaft", "chosen": 1, **at(1, 1, 5), **at(1, 1, 1, columns=NEXT)},
        {"kind": "link", "answer": "no orphan", **at(1, 1, 6)},
        {"kind": "link", "answer": "none of them", **at(1, 1, 7)},
        {"kind": "segment", "answer": "glia", **at(1, 1, 0)},
        {"kind": "synapse", "answer": "synapse", **at(1, 1, 8)},
    )
    # there is no segment at 0; what was said outright of 1 goes before the link to it
    said = statements(told, lambda volume, place: int(place[2]))
    assert said[["segment", "type"]].to_numpy().tolist() == [
        [1, "axon"],
        [3, "spine"],
        [4, "shaft"],
        [5, "spine"],
        [6, NO_SPINE],
    ]
    described = pd.DataFrame(np.zeros((3, len(FEATURES))), columns=FEATURES).assign(volume="v", segment=[4, 1, 9])
    given = taught(described, said)
    assert given.rows.tolist() == [1, 0] and given.type.tolist() == ["axon", "shaft"] and given.without_shape == 3


def test_those_by_lot_are_held_out(tmp_path):
    rows = [{"kind": "segment", "answer": "axon", "drawn": "random", **at(1, 1, n)} for n in range(1, 11)]
    said = statements(answered(tmp_path, *rows), lambda volume, place: int(place[2]))
    assert said["held"].sum() == int(HELD_OUT * 10)


@pytest.fixture
def run_script(tmp_path, monkeypatch):
    """A function that runs the script as its rule does."""
    monkeypatch.setattr(step, "log_to", lambda log, asked: None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def run(given, rows, answers, model):
        aside = SimpleNamespace(rows=rows, answers=str(answers), model=str(model))
        made = {"model": str(tmp_path / "new.skops"), "scores": str(tmp_path / "scores.tsv")}
        snakemake = SimpleNamespace(
            input=InputFiles(fromdict=given),
            output=OutputFiles(fromdict=made),
            params=Params(fromdict={"working_nm": 8.0, "seed": 0, "aside": aside}),
            log=Log(fromdict={"log": str(tmp_path / "logs" / "review_learn_types.log")}),
            wildcards=Wildcards(),
            rule="review_learn_types",
            threads=1,
            config={"results": str(tmp_path), "resources": "resources"},
        )
        runpy.run_path(str(SCRIPTS / "review_learn_types.py"), {"snakemake": snakemake})
        return made

    return run


def test_the_script_learns_of_the_segments_of_a_run(tmp_path, run_script):
    voxel_nm = (8.0, 8.0, 8.0)
    labels = np.zeros((24, 200, 200), np.int64)
    # thick blocks are shafts and thin ones axons, and the old forest knows nothing of it
    for number in range(100):
        y, x = 20 * (number // 10) + 4, 20 * (number % 10) + 4
        labels[4:20, y : y + (14 if number % 2 else 5), x : x + 10 + number % 4] = number + 1
    write_volume(tmp_path / "v.zarr", labels, voxel_nm)
    measured = measure_segments(labels, voxel_nm, (1, 1, 1))
    write_table(measured, tmp_path / "join.parquet")
    surfaces = pd.DataFrame({"segment": measured["segment"], **dict.fromkeys(HKS_FEATURES, 0.0)})

    def surface(unit, path):
        write_table(surfaces, path)

    places = {
        "store": tmp_path / "units",
        "done": tmp_path / "shapes.parquet",
        "failures": tmp_path / "failures.parquet",
    }
    run_shard([Unit("0")], surface, step="linking_shapes", suffix=".parquet", key="", **places)
    shapes = voxel_features(measured, voxel_nm).merge(surfaces, on="segment")[FEATURES].to_numpy(np.float32)
    anything = np.random.default_rng(0).choice(["axon", "shaft"], len(shapes))
    old = ExtraTreesClassifier(20, min_samples_leaf=10, random_state=0).fit(shapes, anything)
    save_model(tmp_path / "old.skops", Model(old, FEATURES, {"trained_on": ["w"]}))
    rows = {"v": {"segmentation": str(tmp_path / "v.zarr"), "voxel_nm": None}}
    given = {"segments/v": str(tmp_path / "join.parquet"), "shapes/v/0": str(tmp_path / "shapes.parquet")}
    made = run_script(given, rows, tmp_path / "answers.parquet", tmp_path / "old.skops")
    # without answers the old one stays as it is
    assert Path(made["model"]).read_bytes() == (tmp_path / "old.skops").read_bytes()
    assert not read_table(made["scores"])["taken"].iloc[0]
    answers = Answers(tmp_path / "answers.parquet")
    for number in range(80):
        z, y, x = 0.096, (20 * (number // 10) + 6) * 0.008, (20 * (number % 10) + 8) * 0.008
        drawn = "random" if number % 4 in (0, 1) else "active"
        said = {"kind": "segment", "unit": "v", "who": "ann", "drawn": drawn, **at(z, y, x)}
        answers.append(said | {"answer": "shaft" if number % 2 else "axon"})
    made = run_script(given, rows, answers.folder, tmp_path / "old.skops")
    scores = read_table(made["scores"]).iloc[0]
    assert scores["taken"] and scores["people"] == "ann" and scores["new_right"] >= scores["old_right"]
    new = load_model(made["model"], FEATURES)
    assert new.card["learned_from_answers"]["people"] == "ann" and new.card["taught_by"] == {"trained_on": ["w"]}
    json.dumps(new.card)
    unseen = (measured["segment"] > 80).to_numpy()
    found = new.estimator.classes_[new.probabilities(shapes[unseen]).argmax(axis=1)]
    assert (found == np.where(measured["segment"][unseen] % 2 == 0, "shaft", "axon")).mean() > 0.9
