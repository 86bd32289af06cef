"""The sections of the report, from the figures, scores and tables of every branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spinome.limits import tell_unlike
from spinome.report import summaries
from spinome.report.design import summarise_design
from spinome.report.page import (
    BRANCHES,
    CENSUS_LEAD,
    COMPARE_LEAD,
    DESIGN_LEAD,
    PHANTOM_LEAD,
    Section,
    format_scores,
    format_table,
    read_figures,
)


def sections(
    branches: Sequence[str],
    tables: Mapping[str, pd.DataFrame],
    scores: Mapping[str, pd.DataFrame],
    figures: Mapping[str, Sequence[str | Path]],
    truth: Mapping[str, pd.DataFrame],
    design: Mapping[str, Any] | None = None,
) -> list[Section]:
    """The design and what was simulated, where there is one, each branch in order, the census, and comparisons.

    Parameters
    ----------
    branches : names of those that have samples
    tables : of the branches, of the census and of the comparisons, by the names in `spinome.report.summaries`
    scores : evaluations by section
    figures : folders of figures by section
    truth : true spines of simulated specimens
    design : see `spinome.report.design.summarise_design`; nothing where the study has none
    """
    titled = {branch: (BRANCHES[branch][0], _lead(branch, tables)) for branch in branches} | {
        "census": ("Census", CENSUS_LEAD)
    }
    summary = {branch: _summary(branch, tables) for branch in branches}
    summary["census"] = summaries.summarise_census(tables)
    if "comparisons" in tables:
        titled["compare"] = ("Comparisons", COMPARE_LEAD)
        summary["compare"] = summaries.summarise_comparisons(tables)
    if truth:
        titled = {"phantom": ("What was simulated", PHANTOM_LEAD)} | titled
        summary["phantom"] = summaries.summarise_phantom(truth)
    if design:
        titled = {"design": ("Design", DESIGN_LEAD)} | titled
        summary["design"] = summarise_design(design, tables["levels"])
    return [
        Section(
            key,
            title,
            lead,
            [figure for folder in figures.get(key, ()) for figure in read_figures(folder)],
            format_scores(scores[key]) if key in scores else [],
            [format_table(frame, name) for name, frame in summary[key].items()],
        )
        for key, (title, lead) in titled.items()
    ]


def _lead(branch: str, tables: Mapping[str, pd.DataFrame]) -> str:
    """What is said on top of a branch: first where it is beyond what its model knows."""
    lead = BRANCHES[branch][1]
    judged = {
        "twophoton": ("series_limits", "judge of spines"),
        "synapses": ("limits", "model of synapses"),
        "linking": ("link_limits", "model of links"),
        "neurons": ("neuron_limits", "model of neurons"),
    }
    told = []
    if branch in judged:
        table, model = judged[branch]
        told = tell_unlike(tables[table], model)
    return " ".join([*(f"Warning: {line}." for line in told), lead])


def _summary(branch: str, tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    if branch == "twophoton":
        return summaries.summarise_twophoton(tables)
    if branch == "synapses":
        return summaries.summarise_synapses(tables["objects"], tables["blocks"], tables["limits"])
    if branch == "linking":
        return summaries.summarise_linking(
            tables["links"], tables["violations"], tables["queue"], tables["link_limits"]
        )
    return summaries.summarise_neurons(tables["neuron_table"])
