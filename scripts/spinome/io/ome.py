"""What OME metadata say of an image: OME-Zarr 0.4 and 0.5, and the OME-XML of a TIFF."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import zarr

# a size as it is stored, None where it is not, and its unit, empty where it has none
Size = tuple[str | float | None, str]


@dataclass(frozen=True)
class Image:
    """The finest scale of an OME-Zarr image: its array, where that is, name and voxel size of each axis, channels."""

    array: zarr.Array
    path: str
    axes: tuple[str, ...]
    sizes: tuple[Size, ...]
    channels: tuple[str, ...]


def multiscales(node: zarr.Group | zarr.Array) -> list[dict]:
    """The images of a node: an attribute of its own in version 0.4, within `ome` in 0.5; empty where it has none."""
    return node.attrs.get("multiscales") or dict(node.attrs.get("ome", {})).get("multiscales") or []


def read_image(group: zarr.Group, path: Path) -> Image:
    """The first image of a group.

    Raises
    ------
    ValueError: if the group has no multiscales metadata, or they name more or fewer axes than the array has; the
        message names `path` and the remedy.
    """
    images = multiscales(group)
    if not images:
        inside = ", ".join(key for key, _ in group.members())
        raise ValueError(
            f"{path}: is a Zarr group without multiscales metadata; write {path}::NAME with one of {inside}"
        )
    dataset = images[0]["datasets"][0]
    array = group[dataset["path"]]
    axes = images[0].get("axes") or [{"name": axis} for axis in "tczyx"[-array.ndim :]]
    if len(axes) != array.ndim:
        raise ValueError(f"{path}: its metadata name {len(axes)} axes, its array has {array.ndim}; correct multiscales")
    transformations = dataset.get("coordinateTransformations", [])
    scale = next((step["scale"] for step in transformations if step["type"] == "scale"), [None] * len(axes))
    units = [axis.get("unit") or "" for axis in axes]
    about = group.attrs.get("omero") or dict(group.attrs.get("ome", {})).get("omero") or {}
    channels = tuple(str(channel.get("label", "")) for channel in about.get("channels", []))
    return Image(array, dataset["path"], tuple(axis["name"] for axis in axes), tuple(zip(scale, units)), channels)


def xml_sizes(metadata: str | None) -> tuple[Size, ...]:
    """Size of a voxel (z, y, x) of the first image in OME-XML, whose unit is µm where none is given; else empty."""
    pixels = _pixels(metadata)
    if pixels is None:
        return ()
    return tuple((pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "ZYX")


def xml_channels(metadata: str | None) -> tuple[str, ...]:
    """Names of the channels of the first image in OME-XML, empty where one has none."""
    pixels = _pixels(metadata)
    nodes = [] if pixels is None else [node for node in pixels if node.tag.endswith("Channel")]
    return tuple(node.get("Name", "") for node in nodes)


def _pixels(metadata: str | None) -> ElementTree.Element | None:
    """The first image in OME-XML; None where there is none, or the text is damaged and says nothing for certain."""
    try:
        nodes = ElementTree.fromstring(metadata).iter() if metadata else []
    except ElementTree.ParseError:
        return None
    return next((node for node in nodes if node.tag.endswith("Pixels")), None)
