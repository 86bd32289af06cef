"""Measure the mean profile of the vesicles that a person has marked."""

import pandas as pd

from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_volume, require_voxel_size
from spinome.synapses.forest.vesicle_profile import vesicle_profile
from spinome.synapses.grey import read_grey
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
tables, greys = step.by_name(inputs, "marked"), step.by_name(inputs, "grey")
marked = []
for volume, row in params.aside.rows.items():
    image = open_volume(row["image"], row["voxel_nm"])
    require_voxel_size(image)
    centres = read_table(tables[volume], ["z_nm", "y_nm", "x_nm"])[["z_nm", "y_nm", "x_nm"]].to_numpy(float)
    marked.append((image, read_grey(greys[volume]), centres))
profile = pd.DataFrame(vesicle_profile(marked), columns=["distance_nm", "level"])
write_table(profile, output[0])
