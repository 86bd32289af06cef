"""Render a specimen's neuron as a labelled mesh with its synapses."""

from spinome.io.meshes import write_mesh
from spinome.io.tables import write_table
from spinome.phantom.mesh import mesh_synapses, neuron_mesh
from spinome.phantom.specimen import load_specimen
from spinome.workflow import step

step.begin(snakemake)
specimen = load_specimen(snakemake.input.specimen)
mesh = neuron_mesh(specimen, snakemake.params.settings["mesh_grid_nm"])
write_mesh(snakemake.output.mesh, mesh)
write_table(mesh_synapses(specimen), snakemake.output.synapses)
print(f"{len(mesh.vertices)} vertices, {len(mesh.faces)} faces")
