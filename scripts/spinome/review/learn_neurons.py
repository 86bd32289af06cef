"""What the forest of soma, shaft and spine learns from answers about neurons.

The shipped forest knows many neurons, and answers are about places of a few. So trees that learned from the answers
are added to its own, which stay as they are: the more answers, the more of them. A class that hardly any answer names
is taught to these trees by the old forest, so that they do not vote for others where it should be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier

from spinome.columns import POSITION
from spinome.io.models import Model
from spinome.mesh.nearest_point import nearest_on_surface
from spinome.mesh.surface import Mesh
from spinome.neurons.classes import CLASSES
from spinome.neurons.classify import FEATURES, Examples, class_probabilities, domain_features, train_forest
from spinome.neurons.condense import Domains
from spinome.neurons.synapses import on_surface
from spinome.neurons.truth import ON_SURFACE_NM
from spinome.review.answers import agreed
from spinome.review.held_out import HELD_OUT, Verdict, drawn, mean_gain, surprise
from spinome.review.more_trees import remembered, with_trees_of
from spinome.review.questions import NM_PER_UM, answered_by, label_questions, no_questions

KINDS = ("label", "patch")
# fewer answers teach nothing
LEAST = 10
# the trees of the old forest count as those that so many answers add, and least share of the weight that a leaf holds
PRIOR, LEAF = 150.0, 0.01
# a class that fewer answers name is taught by the old forest: so many domains, with the weight of so many answers
LEAST_OF_EACH, REMEMBERED_DOMAINS, REMEMBERED = 5, 200, 5.0


@dataclass(frozen=True)
class Taught:
    """The domains (N) of the neurons that were asked about, and what answers (A) say of them.

    Attributes
    ----------
    features : (N, F)
    rows, code : domain that each answer is about (A,), and the code of its class (A,)
    weight : (A,) of an answer that is held out, 0 for those that teach
    off_surface : how many answers lie on no mesh any more
    """

    features: np.ndarray
    rows: np.ndarray
    code: np.ndarray
    weight: np.ndarray
    off_surface: int


def neurons_said(answers: pd.DataFrame) -> pd.DataFrame:
    """What people agree on about synapses and patches of neurons.

    Parameters
    ----------
    answers : of `spinome.review.answers.standing`
    """
    return agreed(answers[answers["kind"].isin(KINDS)])[0]


def asked_about(neuron: str, synapses: pd.DataFrame, mesh: Mesh, max_distance_nm: float) -> pd.DataFrame:
    """The questions about the synapses of a neuron, a row for each that lies on its surface; see `label_questions`.

    Parameters
    ----------
    synapses : of `spinome.io.cave.read_synapses`
    max_distance_nm : as `spinome.neurons.synapses.label_synapses` takes it
    """
    reason = on_surface(synapses, mesh.vertices, mesh.faces, max_distance_nm)[2]
    place = {f"{axis}_nm": synapses[f"ctr_pt_position_{axis}"].to_numpy(float) for axis in "zyx"}
    known = pd.isna(reason)
    # what the run says of them is not asked here
    table = pd.DataFrame({"neuron": neuron, "id": synapses["id"].to_numpy(), "tag": "", "value": np.nan} | place)
    return label_questions(table[known].reset_index(drop=True), "")


def taught(
    neurons: Mapping[str, tuple[Mesh, Domains]], questions: pd.DataFrame, answers: pd.DataFrame, seed: int
) -> Taught:
    """What answers say of the domains of neurons, and which of them are held out.

    Held out are answers to what was drawn by lot, see `spinome.review.held_out.drawn`; of patches, whose lot depends on
    the spines of a run, those that the page drew by lot. Both kinds weigh as much as they have answers.

    Parameters
    ----------
    neurons : mesh and domains of each neuron that has them; `label` of these is of the vertices of the mesh
    questions : of `asked_about`, of all neurons
    answers : of `neurons_said`
    seed : of the lot by which questions are drawn
    """
    features, rows, first = [np.zeros((0, len(FEATURES)))], np.full(len(answers), -1), 0
    for neuron, (mesh, domains) in neurons.items():
        own = np.flatnonzero(answers["unit"] == neuron)
        points = answers.iloc[own][POSITION].to_numpy(float)[:, ::-1] * NM_PER_UM
        vertex, distance = nearest_on_surface(mesh.vertices, mesh.faces, points)
        # a patch is named by the middle of its spine, which lies below the surface
        found = (distance <= ON_SURFACE_NM) | (answers["kind"].iloc[own] == "patch").to_numpy()
        rows[own[found]] = domains.label[vertex[found]] + first
        features.append(domain_features(domains))
        first += len(features[-1])
    weight = np.zeros(len(answers))
    weight[_held(answers, questions, seed)] = 1.0
    for kind in KINDS:
        of = (answers["kind"] == kind).to_numpy()
        weight[of] *= of.sum() / max(weight[of].sum(), 1.0)
    there = rows >= 0
    code = answers["answer"].map(CLASSES.index).to_numpy(int)
    return Taught(np.vstack(features), rows[there], code[there], weight[there], int((~there).sum()))


def _held(answers: pd.DataFrame, questions: pd.DataFrame, seed: int) -> np.ndarray:
    """Rows of the answers that are held out."""
    labels = answers[answers["kind"] == "label"]
    asked = questions if len(questions) else no_questions()
    about = answered_by(asked, labels)
    chosen = about.loc[drawn(asked, about, seed) > 0, "answer_id"]
    patch = (answers["kind"] == "patch").to_numpy()
    by_page = np.flatnonzero(patch & (answers["drawn"] == "random").to_numpy())[: int(HELD_OUT * patch.sum())]
    return np.concatenate([np.flatnonzero(answers["answer_id"].isin(chosen)), by_page]).astype(int)


def teach(
    old: Model, features: np.ndarray, believed: np.ndarray, rows: np.ndarray, code: np.ndarray, seed: int
) -> ExtraTreesClassifier | None:
    """The old forest with trees that learned from answers; None where there are too few answers.

    Parameters
    ----------
    features, believed : (N, F) of all domains, and what the old forest says of them (N, 3)
    rows, code : domains that answers are about (A,), and their classes, as codes (A,)
    """
    classes = old.estimator.classes_.astype(int)
    # a forest for two classes does not learn of the third
    known = np.isin(code, classes)
    rows, code = rows[known], code[known]
    if len(rows) < LEAST:
        return None
    parts = [(features[rows], code, np.ones(len(rows)))]
    for rare in classes:
        if (code == rare).sum() < LEAST_OF_EACH:
            chosen, weight = remembered(believed, rare, REMEMBERED_DOMAINS, REMEMBERED)
            said = np.tile(classes, len(chosen))
            parts.append((np.repeat(features[chosen], len(classes), axis=0), said, weight[:, classes].reshape(-1)))
    table, label, weight = (np.concatenate(values) for values in zip(*parts))
    trees = max(round(len(old.estimator.estimators_) * len(rows) / PRIOR), 1)
    added = train_forest(Examples(table, label, weight, label), seed, trees, LEAF).estimator
    return with_trees_of(old.estimator, added)


def learn(old: Model, given: Taught, seed: int) -> tuple[ExtraTreesClassifier | None, dict[str, object]]:
    """Teach, hold against the old forest, and teach again with all answers where the new one is better.

    Returns
    -------
    the new forest, None where the old one is to be kept; what says why. `old_right` and `new_right` are the shares of
    answers drawn by lot that each forest agrees with
    """
    believed = class_probabilities(old, given.features) if len(given.rows) else np.zeros((0, len(CLASSES)))
    held = given.weight > 0
    # another answer about a domain that is held out would give it away
    free = ~held & ~np.isin(given.rows, given.rows[held])
    verdict, taken = Verdict(int(held.sum()), np.nan, np.nan, np.nan, np.nan), None
    first = teach(old, given.features, believed, given.rows[free], given.code[free], seed)
    if first is None:
        reason = f"fewer than {LEAST} answers to learn from"
    else:
        seen, code, share = given.rows[held], given.code[held], given.weight[held]
        new = class_probabilities(Model(first, old.features), given.features[seen])
        each = np.arange(len(code))
        gains = surprise(believed[seen][each, code]) - surprise(new[each, code])
        right = [
            float((share * (found.argmax(axis=1) == code)).sum() / max(share.sum(), 1e-9))
            for found in (believed[seen], new)
        ]
        verdict = Verdict(len(code), *mean_gain(gains, share), *right)
        reason = "better" if verdict.better else "not better on the answers drawn by lot"
    if verdict.better:
        taken = teach(old, given.features, believed, given.rows, given.code, seed)
    row: dict[str, object] = {"answers": len(given.rows)}
    row |= {name: int((given.code == code).sum()) for code, name in enumerate(CLASSES)}
    row |= {"held_out": verdict.held_out, "gain_bits": verdict.gain, "gain_error": verdict.error}
    row |= {"old_right": verdict.old, "new_right": verdict.new, "off_surface": given.off_surface}
    return taken, row | {"taken": taken is not None, "reason": reason}
