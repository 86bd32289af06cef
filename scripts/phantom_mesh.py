"""Render a specimen's neuron as a labelled mesh with its synapses."""

from spinome.io.meshes import write_mesh
from spinome.io.tables import write_table
from spinome.phantom.mesh import mesh_synapses, neuron_mesh
from spinome.phantom.specimen import load_specimen
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
specimen = load_specimen(inputs.specimen)
mesh = neuron_mesh(specimen, params.settings["mesh_grid_nm"])
write_mesh(output.mesh, mesh)
write_table(mesh_synapses(specimen), output.synapses)
print(f"{len(mesh.vertices)} vertices, {len(mesh.faces)} faces")
