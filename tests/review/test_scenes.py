"""What movable views show."""

import time

import numpy as np
import pytest

from spinome.io.volumes import Volume
from spinome.mesh.surface import vertex_areas
from spinome.review import scenes
from spinome.review.pictures import facing, mesh_views
from spinome.review.scenes import MOST_VOXELS, block_of, coarse, surface_around

VOXEL = (40.0, 8.0, 8.0)


def volume(array):
    return Volume(array, VOXEL, "made")


def test_a_box_has_its_objects_by_their_numbers_and_its_place():
    labels = np.zeros((20, 100, 120), np.int64)
    labels[8:12, 40:60, 50:70], labels[:, :20], labels[:, 90:] = 2**60 + 1, 7, 9
    grey = np.random.default_rng(0).integers(0, 255, labels.shape).astype(np.uint8)
    place = np.array([10 * 0.04, 50 * 0.008, 60 * 0.008])
    block = block_of(volume(grey), volume(labels), VOXEL, 0.5, place, 0.6, [7, 2**60 + 1], ["#111111", "#ffffff"])
    box = tuple(slice(start, start + size) for start, size in zip(block.first, block.numbers.shape))
    assert (block.numbers == np.where(labels == 7, 1, np.where(labels == 2**60 + 1, 2, 0))[box]).all()
    assert set(np.unique(block.numbers)) == {0, 1, 2} and block.grey.shape == block.numbers.shape
    # tables count from the corner of the volume, as the viewer does
    assert block.place_nm / VOXEL == pytest.approx([10, 50, 60])
    inside = (block.place_nm / VOXEL - block.first).astype(int)
    assert block.numbers[tuple(inside)] == 2


def test_a_box_without_grey_values_shows_outlines_and_is_never_large(monkeypatch):
    labels = np.kron(np.arange(1, 28).reshape(3, 3, 3), np.ones((10, 20, 20), np.int64))
    block = block_of(None, volume(labels), VOXEL, 0.5, np.array([0.6, 0.24, 0.24]), 9.0, [14], ["#ffffff"])
    assert block.numbers.shape == labels.shape and set(np.unique(block.grey)) == {40, 90}
    monkeypatch.setattr(scenes, "MOST_VOXELS", 4000)
    small = block_of(None, volume(labels), VOXEL, 0.5, np.array([0.6, 0.24, 0.24]), 9.0, [14], ["#ffffff"])
    # a margin of a voxel and a half on each side comes on top
    assert small.numbers.size < 3 * 4000 < MOST_VOXELS and (small.numbers == 1).any()


def test_a_mesh_is_whole_in_its_two_parts_and_coarse_far_away(sphere):
    vertices, faces = sphere.vertices * 10, sphere.faces
    place = vertices[0][::-1]
    surface = surface_around(vertices, faces, place, lambda: coarse(vertices, faces))
    (near, near_faces), (far, far_faces) = (part() for part in surface.parts)
    assert (np.abs(near - place[::-1]) < scenes.PATCH_NM).all() and len(near_faces) and len(far_faces)
    area = sum(vertex_areas(*part).sum() for part in ((near, near_faces), (far, far_faces)))
    assert area == pytest.approx(vertex_areas(vertices, faces).sum(), rel=0.05)
    few, few_faces = coarse(vertices, faces, 3000.0)
    assert len(few) < len(vertices) / 3 and few_faces.max() == len(few) - 1
    assert np.linalg.norm(few, axis=1) == pytest.approx(np.full(len(few), 10_000), rel=0.1)
    # the surface at the place turns toward the viewer
    right, up, toward = surface.axes
    assert toward @ place[::-1] / np.linalg.norm(place) > 0.9
    assert np.cross(right, up) == pytest.approx(toward)


def test_a_place_without_surface_is_looked_at_from_some_side():
    axes = facing(np.zeros((0, 3)), np.zeros(3))
    assert axes @ axes.T == pytest.approx(np.eye(3))
    assert coarse(np.zeros((0, 3)), np.zeros((0, 3), int))[1].shape == (0, 3)


def test_a_neuron_of_two_million_vertices_is_shown_within_seconds():
    side = 1450
    y, x = np.mgrid[:side, :side]
    vertices = np.stack([x, y, 3 * np.sin(x / 7) * np.cos(y / 9)], -1).reshape(-1, 3) * 40.0
    number = np.arange(side * side).reshape(side, side)
    corners = [number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]]
    a, b, c, d = (corner.reshape(-1) for corner in corners)
    faces = np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)])
    place = vertices[side * side // 2 + 700][::-1]
    started = time.process_time()
    assert len(mesh_views(vertices, faces, place)) == 2
    surface = surface_around(vertices, faces, place, lambda: coarse(vertices, faces))
    # what is near comes first, and by itself
    near, near_faces = surface.parts[0]()
    assert time.process_time() - started < 10
    assert 0 < len(near_faces) < len(faces) / 20 and len(near) < len(vertices) / 20
    _, far_faces = surface.parts[1]()
    assert time.process_time() - started < 30
    assert 0 < len(far_faces) < len(faces) / 10
