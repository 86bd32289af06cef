"""Labels are read off the colours of the published dendrite."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from spinome.retrieve.neuron_hks import COLOURS, label_dendrite


def write(path, colours):
    """A sphere whose vertices take turns with the colours of a texture, as in the published file."""
    mesh = trimesh.creation.icosphere(2, radius=5000.0)
    image = Image.fromarray(np.repeat(np.array([list(colours)], np.uint8), 2, axis=0))
    turn = np.arange(len(mesh.vertices)) % len(colours)
    uv = np.column_stack([turn.astype(float), np.zeros(len(turn))])
    mesh.visual = trimesh.visual.TextureVisuals(uv=uv, image=image)
    mesh.export(path)
    return len(mesh.vertices)


def test_each_vertex_takes_the_class_of_its_colour(tmp_path):
    count = write(tmp_path / "dendrite.glb", COLOURS.values())
    mesh = label_dendrite(tmp_path / "dendrite.glb")
    assert (mesh.vertex_data["label"] == np.arange(count) % 2).all()


def test_another_colour_is_told_of(tmp_path):
    write(tmp_path / "other.glb", [(221, 179, 16), (0, 0, 255)])
    with pytest.raises(ValueError, match=r"other\.glb: its vertices are not coloured"):
        label_dendrite(tmp_path / "other.glb")
