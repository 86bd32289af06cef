"""Where real data comes from."""

from pydantic import Field

from spinome.configuration.base import Section


class Retrieve(Section):
    """Sources of real data that the workflow obtains itself."""

    base_url: str | None = Field(
        None, description="address of a mirror that replaces the scheme and host of every public source"
    )
