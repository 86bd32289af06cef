"""What the rules of the census and of the report ask: tables of the branches, their scores, and samples of known truth.

A view is what one branch sees of a sample: `twophoton` its stacks, `linking` its orphans in EM, `chain` the meshes made
from EM, `neurons` a given mesh.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from spinome.hashing import file_hash
from spinome.io.sources import file_of, split_source
from spinome.names import VOLUME
from spinome.workflow.plans.phantom import PhantomPlan
from spinome.workflow.samples import SHEETS, StackRow
from spinome.workflow.study import Study

# the tables of spines that a branch hands to the joint one
SPINE_TABLES = {
    "twophoton": {"twophoton": "twophoton/spines.parquet"},
    "linking": {"linking": "linking/spines.parquet"},
    "neurons": {"neurons": "neurons/spines.parquet", "neuron_synapses": "neurons/synapses.parquet"},
}
# the tables that the section of a branch in the report is made of, besides figures and scores
REPORT_TABLES = {
    "twophoton": {
        "tracked": "twophoton/spines.parquet",
        "turnover": "twophoton/turnover.parquet",
        "corrections": "twophoton/corrections.parquet",
        "sessions": "twophoton/sessions.parquet",
        "dendrites": "twophoton/dendrites.parquet",
        "series_limits": "twophoton/limits.parquet",
    },
    "synapses": {
        "objects": "synapses/objects.parquet",
        "blocks": "synapses/blocks.parquet",
        "limits": "synapses/limits.parquet",
    },
    "linking": {
        "links": "linking/links.parquet",
        "violations": "linking/violations.parquet",
        "queue": "linking/queue.tsv",
        "link_limits": "linking/limits.parquet",
    },
    "neurons": {
        "neuron_table": "neurons/neurons.parquet",
        "neuron_limits": "neurons/limits.parquet",
    },
}


@dataclass(frozen=True)
class Linked:
    """The volumes whose orphans the linking branch links, and whose linked segments become meshes.

    Attributes
    ----------
    segmentation : by volume the source of its segments, None where they are computed
    candidates : by volume the tables of candidates of its shards
    true_links : by volume the table of its true links, where they are known
    with_synapses : volumes that have synapses
    """

    segmentation: Mapping[str, str | None] = field(default_factory=dict)
    candidates: Mapping[str, Sequence[str]] = field(default_factory=dict)
    true_links: Mapping[str, str] = field(default_factory=dict)
    with_synapses: Collection[str] = ()


@dataclass(frozen=True)
class View:
    """A sample that shows a simulated specimen on which no model of its branch was trained."""

    view: str
    sample: str
    specimen: str
    source: str
    timepoint: str | None = None
    voxel_um: tuple[float, float, float] | None = None
    voxel_nm: tuple[float, float, float] | None = None

    @property
    def name(self) -> str:
        """By which the view's files are named."""
        return f"{self.view}/{self.sample}"


