"""Detection of synapses on real fly ssTEM: how good by folds, how fast, and whether it depends on the cuboids."""

import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy import ndimage

from runner import PeerUnavailable, Row, measure
from spinome.configuration.synapses import Classify
from spinome.cuboids import cuboids
from spinome.io.volumes import Volume
from spinome.io.web.limits import DownloadError
from spinome.retrieve.checksums import has_checksum
from spinome.retrieve.download import download
from spinome.scores.objects import (
    Matched,
    average_precision,
    average_precision_interval,
    intervals,
    leave_out,
    pool,
    precision_recall_f1,
)
from spinome.synapses.classifiers import NETWORK_SUFFIX, Classifier, load_classifier, of_forest, of_network
from spinome.synapses.classify import Evidence, Recipe
from spinome.synapses.forest.membrane_mask import dark_gate
from spinome.synapses.grey import measure_grey
from spinome.synapses.network.adapt import adapt
from spinome.synapses.network.published import translate
from spinome.synapses.network.unet import Network, load_network
from spinome.synapses.objects.detect import detect
from spinome.synapses.objects.evaluate import compare
from spinome.synapses.objects.judge import Judge
from spinome.synapses.objects.merge import Rules, merge_parts
from spinome.synapses.objects.patches import load_parts, paint_parts, save_parts
from spinome.synapses.training.candidates import choose_operation, find_candidates, train_judge
from spinome.synapses.training.folds import SLABS, slab_of
from spinome.synapses.training.learners import Learner, Volumes, forest_learner, network_learner
from spinome.synapses.training.operating_point import Tried, best_point, try_points
from spinome.synapses.training.train import left_out
from spinome.workflow.code import script_hash

REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("SPINOME_DATA", REPOSITORY.parent / "shared" / "data")) / "em"
MODELS = REPOSITORY / "workflow" / "models"
VNC_NM = (47.5, 4.6, 4.6)
CUBOID = (20, 640, 1024)
# where the weights of the published network are: an address, or a file where there is no network
PUBLISHED_AT = "SPINOME_SYNAPSE_NETWORK"
PUBLISHED_SHA256 = "sha256:58a55bda9f50f54547ea8db428abd38ee075cd25a97b091259db0db7a48e8464"


def read_fly(columns: slice = slice(None)) -> tuple[Volume, Volume]:
    """Grey values and synapses of the fly volume."""
    with h5py.File(DATA / "drosophila_vnc" / "stack1_y0000-0640.h5") as file:
        image, synapse = (file[name][:, :, columns] for name in ("raw", "synapse"))
    return Volume(image, VNC_NM, "raw"), Volume(synapse, VNC_NM, "synapse")


def fly() -> Volumes:
    """The fly volume with its truth, as training takes it."""
    image, synapse = read_fly()
    return {"fly": (Evidence(image, measure_grey(image)), synapse)}


def default_learner(volumes: Volumes, store: Path) -> Learner:
    """How networks learn by the default settings, from the shipped one; trained ones stay in `store`."""
    start, code = MODELS / "synapses.safetensors", script_hash("synapses_train")
    return network_learner(volumes, steps=Classify().steps, seed=0, store=store, code=code, start=start)


def learner(kind: str, volumes: Volumes) -> tuple[Learner, Callable]:
    """How a kind of classifier learns by the default settings, and what makes a classifier of the outcome.

    Networks that are trained once stay in `benchmarks/work` until data, settings or code change.
    """
    settings = Classify()
    if kind == "network":
        return default_learner(volumes, REPOSITORY / "benchmarks" / "work" / "synapses"), of_network
    recipe = Recipe(settings.contrast, settings.vesicle_threshold)
    size = {name: getattr(settings, name) for name in ("trees", "depth", "voxels_per_class")}
    learn = forest_learner(volumes, cuboid=CUBOID, recipe=recipe, seed=0, **size)
    return learn, partial(of_forest, recipe=recipe)


def darkness(image: Volume) -> np.ndarray:
    """The share of voxels that are lighter than a voxel after smoothing: what a plain threshold has to go by."""
    smooth = ndimage.gaussian_filter(image[:].astype(np.float32), (0.5, 4, 4))
    levels = np.quantile(smooth[:, ::4, ::4], np.linspace(1, 0, 201))
    return np.interp(-smooth, -levels, np.linspace(0, 1, 201)).astype(np.float32)


