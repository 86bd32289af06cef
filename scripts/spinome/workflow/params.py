"""Parameters of rules that Snakemake hands over and does not compare, and constraints of wildcards."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any


def uncounted(**values: Any) -> SimpleNamespace:
    """Values for a rule's parameter `aside`: a change of them makes no job run again.

    Snakemake records parameters of builtin types alone and compares what it has recorded, so a namespace passes
    unseen. For paths (content counts, by `inputs`), and for how many units may fail.
    """
    return SimpleNamespace(**values)


def one_of(names: Iterable[str]) -> str:
    """A constraint of a wildcard: one of these names, or nothing at all where there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"
