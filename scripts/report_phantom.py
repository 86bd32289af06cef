"""Draw what was simulated, as the samples show it."""

from spinome.io.atomic import atomic
from spinome.report.phantom import Shown, draw_all
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
# the session's own spines, and of a cutout its synapses
files, truth = step.by_name(inputs, "samples"), step.by_name(inputs, "truth") | step.by_name(inputs, "synapses")
samples = [
    Shown(
        said["specimen"],
        said["view"],
        f"{files[name]}::{said['dataset']}",
        truth[name],
        said["timepoint"],
        said["voxel_um"],
    )
    for name, said in params.each.items()
]
with atomic(output[0]) as folder:
    draw_all(folder, samples)
