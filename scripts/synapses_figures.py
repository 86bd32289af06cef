"""Draw the figures of the synapses branch."""

from pathlib import Path

from spinome.io.atomic import atomic
from spinome.io.datasets import read_rows
from spinome.io.tables import read_table
from spinome.io.volumes import open_labels, open_volume
from spinome.report.density import tables_by_volume
from spinome.report.synapses import Found, draw_all
from spinome.synapses.density.uniformity import BLOCK_COLUMNS
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
labels, masks, tables = (step.by_name(inputs, kind) for kind in ("labels", "masks", "tables"))
gaps = read_table(inputs.gaps) if inputs.gaps else None
found = {}
for volume, row in params.aside.rows.items():
    own, made = open_labels(labels[volume]), masks.get(volume)
    voxel_nm = row["voxel_nm"] or own.voxel_nm
    found[volume] = Found(
        own,
        read_rows(inputs.objects, "volume", [volume]),
        gaps[gaps["volume"] == volume],
        volume in params.detected,
        image=open_volume(row["image"], voxel_nm) if row["image"] else None,
        truth=open_labels(row["truth_synapses"], row["voxel_nm"]) if volume in params.scored else None,
        mask=(open_volume(f"{made}::image"), open_labels(f"{made}::hidden")) if made else None,
    )
imported = {name: read_table(tables[name], BLOCK_COLUMNS) for name in params.tables}
blocks = tables_by_volume(read_table(inputs.blocks) if inputs.blocks else None, imported)
candidates, sweep = (read_table(file) if file else None for file in (inputs.candidates, inputs.sweep))
with atomic(output[0]) as part:
    folder = Path(part)
    folder.mkdir()
    draw_all(folder, found, blocks, read_table(inputs.uniformity), candidates, sweep, tuple(params.cuboid))
