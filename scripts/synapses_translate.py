"""Write a published network as a network of Spinome, once its file is the one that the configuration means."""

from spinome.retrieve.checksums import has_checksum
from spinome.synapses.network.published import translate
from spinome.synapses.network.unet import save_network
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
if not has_checksum(inputs[0], params.checksum):
    raise ValueError(f"{inputs[0]}: does not have the checksum {params.checksum}; remove it, the next run fetches it")
save_network(output[0], translate(inputs[0]))
