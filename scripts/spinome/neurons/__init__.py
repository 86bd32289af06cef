"""Neuron meshes to heat kernel signatures, labelled synapses and spines."""