@dataclass(frozen=True, repr=False)
class CensusPlan:
    """The joint table of a study and its report.

    Attributes
    ----------
    study : configuration and rows
    phantom : its simulated specimens
    branches : names of the branches that have samples, in their order
    scored : by branch the samples that are held against a truth
    linked : the volumes that the linking branch links
    comparisons : tables of the comparisons by name; empty where none is asked for
    """

    study: Study
    phantom: PhantomPlan
    branches: tuple[str, ...]
    scored: Mapping[str, Collection[Any]]
    linked: Linked = field(default_factory=Linked)
    comparisons: Mapping[str, str] = field(default_factory=dict)

    @property
    def schema(self) -> str:
        """The schema of the joint table."""
        return str(self.study.repository / "workflow" / "schemas" / "spines.schema.yaml")

    @property
    def schema_hash(self) -> str:
        """The hash of the schema's content, so that its place counts for nothing."""
        return file_hash(self.schema)

    @cached_property
    def spines(self) -> dict[str, str]:
        """Named inputs: the tables of spines of the branches."""
        return _in_results(
            {name: path for branch in self.branches for name, path in SPINE_TABLES.get(branch, {}).items()}
        )

    @property
    def design(self) -> dict[str, Any]:
        """The design of all samples, and what is not given of it, for the report; empty where there is none."""
        design = self.study.design
        return {**design.of(*SHEETS), "remarks": list(design.remarks)} if design.columns else {}

    @property
    def design_of_spines(self) -> dict[str, Any]:
        """The design of the samples that the joint table has spines of."""
        kinds = {"twophoton": ["stacks"], "linking": ["volumes"], "neurons": ["neurons"]}
        return self.study.design.of(*(kind for branch in self.branches for kind in kinds.get(branch, [])))

    @cached_property
    def tables(self) -> dict[str, str]:
        """The tables of the census by name."""
        tables = {
            "spines": "spines.parquet",
            "specimens": "census/specimens.parquet",
            "levels": "census/levels.parquet",
            "matches": "census/matches.parquet",
            "failures": "failures.parquet",
            "completeness": "completeness.tsv",
        }
        if "neurons" in self.branches:
            tables |= {"counts": "census/cells.parquet", "classes": "census/classes.parquet"}
        if self.linked.segmentation:
            tables["agreement"] = "census/agreement.parquet"
        if self.views:
            tables["seen"] = "census/seen.parquet"
        return _in_results(tables)

    @property
    def scores(self) -> dict[str, str]:
        """The scores of every branch that is held against a truth, and of the census, by name."""
        scored = [*(branch for branch in self.branches if self.scored.get(branch)), *(["census"] if self.views else [])]
        return _in_results({branch: f"{branch}/evaluation.tsv" for branch in scored})

    @property
    def figures(self) -> dict[str, list[str]]:
        """The folders of figures of each section of the report, in their order."""
        census = ["census/figures", *(["census/agreement_figures"] if self.linked.segmentation else [])]
        folders = {branch: [f"{branch}/figures"] for branch in self.branches} | {"census": census}
        if self.views:
            folders = {"phantom": ["phantom/figures"]} | folders
        return {section: [f"<results>/{path}" for path in paths] for section, paths in folders.items()}

    @property
    def results(self) -> list[str]:
        """All that the census writes."""
        return [*self.tables.values(), *([self.scores["census"]] if self.views else []), *self.figures["census"]]

    @property
    def drawn(self) -> dict[str, str]:
        """Named inputs of the figures: those tables of the census that there are figures of."""
        return {name: path for name, path in self.tables.items() if name in ("spines", "counts", "classes", "seen")}

    @property
    def page(self) -> dict[str, str | list[str]]:
        """Named inputs of the page: `tables/<name>`, `scores/<section>`, `figures/<section>` and `truth/<specimen>`."""
        tables = {name: path for branch in self.branches for name, path in REPORT_TABLES[branch].items()}
        kinds: dict[str, Mapping[str, str | list[str]]] = {
            # the joint table may be larger than memory, and the page needs no row of it
            "tables": _in_results(tables)
            | {name: path for name, path in self.tables.items() if name != "spines"}
            | {**self.comparisons},
            "scores": self.scores,
            "figures": self.figures | ({"compare": ["<results>/compare/figures"]} if self.comparisons else {}),
            "truth": {specimen: self.phantom.truth(specimen, "spines.parquet") for specimen in self.specimens},
        }
        return {f"{kind}/{name}": path for kind, named in kinds.items() for name, path in named.items()}

    @property
    def counted(self) -> dict[str, str]:
        """Named inputs `tables/<name>` of the Methods paragraph: the tables whose rows it counts, and from where links
        were made."""
        names = ("specimens", "completeness", "objects", "links", "link_limits", "neuron_table")
        tables = self.tables | {
            name: f"<results>/{path}" for branch in self.branches for name, path in REPORT_TABLES[branch].items()
        }
        return {f"tables/{name}": tables[name] for name in names if name in tables}

    @cached_property
    def views(self) -> list[View]:
        """Every sample that shows a simulated specimen on which no model of its branch was trained.

        Of a two-photon specimen the last session is taken.
        """
        config = self.study.config
        trained = {branch: config[branch]["train"] for branch in ("synapses", "linking", "neurons")}
        trained["twophoton"] = [*config["twophoton"]["train"], *config["twophoton"]["train_judge"]]
        if config["review"]["learn"]:
            # answers may be about any of them
            trained["twophoton"] = [row.series for row in self.study.stacks]
            trained["synapses"] = trained["linking"] = [row.volume for row in self.study.volumes]
            trained["neurons"] = [row.neuron for row in self.study.neurons]
        trained["chain"] = [*trained["synapses"], *trained["linking"], *trained["neurons"]]
        last: dict[str, StackRow] = {}
        for row in self.study.stacks:
            if row.specimen not in last or row.day >= last[row.specimen].day:
                last[row.specimen] = row
        found = [
            self._view("twophoton", row.specimen, row.path, timepoint=row.timepoint, voxel_um=row.voxel_um)
            for row in last.values()
            if row.series not in trained["twophoton"]
        ]
        for view in ("linking", "chain"):
            found += [
                self._view(view, row.volume, row.image or row.segmentation, voxel_nm=row.voxel_nm)
                for row in self.study.volumes
                if row.volume not in trained[view]
            ]
        found += [
            self._view("neurons", row.neuron, row.mesh)
            for row in self.study.neurons
            if row.neuron not in trained["neurons"]
        ]
        return [view for view in found if view]

    def _view(self, view: str, sample: str, source: str | None, **more: Any) -> View | None:
        specimen = self.phantom.specimen_of(source)
        return View(view, sample, specimen, source, **more) if source and specimen else None

    @property
    def specimens(self) -> list[str]:
        """Simulated specimens that are shown."""
        return sorted({view.specimen for view in self.views})

    @property
    def pictured(self) -> list[View]:
        """The views that show what was simulated; the meshes made from a volume show no more than the volume."""
        return [view for view in self.views if view.view != "chain"]

    def of_views(self, views: Iterable[View]) -> dict[str, str | list[str]]:
        """Named inputs of views: `samples/<view>/<sample>`, and `truth/` with the table of its true spines."""
        views = list(views)
        samples = {f"samples/{view.name}": file_of(view.source) for view in views}
        return samples | {f"truth/{view.name}": self._truth(view) for view in views}

    def true_synapses(self, views: Iterable[View]) -> dict[str, str]:
        """Named inputs `synapses/<view>/<sample>`: the true synapses of those of these views that show an EM volume."""
        return {
            f"synapses/{view.name}": self.phantom.truth(view.specimen, "synapses.parquet")
            for view in views
            if view.view == "linking"
        }

    def said(self, views: Iterable[View]) -> dict[str, dict[str, Any]]:
        """What is said of views, by name; of the source the name of the data set in it, and no path."""
        return {
            view.name: {key: value for key, value in vars(view).items() if key != "source"}
            | {"dataset": split_source(view.source)[1]}
            for view in views
        }

    def stamps(self, views: Iterable[View]) -> list[str]:
        """Stamps of the given files of views."""
        return self.study.given(source for view in views for source in (view.source, self._truth(view)))

    def _truth(self, view: View) -> str:
        # sessions have a frame of their own
        return self.phantom.truth(view.specimen, "spines.csv" if view.view == "twophoton" else "spines.parquet")

    @property
    def classes(self) -> dict[str, list[str]]:
        """The classes of each cell; simulated cells are kept apart from real ones, whatever the sheet calls them."""
        neurons, volumes = self.study.neurons, self.study.volumes
        simulated = [row.neuron for row in neurons if self.phantom.specimen_of(row.mesh)]
        simulated += [row.volume for row in volumes if self.phantom.specimen_of(row.image or row.segmentation)]
        given = {row.neuron: row.classes for row in neurons if row.classes}
        return given | {name: ["simulated"] for name in simulated}

    @property
    def agreement(self) -> dict[str, str | list[str]]:
        """Named inputs `<kind>/<volume>` of the comparison of links with labels."""
        linked = self.linked
        kinds: dict[str, Mapping[str, Any]] = {
            "candidates": linked.candidates,
            "typing": {volume: f"<results>/linking/typing/{volume}.parquet" for volume in linked.segmentation},
            "segments": {
                volume: file_of(source) if source else f"<results>/linking/segments/{volume}.zarr"
                for volume, source in linked.segmentation.items()
            },
            "truth": linked.true_links,
        }
        named = {f"{kind}/{volume}": path for kind, paths in kinds.items() for volume, path in paths.items()}
        return named | self.linked_meshes

    @property
    def linked_meshes(self) -> dict[str, str]:
        """Named inputs `meshes/<volume>` and `labelled/<volume>`: the meshes of linked segments, and their labels."""
        volumes = self.linked.segmentation
        meshes = {f"meshes/{volume}": f"<results>/linking/meshes/{volume}" for volume in volumes}
        labelled = {f"labelled/{volume}": f"<results>/neurons/spines/{VOLUME}{volume}.parquet" for volume in volumes}
        return meshes | labelled

    @property
    def compared(self) -> dict[str, dict[str, Any]]:
        """What is said of each volume whose links are compared with labels."""
        return {
            volume: {
                "voxel_nm": self.study.volume_of[volume].voxel_nm,
                "with_synapses": volume in self.linked.with_synapses,
            }
            for volume in self.linked.segmentation
        }

    @property
    def shown_samples(self) -> dict[str, list[str]]:
        """Names of the samples by sheet, as the report lists them."""
        return {
            "stacks": sorted({row.series for row in self.study.stacks}),
            "volumes": [row.volume for row in self.study.volumes],
            "neurons": [row.neuron for row in self.study.neurons],
        }

    @property
    def given_files(self) -> list[str]:
        """Every file that the sheets name, with the sheet of cells and the table of corrections."""
        corrections = self.study.config["twophoton"]["track"]["corrections"]
        fetched = {self.study.neuron_of[name].mesh for name in self.study.mesh_addresses}
        files = ({*self.study.files} - fetched) | {*self.study.cells}
        return sorted(files | ({corrections} if corrections else set()))


def _in_results(paths: Mapping[str, str]) -> dict[str, str]:
    return {name: f"<results>/{path}" for name, path in paths.items()}
