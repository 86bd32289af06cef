"""Synapses where labels are few or none: five labelled ones in a fly volume, and mouse cortex labelled by looking."""

from __future__ import annotations

import tempfile
import time
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from runner import PeerUnavailable, Row, measure
from spinome.io.volumes import Volume
from spinome.io.web.limits import DownloadError
from spinome.scores.objects import Matched, intervals, pool, precision_recall_f1
from spinome.synapses.classifiers import Classifier, of_network
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import measure_grey
from spinome.synapses.network.adapt import adapt
from spinome.synapses.network.published import translate
from spinome.synapses.network.unet import Network, load_network
from spinome.synapses.training.folds import BUFFER_NM, synapse_boxes
from spinome.synapses.training.train import train
from synapse_objects import (
    CUBOID,
    DATA,
    MODELS,
    VNC_NM,
    at_its_own_point,
    default_learner,
    f1,
    fly,
    published_file,
)

MOUSE_NM = (40.0, 7.16, 7.16)
MOUSE_LABELS = Path(__file__).parent / "modelzoo_mouse_synapses.tsv"
# an object lies on a label if it comes this close to a place of it
NEAR_NM = 60.0
# the first of five synapses in a row along x, of the draws
LABELLED, DRAWS = 5, (0, 6, 12, 18, 23)


def five_labels(first: int) -> dict[str, object]:
    """Train on the part of the fly volume that holds five synapses in a row along x, judge on the rest.

    By the default settings from the shipped network, as `synapses.train` does. What is close to the part is left out.
    """
    evidence, truth = fly()["fly"]
    middles = sorted((box[2].start + box[2].stop) / 2 for box in synapse_boxes(truth[:]))
    ends = [0.0, *((low + high) / 2 for low, high in pairwise(middles)), float(truth.shape[2])]
    part = slice(int(ends[first]), int(ends[first + LABELLED]))
    image = Volume(evidence.image[:, :, part], VNC_NM, "raw")
    cutout = {"cutout": (Evidence(image, measure_grey(image)), Volume(truth[:, :, part], VNC_NM, "synapse"))}
    with tempfile.TemporaryDirectory() as store:
        started = time.process_time()
        network = train(cutout, default_learner(cutout, Path(store)), of_network, CUBOID, networks=True)
        seconds = time.process_time() - started
    buffer = int(BUFFER_NM / VNC_NM[2]) + 1
    far = np.ones(truth.shape[2], bool)
    far[max(part.start - buffer, 0) : part.stop + buffer] = False
    rest = truth[:].copy()
    rest[:, :, ~far] = 0
    result, _ = at_its_own_point(of_network(network), (evidence, Volume(rest, VNC_NM, "rest")), far)
    return {"result": result, "seconds": seconds}


def mouse_scores(classifier_of_mouse: Classifier, evidence: Evidence) -> Matched:
    """Objects in the mouse cutout held against the sure labels; objects on unsure ones alone count neither way."""
    _, (objects, labels) = at_its_own_point(classifier_of_mouse, (evidence, None))
    table = pd.read_table(MOUSE_LABELS, comment="#")
    places = table[["z", "y", "x"]].to_numpy() * MOUSE_NM
    names, sure = table["synapse"].to_numpy(), table.groupby("synapse")["sure"].first()
    touched = {}
    for synapse in objects["synapse"]:
        voxels = np.argwhere(labels == synapse) * np.array(MOUSE_NM)
        distance, _ = cKDTree(voxels).query(places)
        touched[synapse] = set(names[distance <= NEAR_NM])
    found, taken = [], set()
    for synapse, on in touched.items():
        free = [name for name in on if sure[name] and name not in taken]
        if free:
            taken.add(free[0])
        if free or not on or any(sure[name] for name in on):
            found.append((synapse, bool(free)))
    hits = np.array([hit for _, hit in found], bool)
    return Matched(np.ones(len(found)), hits, np.isin(sure.index[sure == 1], list(taken)))


def mouse() -> Evidence:
    """The neuropil cutout of mouse cortex."""
    with h5py.File(DATA / "modelzoo_mouse" / "sample1_input.h5") as file:
        image = Volume(file["main"][:], MOUSE_NM, "mouse")
    return Evidence(image, measure_grey(image))


def on_mouse(network: Network) -> Matched:
    """The outcome on mouse cortex of a network that is fitted to it, at its own operating point."""
    return mouse_scores(of_network(adapt(network, mouse())), mouse())


def mouse_row(words: str, result: Matched, target: float | None) -> Row:
    """F1 on the sure labels, with its interval."""
    low, high = intervals(result)[2]
    counted = (
        f"{int(result.found_true.sum())} of {len(result.truth_found)} found, {int((~result.found_true).sum())} false"
    )
    what = f"mouse cortex labelled by looking, neuropil cutout, sure labels: {words}, {counted}"
    return Row(f"{what}, 95 % {low:.2f} to {high:.2f}", f1(result), "F1", target)


def unseen_rows() -> list[Row]:
    """Five labels in several draws, and mouse cortex by the shipped network and by the published one."""
    drawn = [measure(five_labels, first).result for first in DRAWS]
    scores = [f1(one["result"]) for one in drawn]
    low, high = intervals(pool([one["result"] for one in drawn]))[2]
    precision, recall, _ = precision_recall_f1(pool([one["result"] for one in drawn]))
    what = f"five labelled synapses of drosophila_vnc, judged on the rest, mean of {len(DRAWS)} draws"
    # the last draw was not looked at when the rule for few labels was chosen
    what += f" (the rule was chosen in view of the others than the last, {scores[-1]:.2f})"
    spread = f"{min(scores):.2f} to {max(scores):.2f}, 95 % of all objects {low:.2f} to {high:.2f}"
    spread += f", precision {precision:.2f}, recall {recall:.2f}"
    slowest = max(one["seconds"] for one in drawn)
    rows = [
        Row(f"{what}, {spread}", float(np.mean(scores)), "F1", 0.75),
        Row("their training, the longest draw", slowest, "CPU-s", 120.0, True),
        mouse_row(
            "shipped network, which has learnt from this cutout, fitted to the volume, at a point of a rule "
            "whose form was chosen when this was known",
            on_mouse(load_network(MODELS / "synapses.safetensors")),
            0.55,
        ),
    ]
    try:
        peer = translate(published_file())
    except (PeerUnavailable, DownloadError):
        return rows
    return [*rows, mouse_row("published network of mouse cortex, fitted to the volume", on_mouse(peer), None)]
