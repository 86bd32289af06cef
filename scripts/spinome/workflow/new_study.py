"""A study written from what was recognised: a configuration and its sample sheets."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import yaml

from spinome.io.atomic import atomic
from spinome.workflow.recognise import Found

FIRST = {
    "stacks": ["specimen", "field", "timepoint", "day", "path"],
    "volumes": ["volume", "image", "segmentation"],
    "neurons": ["neuron", "mesh", "synapses"],
}


def write_study(folder: str | Path, found: Found) -> list[Path]:
    """Write `config.yaml` and a sheet for each kind of data that was found.

    Returns
    -------
    the files that were written

    Raises
    ------
    FileExistsError: if one of them is there already; nothing is overwritten
    """
    folder = Path(folder)
    kinds = [kind for kind, rows in found.rows.items() if rows]
    files = {kind: folder / f"{kind}.tsv" for kind in kinds}
    configuration = folder / "config.yaml"
    for file in [configuration, *files.values()]:
        if file.exists():
            raise FileExistsError(f"{file}: is there already; choose another folder with --study, or remove it")
    for kind, file in files.items():
        with atomic(file) as part, part.open("w", newline="") as stream:
            columns = _columns(kind, found.rows[kind])
            writer = csv.DictWriter(stream, columns, delimiter="\t", restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(found.rows[kind])
    settings = {
        "samples": {kind: str(file) for kind, file in files.items()},
        "results": str(folder / "results"),
        "resources": str(folder / "resources"),
    }
    with atomic(configuration) as part:
        part.write_text(
            "# What to run on what. Every other key has a default: config/README.md lists them.\n"
            + yaml.safe_dump(settings, sort_keys=False)
        )
    return [configuration, *files.values()]


def _columns(kind: str, rows: Sequence[dict[str, str]]) -> list[str]:
    """The columns that people expect first, then those that any row fills."""
    used = dict.fromkeys(column for row in rows for column in row)
    return [
        *(column for column in FIRST[kind] if column in used),
        *(column for column in used if column not in FIRST[kind]),
    ]
