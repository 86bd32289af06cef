"""The base of every section: no unknown key, every key described."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the configuration. A misspelt key is an error, not a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)
