"""Write what made the results: configuration, versions, code and inputs. Without dates, so that reruns agree."""

import json
from pathlib import Path

import yaml

from spinome.io.atomic import atomic
from spinome.workflow import step
from spinome.workflow.code import code_by_package
from spinome.workflow.provenance import fingerprint, installed_versions

step.begin(snakemake)

record = {
    "spinome": snakemake.params.spinome,
    "snakemake": snakemake.params.snakemake,
    "configuration": snakemake.params.configuration,
    "code": code_by_package(),
    "inputs": {path: fingerprint(path) for path in sorted({*snakemake.input})},
    "versions": installed_versions(),
}
with atomic(snakemake.output.provenance) as part:
    part.write_text(json.dumps(record, indent=2) + "\n")
with atomic(snakemake.output.config) as part:
    Path(part).write_text(yaml.safe_dump(dict(snakemake.config), sort_keys=False))
