"""The published features of synapses, and the forest that is trained on them."""
