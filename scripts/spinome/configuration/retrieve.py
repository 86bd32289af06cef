"""Where real data comes from, and how much of it is taken at most."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from spinome.configuration.base import Section
from spinome.io.untrusted import checked_name, require_distinct
from spinome.io.web.limits import Limits
from spinome.retrieve.checksums import PATTERN, checked_checksum

Checksum = Annotated[str, AfterValidator(checked_checksum), Field(json_schema_extra={"pattern": PATTERN})]


def web_address(url: str) -> str:
    if not url.startswith(("http://", "https://")) or any(character.isspace() for character in url):
        raise ValueError("is no address on the web, http://... or https://...")
    return url


WebAddress = Annotated[str, AfterValidator(web_address), Field(json_schema_extra={"pattern": "^https?://"})]


class PublicFile(Section):
    """A public file: its address and its checksum, such as `sha256:...` or `md5:...`."""

    url: WebAddress = Field(description="address")
    checksum: Checksum = Field(
        description="checksum with its algorithm (sha256, sha512, sha1 or md5), as the source publishes it or as "
        "`sha256sum FILE` gives it for a copy that you trust"
    )

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("checksum"):
            raise ValueError(
                "has no checksum; add `checksum: sha256:...`, as the source publishes it or as `sha256sum FILE` gives "
                "it for a copy that you trust"
            )
        return values


class PublicRecord(Section):
    """A record of Zenodo: its address, and checksums of files that it states none for."""

    url: WebAddress = Field(description="address of its description, `https://zenodo.org/api/records/<number>`")
    checksums: dict[str, Checksum] = Field(
        {},
        description="checksum of a file by its name, in place of what the record states; needed where it states none",
    )


class RetrieveLimits(Section):
    """What is taken from an address at most; no result depends on these, so changing them reruns nothing."""

    max_gb: float = Field(
        Limits.max_gb, gt=0, le=100_000, description="largest file, or record with all of its files, in GB (10^9 bytes)"
    )
    max_mesh_gb: float = Field(
        Limits.max_mesh_gb,
        gt=0,
        le=1000,
        description="largest mesh from an address, in GB as it comes and as it is unpacked; its job takes about six "
        "times as much memory",
    )
    max_hours: float = Field(
        Limits.max_hours, gt=0, le=1000, description="longest time for a file, a record or a mesh, with all attempts"
    )
    patience_s: float = Field(
        Limits.patience_s,
        gt=0,
        le=3600,
        description="longest silence of a server, and longest wait between two attempts, even where the server asks "
        "for a longer one",
    )
    min_kb_per_s: float = Field(
        Limits.min_kb_per_s,
        ge=0,
        le=1_000_000,
        description="least rate, averaged over `patience_s`; a slower connection counts as broken",
    )
    attempts: int = Field(
        Limits.attempts,
        ge=1,
        le=100,
        description="attempts for a file where connections break or the server is busy (429, 500 and above)",
    )
    max_depth: int = Field(
        Limits.max_depth,
        ge=1,
        le=50,
        description="redirects that are followed from one address, and `info` files that lead to another",
    )


class Retrieve(Section):
    """Sources of real data that the workflow obtains itself."""

    base_url: WebAddress | None = Field(
        None, description="address of a mirror that replaces the scheme and host of every public source"
    )
    files: dict[str, PublicFile] = Field(
        {}, description="public files by name, each `{url, checksum}`; they go to `resources/public/<name>`"
    )
    records: dict[str, PublicRecord] = Field(
        {"s3d": PublicRecord(url="https://zenodo.org/api/records/17335417")},
        description="Zenodo records by name, each `{url, checksums}` or the address alone; all files of a record go to "
        "the folder `resources/public/<name>`",
    )
    limits: RetrieveLimits = RetrieveLimits()

    @field_validator("records", mode="before", json_schema_input_type=dict[str, str | PublicRecord])
    @classmethod
    def _addresses(cls, records: Any) -> Any:
        if not isinstance(records, dict):
            return records
        return {name: {"url": value} if isinstance(value, str) else value for name, value in records.items()}

    @field_validator("files", "records")
    @classmethod
    def _plain_names(cls, sources: dict) -> dict:
        for name in sources:
            checked_name(name)
            if "/" in name or name.startswith(".") or set(name) & set("{}"):
                raise ValueError(f"{name}: names a file or folder, so no '/', '{{' or '}}' and no '.' at its start")
        return sources

    @model_validator(mode="after")
    def _one_place_each(self):
        """Files and records go to one folder."""
        both = sorted(set(self.files) & set(self.records))
        if both:
            raise ValueError(f"{', '.join(both)} is a name in `files` and in `records`, and both go there; rename one")
        require_distinct([*self.files, *self.records])
        return self
