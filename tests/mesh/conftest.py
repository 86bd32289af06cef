"""Small surfaces for the tests of meshes."""

from surfaces import bumpy_tube, coarse_tube, joined, mushroom, sphere, tube  # noqa: F401
