"""Draw the figures of the branch."""

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.report.twophoton import Session, draw
from spinome.twophoton.registered import registered_grid, standing
from spinome.twophoton.truth import read_truth_spines
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stacks, projections, truths = (step.by_name(inputs, kind) for kind in ("stacks", "projections", "truth_spines"))
sessions = []
for name in standing(params.each, stacks):
    row = params.each[name]
    _, voxel_um = registered_grid(stacks[name])
    truth = read_truth_spines(truths[name], row["timepoint"], voxel_um) if name in truths else None
    sessions.append(Session(**row, stack=stacks[name], projection=projections[name], voxel_um=voxel_um, truth=truth))
with atomic(output[0]) as folder:
    draw(
        folder,
        sessions,
        read_table(inputs.spines),
        read_table(inputs.links),
        read_table(inputs.turnover),
        read_table(inputs.survival),
        read_table(inputs.compared) if inputs.compared else None,
        read_table(inputs.history) if inputs.history else None,
    )
