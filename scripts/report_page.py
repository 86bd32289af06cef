"""Put the figures, scores and tables of every branch on one page."""

import json
from pathlib import Path

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.report.page import render
from spinome.report.sections import sections
from spinome.report.summaries import COLUMNS, tell_unknown, tiles
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
tables, scores, truth = (
    {name: read_table(path, columns=COLUMNS.get(name)) for name, path in step.by_name(inputs, kind).items()}
    for kind in ("tables", "scores", "truth")
)
html = render(
    tiles=tiles(tables, scores, tables["failures"]),
    sections=sections(params.branches, tables, scores, step.by_name(inputs, "figures"), truth, params.design),
    samples=params.samples,
    failures=tables["failures"],
    provenance=json.loads(Path(inputs.provenance).read_text()),
    configuration=Path(inputs.configuration).read_text(),
    methods=Path(inputs.methods).read_text(encoding="utf-8"),
    bibliography=Path(inputs.bibliography).read_text(encoding="utf-8"),
    unknown=tell_unknown(tables["completeness"], params.max_failed_fraction),
)
with atomic(output[0]) as part:
    part.write_text(html, encoding="utf-8")
