"""Render a specimen's EM cutout with all that is known about it."""

from spinome.io.atomic import atomic
from spinome.io.tables import write_table
from spinome.io.volumes import write_volume
from spinome.phantom.em import render_cutout
from spinome.phantom.specimen import load_specimen
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
specimen = load_specimen(inputs.specimen)
volumes, links, synapses = render_cutout(specimen, params.settings["em_staining"] == "varied")
with atomic(output.volume) as store:
    for name, volume in volumes.items():
        kind = "image" if name in ("image", "membrane") else "labels"
        write_volume(store, volume, tuple(specimen.em_voxel_nm), name=name, kind=kind)
write_table(links, output.links)
write_table(synapses, output.synapses)
print(f"{len(links)} spines detached, {len(synapses)} synapses")
