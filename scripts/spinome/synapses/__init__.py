"""EM volumes to synapses, per cuboid, merged across cuboids, and their density per block."""
