"""What the report says of each branch in numbers: tiles of the summary and small tables of its section."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from spinome.census.agreement import count_verdicts
from spinome.report.page import Tile, format_number

TO_PROOFREAD = 8
# what is read of tables that grow with the volumes
COLUMNS = {"objects": ["volume"], "links": ["volume", "orphan", "shaft", "linked", "probability", "known"]}
# what a unit of a step is, and what is not known where it failed
WITHOUT = {
    "twophoton_register": ("sessions", "their spines are not known, and they count in no turnover"),
    "synapses_detect": ("cuboids", "no synapse was looked for there, and blocks that they touch have no density"),
    "review_detect_synapses": (
        "cuboids",
        "no synapse was looked for there, and blocks that they touch have no density",
    ),
    "synapses_density": ("cuboids", "blocks that they touch have no density"),
    "linking_membranes": ("cuboids", "nothing is segmented there, and what reaches into them is cut"),
    "linking_basins": ("cuboids", "nothing is segmented there, and what reaches into them is cut"),
    "linking_contacts": ("cuboids", "nothing is segmented there, and what reaches into them is cut"),
    "linking_measure": ("cuboids", "what may reach into them counts as cut"),
    "linking_pieces": ("cuboids", "segments that may reach into them are not typed"),
    "linking_shapes": ("groups of segments", "these segments are not typed"),
    "linking_dendrites": ("cuboids", "dendrites that may reach into them have no mesh"),
    "linking_candidates": ("groups of orphans", "whether these orphans have a parent is not known"),
    **dict.fromkeys(
        ["retrieve_mesh", *(f"neurons_{step}" for step in ("simplify", "hks", "condense", "classify", "spines"))],
        ("neurons", "neither their spines nor where their synapses are is known"),
    ),
    "neurons_synapses": ("neurons with synapses", "what their spines carry is not known"),
    "neurons_exchange": ("neurons", "they are not written for other programs"),
    "neurons_features": ("neurons", "their features are not stored"),
}
# the labels of a synapse
TAGS = ("spine", "shaft", "soma")
# linked orphans have a tile of their own
SEEN_IN = {
    "twophoton": "in two-photon stacks",
    "chain": "on meshes made from EM",
    "neurons": "on meshes",
}
# columns of the effects of comparisons, and how they are headed
EFFECT_COLUMNS = {
    "comparison": "comparison",
    "term": "term",
    "effect_kind": "effect is a",
    "effect": "effect",
    "effect_low": "low",
    "effect_high": "high",
    "carried_low": "low with machine's error",
    "carried_high": "high with machine's error",
    "p_value": "p",
    "p_holm": "p, Holm",
    "p_benjamini_hochberg": "p, Benjamini-Hochberg",
    "permutation_p": "p, permutation",
    "units": "units",
}


def tell_unknown(completeness: pd.DataFrame, max_failed_fraction: float) -> list[str]:
    """What is not known since units failed, one line a step; `completeness` is `completeness.tsv`."""
    lines = []
    for row in completeness[completeness["missing"] > 0].itertuples():
        unit, meaning = WITHOUT.get(row.step, ("units", "what follows from them is not known"))
        more = ", more than max_failed_fraction allows" if row.fraction > max_failed_fraction else ""
        lines.append(f"{row.missing:,} of {row.units:,} {unit} ({row.step}{more}): {meaning}.")
    return lines


def summarise_twophoton(given: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Sessions, spines, tracks and doubtful sizes of each series, its turnover, and corrections by hand applied.

    Parameters
    ----------
    given : `tracked`, and where there are any `dendrites`, `sessions`, `turnover` and `corrections`
    """
    series = ["specimen", "field"]
    spines = given["tracked"]
    beside = spines[spines["dendrite"] >= 0] if "dendrite" in spines else spines
    table = spines.groupby(series).agg(sessions=("timepoint", "nunique"))
    grouped = beside.groupby(series)["spine"]
    table["detections"], table["tracks"] = (
        grouped.agg(how).reindex(table.index).fillna(0) for how in ("size", "nunique")
    )
    lasting = beside.groupby([*series, "spine"])["timepoint"].nunique()
    table["seen_more_than_once"] = (lasting > 1).groupby(level=series).sum().reindex(table.index, fill_value=0)
    if "dendrite" in spines:
        table["beside_no_dendrite"] = (spines["dendrite"] < 0).groupby([spines[name] for name in series]).sum()
    # sizes not to be trusted: the first too large, the second perhaps too small
    for flag, name in (("shaft_saturated", "beside_a_saturated_shaft"), ("size_at_bound", "as_wide_as_the_fit_allows")):
        if flag in beside:
            table[name] = beside.groupby(series)[flag].sum().reindex(table.index).fillna(0)
    table = table.astype(int)
    tables = {"Spines through time": table.reset_index()}
    if len(dendrites := given.get("dendrites", ())):
        followed = dendrites[dendrites["dendrite"] >= 0].groupby([*series, "timepoint"], sort=False)
        table = followed[["length_um", "spines"]].sum()
        table.insert(0, "dendrites", followed["dendrite"].nunique())
        table["spines_per_um"] = table["spines"] / table["length_um"]
        tables["Density on dendrites with spines"] = table.reset_index()
    if len(sessions := given.get("sessions", ())) and (sessions["note"] != "").any():
        tables["Sessions to look at"] = sessions[sessions["note"] != ""]
    if len(turnover := given.get("turnover", ())):
        counted = [
            "timepoint",
            "next_timepoint",
            "days",
            "spines",
            "next_spines",
            "stable",
            "gained",
            "recurrent",
            "lost",
        ]
        told = [
            f"{row.turnover_ratio:.2f}{_interval(row.turnover_low, row.turnover_high)}" for row in turnover.itertuples()
        ]
        shown = turnover[[*series, *counted]].assign(turnover=told)
        if "lost_missed" in turnover and turnover["corrected_ratio"].notna().any():
            shown["of lost, missed"], shown["of gained, missed"] = turnover["lost_missed"], turnover["gained_missed"]
            shown["turnover with misses taken into account"] = [
                ""
                if pd.isna(row.corrected_ratio)
                else f"{row.corrected_ratio:.2f}{_interval(row.corrected_low, row.corrected_high)}"
                for row in turnover.itertuples()
            ]
        tables["Turnover"] = shown
    if len(corrections := given.get("corrections", ())):
        grouped = corrections.groupby([*series, "decision"])["applied"]
        tables["Corrections by hand"] = grouped.agg(rows="size", applied="sum").reset_index()
        refused = corrections.loc[
            ~corrections["applied"], [*series, "decision", "timepoint", "z_um", "y_um", "x_um", "reason"]
        ]
        if len(refused):
            tables["Corrections that could not be applied"] = refused
    return tables


