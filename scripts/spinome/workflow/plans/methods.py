"""What the Methods paragraph is told: of each branch its samples and the models that worked on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinome.configuration import Configuration
from spinome.workflow.plans.linking import LinkingPlan
from spinome.workflow.plans.neurons import NeuronsPlan
from spinome.workflow.plans.synapses import SynapsesPlan
from spinome.workflow.plans.twophoton import TwophotonPlan
from spinome.workflow.study import Model, Study

# of the configuration: where things are, what is told of samples and models in words, and what no result depends on
ELSEWHERE = ("samples", "design", "compare", "results", "resources", "seed", "models", "retrieve", "phantom")
NO_RESULT = ("shards", "train", "train_judge", "cuboid", "storage", "viewer", "url")


@dataclass(frozen=True, repr=False)
class MethodsPlan:
    """The branches of a study as its Methods paragraph tells of them."""

    study: Study
    twophoton: TwophotonPlan
    synapses: SynapsesPlan
    linking: LinkingPlan
    neurons: NeuronsPlan

    @property
    def told(self) -> dict[str, dict[str, Any]]:
        """Counts of samples and models (`origin file stamp teachers`) of each branch that has samples."""
        branches = {
            "twophoton": self._twophoton,
            "synapses": self._synapses,
            "linking": self._linking,
            "neurons": self._neurons,
        }
        return {name: facts for name, facts in branches.items() if facts}

    @property
    def changed(self) -> dict[str, Any]:
        """The settings other than the defaults by dotted key, without what only says where, how fast and on what."""
        return dict(_differences(self.study.config, Configuration().model_dump()))

    @property
    def _twophoton(self) -> dict[str, Any]:
        plan = self.twophoton
        if not plan.series:
            return {}
        models = {} if plan.given_boxes else {"detector": plan.last_detector, "judge": plan.judge}
        teachers = {"detector": plan.config["train"], "judge": plan.config["train_judge"]}
        return {
            "series": len(plan.series),
            "stacks": len(self.study.stacks),
            "repeated": any(len(rows) > 1 for rows in plan.by_series.values()),
            "models": self._models(models, teachers),
        }

    @property
    def _synapses(self) -> dict[str, Any]:
        plan = self.synapses
        if not plan.volumes:
            return {}
        models = {"synapses": plan.model} if plan.detected else {}
        return {
            "volumes": len(plan.volumes),
            "detected": len(plan.detected),
            "kind": plan.kind,
            "adapted": bool(plan.detected) and plan.adapts,
            "learns": plan.learns,
            "relearns": plan.relearns,
            "models": self._models(models, {"synapses": plan.config["train"]}),
        }

    @property
    def _linking(self) -> dict[str, Any]:
        plan = self.linking
        if not plan.volumes:
            return {}
        models = {"links": plan.links_model, "typing": plan.typing_model}
        if plan.predicted:
            models["membranes"] = plan.membrane_model
        if plan.computed:
            models["agglomeration"] = plan.agglomeration_model
        teachers = {
            "links": plan.link_teachers,
            "typing": plan.typing_teachers,
            "membranes": plan.membrane_teachers,
            "agglomeration": plan.agglomeration_teachers,
        }
        return {
            "volumes": len(plan.volumes),
            "computed": len(plan.computed),
            "graphs": len(plan.with_synapses),
            "typed_by_shape": plan.typed_by_shape,
            "models": self._models(models, teachers),
        }

    @property
    def _neurons(self) -> dict[str, Any]:
        plan = self.neurons
        if not plan.shards:
            return {}
        return {
            "sheet": len(self.study.neurons),
            "volumes": len(plan.linked_volumes),
            "with_synapses": any(row.synapses for row in self.study.neurons) or bool(plan.linked_volumes),
            "models": self._models({"neurons": plan.model}, {"neurons": plan.config["train"]}),
        }

    def _models(self, models: Mapping[str, Model], teachers: Mapping[str, list[str]]) -> dict[str, dict[str, Any]]:
        told: dict[str, dict[str, Any]] = {}
        for name, model in models.items():
            if model.published:
                named = self.study.config["models"][name]
                told[name] = {
                    "origin": "published",
                    "file": named["address"],
                    "stamp": f"sha256 {named['sha256'][:16]}",
                }
            elif model.answered:
                told[name] = {"origin": "answered"}
            elif model.trained:
                told[name] = {"origin": "trained", "teachers": sorted(teachers[name])}
            elif model.given:
                origin = "given" if self.study.config["models"][name] else "shipped"
                told[name] = {"origin": origin, "file": Path(model.given).name, "stamp": model.stamp}
        return told


def _differences(config: Mapping[str, Any], default: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if (not prefix and key in ELSEWHERE) or key in NO_RESULT:
            continue
        if isinstance(default.get(key), Mapping) and default[key]:
            yield from _differences(value, default[key], f"{prefix}{key}.")
        elif value != default.get(key):
            yield f"{prefix}{key}", value