def folds(kind: str) -> dict[str, tuple[float, tuple[float, float]]]:
    """Objects of each quarter of the fly volume in x, by a classifier and an operating point of the other quarters.

    The classifier has not seen the quarter. What makes objects of probabilities is chosen for the objects of the other
    three, in probabilities by classifiers that have seen neither the quarter nor that of the object: a judge of
    candidates for the network, as in training; rules on volume and peak for the published classifier and a dark
    threshold, as they were meant. Average precision is that of all candidates, ranked by the judge or by expected
    volume.
    """
    volumes = fly()
    evidence, truth = volumes["fly"]
    if kind == "dark":
        maps = [darkness(evidence.image)] * SLABS
    else:
        learn, classifier_of = learner(kind, volumes)
        learn, each = cache(learn), [(slab,) for slab in range(SLABS)]
        maps = [left_out(volumes, learn, classifier_of, CUBOID, each, (slab,))[0] for slab in range(SLABS)]
    pieces = defaultdict(list)
    for slab, probability in enumerate(maps):
        made = judged(probability, evidence, truth, slab) if kind == "network" else ruled(probability, truth, slab)
        for name, result in made.items():
            pieces[name].append(result)
    scores = {}
    for name, results in pieces.items():
        pooled = pool(results)
        if name.endswith("ap"):
            scores[name] = average_precision(pooled), average_precision_interval(pooled)
        elif name == "thin":
            scores[name] = precision_recall_f1(pooled)[1], intervals(pooled)[1]
        else:
            scores[name] = f1(pooled), intervals(pooled)[2]
    return scores


def judged(probability: np.ndarray, evidence: Evidence, truth: Volume, slab: int) -> dict[str, Matched]:
    """What became of the candidates of a slab, judged and kept by what was learnt of the other slabs."""
    every = find_candidates(probability, evidence, truth)
    chosen = choose_operation([every], (slab,))
    if chosen is None:
        # the other slabs hold too few candidates for a judge; training goes by rules then
        return ruled(probability, truth, slab)
    operation, _ = chosen
    one, inside = every[operation.threshold], np.flatnonzero(every[operation.threshold].slab == slab)
    likely = operation.judge.probability(one.table)
    pieces = {}
    for name, least in (("f1", operation.min_probability), ("ap", 0.0)):
        whole = one.outcome(likely, likely >= least, slab)
        partner = one.partner[inside][likely[inside] >= least]
        # true objects count from 0 in the volume, those of the outcome in the slab
        here = np.flatnonzero(one.truth_slab == slab)
        partner = np.where(partner >= 0, np.searchsorted(here, partner), -1)
        thin = one.truth_sections[here] == 1
        thick = "thick" if name == "f1" else "thick_ap"
        pieces |= {name: whole, thick: leave_out(whole, partner, thin)}
        if name == "f1":
            pieces["thin"] = leave_out(whole, partner, ~thin)
    return pieces


def ruled(probability: np.ndarray, truth: Volume, slab: int) -> dict[str, Matched]:
    """What became of the objects of a slab that are kept by the rules that are best for the other slabs."""
    tried, width, pieces = try_points(probability, truth[:], VNC_NM), truth.shape[2], {}
    others = {point: part_of(one, slab, width, False) for point, one in tried.items()}
    point = best_point({point: [result] for point, result in others.items()}, f1)
    candidates = max((point for point in tried if not any(point[1:])), key=lambda p: average_precision(others[p]))
    for name, thick, at in (("f1", "thick", point), ("ap", "thick_ap", candidates)):
        pieces[name] = part_of(tried[at], slab, width, True)
        pieces[thick] = part_of(tried[at], slab, width, True, thin=False)
    pieces["thin"] = part_of(tried[point], slab, width, True, thin=True)
    return pieces


def f1(result: Matched) -> float:
    """F1 of objects."""
    return precision_recall_f1(result)[2]


def part_of(tried: Tried, slab: int, width: int, inside: bool, thin: bool | None = None) -> Matched:
    """The outcome for objects in a slab, or in all others; a found object goes where its true one is.

    Of true objects all count, those of a single section alone (`thin`), or all others.
    """
    in_slab = slab_of(tried.truth_x, width) == slab
    found_slab = slab_of(tried.found_x, width) == slab
    matched = tried.partner >= 0
    found_slab[matched] = in_slab[tried.partner[matched]]
    left = in_slab != inside
    if thin is not None:
        left |= (tried.truth_sections == 1) != thin
    kept = found_slab == inside
    result = Matched(tried.result.found_score[kept], tried.result.found_true[kept], tried.result.truth_found)
    return leave_out(result, tried.partner[kept], left)


