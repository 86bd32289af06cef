"""Register the slices of one stack, project it and write out the shifts."""

import numpy as np
import pandas as pd
import tifffile

from spinome.io.atomic import atomic
from spinome.io.stack import require_voxel_um
from spinome.io.stacks import open_stack
from spinome.io.tables import write_table
from spinome.io.volumes import write_volume
from spinome.logs import log_to
from spinome.twophoton.register import as_stored, register

log_to(snakemake.log)
params, output = snakemake.params, snakemake.output
opened = open_stack(snakemake.input.stack, params.channel, params.voxel_um)
voxel_um = require_voxel_um(opened)
result = register(opened.read(), tuple(params.max_shift_um / size for size in voxel_um[1:]))
stack = as_stored(result.stack, opened.dtype)
with atomic(output.stack) as part:
    write_volume(part, stack, tuple(1000 * size for size in voxel_um))
with atomic(output.projection) as part:
    tifffile.imwrite(part, stack.max(axis=0))
table = pd.DataFrame({"slice": np.arange(len(stack)), "quality": result.quality})
table[["y_um", "x_um"]] = result.shifts_px * voxel_um[1:]
write_table(table, output.shifts)
