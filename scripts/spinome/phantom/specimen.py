"""One specimen: everything that mesh, EM and two-photon sessions are rendered from, drawn from one seed.

The frame of a specimen has its origin at the first voxel of the EM cutout; mesh, synapses and spines are in it
too. The two-photon field is larger, and `field_origin_nm` is where its first voxel lies.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from spinome.io.atomic import atomic
from spinome.phantom.geometry import SHAFT, SOMA, Tubes, chain, join
from spinome.phantom.growth import Branch, grow_arbour, passing_branches, taper, walk
from spinome.phantom.neuropil import grow_axons
from spinome.phantom.spines import place_spines, spine_tubes
from spinome.phantom.synapses import place_synapses

NEURON = 1  # the neuron that is meshed and that fluoresces
FIELD_VOXEL_NM = (1000.0, 120.0, 120.0)


@dataclass(frozen=True)
class Specimen:
    """Tables of one specimen; positions (z, y, x) in nm in the specimen's frame.

    dendrites : columns dendrite neuron node z_nm y_nm x_nm radius_nm
    spines : see `spinome.phantom.spines.place_spines`, and neuron
    synapses : see `spinome.phantom.synapses.place_synapses`, and axon (0 where outside of the cutout)
    axons : see `spinome.phantom.neuropil.grow_axons`
    soma : columns z_nm y_nm x_nm radius_nm, balls whose smooth union is the soma
    """

    seed: int
    days: np.ndarray
    em_shape: np.ndarray
    em_voxel_nm: np.ndarray
    field_shape: np.ndarray
    field_origin_nm: np.ndarray
    dendrites: pd.DataFrame
    spines: pd.DataFrame
    synapses: pd.DataFrame
    axons: pd.DataFrame
    soma: pd.DataFrame

    @cached_property
    def neuron_of(self) -> np.ndarray:
        """The neuron of each dendrite."""
        return self.dendrites.groupby("dendrite")["neuron"].first().to_numpy()

    def tubes(self, timepoint: int | None = None, neuron: int | None = None) -> Tubes:
        """Tubes of dendrites, spines and soma at a session (None: the last, when mesh and EM are taken)."""
        timepoint = len(self.days) - 1 if timepoint is None else timepoint
        chosen = self.dendrites if neuron is None else self.dendrites[self.dendrites["neuron"] == neuron]
        parts = [
            chain(group[["z_nm", "y_nm", "x_nm"]].to_numpy(), group["radius_nm"].to_numpy(), SHAFT, int(dendrite))
            for dendrite, group in chosen.groupby("dendrite", sort=True)
        ]
        spines = self.present(timepoint)
        spines = spines[spines["dendrite"].isin(chosen["dendrite"])]
        parts.append(spine_tubes(spines, spines["dendrite"].to_numpy(), self.head_scale(timepoint)[spines["spine"]]))
        if neuron in (None, NEURON):
            parts += [chain(row[None, :3], row[None, 3], SOMA, -1) for row in self.soma.to_numpy()]
        return join(parts)

    def present(self, timepoint: int) -> pd.DataFrame:
        """The spines that are there at a session."""
        there = (self.spines["first_timepoint"] <= timepoint) & (self.spines["last_timepoint"] >= timepoint)
        return self.spines[there]

    def head_scale(self, timepoint: int) -> np.ndarray:
        """Factor of each head's diameter at a session, 1 at the last: heads grow and shrink (a random walk)."""
        rng = np.random.default_rng([self.seed, 77])
        steps = rng.normal(0, 0.13, (len(self.days), len(self.spines)))
        walk_back = np.cumsum(steps, axis=0)
        return np.exp((walk_back[timepoint] - walk_back[-1]).clip(-0.45, 0.45) / 1.5)


