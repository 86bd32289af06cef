"""A dendrite of MICrONS with the labels of the published model, from bdpedigo/neuron-hks (MIT)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh

from spinome.mesh.surface import Mesh

# the colour that the published figure gives to each class; codes as in the other labelled meshes
COLOURS = {0: (221, 179, 16), 1: (251, 73, 176)}


def label_dendrite(path: str | Path) -> Mesh:
    """Read the labels of a dendrite off the texture of its vertices.

    Returns
    -------
    mesh in nm with vertex data `label` (0 shaft, 1 spine): what the published model predicts, not a truth

    Raises
    ------
    ValueError: if the mesh is not in these colours; the message names the file.
    """
    geometry = next(iter(trimesh.load(path, process=False).geometry.values()))
    colours = geometry.visual.to_color().vertex_colors[:, :3].astype(int)
    distance = np.stack([np.abs(colours - np.array(colour)).sum(axis=1) for colour in COLOURS.values()], axis=1)
    if (distance.min(axis=1) > 60).any():
        raise ValueError(f"{path}: its vertices are not coloured as shaft and spine; is it another file?")
    label = np.array(list(COLOURS), np.uint8)[distance.argmin(axis=1)]
    return Mesh(np.asarray(geometry.vertices, float), np.asarray(geometry.faces), {"label": label})
