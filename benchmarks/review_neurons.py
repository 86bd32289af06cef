"""What the forest of neurons learns from answers, on branches of real neurons that nobody was asked about.

Two cases. The labelled neuron: the answers begin with a forest of all other neurons of the shipped training; a person
simulated from the truth is asked about places drawn over its surface, in four fifths of its branches, and all vertices
of the others are scored. And the synapses labelled by eye on a large neuron, beginning with the shipped forest, which
has not seen it: two thirds of the cubes of 20 um are asked about, and the synapses of the others are scored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from sklearn.model_selection import GroupKFold

from neurons import BIG, BY_EYE, DENDRITE, LABELLED, MODEL, REPOSITORY, confusion_of
from review_curves import COUNTS, Point
from simulated import grow
from spinome.configuration.phantom import Specimen
from spinome.io.meshes import read_mesh
from spinome.io.models import Model
from spinome.mesh.nearest_point import nearest_on_surface
from spinome.mesh.surface import Mesh
from spinome.neurons import truth
from spinome.neurons.classes import CLASSES
from spinome.neurons.classify import (
    Examples,
    class_probabilities,
    domain_features,
    join_examples,
    load_forest,
    train_forest,
    vertex_examples,
)
from spinome.neurons.pipeline import condense_mesh
from spinome.neurons.train import coarser_copies, copy_shares
from spinome.neurons.validation_groups import BLOCK_NM, branches
from spinome.phantom.mesh import neuron_mesh
from spinome.retrieve.neuron_hks import label_dendrite
from spinome.review.learn_neurons import REMEMBERED_DOMAINS, Taught, learn, teach
from spinome.review.questions import in_order, no_questions
from spinome.scores.classification import weighted_f1
from spinome.workflow.code import script_hash

WORK = Path(__file__).parent / "work" / "review"
WHERE = {
    "branches": "neurons, weighted F1 of vertices on branches of the labelled neuron that nobody was asked about, "
    "forest of all other neurons",
    "by eye": "neurons, weighted F1 of synapses labelled by eye where nobody was asked about, shipped forest",
}
FOLDS = {"branches": 5, "by eye": 3}
# so many places of the labelled neuron can be asked about
PLACES = 600


@dataclass(frozen=True)
class Case:
    """Places (M) that can be asked about, and what is scored.

    Attributes
    ----------
    old : the forest that answers begin with
    features, believed : (N, F) of all domains, and what it says of them (N, 3)
    place, domain, code, group : (M, 3) um, domain, true class and part of the neuron of each place
    scored : domain, true class and part of what is scored
    """

    old: Model
    features: np.ndarray
    believed: np.ndarray
    place: np.ndarray
    domain: np.ndarray
    code: np.ndarray
    group: np.ndarray
    scored: tuple[np.ndarray, np.ndarray, np.ndarray]


@cache
def case_of(name: str) -> Case:
    """One of the two cases, by its name in `WHERE`."""
    if name == "by eye":
        table, old = truth.read_synapse_truth(BY_EYE), load_forest(MODEL)
        points = table[truth.POINT].to_numpy(float)
        kept = _kept("big", lambda: _under_points(read_mesh(f"{BIG}_mesh.npz"), points))
        code = table["label"].to_numpy(int)
        # of the tens of thousands of domains those that take part: asked about, or remembered for their class
        first = np.argsort(-class_probabilities(old, kept["features"]), axis=0)[:REMEMBERED_DOMAINS]
        used = np.union1d(kept["domain"], first)
        features, domain = kept["features"][used], np.searchsorted(used, kept["domain"])
        group = np.unique((points // BLOCK_NM).astype(int), axis=0, return_inverse=True)[1].reshape(-1)
        place, scored = points[:, ::-1] / 1000, (domain, code, group)
    else:
        mesh = read_mesh(str(LABELLED))
        label = truth.read_vertex_truth(LABELLED, mesh).label
        kept, old = _kept("labelled", lambda: _all_domains(mesh)), train_forest(_others(), 0)
        group = branches(mesh, label == CLASSES.index("soma"))
        known = np.flatnonzero((label >= 0) & (label < len(CLASSES)))
        scored = kept["domain"][known], label[known], group[known]
        chosen = np.random.default_rng(0).choice(known, PLACES * FOLDS[name] // (FOLDS[name] - 1), replace=False)
        features, domain, code = kept["features"], kept["domain"][chosen], label[chosen]
        place, group = mesh.vertices[chosen][:, ::-1] / 1000, group[chosen]
    return Case(old, features, class_probabilities(old, features), place, domain, code, group, scored)


def without(name: str) -> float:
    """Weighted F1 before anybody answered."""
    case = case_of(name)
    return _f1(case, case.believed, np.arange(len(case.scored[0])))


def curve(name: str, order: str, wrong: float, seed: int) -> list[Point]:
    """Weighted F1 of all folds together after each of `COUNTS` answers, and how often the rule takes the new forest."""
    case = case_of(name)
    groups = np.unique(case.scored[2])
    # each seed deals the parts of the neuron out anew
    dealt = dict(zip(groups, np.random.default_rng(seed).permutation(len(groups))))
    number = np.array([dealt[group] for group in case.scored[2]])
    folds = GroupKFold(FOLDS[name]).split(number, groups=number)
    confusions, taken = np.zeros((len(COUNTS), len(CLASSES), len(CLASSES) + 1)), np.zeros(len(COUNTS))
    for fold, (_, test) in enumerate(folds):
        own = np.flatnonzero(~np.isin(case.group, case.scored[2][test]))
        for step, (believed, takes) in enumerate(_answered(case, own, order, wrong, [seed, fold, len(order)])):
            confusions[step] += _confusion(case, believed, test)
            taken[step] += takes / FOLDS[name]
    return [Point(weighted_f1(confusion), float(share)) for confusion, share in zip(confusions, taken)]


def _answered(case: Case, own: np.ndarray, order: str, wrong: float, seeds: list[int]) -> list[tuple[np.ndarray, bool]]:
    """What the forest says of all domains after each of `COUNTS` answers, and whether the rule takes it."""
    rng, seed = np.random.default_rng(seeds), seeds[0]
    code, domain = case.code[own].copy(), case.domain[own]
    mistaken = rng.random(len(own)) < wrong
    code[mistaken] = (code[mistaken] + rng.integers(1, len(CLASSES), mistaken.sum())) % len(CLASSES)
    shuffled, done, believed, out = rng.permutation(len(own)), np.zeros(len(own), bool), case.believed, []
    for count in COUNTS:
        queue = shuffled if order == "random" else [row for row, _ in in_order(_asked(case, own, believed), done, seed)]
        fresh = [row for row in queue if not done[row]][: count - int(done.sum())]
        if not fresh and out:
            # all are answered
            out.append(out[-1])
            continue
        done[fresh] = True
        rows = np.flatnonzero(done)
        forest = teach(case.old, case.features, case.believed, domain[rows], code[rows], seed)
        if forest is not None:
            believed = class_probabilities(Model(forest, case.old.features), case.features)
        # one answer in five, as if these were drawn by lot
        held = np.isin(rows, rng.choice(rows, len(rows) // 5, replace=False))
        taught = Taught(case.features, domain[rows], code[rows], held.astype(float), 0)
        out.append((believed, learn(case.old, taught, seed)[0] is not None))
    return out


def _asked(case: Case, own: np.ndarray, believed: np.ndarray) -> pd.DataFrame:
    """The questions about places, worth the chance that the forest is wrong."""
    frame = pd.DataFrame(case.place[own], columns=["z_um", "y_um", "x_um"])
    worth = 1 - believed[case.domain[own]].max(axis=1)
    frame = frame.assign(kind="label", unit="neuron", next_unit="", counted=True, worth=worth)
    empty = no_questions()
    return frame.reindex(columns=empty.columns).astype(empty.dtypes.to_dict())


def _confusion(case: Case, believed: np.ndarray, rows: np.ndarray) -> np.ndarray:
    domain, code, _ = case.scored
    return confusion_of(code[rows], believed[domain[rows]].argmax(axis=1))


def _f1(case: Case, believed: np.ndarray, rows: np.ndarray) -> float:
    return weighted_f1(_confusion(case, believed, rows))


def _under_points(mesh: Mesh, points: np.ndarray) -> dict[str, np.ndarray]:
    domains = condense_mesh(mesh)
    vertex, _ = nearest_on_surface(mesh.vertices, mesh.faces, points)
    return {"features": domain_features(domains), "domain": domains.label[vertex]}


def _all_domains(mesh: Mesh) -> dict[str, np.ndarray]:
    domains = condense_mesh(mesh)
    return {"features": domain_features(domains), "domain": domains.label}


def _others() -> Examples:
    """Examples of all neurons that the shipped forest learned from but the labelled one, with their coarser copies."""
    recipe = yaml.safe_load((REPOSITORY / "config" / "training" / "neurons.yaml").read_text())
    specimens = recipe["phantom"]["specimens"]
    parts = [
        _kept(name, lambda name=name: vars(_examples(name, *_simulated(Specimen(**specimens[name])))))
        for name in specimens
    ]
    parts.append(_kept("neuron_hks", lambda: vars(_examples("neuron_hks", *_dendrite()))))
    return join_examples([Examples(**part) for part in parts])


def _simulated(specimen: Specimen) -> tuple[Mesh, np.ndarray]:
    settings = specimen.model_dump()
    mesh = neuron_mesh(grow(settings), settings["mesh_grid_nm"])
    return mesh, mesh.vertex_data["label"].astype(int)


def _dendrite() -> tuple[Mesh, np.ndarray]:
    mesh = label_dendrite(DENDRITE)
    return mesh, mesh.vertex_data["label"].astype(int)


def _examples(name: str, mesh: Mesh, label: np.ndarray) -> Examples:
    given = {name: condense_mesh(mesh)} | {key: copy.given for key, copy in coarser_copies(name, mesh).items()}
    branch = branches(mesh, label == CLASSES.index("soma"))
    parts = [
        vertex_examples(domain_features(given[key]), given[key].label, label, branch, name, share)
        for key, share in copy_shares(given).items()
    ]
    joined = join_examples(parts)
    # groups are text and not objects in a file
    return replace(joined, group=joined.group.astype(str))


def _kept(name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What takes minutes to compute stays in `benchmarks/work/review`, by the code that describes neurons."""
    path = WORK / f"{script_hash('neurons_condense')}-{name}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **make())
    with np.load(path) as data:
        return {key: data[key] for key in data.files}
