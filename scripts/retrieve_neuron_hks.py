"""Turn the colours of the published dendrite into labels."""

from spinome.io.meshes import write_mesh
from spinome.retrieve.neuron_hks import label_dendrite
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
write_mesh(output[0], label_dendrite(inputs[0]))
