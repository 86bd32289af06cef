"""What a proofreader should look at first, and what they decided."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import zarr

from spinome.io.ome import multiscales
from spinome.io.sources import is_address, split_source
from spinome.io.tables import read_table
from spinome.io.units import VoxelSize
from spinome.linking.links import not_known, parents, segments_in_gap
from spinome.linking.measure import INSIDE

QUEUE_COLUMNS = ["orphan", "worth", "synapses", "z_nm", "y_nm", "x_nm", "linked_to", "probability", "no_parent"]
DECISION_COLUMNS = ["volume", "orphan", "shaft"]
ORPHAN_COLOUR = "#ffffff"
# the first candidate to the last
CANDIDATE_COLOURS = ("#e41a1c", "#377eb8", "#4daf4a", "#984ea3", "#ff7f00", "#ffff33", "#a65628", "#f781bf")


def no_parent(links: pd.DataFrame) -> pd.Series:
    """Probability, by orphan, that none of its candidates is the parent: what those of its links leave to 1.

    Of the links of an orphan one at most is right, and their probabilities say so (`spinome.linking.links.one_parent`).
    """
    return (1 - pd.Series(parent_posterior(links)).groupby(links["orphan"].to_numpy()).sum()).clip(lower=0)


def parent_posterior(links: pd.DataFrame) -> np.ndarray:
    """Probability (N,) of each row of `links` that it is the parent and no other is; 0 where there is no candidate."""
    return np.where(links["rank"] > 0, links["probability"].to_numpy(float), 0.0)


def proofreading_queue(
    links: pd.DataFrame, segments: pd.DataFrame, synapses: pd.DataFrame, gaps: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Orphans ordered by how many pairs of the line graph a decision is expected to mend.

    A link of an orphan with k synapses to a shaft with n makes k n pairs. A decision gains the pairs of the true
    parent, in expectation over `parent_posterior`, and saves the pairs that the automatic link has wrong, less those
    that it has right. An orphan without synapses counts as if it had one, and so does a shaft.

    Parameters
    ----------
    links : table of `links.LINK_COLUMNS`
    segments : `segment inside_z_nm inside_y_nm inside_x_nm` of the orphans, of `typing.measure_segments`, and
        `z_nm y_nm x_nm extent_nm` where there are gaps
    synapses : `neurite_a neurite_b`, orphans not yet renamed
    gaps : where synapses could not be looked for (`spinome.gaps.gap_table`)

    Returns
    -------
    Table of QUEUE_COLUMNS, the most valuable decision first, its places within the orphans; `linked_to` is 0 where the
    orphan is not linked, `synapses` null where they are not known. Orphans that are decided, and those whose candidates
    could not be computed, are not asked about
    """
    carried = pd.concat([synapses["neurite_a"], synapses["neurite_b"]]).value_counts()
    linked = links[links["linked"]]
    posterior = parent_posterior(links)
    at_orphan = links["orphan"].map(carried).fillna(0).clip(lower=1).to_numpy()
    at_shaft = links["shaft"].map(carried).fillna(0)
    # spines linked to a shaft bring it their synapses
    brought = linked["orphan"].map(carried).fillna(0).groupby(linked["shaft"]).sum()
    own = np.where(links["linked"], links["orphan"].map(carried).fillna(0), 0)
    at_shaft = (at_shaft + links["shaft"].map(brought).fillna(0) - own).clip(lower=1).to_numpy()
    pairs = at_orphan * at_shaft
    gain = posterior * pairs
    wrong_less_right = np.where(links["linked"], (1 - 2 * posterior) * pairs, 0.0)
    worth = pd.Series(gain + wrong_less_right).groupby(links["orphan"].to_numpy()).sum()
    queue = pd.DataFrame({"worth": worth}).rename_axis("orphan").reset_index()
    queue["synapses"] = queue["orphan"].map(carried).fillna(0).astype("Int64")
    queue.loc[queue["orphan"].isin(segments_in_gap(segments, gaps)), "synapses"] = pd.NA
    places = segments[["segment", *INSIDE]].set_axis(["orphan", "z_nm", "y_nm", "x_nm"], axis=1)
    queue = queue.merge(places, on="orphan")
    closed = not_known(links) | links.get("decided", pd.Series(False, links.index)).to_numpy(bool)
    queue = queue[~queue["orphan"].isin(links.loc[closed, "orphan"])]
    parent = parents(links)
    queue["linked_to"] = np.array([parent.get(orphan, 0) for orphan in queue["orphan"]], np.int64)
    queue["probability"] = queue["orphan"].map(linked.set_index("orphan")["probability"]).fillna(0.0)
    queue["no_parent"] = queue["orphan"].map(no_parent(links))
    return queue.sort_values(["worth", "orphan"], ascending=[False, True], ignore_index=True)[QUEUE_COLUMNS]


