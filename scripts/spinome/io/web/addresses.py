"""Addresses of public files: of buckets, at a mirror, of a file in a folder, in a message."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

# buckets that anyone may read, by the scheme of their addresses
BUCKETS = {"gs": "https://storage.googleapis.com/{}", "s3": "https://{}.s3.amazonaws.com"}
# what a name keeps in an address
SAFE = "/:!$&'()*+,;=@~"


def public_address(address: str) -> str:
    """The http address of a folder, without a slash at its end; a `file:` address stays one."""
    address = address.removeprefix("precomputed://").rstrip("/")
    scheme, _, rest = address.partition("://")
    if scheme in BUCKETS:
        bucket, _, path = rest.partition("/")
        return f"{BUCKETS[scheme].format(bucket)}/{path}"
    return address


def at_mirror(url: str, base_url: str | None) -> str:
    """Replace scheme and host of an address by those of a mirror, and put the mirror's path before its path."""
    if not base_url:
        return url
    mirror, parts = urlsplit(base_url), urlsplit(url)
    path = mirror.path.rstrip("/") + parts.path
    return urlunsplit((mirror.scheme, mirror.netloc, path, parts.query, ""))


def address_of(folder: str, name: str) -> str:
    """The address of a file by its name in a folder; in a name '%', '?' and '#' mean themselves."""
    return f"{folder}/{quote(name, safe=SAFE)}"


def without_password(url: str) -> str:
    """An address as messages show it, without a user's name and password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
