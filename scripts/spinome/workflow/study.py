"""A study: a configuration with its sample sheets, read and validated once, and what every branch asks of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from spinome.io.atomic import nearest_existing
from spinome.io.sources import is_address
from spinome.shipped import shipped_file
from spinome.workflow import samples
from spinome.workflow.design import Design, read_design
from spinome.workflow.params import uncounted
from spinome.workflow.sizes import Sizes
from spinome.workflow.stamps import Stamps


@dataclass(frozen=True)
class Model:
    """A model as a rule takes it: trained in this run, or given as a file from outside.

    `trained` is an input of the rule, empty where the file is given; `stamp` its parameter, which counts the content of
    a given file and not its place; `given` goes into `aside`. A `published` one is named by its address, and made of
    what is fetched there: an input of the rule, too. An `answered` one has learned from people's answers in this run,
    or is the one of before where that was better.
    """

    trained: list[str]
    given: str | None
    stamp: str
    published: bool = False
    answered: bool = False


# Snakemake writes out what the functions of its inputs are bound to: without `repr=False`, every row of every sheet,
# again and again; so with the plans, too
@dataclass(frozen=True, repr=False)
class Study:
    """A validated configuration with the rows of its sample sheets.

    Attributes
    ----------
    config : the whole configuration, defaults filled in
    repository : folder of the workflow, where shipped models and demo sheets are
    stacks, volumes, neurons : rows of the sheets; meshes at an address are named by where they are retrieved to
    mesh_addresses : public address of a mesh by neuron, where it has one
    design : animals, factors and covariates of the rows
    """

    config: dict[str, Any]
    repository: Path
    stacks: tuple[samples.StackRow, ...]
    volumes: tuple[samples.VolumeRow, ...]
    neurons: tuple[samples.NeuronRow, ...]
    mesh_addresses: dict[str, str]
    design: Design = field(default_factory=Design)

    @property
    def results(self) -> str:
        """Folder of the results, as configured."""
        return self.config["results"]

    @property
    def cells(self) -> list[str]:
        """The sheet of cells of known class, as an input; empty where there is none."""
        sheet = self.config["samples"]["cells"]
        return [samples.find_sheet(sheet, [self.repository])] if sheet else []

    @cached_property
    def published_files(self) -> dict[str, dict[str, str]]:
        """Files of models that are named by their address (`url checksum`), by their name below `resources/public`."""
        named = {name: model for name, model in self.config["models"].items() if isinstance(model, Mapping)}
        if teacher := self.config["synapses"]["teacher"]:
            # with a given model nothing is trained, and nobody teaches
            named.setdefault("synapses", teacher)
        return {
            f"{name}-{model['sha256'][:16]}": {"url": model["address"], "checksum": f"sha256:{model['sha256']}"}
            for name, model in named.items()
        }

    @cached_property
    def public_files(self) -> dict[str, dict[str, str]]:
        """All files that are fetched by their address (`url checksum`), by their name below `resources/public`."""
        return {**self.config["retrieve"]["files"], **self.published_files}

    @cached_property
    def stamps(self) -> Stamps:
        """Stamps of the files that the sheets and the configuration name."""
        return Stamps(Path(self.results) / ".stamps.json", len(self.files))

    @cached_property
    def files(self) -> list[str]:
        """Every file that rows of stacks, volumes and neurons name, each once; of many neurons to ask takes long."""
        rows = (*self.stacks, *self.volumes, *self.neurons)
        return list(dict.fromkeys(file for row in rows for file in row.files()))

    @cached_property
    def sizes(self) -> Sizes:
        """Sizes of the volumes and stacks that the sheets name."""
        return Sizes(Path(self.results) / ".sizes.json")

    @cached_property
    def stack_of(self) -> dict[tuple[str, str, str], samples.StackRow]:
        """The row of a stack by specimen, field and timepoint."""
        return {(row.specimen, row.field, row.timepoint): row for row in self.stacks}

    @cached_property
    def volume_of(self) -> dict[str, samples.VolumeRow]:
        """The row of a volume by its name."""
        return {row.volume: row for row in self.volumes}

    @cached_property
    def neuron_of(self) -> dict[str, samples.NeuronRow]:
        """The row of a neuron by its name."""
        return {row.neuron: row for row in self.neurons}

    def given(self, sources: Iterable[str | None]) -> list[str]:
        """What tells one state of these sources from another, for a rule's parameter `inputs`; one entry for each.

        A file from outside counts by its stamp and a public address by itself, each with the name of the data set in
        it; what the workflow makes counts by its name alone, since Snakemake sees when it changes. The order counts:
        two samples that change their files with each other are not what they were.
        """
        return [self._states(source) if source else "" for source in sources]

    @cached_property
    def _states(self) -> Callable[[str], str]:
        # rules ask again and again, and of many neurons looking takes longer than all else in a plan
        return cache(self._state)

    def _state(self, source: str) -> str:
        if is_address(source):
            return self.stamps.of([source])[0]
        file, _, name = source.partition("::")
        inside = self.within(file)
        return f"{self.stamps.of([file])[0] if inside is None else inside}::{name}"

    def within(self, file: str) -> str | None:
        """The rest of the path of a file that the workflow makes, below `results` or `resources`; None of another."""
        # plans ask this of every file, and a `Path` takes long to make
        plain = file if file.startswith(self._made) else os.path.normpath(file)
        return next((plain[len(folder) :] for folder in self._made if plain.startswith(folder)), None)

    @cached_property
    def _made(self) -> tuple[str, ...]:
        return tuple(f"{os.path.normpath(folder)}/" for folder in (self.results, self.config["resources"]))

    def aside(self, **values: Any) -> SimpleNamespace:
        """What a rule's parameter `aside` holds: these values, and how many of its units may fail."""
        return uncounted(max_failed_fraction=self.config["max_failed_fraction"], **values)

    def model(self, name: str, teachers: Sequence[object] = (), suffix: str = ".skops") -> Model:
        """The configured model, else one trained here on its teachers, else the one that ships.

        Parameters
        ----------
        name : key under `models`
        teachers : the training samples with the truth that this model learns from
        suffix : of its file
        """
        given = self.config["models"][name]
        if isinstance(given, Mapping):
            return Model([f"<results>/models/{name}_published{suffix}"], None, "", published=True)
        if not given and teachers:
            return Model([f"<results>/models/{name}{suffix}"], None, "")
        return self.given_model(given or self.shipped(name, suffix))

    def given_model(self, file: str | None) -> Model:
        """A model that is not trained here; one of no file where the step goes without."""
        return Model([], file, self.stamps.of([file])[0] if file else "")

    def shipped(self, name: str, suffix: str = ".skops") -> str:
        """The file of a model that ships with Spinome."""
        return str(shipped_file(name, suffix))


