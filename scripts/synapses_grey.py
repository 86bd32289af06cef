"""Measure what the grey values of a volume mean."""

from spinome.io.volumes import open_volume
from spinome.synapses.grey import measure_grey, write_grey
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
write_grey(output[0], measure_grey(open_volume(step.source(snakemake, "image"), params.voxel_nm)))
