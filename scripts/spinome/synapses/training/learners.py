"""How each kind of classifier learns from volumes, with or without one of their slabs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinome.cuboids import cuboids
from spinome.hashing import content_hash, file_hash
from spinome.io.models import Model
from spinome.io.volumes import Volume
from spinome.synapses.classify import Evidence, Recipe, balance, describe, draw, fit, halo, training_classes
from spinome.synapses.forest.features import FEATURES
from spinome.synapses.grey import shrinkage
from spinome.synapses.training.folds import FEW, around_slabs, far_from_slabs, synapse_boxes

if TYPE_CHECKING:
    from spinome.synapses.network.unet import Network

# of the network, where there are few synapses: more only learn these by heart
FEW_STEPS = 60
# share of crops from volumes that somebody else's network has labelled; 0.1 for one such cutout was tried before
TAUGHT = 0.2
# the pixels of the volumes may differ by this factor after shrinking; by more, they would show other things
LARGEST_RATIO = 1.75

Volumes = Mapping[str, tuple[Evidence, Volume]]
# trains on all volumes but some slabs and their close surround
Learner = Callable[[tuple[int, ...]], "Model | Network"]


def forest_learner(
    volumes: Volumes,
    *,
    cuboid: tuple[int, int, int],
    trees: int,
    depth: int,
    voxels_per_class: int,
    recipe: Recipe,
    seed: int,
) -> Learner:
    """Compute the ten features at training voxels once, and fit forests to those far from slabs.

    Parameters
    ----------
    volumes : by name, the evidence and the truth labels (0 background)
    voxels_per_class : most voxels of a class to train on
    """
    described, labels, far_from = [], [], []
    for name, (evidence, truth) in volumes.items():
        share = min(1.0, 4 * voxels_per_class / np.prod(truth.shape))
        margin = halo(evidence.voxel_nm, evidence.vesicles is not None, recipe.original)
        for piece in cuboids(truth.shape, cuboid, margin):
            classes = training_classes(truth[piece.padded], evidence.voxel_nm)[piece.inner]
            chosen = draw(classes, share, f"{name}-{piece.name}", seed)
            where, found = describe(evidence, piece, recipe, chosen)
            described.append(found)
            labels.append(classes[tuple(where.T)])
            far_from.append(far_from_slabs(where[:, 2] + piece.start[2], truth.shape[2], evidence.voxel_nm))
    described, labels, far_from = np.concatenate(described), np.concatenate(labels), np.concatenate(far_from)

    def learn(slabs: tuple[int, ...]) -> Model:
        allowed = far_from[:, list(slabs)].all(axis=1)
        rows, values = balance(described[allowed], labels[allowed], voxels_per_class, seed)
        counts = {"synapse": int((values == 1).sum()), "background": int((values == 0).sum())}
        card = {"kind": "ten features and a forest", "training voxels": counts, "trees": trees, "depth": depth}
        return Model(fit(rows, values, trees, depth, seed), FEATURES, card)

    return learn


def network_learner(
    volumes: Volumes,
    *,
    steps: int,
    seed: int,
    store: Path,
    code: str,
    start: str | Path | None = None,
    targets: Mapping[str, Volume] | None = None,
) -> Learner:
    """Shrink the volumes once, and fit networks to what is far from slabs.

    Training begins with the network in the file `start`, or with nothing where there is none; with the former, few
    synapses are learnt in at most `FEW_STEPS`.

    What somebody else's network says of a volume (`spinome.synapses.training.taught`) is learnt as it says it, by its
    probability in `targets`; a fifth of the crops (`TAUGHT`) comes from such volumes. Among them and among the others
    each volume gives as many crops as another, whatever its size. Where the pixels of volumes differ, each is learnt at
    sizes between the smallest and the largest.

    A trained network stays in `store` under a key of data, settings, `code` (a hash) and seed, so that training goes on
    after a kill with the slabs it was at.

    Raises
    ------
    ValueError: if the pixels of the volumes with truth differ by more than `LARGEST_RATIO`.
    """
    from spinome.synapses.network.adapt import adapt
    from spinome.synapses.network.augment import teacher
    from spinome.synapses.network.fit import fit_network
    from spinome.synapses.network.unet import Network, average, load_network, save_network, shrink

    images, sizes, targets = {}, {}, targets or {}
    for name, (evidence, truth) in volumes.items():
        factors = shrinkage(evidence.voxel_nm)
        sizes[name] = float(np.mean([size * factor for size, factor in zip(evidence.voxel_nm[1:], factors)]))
        image = shrink(evidence.grey.levels(evidence.image[:]), factors)
        wanted = targets[name][:] if name in targets else (truth[:] > 0).astype(np.uint8)
        images[name] = image, average(wanted, factors), factors[1]
    labelled = [size for name, size in sizes.items() if name not in targets]
    if max(labelled) > LARGEST_RATIO * min(labelled):
        raise ValueError(
            f"the training volumes {', '.join(volumes)} have pixels of {min(labelled):.3g} to {max(labelled):.3g} nm "
            "after shrinking; train one network a pixel size"
        )
    if start and sum(len(synapse_boxes(truth[:])) for _, truth in volumes.values()) < FEW:
        steps = min(steps, FEW_STEPS)
    smallest, largest = min(sizes.values()), max(sizes.values())
    pixel_nm = float(np.sqrt(smallest * largest))
    shares = {name: TAUGHT / len(targets) if name in targets else (1 - TAUGHT) / len(labelled) for name in images}
    known = {
        name: [evidence.voxel_nm, truth.shape, *map(_bytes_hash, images[name][:2])]
        for name, (evidence, truth) in volumes.items()
    }
    key = content_hash(known, sorted(targets), steps, seed, code, start and file_hash(start))
    first = load_network(start).net if start else None

    def learn(slabs: tuple[int, ...]) -> Network:
        without = "".join(f"-without-{slab}" for slab in slabs)
        kept = Path(store) / f"{key}{without}.safetensors"
        if kept.exists():
            return load_network(kept)
        teachers = []
        for name, (image, truth, factor) in images.items():
            evidence, labels = volumes[name]
            width = labels.shape[2]
            zoom = smallest / sizes[name], largest / sizes[name]
            weight = shares[name] / image.size
            for part in around_slabs(slabs, width, evidence.voxel_nm):
                pixels = slice(-(-part.start // factor), part.stop // factor)
                teachers.append(teacher(image[:, :, pixels], truth[:, :, pixels], zoom, weight))
        if slabs and first and not any(source.objects for source in teachers):
            # the few labels all lie in the slabs that are left out
            print(f"{kept.stem}: no synapse is left, the network that training begins with stands in", flush=True)
            evidence, _ = next(iter(volumes.values()))
            return adapt(Network(first.eval(), {"pixel_nm": pixel_nm}), evidence)
        print(f"{kept.stem}: {len(teachers)} pieces", flush=True)
        facts: dict[str, Any] = {"kind": "network", "pixel_nm": pixel_nm, "steps": steps}
        network = Network(fit_network(teachers, steps, seed, first), facts)
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_network(kept, network)
        return network

    return learn


def _bytes_hash(values: np.ndarray) -> str:
    """What tells these values from others of the same shape, to the last one."""
    return hashlib.blake2b(np.ascontiguousarray(values), digest_size=8).hexdigest()
