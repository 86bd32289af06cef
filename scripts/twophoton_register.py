"""Register the slices of one stack, project it and write out the shifts; a bad stack is reported and marked."""

import numpy as np
import pandas as pd
import tifffile

from spinome.failures import COLUMNS, is_machine_fault
from spinome.io.atomic import atomic
from spinome.io.opened_stack import require_voxel_um
from spinome.io.stacks import open_stack
from spinome.io.tables import write_table
from spinome.io.volumes import STACK, write_volume
from spinome.twophoton.register import as_stored, register
from spinome.twophoton.registered import write_failed
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
table = pd.DataFrame({"slice": [], "quality": [], "angle_deg": [], "y_um": [], "x_um": []})
failures = []
try:
    opened = open_stack(f"{inputs.stack}::{params.dataset}", params.channel, params.voxel_um)
    voxel_um = require_voxel_um(opened)
    reach = tuple(params.max_shift_um / size for size in voxel_um[1:])
    result = register(opened.read(), reach, max_angle_deg=params.max_rotation_deg, pixel=voxel_um[1:])
    stack = as_stored(result.stack, opened.dtype)
    with atomic(output.stack) as part:
        write_volume(part, stack, tuple(1000 * size for size in voxel_um), kind="image", space=STACK)
    table = pd.DataFrame({"slice": np.arange(len(stack)), "quality": result.quality, "angle_deg": result.angles_deg})
    table[["y_um", "x_um"]] = result.shifts_px * voxel_um[1:]
except (ValueError, FileNotFoundError) as error:
    if is_machine_fault(error):
        raise
    print(error)
    failures.append(["twophoton_register", ".".join(snakemake.wildcards), str(error)])
    with atomic(output.stack) as part:
        stack = write_failed(part, str(error))
with atomic(output.projection) as part:
    tifffile.imwrite(part, stack.max(axis=0))
write_table(table, output.shifts)
step.fingerprints(snakemake).note(inputs.stack)
write_table(pd.DataFrame(failures, columns=COLUMNS).astype(str), output.failures)
