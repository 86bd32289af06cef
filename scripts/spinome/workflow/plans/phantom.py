"""What the rules of the simulated specimens ask, and which samples of a study show one.

A specimen is made below `<resources>/phantom/<specimen>`, and sample sheets name the files of it that they want.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from spinome.workflow.sizes import Size
from spinome.workflow.study import Study


@dataclass(frozen=True, repr=False)
class PhantomPlan:
    """The simulated specimens of a study."""

    study: Study

    def __post_init__(self):
        # a specimen that the sheets ask for and nobody described is told when the plan is made
        for file in self.study.files:
            if name := self.specimen_of(file):
                self.settings(name)

    @cached_property
    def folder(self) -> Path:
        """Where all specimens are made."""
        return Path(self.study.config["resources"]) / "phantom"

    def settings(self, specimen: str) -> dict[str, Any]:
        """The keys of a specimen.

        Raises
        ------
        ValueError: if the configuration has no such specimen
        """
        known = self.study.config["phantom"]["specimens"]
        if specimen not in known:
            raise ValueError(
                f"phantom.specimens: has no '{specimen}', which a sample sheet asks for; "
                f"known: {', '.join(known) or 'none'}"
            )
        return known[specimen]

    def keys(self, *names: str) -> Callable[[Any], dict[str, Any]]:
        """A function of wildcards: those keys of a specimen that a step reads."""
        return lambda wildcards: {name: self.settings(wildcards.specimen)[name] for name in names}

    def cutout_size(self, wildcards: Any, input: Any) -> Size:
        """The size of a job on the EM cutout of a specimen, or on all of the specimen."""
        voxels = prod(self.settings(wildcards.specimen)["em_shape"]) / 1e6
        return Size(voxels, voxels)

    def session_size(self, wildcards: Any, input: Any) -> Size:
        """The size of a job on a two-photon session of a specimen."""
        settings = self.settings(wildcards.specimen)
        voxels = settings["slices"] * prod(settings["field_px"]) / 1e6
        return Size(voxels, voxels)

    def specimen_of(self, source: str | None) -> str | None:
        """The specimen that a source belongs to; None where it belongs to none."""
        # a plan asks this of each source several times, and most are told by their text
        if not source or self.folder.name not in source or not Path(source).is_relative_to(self.folder):
            return None
        return next(iter(Path(source).relative_to(self.folder).parts), None)

    def truth(self, specimen: str, name: str) -> str:
        """A file of what is known of a specimen, such as `spines.parquet`."""
        return str(self.folder / specimen / f"truth_{name}")
