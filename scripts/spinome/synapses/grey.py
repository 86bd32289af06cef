"""Grey levels that mean the same in every cuboid and, nearly, in every microscope."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from spinome.cuboids import evenly_spaced
from spinome.io.atomic import atomic
from spinome.io.units import VoxelSize
from spinome.io.volumes import Volume

# a level of 128 is the volume's median, 32 levels are one robust standard deviation
MIDDLE, SPREAD = 128.0, 32.0
# size in nm of a pixel that images are shrunk to, as nearly as whole pixels allow; larger pixels stay as they are
PIXEL_NM = 9.0


@dataclass(frozen=True)
class Grey:
    """Median and robust standard deviation of a volume's grey values."""

    centre: float
    spread: float

    def levels(self, image: np.ndarray) -> np.ndarray:
        """Scale grey values to levels: (Z, Y, X) uint8; what is not finite is as grey as the median."""
        scaled = (image.astype(np.float32) - np.float32(self.centre)) * np.float32(SPREAD / self.spread)
        if image.dtype.kind == "f":
            scaled[~np.isfinite(scaled)] = 0
        return np.clip(np.rint(scaled + np.float32(MIDDLE)), 0, 255).astype(np.uint8)


def shrinkage(voxel_nm: VoxelSize, pixel_nm: float = PIXEL_NM) -> tuple[int, int]:
    """How many voxels (y, x) are averaged to come nearest to a pixel of `pixel_nm`, at least one."""
    return tuple(max(1, round(pixel_nm / size)) for size in voxel_nm[1:])


def measure_grey(image: Volume, cuboid: tuple[int, int, int] = (8, 256, 256), most: int = 32) -> Grey:
    """Median and spread of the grey values of a volume, once for all of its cuboids.

    Evenly spaced cuboids are read, at most `most`. Values equal to zero are passed over, since volumes are
    padded with zeros. The spread is half the distance of the 16th to the 84th percentile.

    Raises
    ------
    ValueError: if the volume is blank; the message names the file.
    """
    values = np.concatenate([image[piece.core].ravel()[::7] for piece in evenly_spaced(image.shape, cuboid, most)])
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{image.source}: has grey values that are not finite; mend the image")
    values = values[values != 0]
    low, centre, high = np.percentile(values, [16, 50, 84]) if len(values) else (0.0, 0.0, 0.0)
    if high <= low:
        raise ValueError(f"{image.source}: is blank, its grey values do not vary; is it the image?")
    return Grey(float(centre), float(high - low) / 2)


def write_grey(path: str | Path, grey: Grey) -> None:
    """Write what the grey values of a volume mean, as JSON."""
    with atomic(path) as part:
        part.write_text(json.dumps(asdict(grey)))


def read_grey(path: str | Path) -> Grey:
    """Read what `write_grey` wrote."""
    return Grey(**json.loads(Path(path).read_text()))
