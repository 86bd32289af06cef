"""Measure the segments of a volume and tell orphans, shafts and others apart."""

from spinome.io.tables import write_table
from spinome.io.volumes import open_labels, require_voxel_size
from spinome.linking.typing import measure_segments, type_segments, working_stride
from spinome.logs import log_to

log_to(snakemake.log)
settings = dict(snakemake.params.settings)
volume = open_labels(snakemake.params.segments, snakemake.params.voxel_nm)
voxel_nm = require_voxel_size(volume)
stride = working_stride(voxel_nm, settings.pop("working_nm"))
thinned = volume[tuple(slice(None, None, step) for step in stride)]
segments = measure_segments(thinned, voxel_nm, stride)
segments["kind"] = type_segments(segments, **settings)
print(segments["kind"].value_counts().to_string())
write_table(segments, snakemake.output[0])