def grow_specimen(
    seed: int,
    days: list[float],
    em_shape: tuple[int, int, int],
    em_voxel_nm: tuple[float, float, float],
    field_shape: tuple[int, int, int],
    spines_per_um: float,
    soma_radius_um: float,
    passing_dendrites: int,
    dendrite_scale: float = 1.0,
    spine_scale: float = 1.0,
    changing_spines: float = 0.3,
    filopodia: float = 0.0,
) -> Specimen:
    """Draw a specimen.

    Parameters
    ----------
    seed : decides everything else
    days : days of the two-photon sessions
    em_shape, em_voxel_nm : cutout, z y x
    field_shape : voxels of the two-photon field, of 1.0 x 0.12 x 0.12 um
    spines_per_um : mean number of spines per micrometre of dendrite
    soma_radius_um : radius of the soma
    passing_dendrites : dendrites of other neurons in the cutout
    dendrite_scale : factor of the radius of the neuron's own dendrites, 1 for radii of 0.2 to 0.5 um
    spine_scale, changing_spines, filopodia : see `spinome.phantom.spines.place_spines`

    Raises
    ------
    ValueError: if the field is too small to hold the cutout, with the key to change
    """
    rng = np.random.default_rng(seed)
    field = np.array(field_shape) * FIELD_VOXEL_NM
    box = np.array(em_shape) * em_voxel_nm
    if (box > field * 0.8).any():
        raise ValueError(
            f"the cutout of {_um(box)} um (em_shape x em_voxel_nm) needs a larger field than {_um(field)} um; "
            "raise slices and field_px, or make em_shape smaller"
        )
    radius = soma_radius_um * 1000.0
    soma = np.array([field[0] / 2, rng.uniform(0.4, 0.6) * field[1], -radius - 1500.0])
    branches = _arbour(rng, soma, radius, field)
    origin = _cutout(rng, branches, box, field)
    soma = soma - origin
    branches = [Branch(branch.nodes - origin, dendrite_scale * branch.radii, branch.neuron) for branch in branches]
    nodes = np.concatenate([branch.nodes for branch in branches])
    passing = passing_branches(rng, box, passing_dendrites, nodes, NEURON + 1)
    # no spine where a wide parent would swallow it
    fork = 800.0 * max(1.0, dendrite_scale)
    bare = [2500.0, *[fork] * (len(branches) - 1), *[0.0] * len(passing)]
    density = [spines_per_um] * len(branches) + list(spines_per_um * rng.uniform(1.4, 2.4, len(passing)))
    branches += passing
    spines = place_spines(rng, branches, density, len(days), bare, spine_scale, changing_spines, filopodia)
    spines["neuron"] = [branches[dendrite].neuron for dendrite in spines["dendrite"]]
    dendrites = pd.concat(
        [
            pd.DataFrame(
                {
                    "dendrite": index,
                    "neuron": branch.neuron,
                    "node": range(len(branch.nodes)),
                    "z_nm": branch.nodes[:, 0],
                    "y_nm": branch.nodes[:, 1],
                    "x_nm": branch.nodes[:, 2],
                    "radius_nm": branch.radii,
                }
            )
            for index, branch in enumerate(branches)
        ],
        ignore_index=True,
    )
    balls = _soma_balls(soma, radius, branches)
    empty = pd.DataFrame({"axon": [], "node": [], "z_nm": [], "y_nm": [], "x_nm": [], "radius_nm": [], "bouton": []})
    bare_specimen = Specimen(
        seed,
        np.array(days, float),
        np.array(em_shape),
        np.array(em_voxel_nm, float),
        np.array(field_shape),
        -origin,
        dendrites,
        spines,
        pd.DataFrame(),
        empty,
        balls,
    )
    tubes = bare_specimen.tubes()
    synapses = place_synapses(rng, tubes, branches, bare_specimen.present(len(days) - 1), soma, radius, seed)
    axons, owners = grow_axons(rng, tubes, synapses, box, seed)
    synapses["axon"] = owners
    return Specimen(**{**_values(bare_specimen), "synapses": synapses, "axons": axons})


def save_specimen(path: str | Path, specimen: Specimen) -> None:
    """Write a specimen as NPZ, a column per array; it opens without pickle."""
    arrays = {}
    for name, value in _values(specimen).items():
        if isinstance(value, pd.DataFrame):
            for column in value:
                arrays[f"{name}.{column}"] = value[column].to_numpy("U" if value[column].dtype.kind in "OT" else None)
        else:
            arrays[name] = np.asarray(value)
    with atomic(path) as part:
        np.savez_compressed(part, **arrays)