def viewer_state(
    source: str,
    place_nm: np.ndarray,
    orphan: int,
    candidates: list[int],
    voxel_nm: VoxelSize,
    corner: tuple[float, float, float] = (0.0, 0.0, 0.0),
    image: str | None = None,
) -> dict:
    """A Neuroglancer state that shows an orphan (white) and its candidates, each in the colour of its rank.

    Parameters
    ----------
    source : address of the segmentation, from `viewer_source`
    place_nm : (3,) z y x, from the corner of the volume
    candidates : shafts by rank
    voxel_nm : size of a voxel (z, y, x)
    corner : corner of the segmentation (`spinome.io.volumes.Volume`)
    image : address of the grey values on the same grid, drawn below the segments
    """
    colours = {str(orphan): ORPHAN_COLOUR}
    for rank, shaft in enumerate(candidates):
        colours[str(shaft)] = CANDIDATE_COLOURS[min(rank, len(CANDIDATE_COLOURS) - 1)]
    grey = [{"type": "image", "name": "image", "source": image}] if image else []
    segments = {"segments": list(colours), "segmentColors": colours, "selectedAlpha": 0.4 if image else 1.0}
    position = [float(place) / size + start for place, size, start in zip(place_nm, voxel_nm, corner)]
    return {
        # x y z, which makes the plane of a section the first one shown, and as it was imaged
        "dimensions": {axis: [size * 1e-9, "m"] for axis, size in zip("xyz", reversed(voxel_nm))},
        "position": position[::-1],
        "projectionScale": 4000 / min(voxel_nm),
        "layers": [*grey, {"type": "segmentation", "name": "segments", "source": source, **segments}],
        "layout": "4panel",
    }


def viewer_source(source: str, url: str, root: Path) -> str | None:
    """A stored volume as Neuroglancer takes it, or None where it cannot show it in its place.

    It reads precomputed volumes and OME-Zarr, from a public address or below the folder that is served; the axes of
    a bare Zarr array have no names there, and HDF5 and TIFF are not for it.

    Parameters
    ----------
    source : volume, as in the sample sheet
    url : address at which the folder `root` is served
    """
    path, name = split_source(source)
    if is_address(source):
        return f"precomputed://{source.partition('::')[0].removeprefix('precomputed://')}"
    # links within the folder are followed by its server
    path, root = path.absolute(), root.absolute()
    if not path.is_relative_to(root) or ".." in path.parts:
        return None
    place = f"{url.rstrip('/')}/{path.relative_to(root).as_posix()}"
    if (path / "info").is_file():
        return f"precomputed://{place}"
    if any((path / name / file).is_file() for file in (".zattrs", "zarr.json")):
        images = multiscales(zarr.open(str(path / name), mode="r"))
        return f"zarr://{place}{'/' + name if name else ''}" if images else None
    return None


def viewer_address(state: dict, viewer: str) -> str:
    """The address that opens a state in the Neuroglancer at the address `viewer`."""
    return f"{viewer.rstrip('/')}/#!{quote(json.dumps(state, separators=(',', ':')))}"


def read_decisions(path: str | Path, volumes: Collection[str]) -> pd.DataFrame:
    """The table of decisions: `volume orphan shaft`.

    Raises
    ------
    ValueError: as `read_table`, and if a row names none of the volumes; the message names the file and the remedy.
    """
    table = read_table(path, DECISION_COLUMNS, integers=["orphan", "shaft"], text=["volume"])[DECISION_COLUMNS]
    if table.isna().any(axis=None):
        raise ValueError(f"{path}: a decision needs volume, orphan and shaft (0 for no parent); fill the empty cells")
    if unknown := sorted(set(table["volume"]) - set(volumes)):
        raise ValueError(
            f"{path}: names the volume {unknown[0]}, which is none of {', '.join(volumes)}; correct the row"
        )
    return table.astype({"orphan": np.int64, "shaft": np.int64})


def apply_decisions(links: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """Links as a proofreader decided: the decided parent is linked with probability 1, any other of the orphan is not.

    All rows of a decided orphan are `decided`, whether the decision changes its link or confirms it. A shaft that is
    given to an orphan whose candidates could not be computed waits until they are.

    Parameters
    ----------
    links : table of `links.LINK_COLUMNS` of one volume
    decisions : `orphan shaft`, shaft 0 for none of the candidates

    Raises
    ------
    ValueError: if an orphan is decided twice differently, is none of the orphans, or is given a shaft that is no
        candidate of it.
    """
    decisions = decisions[["orphan", "shaft"]].drop_duplicates()
    if decisions.empty:
        return links
    twice = decisions.loc[decisions["orphan"].duplicated(), "orphan"].tolist()
    if twice:
        raise ValueError(f"decisions give orphan {twice[0]} to two shafts; keep one row of it")
    known = set(zip(links["orphan"].tolist(), links["shaft"].tolist()))
    orphans, failed = set(links["orphan"]), set(links.loc[not_known(links), "orphan"])
    decisions = decisions[(decisions["shaft"] == 0) | ~decisions["orphan"].isin(failed)]
    for orphan, shaft in decisions.itertuples(index=False):
        if orphan not in orphans:
            raise ValueError(f"decisions name {orphan}, which is no orphan of this volume; take out its row")
        if shaft != 0 and (orphan, shaft) not in known:
            raise ValueError(
                f"decisions give orphan {orphan} to {shaft}, which is no candidate of it; widen "
                "linking.candidates.radius_nm, or take out its row"
            )
    parent = dict(decisions.itertuples(index=False))
    given = links["orphan"].isin(parent).to_numpy()
    right = np.array([parent.get(orphan) == shaft != 0 for orphan, shaft in zip(links["orphan"], links["shaft"])], bool)
    out = links.assign(
        linked=np.where(given, right, links["linked"]).astype(bool),
        probability=np.where(given, right.astype(float), links["probability"]),
        known=given | ~not_known(links),
        decided=given,
    )
    out = out.assign(first=~out["linked"], old=out["rank"]).sort_values(["orphan", "first", "old"])
    out["rank"] = np.where(out["rank"] > 0, out.groupby("orphan").cumcount() + 1, 0)
    return out.drop(columns=["first", "old"]).reset_index(drop=True)
