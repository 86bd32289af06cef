"""Cut spines of a volume off at the neck, and write what the linking branch needs to be scored on them."""

import pandas as pd

from spinome.io.atomic import atomic
from spinome.io.tables import read_table, write_table
from spinome.io.units import working_stride
from spinome.io.volumes import open_labels, require_voxel_size, write_volume
from spinome.linking.detach import detach_spines
from spinome.linking.typing import read_types
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
name = f"{snakemake.wildcards.volume}_detached"
volume = open_labels(step.source(snakemake, "segmentation"), params.voxel_nm)
voxel_nm = require_voxel_size(volume)
stride = working_stride(voxel_nm, params.working_nm)
working_nm = tuple(size * step for size, step in zip(voxel_nm, stride))
if inputs.types:
    types = read_types(inputs.types)
    shafts = types.loc[types["type"] == "shaft", "segment"].to_numpy()
else:
    typing = read_table(inputs.typing)
    shafts = typing.loc[typing["kind"] == "shaft", "segment"].to_numpy()
thinned = volume[tuple(slice(None, None, step) for step in stride)]
settings = dict(params.settings)
draws, rows = settings.pop("draws"), []
with atomic(output[0]) as folder:
    folder.mkdir()
    for draw in range(draws):
        labels, table = detach_spines(thinned, shafts, working_nm, seed=params.seed + draw, **settings)
        number = f"_{draw + 1}" if draws > 1 else ""
        print(f"{name}{number}: {len(table)} spines cut off {table['shaft'].nunique()} dendrites")
        row = {"volume": f"{name}{number}", "image": "", "segmentation": f"segmentation{number}.zarr"}
        row |= {"truth_links": f"truth_links{number}.parquet", "cut_from": snakemake.wildcards.volume}
        write_volume(folder / row["segmentation"], labels, working_nm)
        write_table(table, folder / row["truth_links"])
        if inputs.types:
            row["truth_types"] = f"truth_types{number}.parquet"
            spines = pd.DataFrame({"segment": table["orphan"], "type": "spine"})
            write_table(pd.concat([types, spines], ignore_index=True), folder / row["truth_types"])
        rows.append(row)
    write_table(pd.DataFrame(rows), folder / "volumes.tsv")
