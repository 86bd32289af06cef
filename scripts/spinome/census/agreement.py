"""Two kinds of evidence on one orphan: its link, and what the labels of the linked mesh say of the place.

A link is found from the orphan's way to a shaft, the label of a mesh from the shape of its surface, by the neurons
branch, which knows nothing of links. Where the two contradict each other a proofreader should look first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from spinome.io.units import VoxelSize, working_stride
from spinome.mesh.surface import Mesh, vertex_areas

COLUMNS = [
    "evidence",
    "verdict",
    "orphan",
    "shaft",
    "spine",
    "link_probability",
    "spine_probability",
    "probability",
    "doubt",
    "z_nm",
    "y_nm",
    "x_nm",
]
# what can be found, and whether the two kinds of evidence agree or conflict, or one of them says nothing
VERDICTS = {
    "linked, and a spine on the mesh": "agree",
    "linked, but no spine on the mesh": "conflict",
    "linked, but several orphans on one spine": "conflict",
    "linked, not on a labelled mesh": "links alone",
    "not linked, but a bare spine at its way": "conflict",
    "not linked, and no spine calls for it": "agree",
    "not linked, not near a labelled mesh": "links alone",
    "spine without orphan and synapse": "mesh alone",
    "spine that was never loose": "mesh alone",
}
# what failed leaves unsaid
NOT_KNOWN = {"candidates not known": "not known", "labels of the mesh not known": "not known"}
# an orphan is a spine on the mesh when one spine holds more than this of its surface
MOST = 0.5


class LabelledSurface(NamedTuple):
    """A linked mesh with its labels.

    `vertices` (V, 3) x y z in nm, `area` (V,), `segment` (V,) that each vertex lies on, `spine` (V,) of each vertex,
    -1 where none, and `spine_probability` (V,).
    """

    vertices: np.ndarray
    area: np.ndarray
    segment: np.ndarray
    spine: np.ndarray
    spine_probability: np.ndarray


def labelled_surface(mesh: Mesh, spine: np.ndarray, spine_probability: np.ndarray) -> LabelledSurface:
    """The surface of a linked mesh, whose vertices know their `segment`, with the labels (V,) of its vertices."""
    area = vertex_areas(mesh.vertices, mesh.faces)
    return LabelledSurface(mesh.vertices, area, mesh.vertex_data["segment"], spine, spine_probability)


def volume_edge(shape: tuple[int, int, int], voxel_nm: VoxelSize, working_nm: float) -> tuple[np.ndarray, np.ndarray]:
    """Upper corner of a volume (z, y, x) and width of its border, (3,) x y z in nm each.

    The border is one voxel of the working resolution, in which spines of the volume's edge are cut.
    """
    border = np.multiply(working_stride(voxel_nm, working_nm), voxel_nm)
    return np.multiply(shape, voxel_nm)[::-1], border[::-1]


def best_candidates(links: pd.DataFrame, candidates: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """The likeliest shaft of each orphan, linked or not, with the place where its way arrives there.

    Parameters
    ----------
    links : table of `links.LINK_COLUMNS` of one volume
    candidates : table of `candidates.COLUMNS`
    segments : `segment z_nm y_nm x_nm`

    Returns
    -------
    One row per orphan: `orphan shaft link_probability linked known decided to_z_nm to_y_nm to_x_nm z_nm y_nm x_nm`,
    shaft 0 where there is no candidate
    """
    links = links.assign(known=links.get("known", True), decided=links.get("decided", False))
    first = links.loc[links["rank"] <= 1, ["orphan", "shaft", "probability", "linked", "known", "decided"]]
    ways = candidates[["orphan", "shaft", "to_z_nm", "to_y_nm", "to_x_nm"]].drop_duplicates(["orphan", "shaft"])
    places = segments.rename(columns={"segment": "orphan"})[["orphan", "z_nm", "y_nm", "x_nm"]]
    rows = first.rename(columns={"probability": "link_probability"})
    return rows.merge(ways, on=["orphan", "shaft"], how="left").merge(places, on="orphan", how="left")


def compare_meshes(
    surfaces: Iterable[tuple[int, LabelledSurface | None]],
    spines: pd.DataFrame,
    best: pd.DataFrame,
    threshold: float,
    edge: tuple[np.ndarray, np.ndarray] | None = None,
) -> pd.DataFrame:
    """All agreements and conflicts of a volume; see `agreement_table`.

    Parameters
    ----------
    surfaces : the label of each linked shaft and its surface, None where it could not be labelled; looked at one by one
    spines : those of all its meshes, as `compare_mesh` takes them, with `neuron`, the name of the shaft
    best, threshold, edge : as `compare_mesh` takes them
    """
    compared, failed = [], []
    for shaft, surface in surfaces:
        if surface is None:
            failed.append(shaft)
        else:
            own = spines[spines["neuron"] == str(shaft)]
            compared.append(compare_mesh(shaft, surface, own, best, threshold, edge))
    return agreement_table(compared, best, failed)


def compare_mesh(
    shaft: int,
    surface: LabelledSurface,
    spines: pd.DataFrame,
    best: pd.DataFrame,
    threshold: float,
    edge: tuple[np.ndarray, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Every orphan of one shaft, and every spine of its mesh that holds none.

    Parameters
    ----------
    shaft : label of the mesh
    surface : surface of the mesh, with the orphans linked to the shaft
    spines : its spines: `spine z_nm y_nm x_nm probability`, and `synapses` on each where the volume has synapses
    best : what `best_candidates` returns
    threshold : probability from which an orphan is linked; one that is not, but would be if what the mesh says of the
        bare spine at its way counted too, is a conflict
    edge : upper corner of the volume and width of its border, (3,) x y z in nm each; a spine that reaches into the
        border was cut by it, and lacks its synapse for that reason

    Returns
    -------
    Table of COLUMNS; see `agreement_table`
    """
    mine = best[best["shaft"] == shaft]
    linked = _linked_orphans(surface, mine[mine["linked"]])
    empty = spines[~spines["spine"].isin(linked["spine"])]
    with_synapses = "synapses" in empty
    bare = empty[empty["synapses"] == 0] if with_synapses else empty
    loose = _loose_orphans(surface, mine[~mine["linked"]].dropna(subset=["to_z_nm"]), bare, threshold)
    cut = set() if edge is None else _reaching(surface, *edge)
    lacks = with_synapses & empty["spine"].isin(bare["spine"]) & ~empty["spine"].isin(cut)
    empty = empty.rename(columns={"probability": "spine_probability"}).assign(
        verdict=np.where(lacks, "spine without orphan and synapse", "spine that was never loose"),
        orphan=0,
        link_probability=np.nan,
    )
    return pd.concat([linked, loose, empty], ignore_index=True).assign(shaft=shaft).reindex(columns=COLUMNS)


