"""Geometry of triangle meshes that knows nothing of neurons: Laplacian, elimination, heat kernel, volume."""
