"""Sizes of voxels, and the units that files give them in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

VoxelSize = tuple[float, float, float]
UM_PER = {"nm": 1e-3, "nanometer": 1e-3, "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "m": 1e6, "inch": 25400.0}
UM_PER |= dict.fromkeys(["meter", "meters", "metre"], 1e6)
UM_PER |= dict.fromkeys(["um", "micron", "microns", "micrometer", "micrometers", "µm", "μm"], 1.0)
UM_PER |= dict.fromkeys([r"\u00b5m", r"\u00B5m"], 1.0)
UM_PER |= dict.fromkeys(["Å", "angstrom"], 1e-4)


def in_um(size: str | float | None, unit: str) -> float | None:
    """A size in um, None where it or its unit is unknown."""
    factor = UM_PER.get(unit) or UM_PER.get(unit.lower())
    return None if size is None or factor is None else float(size) * factor


def in_nm(size: str | float | None, unit: str) -> float | None:
    """A size in nm, None where it or its unit is unknown."""
    # the factor is scaled and not the size, so that a size stored in nm comes back to the last digit
    factor = in_um(1000.0, unit)
    return None if size is None or factor is None else float(size) * factor


def complete(sizes: Iterable[float | None]) -> VoxelSize | None:
    """A voxel size of which all three axes are known, else None."""
    known = tuple(sizes)
    whole = len(known) == 3 and all(size is not None and size > 0 for size in known)
    return cast(VoxelSize, known) if whole else None


def working_stride(voxel_nm: VoxelSize, working_nm: float) -> tuple[int, int, int]:
    """Take every so many voxels along (z, y, x), so that what is left comes near to a working size and not above it.

    A calibrated or rounded voxel of 8.02 nm counts as one of 8: up to 3 % above are let pass.
    """
    z, y, x = (max(1, int(1.03 * working_nm // size)) for size in voxel_nm)
    return z, y, x
