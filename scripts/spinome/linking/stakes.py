"""What is at stake in a merge: the more, the larger the smaller of the two regions.

A forest sees few contacts of large regions, and a wrong merge of two of them cannot be undone, while one that is missed
may still come about through another contact. So the odds that two regions are different neurites count times the fourth
root of the smaller one's volume.
"""

from __future__ import annotations

from numba import njit

# volume at which the odds are the forest's own; another one would only shift the threshold
EVEN_UM3 = 0.003


@njit(cache=True)
def weigh(probability, smaller_um3):
    """Probability in [0, 1] that two regions are different neurites, weighed by the volume of the smaller one."""
    different = probability * (smaller_um3 / EVEN_UM3) ** 0.25
    return different / (different + 1 - probability)
