"""Models of others that are named by where they are published."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from spinome.configuration.retrieve import web_address
from spinome.retrieve.checksums import checked_checksum


def is_address(value: Any) -> bool:
    """Whether a value has the form of a published file: `address` and `sha256`, both text."""
    return (
        isinstance(value, dict)
        and set(value) == {"address", "sha256"}
        and all(isinstance(part, str) for part in value.values())
    )


def checked_address(value: Any) -> dict[str, str]:
    """An address with its checksum, both held against what they must be."""
    if not is_address(value):
        raise ValueError("give both `address` and `sha256` of the published file, in quotes, and nothing else")
    checksum = checked_checksum(f"sha256:{value['sha256']}").removeprefix("sha256:")
    return {"address": web_address(value["address"]), "sha256": checksum}


Address = Annotated[dict[str, str], BeforeValidator(checked_address)]
