"""Put the figures, scores and tables of every branch on one page."""

import json
from pathlib import Path

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.logs import log_to
from spinome.report import page, summaries

log_to(snakemake.log)

inputs = {name: Path(path) for name, path in snakemake.input.items() if isinstance(path, str)}
branches = snakemake.params.branches
tables = {name: read_table(path) for name, path in inputs.items() if path.suffix in (".parquet", ".tsv")}
evaluations = {
    name.removesuffix("_evaluation"): tables.pop(name) for name in list(tables) if name.endswith("_evaluation")
}
summarise = {
    "twophoton": lambda: summaries.summarise_twophoton(tables),
    "synapses": lambda: summaries.summarise_synapses(tables["objects"], tables["blocks"]),
    "linking": lambda: summaries.summarise_linking(tables["links"], tables["violations"], tables["queue"]),
    "neurons": lambda: summaries.summarise_neurons(
        tables["neuron_synapses"], tables["neuron_spines"], tables["neuron_table"]
    ),
}


def section(key, title, lead, summary):
    """A section with what there is of figures, scores and tables."""
    folders = [inputs[name] for name in (f"{key}_figures", f"{key}_agreement_figures") if name in inputs]
    return page.Section(
        key,
        title,
        lead,
        [figure for folder in folders for figure in page.read_figures(folder)],
        page.format_scores(evaluations[key]) if key in evaluations else [],
        [page.format_table(frame, name) for name, frame in summary.items()],
    )


sections = []
if snakemake.params.specimens:
    truth = dict(zip(snakemake.params.specimens, map(read_table, snakemake.input.truth)))
    sections.append(section("phantom", "What was simulated", page.PHANTOM_LEAD, summaries.summarise_phantom(truth)))
sections += [section(branch, *page.BRANCHES[branch], summarise[branch]()) for branch in branches]
sections.append(section("census", "Census", page.CENSUS_LEAD, summaries.summarise_census(tables)))
html = page.render(
    snakemake.input.template,
    tiles=summaries.tiles(tables, evaluations, tables["failures"]),
    sections=sections,
    samples=snakemake.params.samples,
    failures=tables["failures"],
    provenance=json.loads(inputs["provenance"].read_text()),
    configuration=inputs["configuration"].read_text(),
    unknown=summaries.tell_unknown(tables["completeness"], snakemake.params.max_failed_fraction),
)
with atomic(snakemake.output[0]) as part:
    part.write_text(html, encoding="utf-8")
