"""What the rules of the linking branch ask.

Units are cuboids of a volume (membranes, basins, contacts, measure, pieces, dendrites) and cubes that hold its
segments (shapes) or orphans (candidates); shards 0 to n-1 of each volume hold them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

from spinome.io.sources import file_of, given_files
from spinome.workflow.plans.synapses import SynapsesPlan
from spinome.workflow.plans.volumes import VolumesPlan
from spinome.workflow.samples import VolumeRow
from spinome.workflow.sizes import Size
from spinome.workflow.study import Model

# where this branch makes what a row does not give
SEGMENTS = "<results>/linking/segments/{volume}.zarr"
MEMBRANES = "<results>/linking/assemble/{volume}.zarr"
TYPES_UNSEEN = "<results>/models/typing_unseen.parquet"
# millions of pixels that a step of the training of membranes goes through (`membrane_training.CROP` times its batch)
MILLIONS_A_STEP = 0.3
# the forest of links that has learned from what people answered
LEARNED = "<results>/review/learn_links/links.skops"
# the forest of types that has learned from them
LEARNED_TYPES = "<results>/review/learn_types/typing.skops"


@dataclass(frozen=True, repr=False)
class LinkingPlan(VolumesPlan):
    """The volumes of a study whose orphans are linked: all of them, each has segments or an image to compute them from.

    Attributes
    ----------
    synapses : plan of the branch that finds the synapses of volumes without given ones
    """

    synapses: SynapsesPlan

    def __post_init__(self):
        # what is wrong with the volumes to detach is told when the plan is made
        _ = self.detached

    @property
    def config(self) -> dict[str, Any]:
        """The section of the branch."""
        return self.study.config["linking"]

    @cached_property
    def volumes(self) -> list[str]:
        """Volumes of the branch."""
        return [row.volume for row in self.study.volumes]

    @cached_property
    def computed(self) -> list[str]:
        """Volumes whose segments are computed here."""
        return [row.volume for row in self.study.volumes if not row.segmentation]

    @cached_property
    def predicted(self) -> list[str]:
        """Volumes whose segments are computed from membranes that are predicted here."""
        return [volume for volume in self.computed if not self.row(volume).membrane]

    @cached_property
    def detached(self) -> list[str]:
        """Volumes whose spines are cut off.

        Raises
        ------
        ValueError: if one has no segmentation in the sheet
        """
        wanted = self.config["detach"]["volumes"]
        unknown = sorted(set(wanted) - (set(self.volumes) - set(self.computed)))
        if unknown:
            raise ValueError(
                f"linking.detach.volumes names {', '.join(unknown)}, which is no volume with a segmentation in the "
                "sample sheet; add it, or take it out"
            )
        return wanted

    @cached_property
    def with_synapses(self) -> list[str]:
        """Volumes that have synapses: given, or found in the image by the synapses branch."""
        found = self.config["find_synapses"]
        return [row.volume for row in self.study.volumes if row.synapses or (row.image and found)]

    @cached_property
    def with_found_synapses(self) -> list[str]:
        """Of these the volumes whose synapses are found here, and may have gaps."""
        return [volume for volume in self.with_synapses if not self.row(volume).synapses]

    @property
    def trained(self) -> list[VolumeRow]:
        """The rows that the configuration names for training."""
        return [row for row in self.study.volumes if row.volume in self.config["train"]]

    @cached_property
    def shown(self) -> list[str]:
        """Volumes that figures show: those with tissue that no model was trained on.

        What was cut from a training volume, or from the same volume as one, shows what a model has seen.
        """
        taught = {row.tissue for row in self.trained}
        return [row.volume for row in self.study.volumes if row.tissue not in taught]

    @cached_property
    def scored(self) -> list[str]:
        """Volumes with true links, given or to be had from a dense truth, that no model is trained on."""
        # answers may be about any of them, and a forest is not scored on what it was told
        if self.learns:
            return []
        return [name for name in self.shown if self.row(name).truth_segmentation or self.row(name).truth_links]

    @cached_property
    def dense(self) -> list[str]:
        """Of these the volumes whose segments are computed here and have a dense truth."""
        return [name for name in self.scored if name in self.computed and self.row(name).truth_segmentation]

    @cached_property
    def true_graphs(self) -> list[str]:
        """Of these the volumes whose synapses have a truth, so that their line graph is scored."""
        return [name for name in self.scored if name in self.with_synapses and self.row(name).truth_synapses]

    @cached_property
    def membrane_teachers(self) -> list[str]:
        """Volumes that the membrane network learns from."""
        return [row.volume for row in self.trained if row.truth_segmentation and row.image]

    @cached_property
    def agglomeration_teachers(self) -> list[str]:
        """Volumes that the agglomeration forest learns from."""
        return [row.volume for row in self.trained if row.truth_segmentation and (row.image or row.membrane)]

    @cached_property
    def link_teachers(self) -> list[str]:
        """Volumes that the forest of links learns from."""
        return [row.volume for row in self.trained if row.truth_links]

    @cached_property
    def typing_teachers(self) -> list[str]:
        """Volumes whose segments the forest of types learns from."""
        return [row.volume for row in self.trained if row.truth_types]

    @cached_property
    def dense_teachers(self) -> list[str]:
        """Volumes for whose sake membranes and agglomeration are trained: computed here, with a dense truth."""
        return [row.volume for row in self.trained if row.truth_segmentation and not row.segmentation]

    @cached_property
    def membrane_model(self) -> Model:
        """The membrane network."""
        return self.study.model("membranes", self.dense_teachers, ".safetensors")

    @cached_property
    def membrane_start(self) -> Model:
        """The network that the training of membranes begins with, if any."""
        begins = self.config["membranes"]["from_shipped"]
        return self.study.given_model(self.study.shipped("membranes", ".safetensors") if begins else None)

    @property
    def membrane_steps(self) -> int:
        """Steps of the training of membranes: a network that knows membranes needs a fifth of those of a new one."""
        settings = self.config["membranes"]
        return settings["training_steps"] or (400 if settings["from_shipped"] else 2000)

    def membrane_crops(self, wildcards: Any, input: Any) -> Size:
        """The size of the training of membranes: it holds the chosen cuboids of all volumes, and goes through crops."""
        settings = self.config["membranes"]
        most = settings["training_cuboids"] * prod(self.config["cuboid"]) / 1e6
        held = sum(min(self.study.sizes.volume(self.row(volume)), most) for volume in self.membrane_teachers)
        return Size(held, MILLIONS_A_STEP * self.membrane_steps)

    @cached_property
    def agglomeration_model(self) -> Model:
        """The forest of agglomeration; none where superpixels are merged by the membrane between them."""
        if self.config["agglomerate"]["priority"] != "forest":
            return self.study.given_model(None)
        return self.study.model("agglomeration", self.dense_teachers)

    @property
    def learns(self) -> bool:
        """Whether the forests of links and of types learn from what people answered in `spinome review`."""
        return bool(self.volumes) and self.study.config["review"]["learn"]

    @cached_property
    def links_model(self) -> Model:
        """The forest of links."""
        return Model([LEARNED], None, "", answered=True) if self.learns else self.taught_links

    @cached_property
    def taught_links(self) -> Model:
        """The forest of links as it is before it learns from answers."""
        return self.study.model("links", self.link_teachers)

    @cached_property
    def typing_model(self) -> Model:
        """The forest that types segments by their shape: given, trained here, or the one that ships.

        What it says of candidates counts for links even where it leaves none of them out.
        """
        return Model([LEARNED_TYPES], None, "", answered=True) if self.learns else self.taught_typing

    @cached_property
    def taught_typing(self) -> Model:
        """The forest of types as it is before it learns from answers."""
        return self.study.model("typing", self.typing_teachers)

    @property
    def unseen_types(self) -> list[str]:
        """The types of what a forest that is trained here learns from, by one that did not see it."""
        return [TYPES_UNSEEN] if self.taught_typing.trained else []

    @property
    def typed_by_shape(self) -> bool:
        """Whether a forest alone types segments, without the rules on their size."""
        return bool(self.study.config["models"]["typing"])

    @property
    def typing(self) -> dict[str, Any]:
        """How segments are typed: by rules on their size, or by a forest alone, which reads fewer keys."""
        settings = self.config["typing"]
        used = ("working_nm", "orphan_min_um3") if self.typed_by_shape else tuple(settings)
        return {key: settings[key] for key in used}

    @property
    def surface_min_um3(self) -> float | None:
        """The least volume of a segment whose surface is described; none where no forest asks for surfaces."""
        settings = self.config["typing"]
        if not (self.typing_model.given or self.typing_model.trained):
            return None
        return settings["orphan_min_um3" if self.typed_by_shape else "shaft_min_um3"]

    @property
    def detaching(self) -> dict[str, Any]:
        """How spines are cut off."""
        return {key: value for key, value in self.config["detach"].items() if key != "volumes"}

    @property
    def shards(self) -> list[str]:
        """Shards of each volume."""
        return [str(number) for number in range(self.config["shards"])]

    @property
    def failures(self) -> list[str]:
        """Tables of failed units of the branch."""
        return [
            f"<results>/failures/linking_{step}/{volume}/{shard}.parquet"
            for step, volumes in self.volumes_by_step.items()
            for volume in volumes
            for shard in self.shards
        ]

    @property
    def finished(self) -> dict[str, list[str]]:
        """Tables of finished units of the branch, by step."""
        return {
            f"linking_{step}": [
                f"<results>/linking/{step}/{volume}/{shard}.parquet" for volume in volumes for shard in self.shards
            ]
            for step, volumes in self.volumes_by_step.items()
        }

    @property
    def volumes_by_step(self) -> dict[str, list[str]]:
        """The volumes that each step with units is made in."""
        return {
            "candidates": self.volumes,
            "basins": self.computed,
            "contacts": self.computed,
            "membranes": self.predicted,
            "measure": self.volumes,
            "pieces": self.volumes,
            "shapes": self.volumes,
            "dendrites": self.volumes,
        }

    def segmentation(self, wildcards: Any) -> str | list[str]:
        """The file of the segments of the rule's volume: given, or computed here."""
        return self.segmentation_file(wildcards.volume)

    def segmentation_file(self, volume: str) -> str | list[str]:
        """The file of the segments of a volume: given, or computed here."""
        given = self.row(volume).segmentation
        return file_of(given) if given else SEGMENTS.format(volume=volume)

    def segmentations(self, volumes: Iterable[str]) -> dict[str, str]:
        """Named inputs `segmentation/<volume>`."""
        files = {f"segmentation/{volume}": self.segmentation_file(volume) for volume in volumes}
        return given_files(files)

    def membrane(self, wildcards: Any) -> str | list[str]:
        """The file of the membranes of the rule's volume: given, predicted in its image, or none."""
        return self.membrane_file(wildcards.volume)

    def membrane_file(self, volume: str) -> str | list[str]:
        """The file of the membranes of a volume: given, predicted in its image, or none."""
        row = self.row(volume)
        if row.membrane or not row.image:
            return file_of(row.membrane)
        return MEMBRANES.format(volume=volume)

    def way_membrane(self, wildcards: Any) -> str | list[str]:
        """The file of the membranes that ways to shafts go through: with given segments only if they are given too."""
        row = self.row(wildcards.volume)
        return self.membrane(wildcards) if row.membrane or not row.segmentation else []

    def neurites_of_synapses(self, wildcards: Any) -> list[str]:
        """The table of synapses with their neurites of the rule's volume, if it has synapses."""
        volume = wildcards.volume
        return [f"<results>/linking/synapses/{volume}.parquet"] if volume in self.with_synapses else []

    def candidates(self, volumes: Iterable[str]) -> dict[str, str]:
        """Named inputs `candidates/<volume>/<shard>`."""
        return {
            f"candidates/{volume}/{shard}": f"<results>/linking/candidates/{volume}/{shard}.parquet"
            for volume in volumes
            for shard in self.shards
        }

    def shapes(self, volumes: Iterable[str]) -> dict[str, str]:
        """Named inputs `shapes/<volume>/<shard>`."""
        return {
            f"shapes/{volume}/{shard}": f"<results>/linking/shapes/{volume}/{shard}.parquet"
            for volume in volumes
            for shard in self.shards
        }

    def tissues(self, volumes: Iterable[str]) -> dict[str, str]:
        """The tissue of each volume, which rows that were cut from one volume share."""
        return {volume: self.row(volume).tissue for volume in volumes}

    def membrane_teaching(self, wildcards: Any) -> dict[str, str]:
        """Named inputs of the training of membranes.

        Raises
        ------
        ValueError: if there is no volume to learn from
        """
        _require(self.membrane_teachers, "image")
        return self.files_of(self.membrane_teachers, "image", "truth_segmentation")

    def agglomeration_teaching(self, wildcards: Any) -> dict[str, str]:
        """Named inputs of the training of agglomeration; raises as `membrane_teaching`."""
        volumes = self.agglomeration_teachers
        _require(volumes, "image or membrane")
        membranes = {f"membrane/{volume}": self.membrane_file(volume) for volume in volumes}
        return {
            **{f"superpixels/{volume}": f"<results>/linking/watershed/{volume}.zarr" for volume in volumes},
            **given_files(membranes),
            **self.files_of(volumes, "truth_segmentation"),
        }

    def taught_types(self, wildcards: Any) -> str | list[str]:
        """The table of types of the rule's volume, if the forest of types learns from it."""
        taught = self.taught_typing.trained and wildcards.volume in self.typing_teachers
        return file_of(self.row(wildcards.volume).truth_types if taught else None)

    def shape_stamps(self, wildcards: Any) -> list[str]:
        """What counts of the sources that tell which surfaces of the rule's volume are described."""
        columns = ("segmentation", "truth_types") if self.taught_types(wildcards) else ("segmentation",)
        return self.stamps_of([wildcards.volume], *columns)

    def is_typed(self, wildcards: Any) -> bool:
        """Whether the types of the segments of the rule's volume are given."""
        return bool(self.row(wildcards.volume).truth_types)

    def is_linked(self, wildcards: Any) -> bool:
        """Whether the true links of the rule's volume are given, and not to be had from a dense truth."""
        return bool(self.row(wildcards.volume).truth_links)

    def is_dense(self, wildcards: Any) -> bool:
        """Whether the rule's volume has a dense truth."""
        return bool(self.row(wildcards.volume).truth_segmentation)

    def is_computed(self, wildcards: Any) -> bool:
        """Whether the segments of the rule's volume are computed here."""
        return wildcards.volume in self.computed

    def finds_synapses(self, wildcards: Any) -> bool:
        """Whether the synapses of the rule's volume are found here."""
        return wildcards.volume in self.with_found_synapses

    def has_membrane(self, wildcards: Any) -> bool:
        """Whether the membranes of the rule's volume are given, and not predicted."""
        return bool(self.row(wildcards.volume).membrane)

    def has_synapses(self, wildcards: Any) -> bool:
        """Whether the synapses of the rule's volume are given."""
        return bool(self.row(wildcards.volume).synapses)

    def truth_stamps(self, wildcards: Any) -> list[str]:
        """What counts of the sources that the true links of the rule's volume come from."""
        columns = ("truth_links",) if self.is_linked(wildcards) else ("segmentation", "truth_segmentation")
        return self.stamps_of([wildcards.volume], *columns)

    def painted(self, wildcards: Any) -> list[str]:
        """What says that the labels of the synapses found in the rule's volume are whole."""
        return self.synapses.painted(wildcards.volume)


def _require(teachers: list[str], columns: str) -> None:
    if not teachers:
        raise ValueError(
            f"linking.train names no volume with truth_segmentation and {columns}; fill these columns of the sample "
            "sheet for a training volume, or name a trained model under `models`"
        )
