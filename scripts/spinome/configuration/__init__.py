"""The configuration as typed models, one file a section.

`config/config.yaml`, its schema and `config/README.md` are generated from these models by
`python -m spinome.configuration`; a test fails when they drift.
"""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import Field, ValidationError

from spinome.configuration.base import Section, nested_section
from spinome.configuration.linking import Linking
from spinome.configuration.neurons import Neurons
from spinome.configuration.phantom import Phantom
from spinome.configuration.retrieve import Retrieve
from spinome.configuration.synapses import Synapses
from spinome.configuration.twophoton import Twophoton


class Samples(Section):
    """Sample sheets, tab separated; any of them may be absent. A path is looked up from the working directory."""

    stacks: str | None = Field(None, description="two-photon stacks, one row a field and timepoint")
    volumes: str | None = Field(None, description="EM volumes, one row a volume")
    neurons: str | None = Field(None, description="neuron meshes, one row a neuron")
    cells: str | None = Field(None, description="cells of known class, one row a cell, for the census by class")


class Models(Section):
    """Models trained elsewhere, a path each. Empty: trained here where the branch names training samples, else the
    shipped one."""

    detector: str | None = Field(None, description="two-photon spine detector (.safetensors)")
    judge: str | None = Field(None, description="forest that judges two-photon spine candidates (.skops)")
    synapses: str | None = Field(None, description="synapse voxel classifier (.safetensors or .skops)")
    membranes: str | None = Field(None, description="membrane voxel classifier (.skops)")
    agglomeration: str | None = Field(None, description="superpixel agglomeration forest (.skops)")
    links: str | None = Field(None, description="orphan to shaft link forest (.skops)")
    typing: str | None = Field(
        None,
        description="forest that types EM segments by their shape (.skops), such as workflow/models/typing.skops; "
        "empty: orphans and shafts by the rules of linking.typing",
    )
    neurons: str | None = Field(None, description="soma, shaft and spine forest on heat kernel signatures (.skops)")


class Configuration(Section):
    """The whole configuration."""

    samples: Samples = Samples()
    results: str = Field("results", description="folder of the results")
    resources: str = Field("resources", description="folder of retrieved and of simulated data")
    seed: int = Field(0, description="seed of all that is random; units derive theirs from it and from their name")
    max_failed_fraction: float = Field(
        0.1,
        ge=0,
        le=1,
        description="largest fraction of a shard's units, of the stacks of a run, and of the units of a step over the "
        "whole run, that may fail; in a shard one may in any case, and the run then ends with its report and an error "
        "(docs/not_known.md)",
    )
    models: Models = Models()
    retrieve: Retrieve = Retrieve()
    phantom: Phantom = Phantom()
    twophoton: Twophoton = Twophoton()
    synapses: Synapses = Synapses()
    linking: Linking = Linking()
    neurons: Neurons = Neurons()


def complete(config: dict[str, Any]) -> dict[str, Any]:
    """Validate a configuration and fill in the defaults.

    Raises
    ------
    ValueError: one line for each key that is unknown or has a wrong value, with the nearest known key.
    """
    try:
        return Configuration.model_validate(config).model_dump()
    except ValidationError as error:
        lines = "\n".join(f"  {_explain(item)}" for item in error.errors())
        raise ValueError(f"the configuration has {error.error_count()} error(s):\n{lines}") from None


def _explain(item: dict[str, Any]) -> str:
    path = [str(part) for part in item["loc"]]
    key = ".".join(path)
    if item["type"] != "extra_forbidden":
        return f"{key}: {item['msg']}, not {item['input']!r}"
    known = list(_section(path[:-1]).model_fields)
    close = difflib.get_close_matches(path[-1], known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(known)}"
    return f"{key}: no such key; {hint}"


def _section(path: list[str]) -> type[Section]:
    """The section that a path of keys leads to; the names in a mapping of sections count as keys."""
    model: type[Section] = Configuration
    parts = iter(path)
    for part in parts:
        field = model.model_fields.get(part)
        if field is None:
            break
        inner = nested_section(field.annotation)
        if inner is None:
            break
        if inner is not field.annotation:
            next(parts, None)
        model = inner
    return model
