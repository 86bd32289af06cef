"""The configuration as typed models, one file a section.

`config/config.yaml`, its schema and `config/README.md` are generated from these models by
`python -m spinome.configuration`; a test fails when they drift.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from types import NoneType
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from spinome.configuration.base import LARGEST_SEED, Folder, GivenPath, Section, file_with, is_section, usable_path
from spinome.configuration.compare import Comparisons
from spinome.configuration.design import Design
from spinome.configuration.linking import Linking
from spinome.configuration.neurons import Neurons
from spinome.configuration.phantom import Phantom
from spinome.configuration.published import checked_address, is_address
from spinome.configuration.retrieve import Retrieve
from spinome.configuration.review import Review
from spinome.configuration.synapses import Synapses
from spinome.configuration.twophoton import Twophoton
from spinome.ranges import allowed, first_lines, shown


class Samples(Section):
    """Sample sheets, tab separated; any of them may be absent. A path is looked up from the working directory."""

    stacks: GivenPath | None = Field(None, description="two-photon stacks, one row per field and timepoint")
    volumes: GivenPath | None = Field(None, description="EM volumes, one row per volume")
    neurons: GivenPath | None = Field(None, description="neuron meshes, one row per neuron")
    cells: GivenPath | None = Field(None, description="cells of known class, one row per cell, for the census by class")


Network = Annotated[GivenPath, AfterValidator(file_with(".safetensors"))]
Forest = Annotated[GivenPath, AfterValidator(file_with(".skops"))]


def _path_or_address(value: Any) -> Any:
    """A path as it is; an address with its checksum, both held against what they must be."""
    if isinstance(value, str):
        return file_with(".safetensors", ".skops")(usable_path(value))
    if not is_address(value):
        raise ValueError(
            "give the path of a model, or both `address` and `sha256` of a published one, in quotes, and nothing else"
        )
    return checked_address(value)


PathOrAddress = Annotated[str | dict[str, str], BeforeValidator(_path_or_address)]


class Models(Section):
    """Models trained elsewhere, one path each. Empty: trained here where the branch names training samples, else the
    shipped one."""

    detector: Network | None = Field(None, description="two-photon spine detector (.safetensors)")
    judge: Forest | None = Field(None, description="forest that judges two-photon spine candidates (.skops)")
    synapses: PathOrAddress | None = Field(
        None,
        description="synapse voxel classifier: a path (.safetensors or .skops), or the published network of mouse "
        "cortex as `{address: ..., sha256: ...}` (docs/synapses.md)",
    )
    membranes: Network | None = Field(None, description="membrane network (.safetensors)")
    agglomeration: Forest | None = Field(None, description="superpixel agglomeration forest (.skops)")
    links: Forest | None = Field(None, description="orphan to shaft link forest (.skops)")
    typing: Forest | None = Field(
        None,
        description="forest that types EM segments by their shape (.skops), such as workflow/models/typing.skops; "
        "empty: orphans and shafts by the rules of linking.typing",
    )
    neurons: Forest | None = Field(None, description="soma, shaft and spine forest on heat kernel signatures (.skops)")


class Configuration(Section):
    """The whole configuration."""

    samples: Samples = Samples()
    design: Design = Design()
    results: Folder = Field("results", description="folder of the results, apart from `resources`")
    resources: Folder = Field("resources", description="folder of retrieved and of simulated data")
    seed: int = Field(
        0,
        ge=0,
        le=LARGEST_SEED,
        description="seed of everything random; a unit derives its own from this and from its name",
    )
    max_failed_fraction: float = Field(
        0.1,
        ge=0,
        le=1,
        description="largest fraction of the stacks of a run, and of the units of a step over the whole run, that may "
        "fail; where more do, the run ends with its report and an error, and the next one tries them again "
        "(docs/not_known.md)",
    )
    models: Models = Models()
    retrieve: Retrieve = Retrieve()
    phantom: Phantom = Phantom()
    twophoton: Twophoton = Twophoton()
    synapses: Synapses = Synapses()
    linking: Linking = Linking()
    neurons: Neurons = Neurons()
    review: Review = Review()
    compare: Comparisons = Field({}, description="comparisons of conditions by name (docs/compare.md)")

    @model_validator(mode="after")
    def _folders_apart(self):
        results, resources = (os.path.realpath(folder) for folder in (self.results, self.resources))
        for inner, outer, names in ((results, resources, "results is"), (resources, results, "resources is")):
            if os.path.commonpath([inner, outer]) == outer:
                raise ValueError(
                    f"{names} in the folder of the other or the same (results: {self.results}, resources: "
                    f"{self.resources}); give each a folder of its own"
                )
        return self


def complete(config: dict[str, Any]) -> dict[str, Any]:
    """Validate a configuration and fill in the defaults.

    Raises
    ------
    ValueError: one line for each key that is unknown or has a wrong value, with the nearest known key.
    """
    try:
        return Configuration.model_validate(config).model_dump()
    except ValidationError as error:
        lines = "\n".join(first_lines([f"  {_explain(item)}" for item in error.errors()]))
        raise ValueError(f"the configuration has {error.error_count()} error(s):\n{lines}") from None


def _explain(item: Mapping[str, Any]) -> str:
    path, kind, value = list(item["loc"]), item["type"], item["input"]
    if kind == "invalid_key":
        return f"{_dotted(path[:-1]) or 'the configuration'}: the key {path[-1]!r} is no text; write it in quotes"
    if kind == "extra_forbidden":
        keys = list(_section(path[:-1]).model_fields)
        close = difflib.get_close_matches(str(path[-1]), keys, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(keys)}"
        return f"{_dotted(path)}: no such key; {hint}"
    if kind == "missing" and isinstance(path[-1], int):
        # of a list that is too short, its first absent element
        path = path[:-1]
    if kind == "value_error":
        return f"{_dotted(path) or 'the configuration'}: {item['ctx']['error']}"
    if kind == "string_pattern_mismatch":
        return f"{_dotted(path)}: {shown(value)} does not match the pattern {item['ctx']['pattern']}"
    annotation, limits = _field(path)
    if is_section(annotation):
        known = ", ".join(annotation.model_fields)
        return f"{_dotted(path)}: give keys below it ({known}), or leave it out, not {shown(value)}"
    if kind == "missing" and not isinstance(value, list | tuple):
        return f"{_dotted(path)}: is missing; give {allowed(annotation, limits)}"
    quotes = " (in quotes, if it is meant)" if kind == "string_type" and isinstance(value, int | float) else ""
    return f"{_dotted(path)}: give {allowed(annotation, limits)}, not {shown(value)}{quotes}"


def _dotted(path: list[str | int]) -> str:
    """A place in the configuration as it is written: `linking.cuboid[0]`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path if part != "[key]"]
    return "".join(parts).removeprefix(".")


def _section(path: list[str | int]) -> type[Section]:
    """The section that a path of keys leads to; the names in a mapping of sections count as keys."""
    annotation = _field(path)[0]
    return annotation if is_section(annotation) else Configuration


def _field(path: list[str | int]) -> tuple[Any, list[Any]]:
    """The type of what a path leads to, and its limits."""
    annotation: Any = Configuration
    limits: list[Any] = []
    for part in path:
        inner = get_args(annotation)
        if part == "[key]":
            annotation, limits = str, []
        elif is_section(annotation):
            field = annotation.model_fields[str(part)]
            annotation, limits = field.annotation, field.metadata
        else:
            # an element of a tuple of equal ones or of a list, or a value of a mapping
            annotation, limits = get_args(inner[0])[-1] if NoneType in inner else inner[-1], []
    return annotation, limits
