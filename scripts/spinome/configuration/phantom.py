"""Simulated specimens."""

from pydantic import Field

from spinome.configuration.base import Section


class Specimen(Section):
    """One simulated specimen; its seed decides everything else."""

    seed: int = Field(1, description="seed of the specimen")
    days: list[float] = Field([0, 1, 3, 7, 11], min_length=1, description="days of the two-photon sessions")
    slices: int = Field(40, ge=12, description="slices of a session, 1 um apart")
    field_px: tuple[int, int] = Field((256, 320), description="height and width of a session, voxels of 0.12 um")
    em_shape: tuple[int, int, int] = Field((112, 480, 480), description="voxels of the EM cutout (z, y, x)")
    em_voxel_nm: tuple[float, float, float] = Field((30, 12, 12), description="voxel of the EM cutout (z, y, x), nm")
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
    passing_dendrites: int = Field(9, ge=0, le=30, description="dendrites of other neurons in the EM cutout")


class Phantom(Section):
    """Simulated specimens by name; `resources/phantom/<name>/` holds each as mesh, EM and two-photon sessions."""

    specimens: dict[str, Specimen] = Field(
        {"phantom": Specimen(seed=1), "phantom_train": Specimen(seed=2)}, description="specimens by name"
    )
