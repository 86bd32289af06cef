"""What the census counts, cell by cell: every number of it is a ratio of two sums over cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

UNKNOWN = "not given"
TAGS = ("spine", "shaft", "soma")
SIZES = ("volume_um3", "head_diameter_um", "neck_length_um")
# what is not known of a cell whose synapses, whose spines, or either of which failed
OF_SYNAPSES = [*(f"input_on_{tag}" for tag in TAGS), *(f"mean_synapse_size_on_{tag}" for tag in TAGS)]
OF_SPINES = ["spines_per_cell", *(f"mean_{size}" for size in SIZES)]
OF_BOTH = ["multi_input", "mean_volume_um3_of_multi_input", "mean_volume_um3_of_single_input"]
COLUMNS = ["side", "cell", "cell_class", "broad_class", "partner_class", "measure", "part", "whole"]
# the classes of a cell: its own, and where it is known the broad one that this is part of
Classes = Sequence[str]


def count_by_cell(
    synapses: pd.DataFrame,
    spines: pd.DataFrame,
    classes: Mapping[str, Classes],
    known: Mapping[int, Classes],
    roots: Mapping[str, int] | None = None,
    neurons: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """What each cell receives and what it gives, with the classes of both sides.

    The receiving cells are the neurons of the tables. The giving ones are the presynaptic cells of known class: of
    each, the outputs onto these neurons are counted, not those onto cells without a mesh here.

    Parameters
    ----------
    synapses : `neurons/synapses.parquet`; rows without a tag are left out
    spines : rows of the joint table with source `neurons`
    classes : classes of neurons by name, and of volumes, whose neurons all have them
    known : classes of cells by root id: of partners, and of neurons that `classes` does not name
    roots : root ids of neurons by name, where the sample sheet has them; of another neuron its name, where that is a
        number, or the one `post_pt_root_id` that all its synapses have
    neurons : `neurons/neurons.parquet`, for the cells of which something is not known

    Returns
    -------
    Table `side cell cell_class broad_class partner_class measure part whole`: `side` is `input` or `output`,
    `partner_class` is the class or the broad class of the other side and empty for all partners together, and the
    measure of some cells is the sum of their `part` over that of their `whole`; both are null where the measure of a
    cell is not known, since a unit of the neuron failed
    """
    tagged = synapses[synapses["tag"].isin(TAGS)].reset_index(drop=True)
    tagged["specimen"] = tagged["neuron"].where(tagged["source"] == "sheet", tagged["source"])
    failed = _failed(neurons)
    cells = _receiving_cells(tagged, spines, failed, classes, known, roots or {})
    places = pd.MultiIndex.from_frame(cells[["specimen", "neuron"]])
    tagged["cell"] = places.get_indexer(pd.MultiIndex.from_frame(tagged[["specimen", "neuron"]].astype(object)))
    carrying = places.get_indexer(pd.MultiIndex.from_frame(spines[["specimen", "parent"]].astype(object)))
    partners = _names(tagged.get("pre_pt_root_id", pd.Series(pd.NA, tagged.index)), known)
    lost = _unknown(failed, places.get_indexer(pd.MultiIndex.from_frame(failed[["specimen", "neuron"]].astype(object))))
    counts = [_inputs(tagged, partners, bool(known)), _spines(spines, carrying, len(cells))]
    received = _with_unknown(pd.concat(counts, ignore_index=True), lost)
    received = pd.concat([cells.loc[received["cell"]].reset_index(drop=True), received.drop(columns="cell")], axis=1)
    received["cell"] = received["neuron"].where(
        received["specimen"] == received["neuron"], received["specimen"] + "/" + received["neuron"]
    )
    given = _outputs(tagged, partners, cells, spines)
    given[["cell_class", "broad_class"]] = _names(given["cell"], known)
    given["cell"] = given["cell"].astype(str)
    return pd.concat([received.assign(side="input"), given.assign(side="output")], ignore_index=True)[COLUMNS]


def _failed(neurons: pd.DataFrame | None) -> pd.DataFrame:
    """`specimen neuron spines synapses` of the neurons of which something is not known: which of both it is."""
    if neurons is None:
        return pd.DataFrame(columns=["specimen", "neuron", "spines", "synapses"])
    ours = neurons[~neurons["known"].astype(bool)]
    return pd.DataFrame(
        {
            "specimen": ours["neuron"].where(ours["source"] == "sheet", ours["source"]),
            "neuron": ours["neuron"],
            "spines": ours["spines"].isna(),
            "synapses": ours["synapses"].isna() & ours["with_synapses"],
        }
    )


def _unknown(failed: pd.DataFrame, cell: np.ndarray) -> pd.DataFrame:
    """`cell measure` of what is not known of the cells that failed."""
    rows = [
        (number, measure)
        for number, row in zip(cell, failed.itertuples())
        for asked, measures in ((row.synapses, OF_SYNAPSES), (row.spines, OF_SPINES), (True, OF_BOTH))
        for measure in (measures if asked else ())
    ]
    return pd.DataFrame(rows, columns=["cell", "measure"])


def _with_unknown(counts: pd.DataFrame, lost: pd.DataFrame) -> pd.DataFrame:
    """The counts, with a row without a number for what is not known of a cell instead of what seems to be there."""
    if lost.empty:
        return counts
    keys = ["cell", "measure"]
    kept = counts[~pd.MultiIndex.from_frame(counts[keys]).isin(pd.MultiIndex.from_frame(lost))]
    return pd.concat([kept, lost.assign(partner_class="", part=np.nan, whole=np.nan)], ignore_index=True)[
        counts.columns
    ]


def _receiving_cells(
    tagged: pd.DataFrame, spines: pd.DataFrame, failed: pd.DataFrame, classes: Mapping, known: Mapping, roots: Mapping
) -> pd.DataFrame:
    """`specimen neuron cell_class broad_class` of every cell with a synapse or a spine, or of which none is known."""
    found = spines[["specimen", "parent"]].rename(columns={"parent": "neuron"})
    places = pd.concat([tagged[["specimen", "neuron"]], found, failed[["specimen", "neuron"]]]).astype(object)
    places = places.drop_duplicates().sort_values(["specimen", "neuron"], ignore_index=True)
    post = tagged.get("post_pt_root_id", pd.Series(pd.NA, tagged.index))
    groups = post.groupby([tagged["specimen"].astype(object), tagged["neuron"].astype(object)])
    alone = groups.first()[groups.nunique() == 1].to_dict()
    found = []
    for specimen, name in zip(places["specimen"], places["neuron"]):
        own = int(name) if name.isdecimal() else alone.get((specimen, name))
        root = roots.get(name, own) if specimen == name else own
        found.append(_two(classes.get(name) or classes.get(specimen) or known.get(root) or (UNKNOWN,)))
    places[["cell_class", "broad_class"]] = found or None
    return places


def _inputs(tagged: pd.DataFrame, partners: np.ndarray, with_partners: bool) -> pd.DataFrame:
    """Where the inputs arrive, and how big those of each place are."""
    size = pd.to_numeric(tagged.get("size", pd.Series(np.nan, tagged.index))).to_numpy(float, na_value=np.nan)
    on = {tag: (tagged["tag"] == tag).to_numpy() for tag in TAGS}
    measures = {f"input_on_{tag}": (on[tag], True) for tag in TAGS}
    for tag in TAGS:
        sized = on[tag] & np.isfinite(size)
        measures[f"mean_synapse_size_on_{tag}"] = (np.where(sized, size, 0), sized)
    counts = _add_up(tagged["cell"].to_numpy(), partners, measures)
    if not with_partners:
        return counts
    given = {"input_of_known_class": (partners[:, 0] != "", True)}
    return pd.concat([counts, _add_up(tagged["cell"].to_numpy(), None, given)], ignore_index=True)


def _spines(spines: pd.DataFrame, cell: np.ndarray, cells: int) -> pd.DataFrame:
    """How many spines there are, how many take several inputs, and how big they are."""
    innervated = (spines["partners"].fillna(0) > 0).to_numpy(bool)
    several = innervated & spines["multi_input"].fillna(False).to_numpy(bool)
    measures = {"multi_input": (several, innervated)}
    for column in SIZES:
        value = pd.to_numeric(spines[column]).to_numpy(float, na_value=np.nan)
        measures[f"mean_{column}"] = (value, np.isfinite(value))
        if column == "volume_um3":
            measures[f"mean_{column}_of_multi_input"] = (value, several & np.isfinite(value))
            measures[f"mean_{column}_of_single_input"] = (value, innervated & ~several & np.isfinite(value))
    # a cell without a spine counts too
    count = np.bincount(cell, minlength=cells)
    whole = _add_up(np.arange(cells), None, {"spines_per_cell": (count, True)})
    return pd.concat([whole, _add_up(cell, None, measures)], ignore_index=True)


def _outputs(tagged: pd.DataFrame, partners: np.ndarray, cells: pd.DataFrame, spines: pd.DataFrame) -> pd.DataFrame:
    """Where the outputs of cells of known class arrive; the other side is now the receiving cell."""
    ours = tagged[partners[:, 0] != ""]
    receiving = cells.loc[ours["cell"], ["cell_class", "broad_class"]].replace(UNKNOWN, "").to_numpy(object)
    on_spine = (ours["tag"] == "spine").to_numpy(bool)
    to_spine = on_spine & ours["spine"].notna().to_numpy(bool)
    there = ours[to_spine]
    place = "neurons/" + there["specimen"].astype(object) + "/" + there["neuron"].astype(object) + "/"
    place = place + there["spine"].astype("int64").astype(str)
    several = spines["spine"][(spines["partners"].fillna(0) > 0) & spines["multi_input"].fillna(False).astype(bool)]
    to_several = np.zeros(len(ours), bool)
    to_several[to_spine] = place.isin(set(several))
    measures = {"output_on_spine": (on_spine, True), "output_on_multi_input": (to_several, to_spine)}
    return _add_up(ours.get("pre_pt_root_id", pd.Series(dtype="int64")).to_numpy("int64"), receiving, measures)


def _add_up(cell: np.ndarray, partners: np.ndarray | None, measures: Mapping[str, tuple]) -> pd.DataFrame:
    """Sums by cell and class of the partner; a row counts once for all, for its class and for its broad class."""
    rows, names = [np.arange(len(cell))], [np.full(len(cell), "", object)]
    for level in (0, 1) if partners is not None else ():
        rows.append(np.flatnonzero(partners[:, level] != ""))
        names.append(partners[rows[-1], level])
    rows = np.concatenate(rows)
    keys = pd.DataFrame({"cell": cell[rows], "partner_class": np.concatenate(names)})
    group = keys.groupby(["cell", "partner_class"]).ngroup().to_numpy()
    keys = keys.assign(group=group).drop_duplicates("group").sort_values("group").drop(columns="group")
    parts = []
    for measure, (part, whole) in measures.items():
        whole = np.broadcast_to(whole, len(cell)).astype(float)
        part = np.where(whole > 0, part, 0).astype(float)
        sums = keys.assign(
            part=np.bincount(group, part[rows], len(keys)), whole=np.bincount(group, whole[rows], len(keys))
        )
        parts.append(sums[sums["whole"] > 0].assign(measure=measure))
    return pd.concat(parts, ignore_index=True)


def _names(roots: pd.Series, known: Mapping[int, Classes]) -> np.ndarray:
    """The class and the broad class of each root id (N, 2), empty where there is none."""
    codes, values = pd.factorize(roots)
    # the code of no root is -1, the last row
    table = np.array([*(_two(known.get(value) or ("",)) for value in values), ("", "")], object)
    return table[codes]


def _two(names: Classes) -> tuple[str, str]:
    """The class and the broad class, empty where there is none."""
    return names[0], names[1] if len(names) > 1 else ""
