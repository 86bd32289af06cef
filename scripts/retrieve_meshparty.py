"""Bring the two neurons of MeshParty's test data into meshes and tables of synapses."""

from spinome.io.meshes import write_mesh
from spinome.io.tables import write_table
from spinome.retrieve.archives import read_member
from spinome.retrieve.meshparty import read_mesh, read_meshwork_synapses, read_synapse_positions
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
archive = inputs[0]
files = "meshparty-2.0.3/test/test_files"

meshwork = read_member(archive, f"{files}/648518346349539862_meshwork.h5")
write_mesh(output.mesh, read_mesh(meshwork, "mesh"))
write_table(read_meshwork_synapses(meshwork), output.synapses)

write_mesh(output.big_mesh, read_mesh(read_member(archive, f"{files}/648518346349499581.h5")))
synapses = read_synapse_positions(read_member(archive, f"{files}/648518346349499581_synapses.json"))
write_table(synapses, output.big_synapses)
