"""Whether the warning of a network predicts its loss: volumes of several sources, as they are and spoilt.

A run warns by how the image looks and by how far the statistics of the network move when it is fitted to the volume.
How undecided the network is was tried beside them. That the statistics of the last layer tell most was seen on the
first five sources; the second five were not looked at before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import ndimage

from runner import Row
from spinome.io.volumes import Volume
from spinome.phantom.em import render_cutout
from spinome.phantom.specimen import grow_specimen
from spinome.synapses.appearance import judge_limits
from spinome.synapses.classifiers import of_network
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import measure_grey
from spinome.synapses.network.adapt import adapt
from spinome.synapses.network.unet import Network, load_network
from synapse_objects import MODELS, VNC_NM, at_its_own_point, f1, first_map, fly

# simulated sources that no network was trained or tuned on: seed, size of a voxel, whether the staining varies; and
# quarters of the fly volume along x. The measures were chosen on the first ones
SIMULATED = {
    "chosen on": ((51, (40.0, 10.0, 10.0), True), (52, (30.0, 10.0, 10.0), False), (53, (45.0, 12.0, 12.0), False)),
    "not seen before": (
        (61, (40.0, 10.0, 10.0), True),
        (62, (30.0, 10.0, 10.0), False),
        (63, (45.0, 12.0, 12.0), True),
    ),
}
QUARTERS = {"chosen on": (0, 2), "not seen before": (1, 3)}
SHAPE = (32, 280, 280)


def simulated(seed: int, voxel_nm: tuple[float, float, float], varied: bool) -> tuple[Volume, Volume]:
    """Image and truth of a small cutout."""
    specimen = grow_specimen(
        seed, [0], SHAPE, voxel_nm, (40, 256, 320), spines_per_um=2.4, soma_radius_um=3.0, passing_dendrites=16
    )
    volumes, _, _ = render_cutout(specimen, varied)
    return Volume(volumes["image"], voxel_nm, "image"), Volume(volumes["synapses"], voxel_nm, "truth")


def sources(kind: str) -> dict[str, tuple[Volume, Volume]]:
    """Image and truth by source: simulated ones, and two quarters of the fly volume along x."""
    found = {f"simulated {seed}": simulated(seed, voxel_nm, varied) for seed, voxel_nm, varied in SIMULATED[kind]}
    evidence, truth = fly()["fly"]
    for quarter in QUARTERS[kind]:
        part = (slice(None), slice(None), slice(256 * quarter, 256 * (quarter + 1)))
        found[f"fly {quarter + 1}"] = tuple(Volume(one[part], VNC_NM, "part") for one in (evidence.image, truth))
    return found


def uneven(image: np.ndarray) -> np.ndarray:
    """Sections of changing brightness and contrast."""
    rng = np.random.default_rng(1)
    gain, shift = np.exp(rng.normal(0, 0.5, len(image))), rng.normal(0, 25, len(image))
    return np.clip((image - 128.0) * gain[:, None, None] + 128 + shift[:, None, None], 1, 255)


def lost(image: np.ndarray) -> np.ndarray:
    """Every second section blank."""
    image = image.astype(float)
    image[1::2] = image.mean()
    return image


def noisy(image: np.ndarray) -> np.ndarray:
    """As much noise again as there is contrast."""
    return np.clip(image + np.random.default_rng(1).normal(0, image.std(), image.shape), 1, 255)


# what is done to an image, and by what the stated size of its voxels is wrong
SPOILT: dict[str, tuple[Callable[[np.ndarray], np.ndarray], tuple[float, float, float]]] = {
    "as it is": (lambda image: image, (1, 1, 1)),
    "inverted": (lambda image: 256.0 - np.clip(image, 1, 255), (1, 1, 1)),
    "uneven": (uneven, (1, 1, 1)),
    "lost sections": (lost, (1, 1, 1)),
    "noise": (noisy, (1, 1, 1)),
    "blur": (lambda image: ndimage.gaussian_filter(image.astype(float), (0, 3, 3)), (1, 1, 1)),
    "pixels stated 8 times too large": (lambda image: image, (1, 8, 8)),
    "pixels stated 8 times too small": (lambda image: image, (1, 1 / 8, 1 / 8)),
}


def outcome(network: Network, image: Volume, truth: Volume) -> tuple[float, float, float, float]:
    """F1 of the network, fitted to the volume; the unlikeness of how the volume looks; how far the network's statistics
    have moved; how undecided the network is about it.

    The last is the mean of 4 p (1 - p) over the voxels with p of at least 0.1: 1 where all is a guess.
    """
    evidence = Evidence(image, measure_grey(image))
    adapted = adapt(network, evidence)
    fitted = of_network(adapted)
    probability = first_map(evidence, fitted)
    known = replace(fitted, probability=lambda evidence, cuboid: probability[cuboid.core])
    result, _ = at_its_own_point(known, (evidence, truth))
    likely = probability[probability >= 0.1]
    undecided = float((4 * likely * (1 - likely)).mean()) if len(likely) else 1.0
    looks = judge_limits(evidence, network.card)["unlikeness"]
    return float(np.nan_to_num(f1(result))), looks, adapted.card["moved"], undecided


def area_under_curve(score: np.ndarray, positive: np.ndarray) -> float:
    """How often a positive has a higher score than another; ties count half."""
    above, below = score[positive][:, None], score[~positive][None]
    return float(((above > below) + 0.5 * (above == below)).mean())


def limits_rows() -> list[Row]:
    """Areas under the curve for an F1 below half of that on what the training left out, or tuned on."""
    network, rows = load_network(MODELS / "synapses.safetensors"), []
    whole = next(value for name, value in network.card.items() if name.startswith("object precision, recall, F1"))[-1]
    for kind in SIMULATED:
        found = []
        for image, truth in sources(kind).values():
            for spoil, wrong in SPOILT.values():
                spoilt = np.asarray(spoil(image[:])).astype(np.uint8)
                stated = tuple(size * factor for size, factor in zip(image.voxel_nm, wrong))
                found.append(outcome(network, Volume(spoilt, stated, "spoilt"), Volume(truth[:], stated, "truth")))
                print(len(found), *(f"{value:.2f}" for value in found[-1]), flush=True)
        score, unlike, moved, undecided = np.array(found).T
        lost_half = score < 0.5 * whole
        what = f"F1 below half of {whole:.2f}, {len(found)} volumes of {len(found) // len(SPOILT)} sources {kind}"
        what += f", {lost_half.sum()} of them below"
        for words, measure, target in (
            ("how far the statistics of the network moved", moved, 0.9),
            ("how the image looks", unlike, None),
            ("how undecided the network is", undecided, None),
        ):
            rows.append(Row(f"{what}: {words}", area_under_curve(measure, lost_half), "area under the curve", target))
        beyond = moved > network.card["most moved"]
        told = f"{what}: {beyond.sum()} that moved farther than any that it was tuned on, of these below"
        rows.append(Row(told, float(lost_half[beyond].mean()), "share"))
    return rows
