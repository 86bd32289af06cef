"""What the forest of neurons learns from answers, and when the old one is kept."""

import numpy as np
import pandas as pd
import pytest

from spinome.io.models import Model
from spinome.mesh.surface import Mesh
from spinome.neurons.classes import CLASSES
from spinome.neurons.classify import FEATURES, Examples, class_probabilities, load_forest, train_forest
from spinome.neurons.condense import Domains
from spinome.review.answers import Answers, standing
from spinome.review.conclude import save_taken
from spinome.review.learn_neurons import LEAST, Taught, asked_about, learn, neurons_said, taught, teach

SPINE, SHAFT, SOMA = (CLASSES.index(name) for name in ("spine", "shaft", "soma"))


def examples(count, wrong=0.0, seed=0, classes=(SHAFT, SPINE, SOMA)):
    """Domains whose first feature says their class, of the three in turn."""
    rng = np.random.default_rng(seed)
    code = np.resize(classes, count)
    features = rng.normal(size=(count, len(FEATURES)))
    features[:, :8] += 3.0 * code[:, None]
    told = np.where(rng.random(count) < wrong, rng.integers(0, 3, count), code)
    return features, code, told


def forest(features, code):
    return train_forest(Examples(features, code, np.ones(len(code)), code), 0, 20)


def given(features, rows, code, every=4):
    weight = np.where(np.arange(len(rows)) % every == 0, 1.0, 0.0)
    return Taught(features, rows, code, weight, 0)


def test_a_forest_that_learned_is_taken_and_keeps_the_old_trees(tmp_path):
    features, code, _ = examples(600)
    # the old forest takes most spines for shafts
    told = np.where((code[:200] == SPINE) & (np.arange(200) % 20 > 0), SHAFT, code[:200])
    old = forest(features[:200], told)
    taken, row = learn(old, given(features, np.arange(200, 400), code[200:400]), 0)
    assert row["taken"] and row["reason"] == "better" and row["held_out"] == 50
    assert row["new_right"] > row["old_right"] and row["answers"] == 200
    assert taken.estimators_[:20] == old.estimator.estimators_ and len(taken.estimators_) > 20
    before, after = (
        (class_probabilities(model, features[400:]).argmax(axis=1) == code[400:]).mean()
        for model in (old, Model(taken, FEATURES))
    )
    assert after > before + 0.1
    # as a file it says the same, and what taught it
    save_taken(tmp_path / "new.skops", taken, {"people": "ann"}, old, tmp_path / "old.skops", options={"hks": {}})
    read = load_forest(tmp_path / "new.skops")
    assert (class_probabilities(read, features) == class_probabilities(Model(taken, FEATURES), features)).all()
    assert read.card["learned_from_answers"] == {"people": "ann"} and "taught_by" in read.card


def test_the_old_forest_is_kept_where_the_new_one_is_no_better():
    features, code, _ = examples(400)
    wise = forest(features, code)
    taken, row = learn(wise, given(features, np.arange(100), code[:100]), 0)
    assert taken is None and row["reason"].startswith("not better")
    taken, row = learn(wise, given(features, np.arange(LEAST), code[:LEAST]), 0)
    assert taken is None and "fewer than" in row["reason"] and row["answers"] == LEAST
    taken, row = learn(wise, Taught(np.zeros((0, len(FEATURES))), *np.zeros((2, 0), int), np.zeros(0), 3), 0)
    assert taken is None and row["off_surface"] == 3


def test_a_class_that_no_answer_names_is_not_forgotten():
    features, code, _ = examples(600)
    old = forest(features[300:], code[300:])
    spines = np.flatnonzero(code[:300] != SOMA)
    grown = teach(old, features, class_probabilities(old, features), spines, code[spines], 0)
    found = class_probabilities(Model(grown, FEATURES), features)
    soma = code == SOMA
    assert (found[soma].argmax(axis=1) == SOMA).mean() > 0.95


def test_a_domain_that_is_held_out_teaches_nothing():
    features, code, _ = examples(300)
    old = forest(*examples(200, 0.9)[::2])
    # each domain is asked about twice, once by lot
    rows = np.repeat(np.arange(40), 2)
    weight = np.tile([1.0, 0.0], 40)
    taken, row = learn(old, Taught(features, rows, code[rows], weight, 0), 0)
    assert taken is None and "fewer than" in row["reason"]


def neuron(sphere):
    """A ball of 4 um whose eight octants are domains."""
    vertices = sphere.vertices * 4.0
    octant = ((vertices > 0) * [1, 2, 4]).sum(axis=1).astype(np.int32)
    log = np.arange(8 * 32, dtype=np.float32).reshape(8, 32)
    domains = Domains(octant, log, log, np.zeros((8, 3)), np.ones(8))
    return Mesh(vertices, sphere.faces), domains


def test_answers_find_their_domains_and_those_by_lot_are_held_out(tmp_path, sphere):
    mesh, domains = neuron(sphere)
    chosen = np.arange(0, len(mesh.vertices), len(mesh.vertices) // 20)[:20]
    place = mesh.vertices[chosen]
    synapses = pd.DataFrame({f"ctr_pt_position_{axis}": place[:, n] for n, axis in enumerate("xyz")})
    synapses = synapses.assign(id=range(20), pre_pt_root_id=1, post_pt_root_id=2)
    # one is the neuron's own, and one is far from it
    synapses.loc[0, "post_pt_root_id"] = 1
    synapses.loc[1, "ctr_pt_position_x"] += 9000
    questions = asked_about("n", synapses, mesh, 300.0)
    assert len(questions) == 18 and set(questions["kind"]) == {"label"}
    answers = Answers(tmp_path / "answers.parquet")
    for point in place:
        where = dict(zip(["x_um", "y_um", "z_um"], map(float, point / 1000)))
        one = {"kind": "label", "unit": "n", "answer": "spine", "who": "ann", "drawn": "active", **where}
        # patches are named by a place within
        patch = {key: 0.8 * value for key, value in where.items()}
        answers.append_all([one, one | patch | {"kind": "patch", "answer": "shaft", "drawn": "random"}])
    answers.append({**one, "unit": "gone"})
    answers.append({**one, "x_um": 99.0, "y_um": 1.0})
    said = taught({"n": (mesh, domains)}, questions, neurons_said(standing(answers.read())), 0)
    assert said.off_surface == 2 and len(said.rows) == 40 and said.features.shape == (8, len(FEATURES))
    expected = dict(zip(np.arange(20), domains.label[chosen]))
    spines = said.code == SPINE
    assert sorted(said.rows[spines]) == sorted(expected.values())
    # all questions about synapses are answered, and of both kinds at most 40 % are held out, which stand for all
    assert (said.weight[spines] > 0).sum() == 7 and (said.weight[~spines] > 0).sum() == 8
    assert said.weight[~spines].sum() == pytest.approx(20)
