"""Which files the workflow made itself, and may remove so that its next run makes them again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

# folders below `resources` that rules alone fill
UNPACKED = ("archives", "meshparty", "morph_spines", "neuron_hks", "neuroproof_bars", "units")


def is_made(file: str | Path, results: Path, resources: Path, config: Mapping[str, Any]) -> bool:
    """Whether a file is a result, or data that a rule retrieves or simulates.

    What someone else put below `resources` is neither, and cannot be made again.

    Parameters
    ----------
    results, resources : the two folders, as the paths of rules name them
    config : complete
    """
    file = Path(file)
    if file.is_relative_to(results):
        return True
    if not file.is_relative_to(resources):
        return False
    folder, name, *_ = (*file.relative_to(resources).parts, "", "")
    retrieve = config["retrieve"]
    named = {"phantom": config["phantom"]["specimens"], "public": {**retrieve["files"], **retrieve["records"]}}
    return folder in UNPACKED or name in named.get(folder, {})