def summarise_synapses(objects: pd.DataFrame, blocks: pd.DataFrame, limits: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Synapses, volume searched and density of each volume, and how unlike the training data it is."""
    groups = blocks.groupby("volume")
    table = groups["block"].size().rename("blocks").to_frame()
    # of a volume of which no block is known nothing adds up to 0
    table["unmasked_um3"] = groups["unmasked_um3"].sum(min_count=1)
    table.insert(0, "synapses", objects.groupby("volume").size().reindex(table.index, fill_value=0))
    table["in_blocks"] = groups["synapses"].sum(min_count=1)
    table["density_per_um3"] = table["in_blocks"] / table["unmasked_um3"].where(table["unmasked_um3"] > 0)
    if "known" in blocks:
        table["blocks_not_known"] = (~blocks["known"].astype(bool)).groupby(blocks["volume"]).sum()
    table["unlikeness"] = limits.set_index("volume")["unlikeness"].reindex(table.index).astype(float)
    return {"Synapses by volume": table.reset_index()}


def summarise_linking(
    links: pd.DataFrame, violations: pd.DataFrame, queue: pd.DataFrame, limits: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Orphan spines and their links by volume, what to proofread first, and what cannot be.

    Parameters
    ----------
    links, violations, queue, limits : the tables of these names in `linking/`
    """
    table = links.groupby("volume").agg(orphans=("orphan", "nunique"), candidates=("shaft", "size"))
    table["candidates_an_orphan"] = table["candidates"] / table["orphans"]
    kept = links[links["linked"].astype(bool)]
    table["linked"] = kept.groupby("volume")["orphan"].nunique().reindex(table.index, fill_value=0)
    table["mean_probability_of_links"] = kept.groupby("volume")["probability"].mean()
    if "known" in links:
        lost = links[~links["known"].astype(bool)]
        table["not_known"] = lost.groupby("volume")["orphan"].nunique().reindex(table.index, fill_value=0)
    table["unlikeness"] = limits.set_index("volume")["unlikeness"].reindex(table.index).astype(float)
    shown = ["volume", "orphan", "worth", "synapses", "linked_to", "probability", "no_parent", "view"]
    first = queue[shown].head(TO_PROOFREAD).rename(columns={"worth": "worth (pairs)"})
    return {
        "Links by volume": table.reset_index(),
        "To proofread first, by the pairs of synapses that a decision is expected to mend": first,
        "Violations of the grammar": violations.groupby(["volume", "kind", "violation"])
        .size()
        .rename("count")
        .reset_index(),
    }


def summarise_neurons(neurons: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Input by compartment and spines of each neuron, and the neurons of which not all is known.

    Parameters
    ----------
    neurons : `neurons/neurons.parquet`
    """
    cell = ["source", "neuron"]
    counted = neurons.set_index(cell).sort_index()
    on = {tag: counted[f"on_{tag}"] for tag in TAGS}
    labelled = sum(on.values())
    inputs = counted["unlabelled"] + labelled.fillna(0)
    columns = {"input_synapses": inputs}
    # of a neuron whose synapses have no label none is known to be anywhere
    columns |= {f"on_{tag}": (count / inputs).where(labelled > 0) for tag, count in on.items()}
    columns |= {"without_a_tag": counted["unlabelled"], "spines": counted["spines"]}
    columns |= {"multi-input": counted["multi_input"]}
    tables = {"Input and spines by neuron": pd.DataFrame(columns).reset_index()}
    if not neurons["known"].all():
        tables["Neurons of which not all is known"] = neurons.loc[
            ~neurons["known"].astype(bool), [*cell, "spines", "synapses", "reason"]
        ]
    return tables


def summarise_phantom(truth: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Dendrites, spines and their sizes in each simulated specimen, from its `truth_spines.parquet`."""
    rows = []
    for specimen, spines in truth.items():
        last = spines["last_timepoint"].max()
        always = (spines["first_timepoint"] == 0) & (spines["last_timepoint"] == last)
        rows.append(
            {
                "specimen": specimen,
                "dendrites": spines["dendrite"].nunique(),
                "spines": len(spines),
                "sessions": int(last) + 1,
                "there in all": int(always.sum()),
                "median_volume_um3": spines["volume_um3"].median(),
                "median_head_diameter_nm": spines["head_diameter_nm"].median(),
                "median_neck_length_nm": spines["neck_length_nm"].median(),
            }
        )
    return {"Simulated specimens": pd.DataFrame(rows)}


def summarise_comparisons(given: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Effects with their intervals and corrected p-values, what is to be known of each, and plans.

    Parameters
    ----------
    given : `comparisons` and `plans`, as `spinome.compare.tables` makes them
    """
    ours = given["comparisons"]
    effects = ours[ours["term"] != ""]
    notes = ours.loc[ours["note"] != "", ["comparison", "term", "note"]].drop_duplicates()
    plans = given["plans"]
    shown = {
        "Effects": effects[[*EFFECT_COLUMNS]].rename(columns=EFFECT_COLUMNS),
        "Notes": notes,
        "Units that would show an effect at 80 %": plans.drop(columns="power"),
    }
    return {title: frame for title, frame in shown.items() if len(frame)}


def summarise_census(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Rows of the joint table by view and specimen, spines that several views share, and the census by class."""
    result = {"The joint table": tables["specimens"].drop(columns="spines")}
    if len(tables["matches"]):
        pairs = tables["matches"].groupby(["specimen", "view", "other_view"])["distance_um"].agg(["size", "median"])
        pairs.columns = ["spines in both", "median_distance_um"]
        result["Spines that two views share"] = pairs.reset_index()
    if "agreement" in tables:
        agreement = tables["agreement"]
        result["Links and labels of the linked meshes"] = count_verdicts(agreement)
        doubted = agreement[agreement["doubt"].notna()].head(TO_PROOFREAD)
        told = ["volume", "verdict", "orphan", "shaft", "link_probability", "spine_probability", "doubt"]
        views = tables["queue"][["volume", "orphan", "view"]]
        title = "To proofread first, by what both kinds of evidence leave in doubt"
        result[title] = doubted[told].merge(views, on=["volume", "orphan"], how="left")
    if "classes" in tables:
        # each pair of fine classes would be hundreds of rows; they are in the figure and in the table itself
        classes = tables["classes"][tables["classes"]["partner_class"].isin(["", "excitatory", "inhibitory"])]
        classes = classes.assign(measure=classes["measure"].str.replace("_", " "))
        classes["source"] = ["published" if name else "measured here" for name in classes.pop("reference")]
        if not classes["partner_class"].any():
            del classes["partner_class"]
        result["Census by cell class"] = classes
    return result


def tiles(
    tables: Mapping[str, pd.DataFrame], evaluations: Mapping[str, pd.DataFrame], failures: pd.DataFrame
) -> list[Tile]:
    """The numbers that matter, each with the truth beside where there is one.

    Parameters
    ----------
    tables : `specimens`, and of `tracked`, `objects`, `links` and `neuron_table` those that there are
    evaluations : by branch, and `census`
    failures : `step unit reason`
    """
    scores = evaluations.get("census")
    found = tables["specimens"].groupby("view")["spines"].sum()
    result = [
        Tile(format_number(found[name]), f"spines {SEEN_IN[name]}", _against_truth(scores, f"{name}_found"))
        for name in SEEN_IN
        if found.get(name, 0)
    ]
    if "tracked" in tables:
        own = tables["tracked"]
        own = own[own["dendrite"] >= 0] if "dendrite" in own else own
        sessions = own.groupby(["specimen", "field", "spine"])["timepoint"].nunique()
        note = _scored(evaluations, "twophoton", "idf1", "IDF1")
        result.append(
            Tile(format_number((sessions > 1).sum()), "spines on dendrites followed from session to session", note)
        )
    if "objects" in tables:
        note = _scored(evaluations, "synapses", "f1", "F1")
        result.append(Tile(format_number(len(tables["objects"])), "synapses detected in EM", note))
    if "links" in tables:
        links = tables["links"]
        linked = links.loc[links["linked"].astype(bool), ["volume", "orphan"]].drop_duplicates()
        orphans = len(links[["volume", "orphan"]].drop_duplicates())
        note = _scored(evaluations, "linking", "link_f1", "F1")
        if "known" in links and not links["known"].all():
            lost = links.loc[~links["known"].astype(bool), ["volume", "orphan"]].drop_duplicates()
            note = "; ".join(filter(None, [note, f"{len(lost):,} are not known"]))
        result.append(Tile(format_number(len(linked)), f"of {orphans:,} orphan spines linked to a shaft", note))
    if "neuron_table" in tables:
        tagged = int(tables["neuron_table"][[f"on_{tag}" for tag in TAGS]].sum().sum())
        note = _scored(evaluations, "neurons", "synapse_weighted_f1", "weighted F1")
        result.append(Tile(format_number(tagged), "input synapses labelled on meshes", note))
    steps = failures["step"].nunique()
    note = (
        f"in {steps} step{'s' if steps != 1 else ''}, each with its reason below"
        if len(failures)
        else "every unit went through"
    )
    return [*result, Tile(format_number(len(failures)), "failed units", note)]


def _against_truth(scores: pd.DataFrame | None, metric: str) -> str:
    row = _row(scores, metric)
    if row is None:
        return ""
    interval = "" if pd.isna(row["ci_low"]) else f" ({100 * row['ci_low']:.0f} to {100 * row['ci_high']:.0f})"
    return f"{100 * row['value']:.0f} %{interval} of the true spines of the simulated specimen"


def _scored(evaluations: Mapping[str, pd.DataFrame], branch: str, metric: str, name: str) -> str:
    row = _row(evaluations.get(branch), metric)
    if row is None or pd.isna(row["value"]):
        return ""
    return f"{name} {row['value']:.2f}{_interval(row['ci_low'], row['ci_high'])} where the truth is known"


def _row(scores: pd.DataFrame | None, metric: str) -> pd.Series | None:
    found = scores[scores["metric"] == metric] if scores is not None else ()
    return found.iloc[0] if len(found) else None


def _interval(low: float, high: float) -> str:
    return "" if pd.isna(low) else f" ({low:.2f} to {high:.2f})"
