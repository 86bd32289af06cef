"""Spinome: from images of dendrites to one table of spines."""

__version__ = "0.1.0"
