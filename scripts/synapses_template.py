"""Measure the mean profile of the vesicles that a person has marked."""

import json
from pathlib import Path

import pandas as pd

from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_volume, require_voxel_size
from spinome.synapses.grey import Grey
from spinome.synapses.template import vesicle_profile
from spinome.workflow import step

step.begin(snakemake)
marked = []
for row, table, file in zip(snakemake.params.rows.values(), snakemake.input.marked, snakemake.input.grey):
    image = open_volume(row["image"], row["voxel_nm"])
    require_voxel_size(image)
    centres = read_table(table, ["z_nm", "y_nm", "x_nm"])[["z_nm", "y_nm", "x_nm"]].to_numpy(float)
    marked.append((image, Grey(**json.loads(Path(file).read_text())), centres))
profile = pd.DataFrame(vesicle_profile(marked), columns=["distance_nm", "level"])
write_table(profile, snakemake.output[0])