def read_study(config: dict[str, Any], repository: Path) -> Study:
    """Read the sample sheets that a validated configuration names.

    Raises
    ------
    ValueError: as `spinome.workflow.samples.read_sheets` and `spinome.workflow.design.read_design`, and where a file
        stands in the place of a folder to write
    """
    for key in ("results", "resources"):
        if not (existing := nearest_existing(config[key])).is_dir():
            raise ValueError(
                f"{existing}: is a file where a folder is needed; remove it, or choose another folder by the key "
                f"`{key}`"
            )
    named = [*config["design"]["factors"], *config["design"]["covariates"]]
    rows = samples.read_sheets(config["samples"], [config["results"], config["resources"]], [repository], named)
    design = read_design(config["design"], config["samples"], cast(Mapping[str, Sequence[samples.SampleRow]], rows))
    addresses = {row.neuron: row.mesh for row in rows["neurons"] if samples.is_address(row.mesh)}
    # a mesh at a public address is fetched by a rule, and from there on is a file as any other
    folder = f"{config['resources']}/meshes"
    neurons = rows["neurons"]
    for number, row in enumerate(neurons):
        # in place, so that very many are not there twice
        if row.neuron in addresses:
            neurons[number] = row.with_files({"mesh": f"{folder}/{row.neuron}.npz"})
    return Study(config, repository, tuple(rows["stacks"]), tuple(rows["volumes"]), tuple(neurons), addresses, design)
