"""Meshes from public addresses: files while they are there, and fetched again for a job where they need not stay.

Where `neurons.keep_fetched` is false a shard's meshes lie among the units of the results until the last step that goes
through all of them has run. A file then goes, and a small one of its name and `SPENT` stays, so that the name tells
what it held. A job that needs the mesh later fetches it once more, and takes it if it has that content.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from spinome.hashing import file_hash
from spinome.io.atomic import atomic, remove, replace, temporary
from spinome.io.damage import DamagedError
from spinome.io.meshes import read_mesh, vertices_of
from spinome.io.web.limits import OutOfReachError
from spinome.mesh.surface import Mesh
from spinome.workflow import step
from spinome.workflow.shards import STORED, Finished, gone_of

STEP = "retrieve_mesh"


class Neuron(Protocol):
    """A neuron as a unit of work, with the file of its mesh."""

    @property
    def unit(self) -> str: ...
    @property
    def mesh(self) -> str: ...


@dataclass(frozen=True)
class Fetched(Mapping[str, Path]):
    """The files of a rule's fetched meshes by neuron; of those that need not stay, where they would be.

    Attributes
    ----------
    finished : the tables of the step that fetched them
    lent : neurons whose meshes need not stay
    addresses : by neuron
    base_url : mirror that takes the place of scheme and host
    leaves : whether what is fetched again is left for the steps after, which then let it go
    """

    finished: Finished
    lent: frozenset[str]
    addresses: Mapping[str, str]
    base_url: str | None
    leaves: bool
    # of a server that cannot be reached: no fault of one neuron where every one of a shard ends in it
    outage = OutOfReachError

    @classmethod
    def of(cls, snakemake: Any, leaves: bool = True) -> Fetched:
        """Those of a rule with the input `fetched` and `addresses` in its parameter `aside`."""
        finished, store = Finished.read(*snakemake.input.fetched), step.store(snakemake).with_name(STEP)
        lent = frozenset(unit for unit, (_, file, _) in finished.rows.items() if Path(file).is_relative_to(store))
        base_url = snakemake.config["retrieve"]["base_url"]
        return cls(finished, lent, snakemake.params.aside.addresses, base_url, leaves)

    def __getitem__(self, unit: str) -> Path:
        return Path(self.finished.rows[unit][1]) if unit in self.lent else self.finished.file(unit)

    def __contains__(self, unit: object) -> bool:
        return unit in self.finished

    def __iter__(self) -> Any:
        return iter(self.finished)

    def __len__(self) -> int:
        return len(self.finished)

    def hash(self, neuron: Neuron) -> str | None:
        """What `spinome.neurons.units.mesh_hash` says of a mesh that need not stay, there or not; None of another."""
        return f"{self._content(neuron.unit)}|" if neuron.unit in self.lent else None

    def _content(self, unit: str) -> str:
        named = STORED.search(self[unit].name)
        return named["content"] if named else ""

    def read(self, neuron: Neuron) -> Mesh:
        """A neuron's mesh, wherever it comes from.

        Raises
        ------
        DamagedError: if the address gives another mesh than it did; the next run takes that one
        DownloadError, ValueError: as `spinome.retrieve.mesh.retrieve_mesh`
        """
        if neuron.unit not in self.lent:
            return read_mesh(neuron.mesh)
        file, content = self[neuron.unit], self._content(neuron.unit)
        try:
            if file_hash(file) == content:
                return read_mesh(str(file))
        except (OSError, ValueError):
            # another job may let it go at any time
            if file.exists():
                raise
        # imported where it is needed, since most jobs fetch nothing
        from spinome.retrieve.mesh import fetch_mesh

        address = self.addresses[neuron.unit]
        print(f"{neuron.unit}: its mesh does not stay, and is fetched again", flush=True)
        with temporary(file) as part:
            fetch_mesh(address, self.base_url, part)
            if file_hash(part) != content:
                self._forget(neuron.unit)
                raise DamagedError(
                    str(file), f"{address} gives another mesh than before; run again, the next run takes that one"
                )
            mesh = read_mesh(str(part))
            if self.leaves:
                replace(part, file)
        return mesh

    def read_if_had(self, neuron: Neuron) -> Mesh | None:
        """As `read`; None of a mesh that did not stay and is not at its address any more, with a word in the log."""
        try:
            return self.read(neuron)
        except DamagedError:
            raise
        except ValueError as error:
            if neuron.unit not in self.lent:
                raise
            print(f"{neuron.unit}: is left out: {error}", flush=True)
            return None

    def let_go(self) -> None:
        """Remove the meshes that need not stay, and leave word of what they were."""
        for unit in self.lent:
            file = self[unit]
            with suppress(FileNotFoundError):
                # what jobs ask for follows from this number
                with atomic(gone_of(file)) as part:
                    part.write_text(str(vertices_of(str(file))))
                remove(file)

    def _forget(self, unit: str) -> None:
        """Let the next run fetch this mesh, and with it all of its shard that are not there: where one mesh is another
        than before, others may be, too, and each would end a run."""
        _, file, table = self.finished.rows[unit]
        remove(Path(file))
        for other in self.lent:
            if self.finished.rows[other][2] == table:
                gone_of(self[other]).unlink(missing_ok=True)
        Path(table).unlink(missing_ok=True)
