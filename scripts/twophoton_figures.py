"""Draw the figures of the branch."""

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.logs import log_to
from spinome.report.twophoton import Session, draw
from spinome.twophoton.registered import failure_of, registered_grid
from spinome.twophoton.truth import read_truth_spines

log_to(snakemake.log)
inputs = snakemake.input
sessions = []
for stack, row, projection in zip(inputs.stacks, snakemake.params.rows, inputs.projections):
    (_, voxel_um), failed = registered_grid(stack), failure_of(stack) is not None
    known = row["truth_spines"] and not failed
    truth = read_truth_spines(row["truth_spines"], row["timepoint"], voxel_um) if known else None
    key = (row["specimen"], row["field"], row["timepoint"], row["day"])
    sessions.append(Session(*key, stack, projection, voxel_um, truth, failed))
with atomic(snakemake.output[0]) as folder:
    draw(
        folder,
        sessions,
        read_table(inputs.spines),
        read_table(inputs.links),
        read_table(inputs.turnover),
        read_table(inputs.survival),
        read_table(inputs.compared) if inputs.get("compared") else None,
        read_table(inputs.history) if inputs.get("history") else None,
    )
