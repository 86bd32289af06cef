"""What the rules of the synapses branch ask.

A unit is a cuboid of a volume; shards 0 to n-1 of each volume hold its cuboids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from spinome.workflow.plans.volumes import VolumesPlan
from spinome.workflow.sizes import Size
from spinome.workflow.study import Model

# the file of a model says of which kind it is
SUFFIXES = {"network": ".safetensors", "forest": ".skops"}
# what forests describe voxels by, in training and in detection
RECIPE = ("contrast", "vesicle_threshold", "original_features")
LEARNING = {"network": ("steps",), "forest": ("trees", "depth", "voxels_per_class")}
# what a classifier of a kind looks at
EVIDENCE = {"network": ("image",), "forest": ("image", "membrane", "vesicles")}
# steps whose units are cuboids
STEPS = ("detect", "density")
# voxels that are read around a cuboid in which synapses are looked for
HALO = (10, 70, 70)
# cuboids that a network learns from answers in, `spinome.review.learn_network.MOST_CUBOIDS`
TAUGHT_CUBOIDS = 16
# what judges candidates by what people answered, and what finds them
LEARNED = "<results>/review/learn_synapses/judge.json"
LEARNED_NETWORK = "<results>/review/learn_synapses/network.safetensors"


def of_volume(volume: str) -> SimpleNamespace:
    """The wildcards of a rule that is about a volume."""
    return SimpleNamespace(volume=volume)


@dataclass(frozen=True, repr=False)
class SynapsesPlan(VolumesPlan):
    """The volumes of a study whose synapses are found, or given."""

    def __post_init__(self):
        # what is wrong with the volumes that the configuration names is told when the plan is made
        if self.model.trained and not self.model.published:
            self._require_truth()
            self._require_images()
        _ = self.marked

    @property
    def config(self) -> dict[str, Any]:
        """The section of the branch."""
        return self.study.config["synapses"]

    @cached_property
    def volumes(self) -> list[str]:
        """Volumes of the branch."""
        return [row.volume for row in self.study.volumes if row.synapses or row.image]

    @cached_property
    def detected(self) -> list[str]:
        """Volumes whose synapses are found in the image; those of the others are given."""
        return [row.volume for row in self.study.volumes if row.image and not row.synapses]

    @cached_property
    def trained(self) -> list[str]:
        """Volumes to train on."""
        return [row.volume for row in self.study.volumes if row.volume in self.config["train"]]

    @cached_property
    def scored(self) -> list[str]:
        """Volumes with a truth in which synapses are found by a classifier that has not seen it."""
        # answers may be about any of them, and a judge is not scored on what it was told
        if self.learns:
            return []
        return [name for name in self.scored_alike if self.row(name).truth_synapses]

    @cached_property
    def scored_alike(self) -> list[str]:
        """Volumes that the scores hold for: the classifier is better than that on what it was trained on."""
        return [name for name in self.detected if name not in (*self.learnt, *self.taught)]

    @cached_property
    def learns(self) -> bool:
        """Whether the judge of candidates learns from what people answered in `spinome review`."""
        return bool(self.detected) and self.study.config["review"]["learn"]

    def learned(self, wildcards: Any) -> str | list[str]:
        """What judges candidates by the answers, where it learns and the rule's volume has candidates."""
        return LEARNED if self.learns and self.is_detected(wildcards) else []

    @cached_property
    def relearns(self) -> bool:
        """Whether the network learns from the answers, too; a published one does not."""
        return self.learns and self.kind == "network" and not self.model.published

    def learned_network(self, wildcards: Any) -> str | list[str]:
        """The network that learned from answers, where it does and the rule's volume has candidates."""
        return LEARNED_NETWORK if self.relearns and self.is_detected(wildcards) else []

    @cached_property
    def masked(self) -> list[str]:
        """Volumes whose mask is made by rules."""
        rows = self.study.volumes if self.config["mask"]["make"] else ()
        return [row.volume for row in rows if row.image and not row.mask]

    @cached_property
    def kind(self) -> str:
        """The kind of classifier in use: that of the given model, else the configured one."""
        given = self.study.config["models"]["synapses"]
        if not given:
            return self.config["classify"]["kind"]
        if isinstance(given, Mapping):
            return "network"
        return "network" if Path(given).suffix == SUFFIXES["network"] else "forest"

    @property
    def suffix(self) -> str:
        """The suffix of the classifier's file."""
        return SUFFIXES[self.kind]

    @cached_property
    def model(self) -> Model:
        """The voxel classifier."""
        return self.study.model("synapses", self.config["train"], self.suffix)

    @property
    def published(self) -> list[str]:
        """The fetched file of a network that is named by its address."""
        return [f"<resources>/public/{name}" for name in self.study.published_files]

    @property
    def translated(self) -> list[str]:
        """The network that is fitted to each volume, where it is made here."""
        return self.model.trained if self.adapts else []

    @cached_property
    def tuned(self) -> list[str]:
        """Volumes with truth that the operating point is chosen on, if not on what is left out of the training."""
        return [row.volume for row in self.study.volumes if row.volume in self.config["tune"]]

    @property
    def learnt(self) -> list[str]:
        """Volumes with truth that the classifier is made from."""
        return [*self.trained, *self.tuned]

    @property
    def taught(self) -> list[str]:
        """Volumes that a published network labels, to learn from beside those with truth."""
        return [row.volume for row in self.study.volumes if row.volume in self.config["taught"]]

    @property
    def teacher(self) -> list[str]:
        """The published network that labels them, as one of Spinome."""
        return ["<results>/models/synapses_published.safetensors"] if self.config["teacher"] else []

    @property
    def checksum(self) -> str:
        """The checksum of its file."""
        return next((file["checksum"] for file in self.study.published_files.values()), "")

    @cached_property
    def start(self) -> Model:
        """The network that training begins with, if any."""
        begins = self.kind == "network" and self.config["classify"]["from_shipped"]
        return self.study.given_model(self.study.shipped("synapses", SUFFIXES["network"]) if begins else None)

    @cached_property
    def marked(self) -> dict[str, str]:
        """Tables of marked vesicles by volume, for forests alone.

        Raises
        ------
        ValueError: if a volume has no image in the sheet
        """
        if self.kind != "forest":
            return {}
        tables = self.config["classify"]["marked_vesicles"]
        unknown = sorted(set(tables) - {row.volume for row in self.study.volumes if row.image})
        if unknown:
            raise ValueError(
                f"synapses.classify.marked_vesicles names {', '.join(unknown)}, which is no volume with an image in "
                "the sample sheet; add it, or take it out"
            )
        return dict(tables)

    @property
    def profile(self) -> list[str]:
        """The profile of a vesicle, where it is measured."""
        return ["<results>/synapses/vesicle_profile.tsv"] if self.marked else []

    @property
    def recipe(self) -> dict[str, Any]:
        """What forests describe voxels by; nothing for a network."""
        return {key: self.config["classify"][key] for key in RECIPE if self.kind == "forest"}

    @property
    def learning(self) -> dict[str, Any]:
        """How the kind of classifier in use is trained."""
        return {"kind": self.kind} | {key: self.config["classify"][key] for key in LEARNING[self.kind]}

    @property
    def evidence(self) -> tuple[str, ...]:
        """Columns of the sheet that the kind of classifier in use looks at."""
        return EVIDENCE[self.kind]

    @property
    def block_tables(self) -> dict[str, str]:
        """Tables of blocks that were counted elsewhere, by name."""
        return self.config["uniformity"]["block_tables"]

    @property
    def uniformity(self) -> dict[str, Any]:
        """Settings of the statistics; what is stated of the detector counts only where this run does not measure it."""
        measured = (self.scored or not self.scored_alike) and not self.block_tables
        settings = {key: value for key, value in self.config["uniformity"].items() if key != "block_tables"}
        return settings | ({"precision": None, "recall": None} if measured else {})

    @property
    def swept(self) -> list[str]:
        """Volumes that the published sweep runs on."""
        return self.scored if self.config["sweep"]["run"] else []

    @property
    def shards(self) -> list[str]:
        """Shards of each volume."""
        return [str(number) for number in range(self.config["shards"])]

    @property
    def failures(self) -> list[str]:
        """Tables of failed units of the branch."""
        return [
            f"<results>/failures/synapses_{step}/{volume}/{shard}.parquet"
            for step in STEPS
            for volume in self.volumes
            for shard in self.shards
        ] + [
            f"<results>/failures/review_detect_synapses/{volume}/{shard}.parquet"
            for volume in (self.detected if self.relearns else [])
            for shard in self.shards
        ]

    @property
    def finished(self) -> dict[str, list[str]]:
        """Tables of finished units of the branch, by step."""
        finished = {
            f"synapses_{step}": [
                f"<results>/synapses/{step}/{volume}/{shard}.parquet"
                for volume in self.volumes
                for shard in self.shards
            ]
            for step in STEPS
        }
        again = [file for volume in self.detected if self.relearns for file in self.found(of_volume(volume))]
        return finished | ({"review_detect_synapses": again} if again else {})

    def is_detected(self, wildcards: Any) -> bool:
        """Whether synapses are found in the image of the rule's volume."""
        return wildcards.volume in self.detected

    def is_masked(self, wildcards: Any) -> bool:
        """Whether the mask of the rule's volume is made by rules."""
        return wildcards.volume in self.masked

    def detection(self, wildcards: Any) -> dict[str, Any]:
        """What the detection in the rule's volume follows; nothing where its synapses are given."""
        if not self.is_detected(wildcards):
            return {}
        return {"threshold": self.config["merge"]["threshold"], "recipe": self.recipe}

    def columns(self, wildcards: Any) -> tuple[str, ...]:
        """Columns of the sheet that synapses of the rule's volume come from."""
        return self.evidence if self.is_detected(wildcards) else ("synapses",)

    def detection_files(self, wildcards: Any) -> list[str]:
        """The files that synapses of the rule's volume come from."""
        return list(self.files_of([wildcards.volume], *self.columns(wildcards)).values())

    def detection_stamps(self, wildcards: Any) -> list[str]:
        """What counts of them."""
        return self.stamps_of([wildcards.volume], *self.columns(wildcards))

    def detection_aside(self, wildcards: Any) -> SimpleNamespace:
        """The parameter `aside` of the detection in the rule's volume."""
        row = self.sources(wildcards.volume, *dict.fromkeys([*self.columns(wildcards), "synapses"]))
        return self.study.aside(row=row, model=self.model.given)

    def grid_file(self, wildcards: Any) -> str | list[str]:
        """The file of the volume that objects of the rule's volume lie on the grid of."""
        return self.file(self.columns(wildcards)[0])(wildcards)

    def grid_stamps(self, wildcards: Any) -> list[str]:
        """What counts of it."""
        return self.stamps_of([wildcards.volume], self.columns(wildcards)[0])

    def merging(self, wildcards: Any) -> dict[str, Any]:
        """How parts in the rule's volume are merged: given objects are taken as they are."""
        return self.ruling if self.is_detected(wildcards) else {"connectivity": self.config["merge"]["connectivity"]}

    @property
    def ruling(self) -> dict[str, Any]:
        """How parts are merged where they are detected."""
        return {key: value for key, value in self.config["merge"].items() if key != "threshold"}

    def detection_size(self, wildcards: Any, input: Any) -> Size:
        """The size of a job that looks for synapses in a shard's cuboids, or takes given ones from them."""
        return self.cuboids("synapses", HALO if self.is_detected(wildcards) else (0, 0, 0))(wildcards, input)

    def learning_size(self, wildcards: Any, input: Any) -> Size:
        """The size of the job that learns from answers: it holds the cuboids in which most was answered."""
        voxels = sum(self.study.sizes.volume(self.row(name)) for name in self.detected)
        return Size(min(TAUGHT_CUBOIDS * prod(self.config["cuboid"]) / 1e6, voxels), voxels)

    @property
    def adapts(self) -> bool:
        """Whether the classifier is fitted to each volume, as a network is whose operating point is for others."""
        return self.kind == "network" and bool(self.model.published or self.tuned or not self.model.trained)

    def model_made(self, wildcards: Any) -> list[str]:
        """The model, where it is trained here or fitted to the rule's volume, and the volume needs one."""
        if not self.is_detected(wildcards):
            return []
        return [f"<results>/synapses/adapt/{wildcards.volume}.safetensors"] if self.adapts else self.model.trained

    def models_of(self, volumes: Iterable[str]) -> dict[str, str]:
        """Named inputs `model/<volume>`: the models that are made, as `model_made`."""
        return {f"model/{volume}": file for volume in volumes for file in self.model_made(of_volume(volume))}

    def model_stamp(self, wildcards: Any) -> str:
        """What counts of the model, where it is given, taken as it is, and the rule's volume needs one."""
        return self.model.stamp if self.is_detected(wildcards) and not self.adapts else ""

    def counts(self) -> dict[str, str]:
        """Named inputs `counts/<volume>/<shard>`: what was counted in the cuboids of all volumes."""
        return {
            f"counts/{volume}/{shard}": f"<results>/synapses/density/{volume}/{shard}.parquet"
            for volume in self.volumes
            for shard in self.shards
        }

    def parts(self, volumes: Iterable[str]) -> dict[str, str]:
        """Named inputs `parts/<volume>/<shard>`: the parts that were found in the cuboids of volumes."""
        return {
            f"parts/{volume}/{shard}": f"<results>/synapses/detect/{volume}/{shard}.parquet"
            for volume in volumes
            for shard in self.shards
        }

    def found(self, wildcards: Any) -> list[str]:
        """What was found in the cuboids of the rule's volume, by a network that learned from answers where one does."""
        again = self.relearns and self.is_detected(wildcards)
        folder = "review/detect_synapses" if again else "synapses/detect"
        return [f"<results>/{folder}/{wildcards.volume}/{shard}.parquet" for shard in self.shards]

    def found_in_shard(self, wildcards: Any) -> str:
        """The same of the rule's shard."""
        return self.found(wildcards)[int(wildcards.shard)]

    def painted(self, volume: str) -> list[str]:
        """What says that all cuboids of a volume's label volume are painted."""
        return [f"<results>/synapses/density/{volume}/{shard}.parquet" for shard in self.shards]

    def ids(self) -> dict[str, str]:
        """Named outputs `ids/<shard>`: the objects that the parts in the cuboids of a shard belong to."""
        return {f"ids/{shard}": f"<results>/synapses/ids/{{volume}}/{shard}.npz" for shard in self.shards}

    def _require_truth(self) -> None:
        usable = {row.volume for row in self.study.volumes if row.image and row.truth_synapses}
        for key in ("train", "tune"):
            if unknown := sorted(set(self.config[key]) - usable):
                raise ValueError(
                    f"synapses.{key} names {', '.join(unknown)}: a training volume is a row of the sample sheet "
                    "`volumes` with image and truth_synapses"
                )

    def _require_images(self) -> None:
        usable = {row.volume for row in self.study.volumes if row.image}
        if unknown := sorted(set(self.config["taught"]) - usable):
            raise ValueError(
                f"synapses.taught names {', '.join(unknown)}: a volume to label by `synapses.teacher` is a row of the "
                "sample sheet `volumes` with image"
            )
