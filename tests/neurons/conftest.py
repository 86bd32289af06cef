"""Small surfaces for the tests of neurons."""

from surfaces import bumpy_tube, cell, coarse_tube, joined, mushroom, sphere, tube  # noqa: F401
