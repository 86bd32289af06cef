"""Where real data comes from."""

from pydantic import Field, field_validator

from spinome.configuration.base import Section


class PublicFile(Section):
    """A public file: its address and its checksum, such as `sha256:...` or `md5:...`."""

    url: str = Field(pattern=r"^https?://", description="address")
    checksum: str = Field(pattern=r"^(sha256|sha512|sha1|md5):[0-9a-f]+$", description="checksum with its algorithm")


class Retrieve(Section):
    """Sources of real data that the workflow obtains itself."""

    base_url: str | None = Field(
        None, description="address of a mirror that replaces the scheme and host of every public source"
    )
    files: dict[str, PublicFile] = Field(
        {}, description="public files by name, each `{url, checksum}`; they go to `resources/public/<name>`"
    )
    records: dict[str, str] = Field(
        {"s3d": "https://zenodo.org/api/records/17335417"},
        description="Zenodo records by name; all files of a record go to the folder `resources/public/<name>`",
    )

    @field_validator("files", "records")
    @classmethod
    def _plain_names(cls, sources: dict) -> dict:
        for name in sources:
            if "/" in name or name.startswith("."):
                raise ValueError(f"{name}: names a file or folder, so no '/' and no '.' at its start")
        return sources
