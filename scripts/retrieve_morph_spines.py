"""Label the neuron of morph-spines-visualizer by the spines and the soma that come with it."""

from spinome.io.meshes import write_mesh
from spinome.retrieve.archives import read_member
from spinome.retrieve.morph_spines import label_neuron
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
files, neuron = "morph_spines_visualizer-0.3.0/data", "864691134900032266"
obj, parts = (read_member(inputs[0], f"{files}/{neuron}.{kind}") for kind in ("obj", "h5"))
write_mesh(output[0], label_neuron(obj, parts, neuron))
