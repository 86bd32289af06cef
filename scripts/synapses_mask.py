"""Make a mask of a volume by simple rules, with the overview that it was made from."""

import numpy as np

from spinome.io.atomic import atomic
from spinome.io.volumes import open_volume, write_volume
from spinome.synapses.density.mask import HIDDEN, cell_size, hide, survey
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
image = open_volume(step.source(snakemake, "image"), params.voxel_nm)
overview = survey(image, cell_size(image, params.mask["cell_um"]), tuple(params.cuboid))
hidden = hide(overview, params.mask["body_um"], params.mask["contrast"])
cell_nm = tuple(1000 * size for size in overview.cell_um)
with atomic(output[0]) as part:
    write_volume(part, np.nan_to_num(overview.mean), cell_nm, name="image", kind="image")
    write_volume(part, hidden, cell_nm, name="hidden")
for name, number in HIDDEN.items():
    print(f"{name}: {(hidden == number).mean():.1%} of the cells")
