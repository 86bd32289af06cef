"""Keys of the synapses branch."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from spinome.configuration.base import Cuboid, GivenPath, NamedFiles, SampleNames, Section, Share, require_order
from spinome.configuration.published import Address


class Classify(Section):
    """The voxel classifier."""

    kind: Literal["forest", "network"] = Field(
        "network", description="a small U-Net, or a forest on the ten features of VESICLE (the published classifier)"
    )
    steps: int = Field(
        100,
        ge=1,
        le=100_000,
        description=(
            "training steps of the network, about 0.4 CPU-s each; five networks are trained. 100 steps do from "
            "the shipped network, 400 from random weights. With fewer than ten synapses three networks are trained "
            "from the shipped one, in at most 60 steps"
        ),
    )
    from_shipped: bool = Field(
        True, description="training of the network begins with the shipped one and not with random weights"
    )
    contrast: float = Field(
        1.0,
        ge=0,
        le=100,
        description="forest: voxels this many standard deviations darker than their surround pass where no membrane is "
        "given",
    )
    vesicle_threshold: float = Field(
        1.05,
        ge=0,
        le=1.5,
        description="forest: least score of a vesicle (correlation plus blob response) where no vesicles are given",
    )
    marked_vesicles: Annotated[dict[str, GivenPath], NamedFiles] = Field(
        {},
        description="forest: tables of marked vesicles (z_nm y_nm x_nm) by volume, whose mean is the template; empty: "
        "a ring of 40 nm",
    )
    original_features: bool = Field(
        False,
        description="forest: the features as published, with a sign error and a distance that takes voxels for cubes",
    )
    trees: int = Field(40, ge=1, le=1000, description="forest: number of trees")
    depth: int = Field(12, ge=1, le=12, description="forest: largest depth of a tree")
    voxels_per_class: int = Field(
        50_000, ge=100, le=10_000_000, description="forest: training voxels of each class, at most"
    )


class Sweep(Section):
    """The published parameter sweep on volumes with truth, for comparison alone: its evaluation can be gamed."""

    run: bool = Field(False, description="whether to run the sweep; it labels each volume about 150 times")


class Merge(Section):
    """From voxels to objects; every rule acts on whole objects."""

    threshold: float | None = Field(
        None, ge=0.001, le=1, description="least probability of a synapse voxel; empty: the one the model was tuned to"
    )
    connectivity: Literal[6, 18, 26] = Field(18, description="neighbours that join voxels to objects")
    min_area_um2: float = Field(0.0, ge=0, le=1000, description="smallest patch of a section that is kept")
    max_area_um2: float | None = Field(
        None, ge=1e-6, le=1000, description="largest patch of a section that is kept; empty: any"
    )
    min_volume_um3: float | None = Field(
        None, ge=0, le=1000, description="smallest object that is kept; empty: the one the model was tuned to"
    )
    min_peak: float | None = Field(
        None, ge=0, le=1, description="least highest probability in an object; empty: the one the model was tuned to"
    )
    min_probability: float | None = Field(
        None,
        ge=0,
        le=1,
        description="least probability of an object that is kept, where the model judges objects; empty: the one with "
        "the greatest expected F1 in its training",
    )
    min_sections: int = Field(1, ge=1, le=10_000, description="least number of sections that an object spans")

    @model_validator(mode="after")
    def _can_be(self):
        require_order(("min_area_um2", self.min_area_um2), ("max_area_um2", self.max_area_um2))
        return self


class Mask(Section):
    """A mask made by simple rules."""

    make: bool = Field(False, description="make a mask of a volume with an image where the sample sheet gives none")
    cell_um: float = Field(
        0.5, ge=0.01, le=100, description="side of the cells that are averaged, and hidden as a whole"
    )
    body_um: float = Field(
        3.0, ge=0.01, le=1000, description="least width of a bright or dark body (vessel, soma) that is hidden"
    )
    contrast: float = Field(
        2.0,
        ge=0.1,
        le=100,
        description="a body is this many standard deviations of the cells brighter or darker than the median",
    )

    @model_validator(mode="after")
    def _bodies_of_cells(self):
        require_order(("cell_um", self.cell_um), ("body_um", self.body_um))
        return self


Side = Annotated[float, Field(ge=0.05, le=10_000)]


class Density(Section):
    """Synapses per block."""

    block_um: tuple[Side, Side, Side] = Field((5.0, 5.0, 5.0), description="size of a block (z, y, x)")


class Uniformity(Section):
    """Statistics of the blocks."""

    dependence_um: float | None = Field(
        None,
        ge=0.01,
        le=100_000,
        description="blocks further apart than this are independent of each other; empty: estimated",
    )
    repeats: int = Field(
        199, ge=99, le=100_000, description="simulated fields that intervals and p-values are taken from"
    )
    precision: tuple[Share, Share, Share] | None = Field(
        None,
        description="precision of the detector and the two ends of its 95 % interval, where this run has no evaluation",
    )
    recall: tuple[Share, Share, Share] | None = Field(None, description="recall of the detector, in the same form")

    @field_validator("precision", "recall")
    @classmethod
    def _shares(cls, shares: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
        if shares is not None and not shares[1] <= shares[0] <= shares[2]:
            raise ValueError(
                "give the value, then the low and the high end of its interval, which hold it between them"
            )
        if shares is not None and shares[0] == 0:
            raise ValueError("the value is 0, by which no density can be corrected; leave the key out")
        return shares

    block_tables: Annotated[dict[str, GivenPath], NamedFiles] = Field(
        {}, description="tables of blocks counted elsewhere, by name: z_nm y_nm x_nm synapses unmasked_um3"
    )


class Synapses(Section):
    """Keys of the synapses branch."""

    train: SampleNames = Field([], description="samples with truth to train on; they are left out of the evaluation")
    tune: SampleNames = Field(
        [],
        description="samples with truth to choose the operating point on, for a classifier of other tissue, in place "
        "of quarters of `train` left out in turn: one network is trained, is fitted to each volume, and has no second "
        "classifier",
    )
    taught: SampleNames = Field(
        [],
        description="samples with an image and no truth: what `teacher` finds in them is learnt beside the truth of "
        "`train`, by networks alone",
    )
    teacher: Address | None = Field(
        None,
        description="the published network that labels `taught`, as `{address: ..., sha256: ...}` (docs/synapses.md)",
    )
    shards: int = Field(4, ge=1, le=10_000, description="jobs that the units of this branch are grouped into")
    cuboid: Cuboid = Field(
        (32, 512, 512), description="voxels (z, y, x) of a cuboid without its halo; memory grows with it"
    )
    classify: Classify = Classify()
    merge: Merge = Merge()
    mask: Mask = Mask()
    sweep: Sweep = Sweep()
    density: Density = Density()
    uniformity: Uniformity = Uniformity()

    @model_validator(mode="after")
    def _taught_by_somebody(self):
        if self.taught and not (self.teacher and self.train and self.classify.kind == "network"):
            raise ValueError(
                "`taught` needs a `teacher`, samples with truth to `train` on, and `classify.kind: network`"
            )
        if self.tune and not self.train:
            raise ValueError("`tune` needs samples to `train` on")
        named = [*self.train, *self.tune, *self.taught]
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)}: is in two of `train`, `tune` and `taught`; leave it in one of them")
        return self
