"""What OME metadata say of an image: OME-Zarr 0.4 and 0.5, and the OME-XML of a TIFF."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zarr

# a size as it is stored, None where it is not, and its unit, empty where it has none
Size = tuple[str | float | None, str]


@dataclass(frozen=True)
class Image:
    """The finest scale of an OME-Zarr image.

    Its array and where that is in the group; of each axis the name, the size of a voxel, and where the first voxel
    begins, in voxels; the names of channels. A voxel lies around its place, so that the first one begins half a voxel
    before it.
    """

    array: zarr.Array
    path: str
    axes: tuple[str, ...]
    sizes: tuple[Size, ...]
    corner: tuple[float, ...]
    channels: tuple[str, ...]


def multiscales(node: zarr.Group | zarr.Array) -> list[dict]:
    """The images of a node: an attribute of its own in version 0.4, within `ome` in 0.5; empty where it has none."""
    return _metadata(node, "multiscales") or []


def _metadata(node: zarr.Group | zarr.Array, key: str) -> Any:
    attributes: dict[str, Any] = node.attrs.asdict()
    return attributes.get(key) or dict(attributes.get("ome", {})).get(key)


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
    about = _metadata(group, "omero") or {}
    try:
        dataset = images[0]["datasets"][0]
        array = group[dataset["path"]]
        if not isinstance(array, zarr.Array):
            raise TypeError(f"{dataset['path']} is a group")
        axes = images[0].get("axes") or [{"name": axis} for axis in "tczyx"[-array.ndim :]]
        if len(axes) != array.ndim:
            raise ValueError(
                f"{path}: its metadata name {len(axes)} axes, its array has {array.ndim}; correct multiscales"
            )
        names, units = zip(*((axis["name"], axis.get("unit") or "") for axis in axes))
        # the steps of the level come first, those of all levels after them
        steps = [*dataset.get("coordinateTransformations", []), *images[0].get("coordinateTransformations", [])]
        scale, start = _apply(steps, len(axes))
        channels = tuple(str(channel.get("label", "")) for channel in about.get("channels", []))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: its multiscales metadata are damaged ({error!r}); write them again") from error
    corner = tuple(place / (size or 1) - 0.5 for place, size in zip(start, scale))
    return Image(array, dataset["path"], names, tuple(zip(scale, units)), corner, channels)


def _apply(steps: list[dict], axes: int) -> tuple[list[float | None], list[float]]:
    """The size of a voxel, None where no step says it, and the place of the first one."""
    scale: list[float | None] = [None] * axes
    start = [0.0] * axes
    for step in steps:
        if step["type"] == "scale":
            scale = [own * (size or 1) for own, size in zip(step["scale"], scale, strict=True)]
            start = [own * place for own, place in zip(step["scale"], start)]
        if step["type"] == "translation":
            start = [own + place for own, place in zip(step["translation"], start, strict=True)]
    return scale, start


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
