"""Write what made the results: configuration, versions, code and inputs. Without dates, so that reruns agree."""

import json

import yaml

from spinome.io.atomic import atomic
from spinome.workflow import step
from spinome.workflow.code import code_by_package
from spinome.workflow.fingerprints import fingerprints_of
from spinome.workflow.provenance import installed_versions

inputs, params, output = step.begin(snakemake)
record = {
    "spinome": params.spinome,
    "snakemake": params.snakemake,
    "configuration": params.configuration,
    "code": code_by_package(),
    "inputs": fingerprints_of(step.fingerprints(snakemake).folder, [*inputs.given, *inputs.fetched]),
    "versions": installed_versions(),
}
with atomic(output.provenance) as part:
    part.write_text(json.dumps(record, indent=2) + "\n")
with atomic(output.config) as part:
    part.write_text(yaml.safe_dump(dict(snakemake.config), sort_keys=False))
