"""Fit the given network to a volume, without labels."""

from spinome.synapses.classify import open_evidence
from spinome.synapses.grey import read_grey
from spinome.synapses.network.adapt import adapt
from spinome.synapses.network.unet import load_network, save_network
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
evidence = open_evidence(params.aside.row, read_grey(inputs.grey))
save_network(output[0], adapt(load_network(step.model_file(snakemake)), evidence))
