"""A small stack with known spines: a bright shaft, heads beside it, blur and noise."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from spinome.twophoton.training_images import View

VOXEL = (1.0, 0.12, 0.12)
PSF_XY, PSF_Z = 0.4, 2.0


def render(heads, radii, shape=(16, 96, 200), shaft_y=5.8, shaft_radius=0.5, noise=0.0, seed=0, oversampling=6):
    """Uniform balls and a straight shaft under a Gaussian point-spread function, brightness 1 in a large body."""
    spacing = np.array([VOXEL[0] / oversampling, VOXEL[1], VOXEL[2]])
    z, y, x = np.ogrid[: shape[0] * oversampling, : shape[1], : shape[2]]
    z, y, x = (axis * size for axis, size in zip((z, y, x), spacing))
    middle = shape[0] // 2 * VOXEL[0]
    edge = VOXEL[1]
    body = np.clip((shaft_radius - np.hypot(z - middle, y - shaft_y)) / edge + 0.5, 0, 1) * np.ones_like(x, float)
    for (hz, hy, hx), radius in zip(heads, radii):
        distance = np.sqrt((z - hz) ** 2 + (y - hy) ** 2 + (x - hx) ** 2)
        body = np.maximum(body, np.clip((radius - distance) / edge + 0.5, 0, 1))
    sigma = np.array([PSF_Z, PSF_XY, PSF_XY]) / 2.3548 / spacing
    light = ndimage.gaussian_filter(body, sigma, mode="constant")[::oversampling]
    rng = np.random.default_rng(seed)
    return (200 * light + 5 + noise * rng.standard_normal(light.shape)).astype(np.float32)


@pytest.fixture(scope="session")
def phantom_stack():
    rng = np.random.default_rng(1)
    count = 8
    radii = np.linspace(0.2, 0.5, count)
    heads = np.column_stack([np.full(count, 8.0), np.full(count, 5.8), 2.4 + 2.6 * np.arange(count)])
    heads[:, 1] += np.where(rng.random(count) < 0.5, -1.7, 1.7)
    return SimpleNamespace(
        stack=render(heads, radii, noise=1.0), heads=heads, radii=radii, voxel_um=VOXEL, render=render
    )


@pytest.fixture(scope="session")
def view():
    """A stack of bright spots."""
    rng = np.random.default_rng(0)
    place = np.column_stack([np.full(30, 2.0), rng.uniform(20, 260, (30, 2))])
    y, x = np.ogrid[:280, :280]
    plane = sum(np.exp(-((y - row) ** 2 + (x - column) ** 2) / 12) for _, row, column in place)
    fade = np.exp(-0.5 * ((np.arange(5) - 2) / 0.8) ** 2)
    stack = (fade[:, None, None] * plane).astype(np.float32)
    return View(stack, np.column_stack([place, np.full(30, 9.0)]), 1.0)