def detection(kind: str) -> dict[str, float]:
    """Thousand voxels per CPU-second from grey values to objects, and the largest difference between cuboid sizes."""
    volumes = fly()
    evidence, _ = volumes["fly"]
    learn, classifier_of = learner(kind, volumes)
    if kind == "forest":
        contrast = min(np.arange(0.5, 2.5, 0.1), key=lambda contrast: abs(passing(evidence, contrast) - 0.4))
        classifier_of = partial(of_forest, recipe=Recipe(contrast))
    classifier = classifier_of(learn((SLABS - 1,)))
    maps = []
    part = Evidence(Volume(evidence.image.array[:, :, :512], VNC_NM, "raw"), evidence.grey)
    for size in ((20, 640, 512), (11, 230, 290)):
        probability = np.zeros(part.image.shape, np.float32)
        for piece in cuboids(part.image.shape, size, classifier.halo(part)):
            probability[piece.core] = classifier.probability(part, piece)
        maps.append(probability)
    judge = train_judge([find_candidates(first_map(evidence, classifier), evidence, volumes["fly"][1])[0.5]])
    started = time.process_time()
    find_objects(evidence, classifier, 0.5, Rules(), judge)
    seconds = time.process_time() - started
    return {"speed": evidence.image.array.size / seconds / 1e3, "seam": float(np.abs(maps[0] - maps[1]).max())}


def first_map(evidence: Evidence, classifier: Classifier) -> np.ndarray:
    """The probability of a whole volume."""
    probability = np.zeros(evidence.image.shape, np.float32)
    for piece in cuboids(probability.shape, CUBOID, classifier.halo(evidence)):
        probability[piece.core] = classifier.probability(evidence, piece)
    return probability


