"""Draw the figures of the branch."""

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.report.twophoton import Session, draw
from spinome.twophoton.registered import failure_of, registered_grid
from spinome.twophoton.truth import read_truth_spines
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stacks, projections, truths = (step.by_name(inputs, kind) for kind in ("stacks", "projections", "truth_spines"))
sessions = []
for name, row in params.each.items():
    _, voxel_um = registered_grid(stacks[name])
    failed = failure_of(stacks[name]) is not None
    truth = read_truth_spines(truths[name], row["timepoint"], voxel_um) if name in truths and not failed else None
    sessions.append(
        Session(**row, stack=stacks[name], projection=projections[name], voxel_um=voxel_um, truth=truth, failed=failed)
    )
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
