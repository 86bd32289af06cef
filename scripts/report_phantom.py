"""Draw what was simulated, as the samples show it."""

import shutil
from pathlib import Path

import numpy as np

from spinome.io.meshes import read_mesh
from spinome.io.stack import require_voxel_um
from spinome.io.stacks import open_stack
from spinome.io.tables import read_table
from spinome.io.volumes import open_volume
from spinome.report.phantom import draw_em, draw_mesh, draw_session
from spinome.report.style import save_figure
from spinome.workflow import step

step.begin(snakemake)

folder = Path(snakemake.output[0])
shutil.rmtree(folder, ignore_errors=True)
for row in snakemake.params.views:
    name, specimen, truth = row["view"], row["specimen"], Path(row["truth"])
    if name == "neurons":
        title, caption = "as a mesh", "Seen along z, in the colours of its true labels."
        figure = draw_mesh(read_mesh(row["path"]))
    elif name == "linking":
        store = row["path"].partition("::")[0]
        image, segments, synapses = (open_volume(f"{store}::{part}") for part in ("image", "segmentation", "synapses"))
        slice_ = int(np.argmax([np.count_nonzero(synapses[z]) for z in range(synapses.shape[0])]))
        dendrites = segments[slice_]
        targets = read_table(truth.with_name("truth_synapses.parquet"))["post"].unique()
        dendrites = np.where(np.isin(dendrites, targets), dendrites, 0)
        title, caption = "as an EM cutout", f"Slice {slice_}, the one with the most synapse voxels."
        figure = draw_em(image[slice_], dendrites, synapses[slice_], image.voxel_nm[2] / 1000)
    elif name == "twophoton":
        stack = open_stack(row["path"], voxel_um=row["voxel_um"])
        spines = read_table(truth)
        title, caption = "in two-photon microscopy", f"Session {row['timepoint']}, the last of the series."
        there = spines[spines["timepoint"].astype(str) == row["timepoint"]]
        figure = draw_session(stack.read(), there, require_voxel_um(stack))
    else:
        continue
    save_figure(figure, folder, f"{specimen}_{name}", f"The specimen {specimen} {title}", caption)
