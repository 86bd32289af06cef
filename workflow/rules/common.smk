# Configuration and samples, read and validated once, and the few questions that every branch asks of them.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

REPOSITORY = Path(workflow.basedir)
sys.path.insert(0, str(REPOSITORY / "scripts"))

from spinome import configuration, samples, shards
from spinome.io.sources import file_of
from spinome.provenance import code_hash, content_hash


def sheet_file(kind):
    """The sample sheet of a kind: looked up from the working directory, then from the workflow's own folder."""
    sheet = config["samples"][kind]
    return sheet and next((str(path) for path in (Path(sheet), REPOSITORY / sheet) if path.exists()), sheet)


try:
    config.update(configuration.complete(config))
    sheets = {
        kind: (
            samples.read_sheet(sheet, row_type, produced=[config["results"], config["resources"]])
            if (sheet := sheet_file(kind))
            else []
        )
        for kind, row_type in samples.SHEETS.items()
    }
except ValueError as error:
    raise WorkflowError(str(error)) from None

stacks, volumes = sheets["stacks"], sheets["volumes"]
# meshes at a public address are fetched by a rule, and from there on are files as any other
mesh_addresses = {row.neuron: row.mesh for row in sheets["neurons"] if samples.is_address(row.mesh)}
neurons = [
    (
        row.model_copy(update={"mesh": f"{config['resources']}/meshes/{row.neuron}.npz"})
        if row.neuron in mesh_addresses
        else row
    )
    for row in sheets["neurons"]
]
# the row of a sample by its name: a plan of 100,000 samples asks for each several times
stack_of = {(row.specimen, row.field, row.timepoint): row for row in stacks}
volume_of = {row.volume: row for row in volumes}
neuron_of = {row.neuron: row for row in neurons}

# each branch enters its tables of failed units here, and by step those of finished units; census.smk gathers them
failure_tables = []
finished_tables = {}
# each branch that has samples enters its name here; report.smk and census.smk take what there is
branches = []


def model_file(name, teachers, suffix=".skops"):
    """The file of a model: the configured one, else one trained here on its teachers, else the shipped one.

    The teachers are the training samples with the truth that this model learns from.
    """
    if config["models"][name]:
        return config["models"][name]
    if teachers:
        return f"{config['results']}/models/{name}{suffix}"
    return str(REPOSITORY / "workflow" / "models" / f"{name}{suffix}")


wildcard_constraints:
    volume=r"[\w+-]+",
    neuron=r"[\w+-]+",
    specimen=r"[\w+-]+",
    field=r"[\w+-]+",
    timepoint=r"[\w+-]+",
    shard=r"[\w+-]+",
