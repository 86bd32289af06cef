"""Surfaces for a study with results of every branch."""

from surfaces import sphere  # noqa: F401
