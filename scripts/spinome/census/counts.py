"""What the census counts, cell by cell: every number of it is a ratio of two sums over cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

UNKNOWN = "not given"
TAGS = ("spine", "shaft", "soma")
SIZES = ("volume_um3", "head_diameter_um", "neck_length_um")
COLUMNS = ["side", "cell", "cell_class", "broad_class", "partner_class", "measure", "part", "whole"]
# the classes of a cell: its own, and where it is known the broad one that this is part of
Classes = Sequence[str]


def count_by_cell(
    synapses: pd.DataFrame, spines: pd.DataFrame, classes: Mapping[str, Classes], known: Mapping[int, Classes]
) -> pd.DataFrame:
    """What each cell receives and what it gives, with the classes of both sides.

    The receiving cells are the neurons of the tables. The giving ones are the presynaptic cells of known class: of
    each, the outputs onto these neurons are counted, not those onto cells without a mesh here.

    Parameters
    ----------
    synapses : `neurons/synapses.parquet`; rows without a tag are left out
    spines : rows of the joint table with source `neurons`
    classes : of neurons by name, and of volumes, whose neurons all have them
    known : classes of cells by root id: of partners, and of neurons that `classes` does not name

    Returns
    -------
    Table `side cell cell_class broad_class partner_class measure part whole`: `side` is `input` or `output`,
    `partner_class` is the class or the broad class of the other side and empty for all partners together, and the
    measure of some cells is the sum of their `part` over that of their `whole`
    """
    tagged = synapses[synapses["tag"].isin(TAGS)].reset_index(drop=True)
    tagged["specimen"] = tagged["neuron"].where(tagged["source"] == "sheet", tagged["source"])
    cells = _receiving_cells(tagged, spines, classes, known)
    number = {place: row for row, place in enumerate(zip(cells["specimen"], cells["neuron"]))}
    tagged["cell"] = [number[place] for place in zip(tagged["specimen"], tagged["neuron"])]
    carried = spines.assign(cell=[number[place] for place in zip(spines["specimen"], spines["parent"])])
    pre = tagged.get("pre_pt_root_id", pd.Series(pd.NA, tagged.index))
    partners = [() if pd.isna(root) else tuple(known.get(root, ())) for root in pre]
    received = pd.concat([_inputs(tagged, partners, bool(known)), _spines(carried, cells)], ignore_index=True)
    received = pd.concat([cells.loc[received["cell"]].reset_index(drop=True), received.drop(columns="cell")], axis=1)
    received["cell"] = [_cell_name(*place) for place in zip(received["specimen"], received["neuron"])]
    given = _outputs(tagged, partners, cells, spines)
    given[["cell_class", "broad_class"]] = [_two(known[root]) for root in given["cell"]] or None
    given["cell"] = given["cell"].astype(str)
    return pd.concat([received.assign(side="input"), given.assign(side="output")], ignore_index=True)[COLUMNS]


def _receiving_cells(tagged: pd.DataFrame, spines: pd.DataFrame, classes: Mapping, known: Mapping) -> pd.DataFrame:
    """`specimen neuron cell_class broad_class` of every cell with a synapse or a spine."""
    places = pd.concat(
        [tagged[["specimen", "neuron"]], spines[["specimen", "parent"]].rename(columns={"parent": "neuron"})]
    ).astype(object)
    places = places.drop_duplicates().sort_values(["specimen", "neuron"], ignore_index=True)
    post = tagged.get("post_pt_root_id", pd.Series(pd.NA, tagged.index))
    roots = post.groupby([tagged["specimen"].astype(object), tagged["neuron"].astype(object)]).first().to_dict()
    found = []
    for specimen, name in zip(places["specimen"], places["neuron"]):
        root = roots.get((specimen, name))
        root = (int(name) if name.isdecimal() else None) if pd.isna(root) else root
        found.append(_two(classes.get(name) or classes.get(specimen) or known.get(root) or (UNKNOWN,)))
    places[["cell_class", "broad_class"]] = found or None
    return places


def _inputs(tagged: pd.DataFrame, partners: list[Classes], with_partners: bool) -> pd.DataFrame:
    """Where the inputs arrive, and how big those of each place are."""
    size = pd.to_numeric(tagged.get("size", pd.Series(np.nan, tagged.index))).to_numpy(float)
    on = {tag: (tagged["tag"] == tag).to_numpy() for tag in TAGS}
    measures = {f"input_on_{tag}": (on[tag], True) for tag in TAGS}
    for tag in TAGS:
        sized = on[tag] & np.isfinite(size)
        measures[f"mean_synapse_size_on_{tag}"] = (np.where(sized, size, 0), sized)
    counts = _add_up(tagged["cell"].to_numpy(), partners, measures)
    if not with_partners:
        return counts
    given = {"input_of_known_class": (np.array([bool(names) for names in partners], bool), True)}
    return pd.concat([counts, _add_up(tagged["cell"].to_numpy(), [()] * len(tagged), given)], ignore_index=True)


def _spines(spines: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """How many spines there are, how many take several inputs, and how big they are."""
    cell, nobody = spines["cell"].to_numpy(int), [()] * len(spines)
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
    count = np.bincount(cell, minlength=len(cells))
    whole = _add_up(np.arange(len(cells)), [()] * len(cells), {"spines_per_cell": (count, True)})
    return pd.concat([whole, _add_up(cell, nobody, measures)], ignore_index=True)


def _outputs(tagged: pd.DataFrame, partners: list[Classes], cells: pd.DataFrame, spines: pd.DataFrame) -> pd.DataFrame:
    """Where the outputs of cells of known class arrive; the other side is now the receiving cell."""
    ours = tagged[np.array([bool(names) for names in partners], bool)]
    receiving = [
        tuple(name for name in names if name not in ("", UNKNOWN))
        for names in cells.loc[ours["cell"], ["cell_class", "broad_class"]].itertuples(index=False)
    ]
    on_spine = (ours["tag"] == "spine").to_numpy()
    several = set(spines["spine"][(spines["partners"].fillna(0) > 0) & spines["multi_input"].fillna(False)])
    place = [
        None if pd.isna(spine) else f"neurons/{specimen}/{neuron}/{int(spine)}"
        for specimen, neuron, spine in zip(ours["specimen"], ours["neuron"], ours["spine"])
    ]
    to_several = np.array([spine in several for spine in place], bool)
    to_spine = on_spine & np.array([spine is not None for spine in place], bool)
    measures = {"output_on_spine": (on_spine, True), "output_on_multi_input": (to_several, to_spine)}
    return _add_up(ours["pre_pt_root_id"].to_numpy() if len(ours) else np.zeros(0, int), receiving, measures)


def _add_up(cell: np.ndarray, partners: list[Classes], measures: Mapping[str, tuple]) -> pd.DataFrame:
    """Sums by cell and class of the partner; a row counts once for all, for its class and for its broad class."""
    classes = [np.array([names[level] if len(names) > level else "" for names in partners], object) for level in (0, 1)]
    rows = [np.arange(len(cell)), *(np.flatnonzero(names != "") for names in classes)]
    keys = pd.DataFrame({"cell": cell}).iloc[np.concatenate(rows)].reset_index(drop=True)
    keys["partner_class"] = np.concatenate(
        [np.full(len(cell), "", object), *(names[own] for names, own in zip(classes, rows[1:]))]
    )
    none = pd.DataFrame(columns=["cell", "partner_class", "part", "whole", "measure"])
    none = none.astype({"cell": keys["cell"].dtype, "part": float, "whole": float})
    parts = []
    for measure, (part, whole) in measures.items():
        whole = np.broadcast_to(whole, len(cell)).astype(float)
        part = np.where(whole > 0, part, 0).astype(float)
        sums = keys.assign(part=part[np.concatenate(rows)], whole=whole[np.concatenate(rows)])
        sums = sums[sums["whole"] > 0].groupby(["cell", "partner_class"])[["part", "whole"]].sum()
        parts.append(sums.reset_index().assign(measure=measure))
    return pd.concat([none, *(part for part in parts if len(part))], ignore_index=True)


def _two(names: Classes) -> tuple[str, str]:
    """The class and the broad class, empty where there is none."""
    return names[0], names[1] if len(names) > 1 else ""


def _cell_name(specimen: str, neuron: str) -> str:
    return neuron if specimen == neuron else f"{specimen}/{neuron}"
