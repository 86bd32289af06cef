"""Simulated specimens from their keys of the configuration, as the rules grow them."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

from spinome.phantom.specimen import Specimen, grow_specimen


def grow(keys: Mapping[str, Any]) -> Specimen:
    """The specimen of a section of `phantom.specimens`; keys of how it is rendered take no part."""
    drawn_by = {name: value for name, value in keys.items() if name in signature(grow_specimen).parameters}
    return grow_specimen(field_shape=(keys["slices"], *keys["field_px"]), **drawn_by)
