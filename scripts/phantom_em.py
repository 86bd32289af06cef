"""Render a specimen's EM cutout with all that is known about it."""

from spinome.io.atomic import atomic
from spinome.io.tables import write_table
from spinome.io.volumes import write_volume
from spinome.logs import log_to
from spinome.phantom.em import render_cutout
from spinome.phantom.specimen import load_specimen

log_to(snakemake.log)
specimen = load_specimen(snakemake.input.specimen)
volumes, links, synapses = render_cutout(specimen)
with atomic(snakemake.output.volume) as store:
    for name, volume in volumes.items():
        kind = "image" if name in ("image", "membrane") else "labels"
        write_volume(store, volume, tuple(specimen.em_voxel_nm), name=name, kind=kind)
write_table(links, snakemake.output.links)
write_table(synapses, snakemake.output.synapses)
print(f"{len(links)} spines detached, {len(synapses)} synapses")
