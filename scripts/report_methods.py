"""Write the Methods paragraph of the run, and what it cites as BibTeX."""

import json
from pathlib import Path

import yaml

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.report.bibliography import bibliography, cited
from spinome.report.methods import COLUMNS, methods
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
provenance = json.loads(Path(inputs.provenance).read_text())
tables = {name: read_table(path, columns=COLUMNS.get(name)) for name, path in step.by_name(inputs, "tables").items()}
config = yaml.safe_load(Path(inputs.configuration).read_text())
text = methods(params.told, config, provenance, tables, params.design, params.changed)
for path, content in (
    (output.text, text),
    (output.bibliography, bibliography(cited(text), provenance["spinome"])),
):
    with atomic(path) as part:
        part.write_text(content, encoding="utf-8")
