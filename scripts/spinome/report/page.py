"""The report: one HTML page that holds everything it shows and works offline."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

# beside this module; code hashes count a file that a module names like this
TEMPLATE = "page.html.j2"
BRANCHES = {
    "twophoton": (
        "Two-photon series",
        "Slices are registered within each stack, spines are detected slice by slice with a small transformer, joined "
        "through depth, followed from session to session, and measured.",
    ),
    "synapses": (
        "Synapses in EM",
        "Voxels are classified cuboid by cuboid, objects are merged across cuboids, and their density is counted in "
        "blocks within the mask.",
    ),
    "linking": (
        "Segmentation and spine linking",
        "Superpixels are agglomerated to segments, and spines that came loose from their dendrite are linked to the "
        "most probable shaft.",
    ),
    "neurons": (
        "Neuron meshes",
        "The heat kernel signature of each mesh is condensed into domains, a forest labels every domain and every "
        "input synapse as soma, shaft or spine, and spines are taken apart as instances.",
    ),
}
PHANTOM_LEAD = (
    "The same specimen was rendered as a mesh, as an EM cutout and as a two-photon series, with the same spine under "
    "the same number in all three. It is simulated: scores on it say that the chain works, not how well it does on "
    "tissue."
)
CENSUS_LEAD = (
    "The spines of all branches in one table. Where several views show one specimen, their spines are matched one to "
    "one by position; where its truth is known, each view is held against it."
)
DESIGN_LEAD = (
    "The animals, factors and covariates that the sample sheets name. Samples of one animal are not independent: a "
    "group is as large as its number of animals says."
)
COMPARE_LEAD = (
    "Mixed models with a random intercept for the unit above the spine, so that animals count and not their spines. "
    "Intervals of 95 % are without and with the machine's error; p-values are corrected over the comparisons named "
    "together."
)


@dataclass(frozen=True)
class Figure:
    """An image that is held in the page."""

    name: str
    title: str
    caption: str
    source: str


@dataclass(frozen=True)
class Score:
    """A row of an evaluation, as it is printed; `dot`, `low` and `high` are per cent of a bar, or None."""

    metric: str
    value: str
    interval: str
    n: str
    dot: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Table:
    """A table as it is printed: `rows` of (text, whether it is a number)."""

    title: str
    columns: list[str]
    rows: list[list[tuple[str, bool]]]
    note: str = ""


@dataclass(frozen=True)
class Tile:
    """A number of the summary, and below it how it compares with the truth."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A section of the page."""

    key: str
    title: str
    lead: str
    figures: list[Figure] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


def read_figures(folder: str | Path) -> list[Figure]:
    """The figures that `spinome.report.style.save_figure` put into a folder, in order.

    Raises
    ------
    FileNotFoundError: if a figure of the index is absent; the message names it.
    """
    folder = Path(folder)
    index = folder / "figures.json"
    entries = json.loads(index.read_text()) if index.exists() else []
    figures = []
    for entry in entries:
        image = base64.b64encode((folder / f"{entry['name']}.png").read_bytes()).decode()
        figures.append(Figure(entry["name"], entry["title"], entry["caption"], f"data:image/png;base64,{image}"))
    return figures


def format_scores(evaluation: pd.DataFrame) -> list[Score]:
    """The rows of an `evaluation.tsv`; values between 0 and 1 get a bar."""
    scores = []
    for row in evaluation.to_dict("records"):
        value, low, high = (float(row[key]) for key in ("value", "ci_low", "ci_high"))
        known = np.isfinite([low, high]).all()
        share = 0 <= value <= 1 and not (known and (low < 0 or high > 1))
        scores.append(
            Score(
                str(row["metric"]).replace("_", " "),
                format_number(value),
                f"{format_number(low)} to {format_number(high)}" if known else "",
                "" if pd.isna(row["n"]) else f"{int(row['n']):,} {row['unit']}",
                100 * value if share else None,
                100 * low if share and known else None,
                100 * high if share and known else None,
            )
        )
    return scores


def format_table(frame: pd.DataFrame, title: str, limit: int = 20) -> Table:
    """A table for print; of more than `limit` rows the first ones are shown, and the note says so."""
    rows = [[_cell(value) for value in row] for row in frame.head(limit).itertuples(index=False)]
    note = f"The first {limit} of {len(frame):,} rows." if len(frame) > limit else ""
    return Table(title, [_heading(column) for column in frame.columns], rows, note)


def format_number(value: Any) -> str:
    """Three significant digits, thousands set apart, whole numbers whole; a dash where there is none."""
    if value is None or pd.isna(value):
        return "–"
    if float(value).is_integer():
        return f"{int(value):,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if 0.01 <= abs(value) < 1 else f"{value:.3g}"


def render(
    *,
    tiles: Iterable[Tile],
    sections: Iterable[Section],
    samples: Mapping[str, Iterable[str]],
    failures: pd.DataFrame,
    provenance: Mapping[str, Any],
    configuration: str,
    methods: str = "",
    bibliography: str = "",
    unknown: Iterable[str] = (),
) -> str:
    """The page as text; all values are escaped.

    Parameters
    ----------
    tiles : numbers of the summary
    sections : phantom, branches, census and comparisons, in order
    samples : names of the samples by kind
    failures : `step unit reason`
    provenance : content of `provenance.json`
    configuration : text of `config.yaml`
    methods, bibliography : content of `methods.md` and `methods.bib`
    unknown : what is not known, a line each; it stands on top
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        tiles=list(tiles),
        sections=list(sections),
        samples={kind: list(names) for kind, names in samples.items() if names},
        failures=format_table(failures, "", limit=200),
        provenance=provenance,
        configuration=configuration,
        methods=[text.strip("*") for text in methods.strip().split("\n\n")[1:]],
        bibliography=bibliography,
        unknown=list(unknown),
    )


def _heading(column: str) -> str:
    for unit, text in (("um3", "µm³"), ("um2", "µm²"), ("um", "µm"), ("nm", "nm"), ("per_um3", "/µm³")):
        if column.endswith(f"_{unit}"):
            return f"{column.removesuffix(f'_{unit}').replace('_', ' ')} ({text})"
    return column.replace("_", " ")


def _cell(value: Any) -> tuple[str, bool]:
    if isinstance(value, bool | np.bool_):
        return ("yes" if value else "no"), False
    if isinstance(value, int | float | np.number):
        return format_number(value), True
    return ("–" if value is None or pd.isna(value) else str(value)), False
