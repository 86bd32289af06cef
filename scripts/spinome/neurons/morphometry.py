"""How large each spine is, and what it carries."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spinome.mesh.closed_volume import closed_volumes, group_mean, owned_faces
from spinome.mesh.cross_sections import Sections, cross_sections
from spinome.mesh.surface import mesh_edges
from spinome.neurons.synapses import with_columns

# between the cross-sections of a spine
STEP_NM = 80.0
# the neck ends where the spine is this far from its narrowest to its widest; a narrowing less than this is none
NECK_END, NARROWING = 0.5, 0.85
# what the synapses of a neuron tell of its spines
CARRIED = ["synapses", "partners", "multi_input"]
COLUMNS = {
    "source": "string",
    "neuron": "string",
    "spine": "Int64",
    "z_nm": "float64",
    "y_nm": "float64",
    "x_nm": "float64",
    "volume_um3": "float64",
    "area_um2": "float64",
    "head_diameter_nm": "float64",
    "head_volume_um3": "float64",
    "neck_length_nm": "float64",
    "neck_diameter_nm": "float64",
    "length_nm": "float64",
    "base_z_nm": "float64",
    "base_y_nm": "float64",
    "base_x_nm": "float64",
    "vertices": "Int64",
    "synapses": "Int64",
    "partners": "Int64",
    "multi_input": "boolean",
    "probability": "float64",
}


def measure_spines(
    vertices: np.ndarray,
    faces: np.ndarray,
    spine_of: np.ndarray,
    distance: np.ndarray,
    area: np.ndarray,
    probability: np.ndarray,
) -> pd.DataFrame:
    """Measure each spine on its own surface.

    Volume is that of the surface, closed at the base and at any hole by a fan to the middle of the border, by the
    divergence theorem. Cross-sections are cut every `STEP_NM` of the way from the shaft; diameters are those of the
    circle of their area, and the line through their middles, from the base to the tip, is the spine's axis, along
    which lengths are taken. The head's diameter is the widest of the outer half. The neck reaches from the base to
    where the diameter is half way from its narrowest to the head's, and its diameter is the median along it. The
    head is what lies beyond the neck. A spine that does not narrow below its head is all head: its neck has length 0
    and no diameter.

    Parameters
    ----------
    vertices : (V, 3) nm and faces : (F, 3), welded
    spine_of : (V,) from `spinome.neurons.instances.spine_instances`
    distance : (V,) nm, from `spinome.neurons.instances.shaft_distance`
    area : (V,) nm^2
    probability : (V,) of being spine

    Returns
    -------
    Table of `COLUMNS` without what the synapses tell; a spine that touches no shaft has neither base, neck nor
    length, and the head's diameter of the sphere of its volume. The base is the middle of the border with the
    shaft, or with the spine that it branches off.
    """
    count = int(spine_of.max(initial=-1)) + 1
    members = np.flatnonzero(spine_of >= 0)
    spine = spine_of[members]
    own_faces, owner = owned_faces(faces, spine_of)
    volume = closed_volumes(vertices, own_faces, owner, count)
    reached = np.isfinite(distance[own_faces]).all(axis=1)
    sections = cross_sections(vertices, own_faces[reached], owner[reached], distance, count, STEP_NM)
    base = _bases(vertices, faces, spine_of, distance, count)
    tip = np.full(count, -1)
    order = members[np.lexsort((distance[members], spine))]
    tip[spine_of[order]] = order  # the last that is written is the farthest
    measures = {
        name: np.full(count, np.nan) for name in ("head_diameter_nm", "neck_length_nm", "neck_diameter_nm", "length_nm")
    }
    head_from = np.zeros(count)
    for number in range(count):
        rows = sections.of(number)
        if rows.stop > rows.start and np.isfinite(base[number]).all():
            shape, head_from[number] = _shape(sections, rows, base[number], vertices[tip[number]])
            for name, value in shape.items():
                measures[name][number] = value
    in_head = (owner >= 0) & (distance[own_faces] >= head_from[owner][:, None]).any(axis=1)
    head_volume = closed_volumes(vertices, own_faces[in_head], owner[in_head], count)
    sphere = 2 * (3 * volume / (4 * np.pi)) ** (1 / 3)
    measures["head_diameter_nm"] = np.where(np.isnan(measures["length_nm"]), sphere, measures["head_diameter_nm"])
    head = members[distance[members] >= head_from[spine]]
    centre = group_mean(vertices[head], spine_of[head], count, area[head])
    weight = np.maximum(area[members], 1e-9)
    surface = np.bincount(spine, weight, minlength=count)
    return with_columns(
        pd.DataFrame(
            {
                "spine": np.arange(count),
                **{f"{axis}_nm": centre[:, i] for i, axis in enumerate("xyz")},
                "volume_um3": volume / 1e9,
                "area_um2": np.bincount(spine, area[members], minlength=count) / 1e6,
                "head_volume_um3": head_volume / 1e9,
                **measures,
                **{f"base_{axis}_nm": base[:, i] for i, axis in enumerate("xyz")},
                "vertices": np.bincount(spine, minlength=count),
                "probability": np.bincount(spine, probability[members] * weight, minlength=count)
                / np.where(surface, surface, 1),
            }
        ),
        COLUMNS,
    )


def carried(spines: pd.DataFrame, synapses: pd.DataFrame, same_head_nm: float = 1500.0) -> pd.DataFrame:
    """Count the synapses and presynaptic partners of each spine, and mark multi-input spines.

    A spine is multi-input when it carries synapses of two or more presynaptic neurons. That they are on one spine
    and not on two that share a base is decided by geometry (see `spinome.neurons.instances`); synapses farther from one
    another than `same_head_nm` are on no single head, so that a stretch of shaft taken for a spine does not count.
    Where the presynaptic neurons are not known, so are not the partners, and whether several synapses make it
    multi-input.

    Parameters
    ----------
    spines : what `measure_spines` returns for one neuron
    synapses : what `label_synapses` returns for that neuron
    """
    on_spine = synapses[synapses["spine"].notna()]
    groups = on_spine.groupby(on_spine["spine"].astype("int64"))
    number, partners = groups.size(), groups["pre_pt_root_id"].nunique()
    known = groups["pre_pt_root_id"].count() == number
    spread = np.sqrt(sum((groups[axis].max() - groups[axis].min()) ** 2 for axis in ("z_nm", "y_nm", "x_nm")))
    key = spines["spine"].astype("int64")
    several = ((partners > 1) & (spread <= same_head_nm)).astype("boolean").where(known | (number == 1), pd.NA)
    return spines.assign(
        synapses=key.map(number).fillna(0).astype("Int64"),
        partners=key.map(partners.astype("Int64").where(known, -1)).fillna(0).astype("Int64").replace(-1, pd.NA),
        multi_input=key.map(several).astype("boolean").where(key.isin(several.index), False),
    )


def _shape(sections: Sections, rows: slice, base: np.ndarray, tip: np.ndarray) -> tuple[dict[str, float], float]:
    """Measures of one spine from its sections, base (3,) and tip (3,), and the distance from which on it is head."""
    seen = np.flatnonzero(np.isfinite(sections.middle[rows, 0]))
    axis = np.concatenate([base[None], sections.middle[rows][seen], tip[None]])
    along = np.cumsum(np.sqrt(((axis[1:] - axis[:-1]) ** 2).sum(axis=1)))
    diameter = sections.diameter[rows][seen]
    # a mesh as coarse as its necks makes single sections uncertain
    padded = np.concatenate([diameter[:1], diameter, diameter[-1:]])
    smooth = padded[:-2] / 4 + padded[1:-1] / 2 + padded[2:] / 4
    outer = len(smooth) // 2
    widest = outer + int(smooth[outer:].argmax())
    narrowest = int(smooth[: widest + 1].argmin())
    shape = {"head_diameter_nm": smooth[widest], "neck_length_nm": 0.0, "length_nm": along[-1]}
    if smooth[narrowest] >= NARROWING * smooth[widest]:
        return shape, 0.0
    limit = smooth[narrowest] + NECK_END * (smooth[widest] - smooth[narrowest])
    end = int(np.flatnonzero(smooth[narrowest:widest] <= limit)[-1]) + narrowest
    shape |= {"neck_length_nm": along[end], "neck_diameter_nm": float(np.median(diameter[: end + 1]))}
    return shape, (seen[end] + 0.5) * STEP_NM


def _bases(
    vertices: np.ndarray, faces: np.ndarray, spine_of: np.ndarray, distance: np.ndarray, count: int
) -> np.ndarray:
    """Middle (R, 3) of the border of each spine with the shaft, or else with the spine that it branches off."""
    corner = spine_of[faces]
    mixed = (corner[:, 0] != corner[:, 1]) | (corner[:, 1] != corner[:, 2])
    a, b = mesh_edges(faces[mixed]).T
    border = spine_of[a] != spine_of[b]
    own, outer = np.concatenate([a[border], b[border]]), np.concatenate([b[border], a[border]])
    leaves = (spine_of[own] >= 0) & (distance[outer] < distance[own]) & np.isfinite(distance[own])
    own, outer = spine_of[own[leaves]], outer[leaves]
    with_shaft = distance[outer] == 0
    shaft = group_mean(vertices[outer[with_shaft]], own[with_shaft], count)
    return np.where(np.isfinite(shaft), shaft, group_mean(vertices[outer], own, count))
