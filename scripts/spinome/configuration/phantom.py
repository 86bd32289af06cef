"""Simulated specimens."""

from pydantic import Field

from spinome.configuration.base import Section


class Specimen(Section):
    """One simulated specimen; its seed decides everything else."""

    seed: int = Field(1, description="seed of the specimen")


class Phantom(Section):
    """Simulated specimens by name; `resources/phantom/<name>/` holds each as mesh, EM and two-photon sessions."""

    specimens: dict[str, Specimen] = Field({}, description="specimens by name")
