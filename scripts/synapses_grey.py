"""Measure what the grey values of a volume mean."""

import json
from dataclasses import asdict

from spinome.io.atomic import atomic
from spinome.io.volumes import open_volume
from spinome.synapses.grey import measure_grey
from spinome.workflow import step

step.begin(snakemake)
row = snakemake.params.row
with atomic(snakemake.output[0]) as part:
    part.write_text(json.dumps(asdict(measure_grey(open_volume(row["image"], row["voxel_nm"])))))