def load_specimen(path: str | Path) -> Specimen:
    """Read a specimen that `save_specimen` wrote."""
    with np.load(path, allow_pickle=False) as data:
        values = {}
        for name in (field.name for field in fields(Specimen)):
            columns = {key.partition(".")[2]: data[key] for key in data.files if key.startswith(f"{name}.")}
            values[name] = pd.DataFrame(columns) if columns else data[name]
    return Specimen(**{**values, "seed": int(values["seed"])})


def truth_spines(specimen: Specimen) -> pd.DataFrame:
    """The spines as a table of results, with positions in the specimen's frame."""
    columns = ["spine", "dendrite", "neuron", "kind"]
    columns += [f"{name}_{axis}_nm" for name in ("head", "base") for axis in "zyx"]
    columns += ["head_diameter_nm", "neck_length_nm", "volume_um3", "first_timepoint", "last_timepoint"]
    carried = specimen.synapses.loc[specimen.synapses["spine"] >= 0, "spine"].value_counts()
    frame = specimen.spines[columns].copy()
    frame["synapses"] = carried.reindex(frame["spine"]).fillna(0).to_numpy(int)
    return frame


def _arbour(rng: np.random.Generator, soma: np.ndarray, radius: float, field: np.ndarray) -> list[Branch]:
    """Dendrites that cross the field, and two short ones on the soma's other side."""
    count = int(np.clip(round(field[1] / 8500.0), 1, 8))
    rows = (np.arange(count) + rng.uniform(0.3, 0.7, count)) / count
    targets = np.stack([rng.uniform(0.35, 0.65, count), 0.06 + 0.88 * rows, rng.uniform(0.93, 1.08, count)], axis=1)
    fork = np.array([0.5, rng.uniform(0.42, 0.58), min(0.12, 4000.0 / field[2])])
    branches = grow_arbour(rng, soma, radius, targets * field, fork * field)
    for side in (-1, 1):
        direction = np.array([rng.uniform(-0.3, 0.3), side, -0.6])
        direction /= np.linalg.norm(direction)
        start = soma + 0.8 * radius * direction
        length = radius + min(9000.0, 0.3 * field[2])
        nodes = walk(rng, start, start + direction * length, direction)
        branches.append(Branch(nodes, taper(rng, len(nodes), 420.0, 220.0), NEURON))
    return branches


def _soma_balls(soma: np.ndarray, radius: float, branches: list[Branch]) -> pd.DataFrame:
    """A ball, drawn out towards each dendrite that leaves it."""
    rows = [[*soma, radius]]
    for branch in branches:
        way = branch.nodes[0] - soma
        if np.linalg.norm(way) < radius:
            direction = way / np.linalg.norm(way)
            rows += [
                [*(soma + share * radius * direction), size * radius] for share, size in ((0.55, 0.65), (1.0, 0.34))
            ]
    return pd.DataFrame(rows, columns=["z_nm", "y_nm", "x_nm", "radius_nm"])


def _cutout(rng: np.random.Generator, branches: list[Branch], box: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Origin of a cutout inside of the field that dendrites cross along a long way."""
    nodes = np.concatenate([branch.nodes for branch in branches[1:-2]])
    best, longest = None, 0.0
    for centre in nodes[::4]:
        low = centre + rng.uniform(-0.65, -0.35, 3) * box
        inside = ((nodes > low) & (nodes < low + box)).all(axis=1).sum() + rng.random()
        if (low > 0).all() and (low + box < field).all() and inside > longest:
            best, longest = low, inside
    if best is None:
        raise ValueError(
            f"no dendrite crosses the field of {_um(field)} um where a cutout of {_um(box)} um fits; "
            "raise slices and field_px"
        )
    return best


def _values(specimen: Specimen) -> dict:
    return {field.name: getattr(specimen, field.name) for field in fields(Specimen)}


def _um(size: np.ndarray) -> str:
    return " x ".join(f"{value / 1000:.1f}" for value in size)
