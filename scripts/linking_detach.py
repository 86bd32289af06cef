"""Cut spines of a volume off at the neck, and write what the linking branch needs to be scored on them."""

import pandas as pd

from spinome.io.atomic import atomic
from spinome.io.tables import read_table, write_table
from spinome.io.units import working_stride
from spinome.io.volumes import open_labels, require_voxel_size, write_volume
from spinome.linking.detach import detach_spines
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
name = f"{snakemake.wildcards.volume}_detached"
volume = open_labels(step.source(snakemake, "segmentation"), params.voxel_nm)
voxel_nm = require_voxel_size(volume)
stride = working_stride(voxel_nm, params.working_nm)
working_nm = tuple(size * step for size, step in zip(voxel_nm, stride))
typing = read_table(inputs.typing)
shafts = typing.loc[typing["kind"] == "shaft", "segment"].to_numpy()
thinned = volume[tuple(slice(None, None, step) for step in stride)]
labels, table = detach_spines(thinned, shafts, working_nm, seed=params.seed, **params.settings)
print(f"{len(table)} spines cut off {table['shaft'].nunique()} dendrites")
with atomic(output[0]) as folder:
    folder.mkdir()
    write_volume(folder / "segmentation.zarr", labels, working_nm)
    write_table(table, folder / "truth_links.parquet")
    row = {"volume": name, "image": "", "segmentation": "segmentation.zarr", "truth_links": "truth_links.parquet"}
    write_table(pd.DataFrame([row]), folder / "volumes.tsv")
