"""Parameters of rules that Snakemake hands over and does not compare."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def uncounted(**values: Any) -> SimpleNamespace:
    """Values for a rule's parameter `aside`: a change of them makes no job run again.

    Snakemake records parameters of builtin types alone and compares what it has recorded, so a namespace passes
    unseen. For paths (content counts, by `inputs`), for how many units may fail, and for the number of shards.
    """
    return SimpleNamespace(**values)
