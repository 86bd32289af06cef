"""Synapses as objects: labelled per cuboid, merged exactly across cuboids, scored."""
