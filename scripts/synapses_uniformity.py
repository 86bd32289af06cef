"""Describe how evenly synapses are spread, in the volumes of this run and in tables counted elsewhere."""

import pandas as pd

from spinome.io.tables import concatenate, read_table, write_table
from spinome.logs import log_to
from spinome.synapses.uniformity import BLOCK_COLUMNS, describe_uniformity

log_to(snakemake.log)
params = snakemake.params
tables = dict(iter(concatenate(snakemake.input.blocks).groupby("volume"))) if snakemake.input.blocks else {}
for name, file in zip(params.names, snakemake.input.tables):
    tables[name] = read_table(file, BLOCK_COLUMNS)
described = [
    describe_uniformity(blocks, name, params.dependence_um, params.repeats, params.seed)
    for name, blocks in tables.items()
]
write_table(pd.concat(described, ignore_index=True), snakemake.output[0])