def find_objects(
    evidence: Evidence, classifier: Classifier, threshold: float, rules: Rules, judge: Judge | None = None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Table and labels of the objects of a volume, by way of cuboids and files as in the workflow."""
    pieces = list(cuboids(evidence.image.shape, CUBOID, classifier.halo(evidence)))
    labels = np.zeros(evidence.image.shape, np.int64)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{piece.name}.npz" for piece in pieces]
        for piece, file in zip(pieces, files):
            save_parts(file, detect(evidence, piece, classifier.probability, threshold))
        objects, ids = merge_parts(files, evidence.image.shape, evidence.voxel_nm, 18, rules, judge)
        for piece, file, found in zip(pieces, files, ids):
            labels[piece.core] = paint_parts(load_parts(file), found)
    return objects, labels


def shipped(name: str) -> tuple[float, tuple[float, float]]:
    """F1, with its interval, of a model that ships, at its own operating point, on the whole fly volume.

    The network is fitted to the volume without labels, as in the workflow.
    """
    if name.endswith(NETWORK_SUFFIX):
        return fitted(load_network(MODELS / name))
    return scored(load_classifier(MODELS / name, Recipe()))


def published_file() -> Path:
    """The weights of the published network of mouse cortex.

    Raises
    ------
    PeerUnavailable: if nobody says where they are, or they are others
    """
    place = os.environ.get(PUBLISHED_AT)
    if not place:
        raise PeerUnavailable(f"{PUBLISHED_AT} names no file or address of its weights")
    if "://" in place:
        return download(place, REPOSITORY / "benchmarks" / "work" / "published.chkpt", PUBLISHED_SHA256)
    if not has_checksum(place, PUBLISHED_SHA256):
        raise PeerUnavailable(f"{PUBLISHED_AT} names another file than the published one")
    return Path(place)


def published(file: Path) -> tuple[float, tuple[float, float]]:
    """The same of the published network."""
    return fitted(translate(file))


def fitted(network: Network) -> tuple[float, tuple[float, float]]:
    """F1, with its interval, of a network that is fitted to the fly volume, at its own operating point."""
    return scored(of_network(adapt(network, fly()["fly"][0])))


def scored(classifier: Classifier) -> tuple[float, tuple[float, float]]:
    """F1, with its interval, of a classifier on the fly volume, at its own operating point."""
    result, _ = at_its_own_point(classifier)
    return f1(result), intervals(result)[2]


def at_its_own_point(
    classifier: Classifier, volume: tuple[Evidence, Volume | None] | None = None, columns: np.ndarray | None = None
) -> tuple[Matched | None, tuple[pd.DataFrame, np.ndarray]]:
    """The outcome of a classifier on a volume, the fly volume by default, and its objects, by what its card says.

    `columns` (bool along x) are the only ones whose objects count, by their middle; no truth, no outcome.
    """
    evidence, truth = volume or fly()["fly"]
    card = classifier.card
    rules = Rules(**{name: card.get(name, 0.0) for name in ("min_volume_um3", "min_peak", "min_probability")})
    objects, labels = find_objects(evidence, classifier, card["threshold"], rules, Judge.of_card(card))
    if truth is None:
        return None, (objects, labels)
    if columns is not None:
        objects = objects[columns[(objects["x_nm"] / evidence.voxel_nm[2]).astype(int)]]
        labels = np.where(np.isin(labels, objects["synapse"]), labels, 0)
    return compare(truth, Volume(labels, evidence.voxel_nm, "found"), objects).result, (objects, labels)


def passing(evidence: Evidence, contrast: float) -> float:
    """The share of voxels that pass the gate at a contrast, from two sections."""
    return dark_gate(evidence.grey.levels(evidence.image[:2]), VNC_NM, contrast).mean()


def object_rows() -> list[Row]:
    """One row per target, the published classifier and a dark threshold beside the network."""
    network, forest, dark = (measure(folds, kind).result for kind in ("network", "forest", "dark"))
    what = "objects on drosophila_vnc, folds in x, matched one to one"
    thick = f"{what}, those of a single section left out"
    rows = []
    for name, unit, words, target in (
        ("f1", "F1", what, 0.83),
        ("ap", "average precision", what, 0.92),
        ("thick", "F1", thick, 0.9),
        ("thick_ap", "average precision", thick, None),
    ):
        for kind, scores, aim in (
            ("network", network, target),
            ("published features and forest", forest, None),
            ("dark threshold", dark, None),
        ):
            value, (low, high) = scores[name]
            peer = ("published features and forest, same folds", forest[name][0]) if aim else ("", None)
            rows.append(Row(f"{words}: {kind}, 95 % {low:.2f} to {high:.2f}", value, unit, aim, False, *peer))
    value, (low, high) = network["thin"]
    thin = f"{what}, those of a single section: network, 95 % {low:.2f} to {high:.2f}"
    rows.append(Row(thin, value, "recall", 0.6))
    rows += shipped_rows()
    rows.append(published_row())
    case_study = "case study, whole volume, published", 48.5
    for kind, words, target in (
        ("network", "network, its candidates measured and judged", 1500),
        ("forest", "published features and forest, vesicles included, 40 % of the voxels inside the mask", 300),
    ):
        measured = measure(detection, kind).result
        speed = measured["speed"]
        rows.append(Row(f"grey values to objects, {words}", speed, "kvoxel/s/core", target, False, *case_study))
        rows.append(Row(f"largest difference of probability between cuboids, {kind}", measured["seam"], "", 0.0, True))
    return rows


def shipped_rows() -> list[Row]:
    """The models that ship on the fly volume, at their own operating points."""
    rows = []
    for words, name, target in (
        (
            "which has seen another fly: network, fitted to the volume without labels, at a point of a rule "
            "whose form was chosen when this was known",
            "synapses.safetensors",
            0.55,
        ),
        ("which has seen simulated tissue alone: published features and forest", "synapses.skops", None),
    ):
        value, (low, high) = measure(shipped, name).result
        what = f"all objects on drosophila_vnc by the model that ships, {words}"
        rows.append(Row(f"{what}, 95 % {low:.2f} to {high:.2f}", value, "F1", target))
    return rows


def published_row() -> Row:
    """The published network of mouse cortex on the fly volume; without a value where its weights are not at hand."""
    what = "all objects on drosophila_vnc by the published network of mouse cortex, which has seen no fly"
    try:
        file = published_file()
    except (PeerUnavailable, DownloadError) as error:
        return Row(f"{what}: not measured", float("nan"), "F1", peer=str(error))
    value, (low, high) = measure(published, file).result
    words = f"{what}: fitted to the volume without labels, at its published threshold"
    return Row(f"{words}, 95 % {low:.2f} to {high:.2f}", value, "F1")
