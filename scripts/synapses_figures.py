"""Draw the figures of the synapses branch."""

from pathlib import Path

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.io.volumes import open_labels, open_volume
from spinome.logs import log_to
from spinome.report import synapses as draw
from spinome.report.density import draw_density, draw_mask, tables_by_volume
from spinome.report.synapse_detection import draw_sweep
from spinome.scores.objects import pool
from spinome.synapses.density import count_unplaced
from spinome.synapses.evaluate import compare, known_objects
from spinome.synapses.uniformity import BLOCK_COLUMNS

log_to(snakemake.log)
params, given = snakemake.params, snakemake.input
uniformity = read_table(given.uniformity)
imported = {name: read_table(file, BLOCK_COLUMNS) for name, file in zip(params.names, given.tables)}
own = read_table(given.blocks[0]) if given.blocks else None
every = read_table(given.objects[0]) if given.objects else None
all_gaps = read_table(given.gaps[0]) if given.gaps else None
with atomic(snakemake.output[0]) as part:
    part = Path(part)
    part.mkdir()
    outcomes = []
    for (volume, row), labels in zip(params.rows.items(), given.labels):
        labels = open_labels(labels)
        objects, gaps = every.query("volume == @volume"), all_gaps.query("volume == @volume")
        image = open_volume(row["image"], row["voxel_nm"] or labels.voxel_nm) if row["image"] else None
        truth = open_labels(row["truth_synapses"], row["voxel_nm"]) if volume in params.scored else None
        if volume in params.detected and (len(objects) or len(gaps)):
            draw.draw_sections(part, volume, image, labels, objects, truth, gaps)
        if truth:
            outcomes.append(compare(truth, labels, objects, gaps).result)
            true, _, known, _ = known_objects(truth, labels, objects, gaps)
            centres, found = draw.centres_nm(true, labels.voxel_nm), known[["z_nm", "y_nm", "x_nm"]].to_numpy()
            draw.draw_gallery(part, volume, image, labels, truth, outcomes[-1], found, centres)
        if made := next((store for store in given.masks if Path(store).stem == volume), None):
            draw_mask(part, volume, open_volume(f"{made}::image"), open_labels(f"{made}::hidden"))
        if image:
            draw.draw_merge(part, volume, image, labels, objects, tuple(params.cuboid))
    if given.sweep:
        draw_sweep(part, read_table(given.sweep[0]))
    if outcomes:
        draw.draw_precision_recall(part, pool(outcomes))
    for volume, blocks in tables_by_volume(own, imported).items():
        unplaced = count_unplaced(every.query("volume == @volume")) if volume in params.rows else {}
        draw_density(part, volume, blocks, uniformity[uniformity["volume"] == volume], unplaced)
