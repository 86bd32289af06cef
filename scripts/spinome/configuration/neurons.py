"""Keys of the neurons branch."""

from typing import Literal

from pydantic import Field, model_validator

from spinome.configuration.base import GivenPath, SampleNames, Section, require_order


class Simplify(Section):
    """Fewer vertices for the same surface."""

    vertices_per_um2: float | None = Field(
        None,
        ge=0.1,
        le=100_000,
        description="density of vertices that denser meshes are brought down to; empty: every vertex is kept",
    )
    reduction: float | None = Field(
        None,
        ge=0,
        le=0.99,
        description="remove this fraction of the faces instead, whatever the density (published: 0.7)",
    )
    aggressiveness: int = Field(
        7, ge=0, le=10, description="how boldly faces are removed: 0 is slow and exact, 10 is fast"
    )
    soma_vertices_per_um2: float | None = Field(
        15.0,
        ge=0.1,
        le=100_000,
        description="density of vertices that somata of meshes of a million vertices and more are brought down to, "
        "where 10 um each way hold more than 200 um2 of surface; empty: every vertex is kept there",
    )

    @model_validator(mode="after")
    def _one_way(self):
        if self.vertices_per_um2 is not None and self.reduction is not None:
            raise ValueError("vertices_per_um2 and reduction are two ways to say how many vertices are kept; give one")
        return self


class Bands(Section):
    """The published route to signatures: eigenpairs of overlapping chunks, band by band."""

    max_vertices: int = Field(
        6000,
        ge=200,
        le=1_000_000,
        description="largest chunk that is decomposed, without its overlap (published: 20,000)",
    )
    overlap_nm: float = Field(
        10_000,
        ge=0,
        le=1_000_000,
        description="how far a chunk reaches beyond what it owns, along the surface (published: 20,000)",
    )
    max_overlapping: int = Field(
        18_000, ge=200, le=1_000_000, description="largest chunk with its overlap (published: 60,000)"
    )
    cutoff: float = Field(1e-5, ge=1e-9, le=1, description="largest eigenvalue that counts, nm^-2")
    pairs: int = Field(50, ge=10, le=800, description="eigenpairs computed per band")
    as_published: bool = Field(
        False,
        description="leave the constant eigenvector out and count the first eigenvalue beyond the cutoff, for models "
        "trained on features of the published program",
    )

    @model_validator(mode="after")
    def _room_for_overlap(self):
        require_order(("max_vertices", self.max_vertices), ("max_overlapping", self.max_overlapping))
        return self


class SelectedInversion(Section):
    """Signatures from the diagonals of inverses, without eigenvectors."""

    poles: int = Field(24, ge=8, le=64, description="resolvents that the heat kernel is made of; more are more exact")
    cutoff: float | None = Field(
        None,
        ge=1e-9,
        le=1,
        description="largest eigenvalue that counts, nm^-2, for models trained on published features (1e-5); empty: "
        "all count",
    )


class HeatKernel(Section):
    """Heat kernel signatures."""

    solver: Literal["selected_inversion", "bands"] = Field(
        "selected_inversion",
        description="how signatures are computed; `selected_inversion`: the full spectrum of the whole mesh at once, "
        "`bands`: the published route",
    )
    mollify: float = Field(
        1e-5,
        ge=0,
        le=1,
        description="lengthening of short edges that keeps the Laplacian stable, relative to the mean edge",
    )
    selected_inversion: SelectedInversion = SelectedInversion()
    bands: Bands = Bands()


class Condense(Section):
    """Domains of vertices with similar signatures."""

    distance: float = Field(
        3.0, ge=0.01, le=1000, description="height at which Ward's tree is cut; more gives fewer domains"
    )


class Features(Section):
    """Condensed features in files of their own, for other programs."""

    storage: Literal["parquet", "meshmash", "compressed"] | None = Field(
        None, description="format in which the condensed features of each neuron of the sheet are stored; empty: none"
    )


class NeuronSpines(Section):
    """Spines as instances."""

    min_area_um2: float = Field(
        0.2, ge=0, le=100, description="a connected region labelled spine with less surface than this is not counted"
    )
    rise_nm: float = Field(
        300,
        ge=1,
        le=100_000,
        description=(
            "two heads in one region are two spines where both rise this far above the place where they meet, "
            "measured along the surface"
        ),
    )
    decisions: GivenPath | None = Field(
        None,
        description=(
            "TSV of a person's decisions on pairs of places of neurons of the sheet, `neuron z_nm y_nm x_nm next_z_nm "
            "next_y_nm next_x_nm decision`: `one` joins the spines at both, `two` parts the spine that both are on"
        ),
    )
    same_head_nm: float = Field(
        1500,
        ge=1,
        le=100_000,
        description=(
            "a spine is multi-input if synapses of different partners on it lie within this distance of each other"
        ),
    )


class NeuronSynapses(Section):
    """Synapses on the surface."""

    max_distance_nm: float = Field(
        300, ge=1, le=100_000, description="a synapse farther from the surface gets no label"
    )


class Neurons(Section):
    """Keys of the neurons branch."""

    train: SampleNames = Field([], description="samples with truth to train on; they are left out of the evaluation")
    shards: int = Field(4, ge=1, le=10_000, description="jobs that the units of this branch are grouped into")
    keep: Literal["all", "condensed"] | None = Field(
        None,
        description="what stays on disk of each neuron: `all` steps, or the `condensed` features and what follows from "
        "them; then signatures, simplified and coloured meshes go as soon as they are read, and a change of "
        "`simplify`, `hks` or `condense` begins with the mesh again; empty: `all` up to `keep_all_up_to` neurons",
    )
    keep_all_up_to: int = Field(
        100,
        ge=0,
        le=1_000_000_000,
        description="neurons of the sheet up to which `all` is kept where `keep` is empty",
    )
    keep_fetched: bool = Field(
        True,
        description="whether meshes from public addresses stay on disk, in `resources`; else they go when the steps "
        "that read them have run, and a job that needs one later fetches it again, from wherever it runs",
    )
    simplify: Simplify = Simplify()
    hks: HeatKernel = HeatKernel()
    condense: Condense = Condense()
    features: Features = Features()
    spines: NeuronSpines = NeuronSpines()
    synapses: NeuronSynapses = NeuronSynapses()
