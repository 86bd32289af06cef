"""The published features of synapses."""
