"""Synapses per block, and whether they are spread evenly."""
