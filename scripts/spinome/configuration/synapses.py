"""Keys of the synapses branch."""

from pydantic import Field

from spinome.configuration.base import Section


class Synapses(Section):
    """Keys of the synapses branch."""

    train: list[str] = Field([], description="samples with truth to train on; they are left out of the evaluation")
    shards: int = Field(4, ge=1, description="jobs that the units of this branch are grouped into")