def _linked_orphans(surface: LabelledSurface, linked: pd.DataFrame) -> pd.DataFrame:
    """What the surface of each linked orphan was labelled."""
    found = [_main_spine(surface, surface.segment == orphan) for orphan in linked["orphan"]]
    linked = linked.assign(verdict="linked, but no spine on the mesh", spine=-1)
    linked[["on", "share", "spine_probability"]] = np.array(found, dtype=float).reshape(-1, 3)
    on_spine = linked["share"] > MOST
    linked.loc[on_spine, "spine"] = linked["on"].astype(np.int64)
    linked.loc[on_spine, "verdict"] = "linked, and a spine on the mesh"
    shared = on_spine & linked["spine"].where(on_spine).duplicated(keep=False)
    linked.loc[shared, "verdict"] = "linked, but several orphans on one spine"
    linked.loc[linked["spine_probability"].isna(), "verdict"] = "linked, not on a labelled mesh"
    return linked


def _loose_orphans(surface: LabelledSurface, loose: pd.DataFrame, bare: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Whether a bare spine is where the way of each orphan arrives, and speaks for it enough."""
    _, nearest = cKDTree(surface.vertices).query(loose[["to_x_nm", "to_y_nm", "to_z_nm"]].to_numpy(float))
    spine = pd.Series(surface.spine[nearest], index=loose.index)
    spine = spine.where(spine.isin(bare["spine"]), -1)
    probability = spine.map(bare.set_index("spine")["probability"])
    calls = both_together(loose["link_probability"], probability) >= threshold
    verdict = np.where(calls, "not linked, but a bare spine at its way", "not linked, and no spine calls for it")
    return loose.assign(spine=spine, spine_probability=probability, verdict=verdict)


def agreement_table(compared: list[pd.DataFrame], best: pd.DataFrame, failed: Collection[int] = ()) -> pd.DataFrame:
    """All agreements and conflicts of a volume.

    `probability` is that the orphan is a spine of this shaft by both kinds of evidence, taken as independent. `doubt`
    is what it leaves against the decision: 1 - probability of a link, probability of what was not linked. A spine
    without an orphan is no decision and has none, and neither has an orphan that a person decided.

    Parameters
    ----------
    compared : from `compare_mesh`, of each shaft with a labelled mesh
    best : what `best_candidates` returns
    failed : shafts whose mesh could not be labelled

    Returns
    -------
    Table of COLUMNS: `evidence` and `verdict` (VERDICTS, NOT_KNOWN), `orphan` (0 for a spine without), `shaft` (0 for
    none), `spine` of the shaft's mesh (-1 for none)
    """
    seen = {orphan for table in compared for orphan in table["orphan"]}
    alone = best[~best["orphan"].isin(seen)]
    unseen = alone["linked"].map(
        {True: "linked, not on a labelled mesh", False: "not linked, not near a labelled mesh"}
    )
    unseen = unseen.mask(alone["shaft"].isin(failed), "labels of the mesh not known")
    unseen = unseen.mask(~alone["known"].astype(bool), "candidates not known")
    table = pd.concat([*compared, alone.assign(verdict=unseen, spine=-1)], ignore_index=True)
    table = table.reindex(columns=COLUMNS)
    table["evidence"] = table["verdict"].map(VERDICTS | NOT_KNOWN)
    table["probability"] = both_together(*table[["link_probability", "spine_probability"]].to_numpy(float).T)
    table["doubt"] = table["probability"].where(~table["verdict"].str.startswith("linked"), 1 - table["probability"])
    table["doubt"] = table["doubt"].mask(table["orphan"].isin(best.loc[best["decided"].astype(bool), "orphan"]))
    whole = {"orphan": np.int64, "shaft": np.int64, "spine": np.int64}
    return table.astype(whole | {"spine_probability": float, "link_probability": float})


def proofread_first(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of all volumes, the most doubtful decision first."""
    return table.sort_values(["doubt", "spine_probability"], ascending=False, kind="stable", ignore_index=True)


def both_together(link: np.ndarray, spine: np.ndarray) -> np.ndarray:
    """Probability by two kinds of evidence that are taken as independent; nan where one of them is."""
    yes, no = link * spine, (1 - link) * (1 - spine)
    # of a certain link and a certain absence of a spine nothing is left of either
    return yes / np.where(yes + no == 0, 1, yes + no)


def decided_right(table: pd.DataFrame, links: pd.DataFrame, truth: pd.DataFrame | None) -> pd.DataFrame:
    """The table with `right`: whether the truth has it as it was decided.

    It is null for spines, for orphans whose candidates are not known, and where there is no truth.

    Parameters
    ----------
    table : what `agreement_table` returns; links : links of that volume
    truth : `orphan shaft`; an orphan that it does not name has no parent
    """
    right = pd.Series(pd.NA, table.index, dtype="boolean")
    if truth is not None:
        linked = links.loc[links["linked"], ["orphan", "shaft"]]
        met = linked.merge(truth[["orphan", "shaft"]].drop_duplicates())["orphan"]
        decided = (table["orphan"] != 0) & (table["verdict"] != "candidates not known")
        alone = ~table["orphan"].isin(set(linked["orphan"]) | set(truth["orphan"]))
        right[decided] = (table["orphan"].isin(met) | alone)[decided]
    return table.assign(right=right)


def count_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """How often each verdict was found, by volume; and of how many decisions the truth is known and was met.

    Parameters
    ----------
    table : `agreement.parquet`, with `volume` and `right` (null where no truth is known)
    """
    groups = table.groupby(["volume", "evidence", "verdict"], sort=True)
    counts = groups.size().rename("count").reset_index()
    known = groups["right"].agg(["count", "sum"]).astype(int).reset_index(drop=True)
    return counts.assign(with_truth=known["count"], right=known["sum"])


def _main_spine(surface: LabelledSurface, on: np.ndarray) -> tuple[int, float, float]:
    """The spine that holds the most of a part of the surface, its share, and the part's probability of spine."""
    area = surface.area[on]
    if not area.sum() > 0:
        return -1, 0.0, float("nan")
    probability = float(np.average(surface.spine_probability[on], weights=area))
    spines, place = np.unique(surface.spine[on], return_inverse=True)
    share = np.bincount(place, weights=area) / area.sum()
    share[spines < 0] = 0
    return int(spines[share.argmax()]), float(share.max()), probability


def _reaching(surface: LabelledSurface, upper: np.ndarray, border: np.ndarray) -> set[int]:
    """Spines with a vertex in the border of the volume."""
    inside = ((surface.vertices > border) & (surface.vertices < np.asarray(upper) - border)).all(axis=1)
    return set(surface.spine[~inside].tolist())
