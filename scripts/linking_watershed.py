"""Flood the membrane map of a volume into superpixels."""

from spinome.io.atomic import atomic
from spinome.io.volumes import open_labels, open_probability, require_same_grid, require_voxel_size, write_volume
from spinome.linking.watershed import superpixels
from spinome.logs import log_to

log_to(snakemake.log)
params = snakemake.params
membrane = open_probability(params.membrane, params.voxel_nm)
mask = open_labels(params.mask, params.voxel_nm) if params.mask else None
require_same_grid([membrane, *([mask] if mask else [])])
voxel_nm = require_voxel_size(membrane)
labels = superpixels(membrane[:], voxel_nm, mask=mask[:] != 0 if mask else None, **params.settings)
print(f"{int(labels.max())} superpixels in {labels.size / 1e6:.1f} Mvoxel")
with atomic(snakemake.output[0]) as part:
    write_volume(part, labels, voxel_nm)
