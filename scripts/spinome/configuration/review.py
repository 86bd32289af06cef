"""Keys of answers by people, and of learning from them."""

from pydantic import Field

from spinome.configuration.base import GivenPath, Section


class Review(Section):
    """Answers that people gave in `spinome review`."""

    answers: GivenPath = Field("answers.parquet", description="folder of the answers, which `spinome review` writes")
    learn: bool = Field(
        False,
        description=(
            "whether models learn from the answers: the judges of two-photon and of synapse candidates, the networks "
            "that find these, the forests of links, types and neurons; each old one is kept where the new one is not "
            "better on answers drawn by lot"
        ),
    )
