"""What a place on a neuron is."""

# the codes of labels on vertices, in truth and in results
CLASSES = ("shaft", "spine", "soma")
