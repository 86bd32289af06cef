"""Keys of the linking branch."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from spinome.configuration.base import Cuboid, GivenPath, SampleNames, Section, require_order


class Membranes(Section):
    """Membranes predicted from the image."""

    training_steps: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description=(
            "steps of the optimiser, of three crops each, about 0.3 CPU-s; empty: 400 from the shipped network, 2,000 "
            "from random weights"
        ),
    )
    from_shipped: bool = Field(
        True, description="training of the network begins with the shipped one and not with random weights"
    )
    training_cuboids: int = Field(
        4, ge=1, le=1000, description="cuboids of each training volume that crops are drawn from"
    )


class Watershed(Section):
    """Superpixels."""

    threshold: float = Field(
        0.5, ge=0.01, le=0.99, description="membrane probability that bounds the inside of neurites"
    )
    smoothing_nm: float = Field(15.0, ge=0, le=1000, description="smoothing of the distance to membranes")
    spacing_nm: float = Field(40.0, ge=1, le=1000, description="a seed is the deepest point within this distance")


class Agglomerate(Section):
    """Merging of superpixels."""

    priority: Literal["mean", "median", "forest"] = Field(
        "forest",
        description=(
            "what decides which pair is merged first: the mean or median membrane probability of the contact, or "
            "the trained forest"
        ),
    )
    threshold: float = Field(
        0.4,
        ge=0.01,
        le=1,
        description="the merge tree is cut here; merges below it are done, and no later step undoes one",
    )
    most_superpixels: int = Field(
        1_500_000,
        ge=1000,
        le=1_000_000_000,
        description=(
            "volumes of more superpixels are agglomerated in rounds, first in blocks of so many and then the rest; a "
            "million take 2.1 GB"
        ),
    )


class Typing(Section):
    """What is an orphan spine and what is a dendritic shaft."""

    working_nm: float = Field(
        32.0, ge=1, le=1000, description="segments are measured, linked and meshed in voxels thinned to about this size"
    )
    orphan_min_um3: float = Field(0.004, ge=0, le=100, description="least volume of an orphan spine")
    orphan_max_um3: float = Field(1.0, ge=0.0001, le=100, description="largest volume of an orphan spine")
    orphan_max_extent_nm: float = Field(
        4000.0, ge=10, le=100_000, description="longest diagonal of an orphan's bounding box"
    )
    shaft_min_um3: float = Field(0.5, ge=0, le=10_000, description="least volume of a shaft")
    shaft_min_extent_nm: float = Field(
        2000.0, ge=0, le=1_000_000, description="least diagonal of a shaft's bounding box"
    )
    shaft_min_radius_nm: float = Field(
        190.0, ge=0, le=10_000, description="least mean radius of a shaft (three times the mean depth of its voxels)"
    )
    shaft_min_thickest_nm: float = Field(
        210.0, ge=0, le=10_000, description="least radius of a shaft where it is thickest; 0: no such limit"
    )
    shaft_min_probability: float = Field(
        0.25,
        ge=0,
        le=1,
        description="least probability of being a dendrite, by the shipped forest on the shape of what is a shaft by "
        "these limits; axons and glia stay below; 0: the limits alone, and no surfaces are made for them",
    )

    @model_validator(mode="after")
    def _can_be(self):
        require_order(("orphan_min_um3", self.orphan_min_um3), ("orphan_max_um3", self.orphan_max_um3))
        # a box that holds the volume is shortest as a cube
        shortest = 3**0.5 * self.orphan_min_um3 ** (1 / 3) * 1000
        if self.orphan_max_extent_nm < shortest:
            raise ValueError(
                f"orphan_max_extent_nm is {self.orphan_max_extent_nm:g}, but the box of {self.orphan_min_um3:g} um3 "
                f"(orphan_min_um3) has a diagonal of {shortest:.0f} nm or more; no segment would be an orphan"
            )
        if 0 < self.shaft_min_thickest_nm < self.shaft_min_radius_nm:
            raise ValueError(
                f"shaft_min_thickest_nm is {self.shaft_min_thickest_nm:g}, below shaft_min_radius_nm with "
                f"{self.shaft_min_radius_nm:g}, and a shaft is thickest where it is thicker than on average; raise the "
                "one, lower the other, or set shaft_min_thickest_nm to 0 for no such limit"
            )
        return self


class Candidates(Section):
    """Shafts that an orphan may belong to."""

    radius_nm: float = Field(
        1500.0, ge=10, le=20_000, description="a shaft farther from an orphan than this is no candidate"
    )
    group_nm: float = Field(
        5000.0,
        ge=100,
        le=1_000_000,
        description="edge of a cube; the orphans, or segments, in one cube are one unit of work",
    )


class Links(Section):
    """Orphans on shafts."""

    threshold: float = Field(
        0.6, ge=0, le=1, description="an orphan is linked when its most probable parent reaches this"
    )


Gap = Annotated[float, Field(ge=0, le=10_000)]


class Detach(Section):
    """Truth where there is none: spines of given segmentations cut off at the neck."""

    volumes: SampleNames = Field(
        [],
        description="volumes with a `segmentation` whose spines are cut off; each gives a sample sheet of its own, "
        "`linking/detach/<volume>/volumes.tsv`, to run this branch on and score it",
    )
    kinds: list[Literal["neck", "ragged", "anywhere", "foot", "one_heir", "empty"]] = Field(
        ["neck", "ragged", "anywhere", "foot", "one_heir", "empty"],
        min_length=1,
        description="kinds of cut, of which each spine draws one: at the thinnest place (`neck`), there with rough "
        "surfaces (`ragged`), anywhere along the spine (`anywhere`), at its foot so that no stub stays (`foot`), at "
        "the neck where one neighbour gets all that is lost (`one_heir`) or nobody does (`empty`)",
    )
    gap_nm: tuple[Gap, Gap] = Field((0.0, 300.0), description="length of neck that is lost, drawn between these")
    noise_nm: float = Field(
        0.0, ge=0, le=1000, description="standard deviation by which the surfaces of a cut are moved"
    )
    share: float = Field(1.0, ge=0.01, le=1, description="share of the spines that is cut")
    draws: int = Field(
        1,
        ge=1,
        le=100,
        description="how often a volume is cut, each time by chance; each draw is a row of the sheet, and all of them "
        "count as one tissue where models are scored on dendrites left out",
    )

    @model_validator(mode="after")
    def _ends_in_order(self):
        require_order(("the first value of gap_nm", self.gap_nm[0]), ("the second", self.gap_nm[1]))
        return self


class Proofread(Section):
    """Decisions of a proofreader, and the queue of what to decide next."""

    decisions: GivenPath | None = Field(
        None, description="TSV of decisions `volume orphan shaft` that are applied to the links, shaft 0 for no parent"
    )
    candidates: int = Field(
        5, ge=1, le=100, description="number of candidates that the view of an orphan in Neuroglancer shows"
    )
    viewer: str = Field(
        "https://neuroglancer-demo.appspot.com", description="address of the Neuroglancer that views are opened in"
    )
    url: str = Field(
        "http://localhost:8000",
        pattern=r"^https?://[^\s]+$",
        description="address at which the working directory is served, for Neuroglancer to read from",
    )


class Meshes(Section):
    """Linked segments as meshes."""

    min_thickest_nm: float = Field(
        240.0,
        ge=0,
        le=10_000,
        description="a shaft is meshed when its largest radius reaches this, or when it has a linked orphan",
    )
    bridge_nm: float = Field(
        60.0, ge=1, le=1000, description="radius of the neck drawn between an orphan and its shaft"
    )
    error_nm: float = Field(20.0, ge=0, le=1000, description="how far the surface may move when the mesh is simplified")


class Linking(Section):
    """Keys of the linking branch."""

    train: SampleNames = Field([], description="samples with truth to train on; they are left out of the evaluation")
    shards: int = Field(4, ge=1, le=10_000, description="jobs that the units of this branch are grouped into")
    cuboid: Cuboid = Field(
        (64, 256, 256),
        description="voxels (z, y, x) of a cuboid that a job holds at once, from membranes to meshes; superpixels, "
        "segments, their types and meshes are the same for any",
    )
    find_synapses: bool = Field(
        True, description="take the synapses that the synapses branch finds where the sample sheet gives none"
    )
    membranes: Membranes = Membranes()
    watershed: Watershed = Watershed()
    agglomerate: Agglomerate = Agglomerate()
    typing: Typing = Typing()
    candidates: Candidates = Candidates()
    links: Links = Links()
    proofread: Proofread = Proofread()
    detach: Detach = Detach()
    meshes: Meshes = Meshes()
