"""Simulated specimens."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from spinome.configuration.base import LARGEST_SEED, NamedFiles, Section, Share, fits_in_memory

# of `spinome.phantom.specimen`, which takes a second to load: voxels (z, y, x) of a session, and how much of the field
# the cutout may be
FIELD_VOXEL_UM, MOST_OF_FIELD = (1.0, 0.12, 0.12), 0.8
Day = Annotated[float, Field(ge=0, le=36_500)]
Pixels = Annotated[int, Field(ge=64, le=4096)]
Nanometres = Annotated[float, Field(ge=1, le=500)]
Side = Annotated[int, Field(ge=16, le=4096)]
Cutout = Annotated[tuple[Side, Side, Side], AfterValidator(fits_in_memory)]


class Specimen(Section):
    """One simulated specimen; its seed decides everything else."""

    seed: int = Field(1, ge=0, le=LARGEST_SEED, description="seed of the specimen")
    days: list[Day] = Field(
        [0, 1, 3, 7, 11], min_length=1, max_length=100, description="days of the two-photon sessions, in their order"
    )
    slices: int = Field(40, ge=12, le=500, description="slices of a session, 1 um apart")
    field_px: tuple[Pixels, Pixels] = Field((256, 320), description="height and width of a session, voxels of 0.12 um")
    em_shape: Cutout = Field((112, 480, 480), description="voxels of the EM cutout (z, y, x)")
    em_voxel_nm: tuple[Nanometres, Nanometres, Nanometres] = Field(
        (30, 12, 12), description="voxel of the EM cutout (z, y, x), nm"
    )
    em_staining: Literal["plain", "varied"] = Field(
        "plain",
        description="how the EM cutout looks: every specimen alike, or each in another way, with grey synapses, dense "
        "cores, dark organelles, oblique membranes and sections that fade",
    )
    mesh_grid_nm: float = Field(75, gt=20, le=90, description="grid that the mesh is made on, nm")
    soma_radius_um: float = Field(3.0, gt=1, lt=12, description="radius of the soma, um")
    spines_per_um: float = Field(
        1.1,
        gt=0.05,
        le=4,
        description="spines per micrometre of the neuron's dendrites; passing dendrites have about twice as many",
    )
    dendrite_scale: float = Field(
        1.0, gt=0.5, le=4, description="factor on the radius of the neuron's dendrites, which is 0.2 to 0.5 um at 1.0"
    )
    spine_scale: float = Field(
        1.0,
        gt=0.6,
        le=1.5,
        description="factor on the diameter of spine heads, which is 0.3 to 0.8 um at 1.0; volumes grow with its third "
        "power",
    )
    changing_spines: Share = Field(
        0.3, description="share of the spines that come or go within the series of sessions, half of them each"
    )
    filopodia: Share = Field(0.0, description="share of the spines that are filopodia, long and without a head")
    passing_dendrites: int = Field(9, ge=0, le=30, description="dendrites of other neurons in the EM cutout")

    @field_validator("days")
    @classmethod
    def _rising(cls, days: list[float]) -> list[float]:
        if any(later <= day for day, later in pairwise(days)):
            raise ValueError(f"the days {', '.join(f'{day:g}' for day in days)} do not rise; order them, each once")
        return days

    @model_validator(mode="after")
    def _cutout_in_field(self):
        field = [size * step for size, step in zip((self.slices, *self.field_px), FIELD_VOXEL_UM)]
        cutout = [size * step / 1000 for size, step in zip(self.em_shape, self.em_voxel_nm)]
        if any(inner > MOST_OF_FIELD * outer for inner, outer in zip(cutout, field)):
            raise ValueError(
                f"the cutout (em_shape times em_voxel_nm) is {_um(cutout)} um and the field (slices and field_px) "
                f"{_um(field)} um; the cutout may be {MOST_OF_FIELD:.0%} of the field along each axis"
            )
        return self


def _um(sizes: list[float]) -> str:
    return " x ".join(f"{size:.1f}" for size in sizes)


class Phantom(Section):
    """Simulated specimens by name; `resources/phantom/<name>/` holds each as mesh, EM and two-photon sessions."""

    specimens: Annotated[dict[str, Specimen], NamedFiles] = Field(
        {"phantom": Specimen(seed=1), "phantom_train": Specimen(seed=2)}, description="specimens by name"
    )
