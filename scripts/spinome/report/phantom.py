"""What was simulated: one specimen as a mesh, as an EM slice and as a two-photon session."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from spinome.io.meshes import Mesh
from spinome.report.style import COLOURS

LABELS = ("shaft", "spine", "soma")
GROUND = np.array([0.97, 0.97, 0.96])
PIXEL_NM = 60.0


def draw_mesh(mesh: Mesh) -> plt.Figure:
    """The mesh seen along z, shaded, in the colours of its labels.

    `mesh.vertex_data["label"]` is 0 shaft, 1 spine, 2 soma.
    """
    points, normals, labels = _surface_points(mesh)
    pixel = max(PIXEL_NM, np.ptp(points[:, :2], axis=0).max() / 1600)
    column, row = ((points[:, :2] - points[:, :2].min(axis=0)) / pixel).astype(int).T
    shade = 0.45 + 0.55 * np.abs(normals @ (np.array([0.35, -0.45, 0.82])))
    colours = np.array([to_rgb(COLOURS[name]) for name in LABELS])[labels]
    image = np.tile(GROUND, (row.max() + 1, column.max() + 1, 1))
    # painter's order: the nearest point of a pixel is painted last
    order = np.argsort(-points[:, 2], kind="stable")
    image[row[order], column[order]] = (colours * shade[:, None])[order]
    size = np.array(image.shape[:2]) * pixel / 1000
    figure, axes = plt.subplots(figsize=(9, max(2.2, 9 * size[0] / size[1])), layout="constrained")
    axes.imshow(image, extent=(0, size[1], size[0], 0), interpolation="antialiased")
    _scale_bar(axes, size[::-1], 5, "#22262b")
    handles = [Line2D([], [], marker="s", ls="", color=COLOURS[name], label=name) for name in LABELS]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def draw_em(image: np.ndarray, dendrites: np.ndarray, synapses: np.ndarray, voxel_um: float) -> plt.Figure:
    """A slice of the EM cutout, plain and with the true dendrites and synapses over it.

    Parameters
    ----------
    image : (Y, X) grey values
    dendrites, synapses : (Y, X) labels of true dendrites and of true synapses, 0 where none
    voxel_um : in the plane
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
    size = np.array(image.shape)[::-1] * voxel_um
    for axes in (left, right):
        axes.imshow(image, cmap="gray", extent=(0, size[0], size[1], 0), interpolation="antialiased")
        _scale_bar(axes, size, 1, "white")
    over = np.zeros((*image.shape, 4))
    cycle = [to_rgb(colour) for colour in ("#edae49", "#66a182", "#7d5ba6", "#00798c", "#f28f3b", "#30638e")]
    for number, label in enumerate(np.unique(dendrites[dendrites > 0])):
        over[dendrites == label] = (*cycle[number % len(cycle)], 0.45)
    over[synapses > 0] = (*to_rgb(COLOURS["spine"]), 0.95)
    right.imshow(over, extent=(0, size[0], size[1], 0), interpolation="nearest")
    left.set_title("grey values")
    right.set_title("true dendrites and synapses (red)")
    return figure


def draw_session(stack: np.ndarray, truth: pd.DataFrame, voxel_um: tuple[float, float, float]) -> plt.Figure:
    """The maximum projection of a two-photon session, plain and with its true spines.

    Parameters
    ----------
    stack : (Z, Y, X)
    truth : rows of `truth_spines.csv` of this session
    voxel_um : z, y, x
    """
    projection = stack.max(axis=0).astype(float)
    size = np.array(projection.shape)[::-1] * voxel_um[1:][::-1]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
    for axes in (left, right):
        axes.imshow(
            projection,
            cmap="gray",
            vmin=np.percentile(projection, 1),
            vmax=np.percentile(projection, 99.7),
            extent=(0, size[0], size[1], 0),
            interpolation="antialiased",
        )
        _scale_bar(axes, size, 5, "white")
    tips = truth[["tip_x_px", "tip_y_px"]].to_numpy() * voxel_um[1:][::-1]
    right.plot(*tips.T, "o", ms=4, mfc="none", mec=COLOURS["spine"], mew=0.9)
    left.set_title("maximum projection")
    right.set_title("tips of its true spines")
    return figure


def _surface_points(mesh: Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points spread over the faces, about one a pixel, with the normals and labels of their faces."""
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    labels = mesh.vertex_data["label"].astype(int)[mesh.faces[:, 0]].clip(0, 2)
    weights = np.array([[a, b, 4 - a - b] for a in range(5) for b in range(5 - a)]) / 4
    points = np.einsum("pc,fcd->fpd", weights, corners).reshape(-1, 3)
    return points, np.repeat(normals, len(weights), axis=0), np.repeat(labels, len(weights))


def _scale_bar(axes: plt.Axes, size_um: np.ndarray, length_um: float, colour: str) -> None:
    x, y = 0.03 * size_um[0], 0.96 * size_um[1]
    axes.plot([x, x + length_um], [y, y], color=colour, lw=2.5, solid_capstyle="butt")
    axes.text(x, y - 0.015 * size_um[1], f"{length_um:g} µm", color=colour, va="bottom", fontsize=8)
    axes.set_axis_off()
