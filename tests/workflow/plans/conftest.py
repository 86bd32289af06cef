"""Studies for the plans of the branches: a configuration with sheets, in a folder of its own."""

from pathlib import Path

import pytest

from spinome.configuration import complete
from spinome.workflow.study import read_study

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Return a function that reads a study: sheets as lists of rows `{column: value}`, and keys of the configuration.

    `meshes` are rows of the sheet of neurons.

    Files that rows name are made, empty, in a working directory of their own, but for those below `resources`.
    """
    monkeypatch.chdir(tmp_path)

    def make(stacks=(), volumes=(), meshes=(), cells=(), **keys):
        samples = {}
        for kind, rows in {"stacks": stacks, "volumes": volumes, "neurons": meshes, "cells": cells}.items():
            if not rows:
                continue
            columns = list(dict.fromkeys(column for row in rows for column in row))
            lines = ["\t".join(columns), *("\t".join(str(row.get(name, "")) for name in columns) for row in rows)]
            samples[kind] = f"{kind}.tsv"
            Path(samples[kind]).write_text("\n".join(lines) + "\n")
            for file in (str(value).partition("::")[0] for row in rows for value in row.values()):
                if "." in file and "/" not in file:
                    Path(file).touch()
        return read_study(complete({"samples": samples} | keys), REPOSITORY)

    return make
