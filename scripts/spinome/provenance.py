"""What made a result: content hashes of code and inputs, versions, and the configuration written out whole."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
from functools import cache
from pathlib import Path
from typing import Any

LIBRARY = Path(__file__).parent


def code_hash(*modules: str) -> str:
    """Hash the source of modules of Spinome and of every module of Spinome that they import.

    Snakemake sees a script's own file and not the library it calls; rules carry this as a parameter, so that
    a change in the library reruns just the rules that use it. Docstrings and comments do not count.
    """
    seen: set[str] = set()
    for module in modules:
        _collect(module, seen)
    digest = hashlib.blake2b(digest_size=8)
    for module in sorted(seen):
        digest.update(_read(module)[0])
    return digest.hexdigest()


def content_hash(*parts: Any) -> str:
    """Hash plain values (anything JSON can write) in a way that does not depend on the order of keys."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def file_hash(path: str | Path) -> str:
    """Hash the bytes of a file, or of every file of a folder with its name."""
    path = Path(path)
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(str(file.relative_to(path)).encode())
            with file.open("rb") as stream:
                while block := stream.read(1 << 22):
                    digest.update(block)
    return digest.hexdigest()


def fingerprint(path: str | Path, sampled_above: int = 1 << 28) -> dict[str, Any]:
    """Size and hash of an input, affordable for inputs of any size.

    Up to `sampled_above` bytes the hash covers all of them. Of larger files it covers the size and 64 pieces of
    64 KiB at even distances, of larger folders the names and sizes of their files; `hashed` says which.

    Returns
    -------
    `{"bytes": int, "hash": str, "hashed": "whole" | "sampled" | "names and sizes"}`
    """
    path = Path(path)
    if path.is_dir():
        listing = [
            (file.relative_to(path).as_posix(), file.stat().st_size) for file in path.rglob("*") if file.is_file()
        ]
        size = sum(length for _, length in listing)
        whole = size <= sampled_above
        digest = file_hash(path) if whole else content_hash(sorted(listing))
        return {"bytes": size, "hash": digest, "hashed": "whole" if whole else "names and sizes"}
    size = path.stat().st_size
    if size <= sampled_above:
        return {"bytes": size, "hash": file_hash(path), "hashed": "whole"}
    digest, piece, pieces = hashlib.blake2b(str(size).encode(), digest_size=8), 1 << 16, 64
    with path.open("rb") as stream:
        for number in range(pieces):
            stream.seek((size - piece) * number // (pieces - 1))
            digest.update(stream.read(piece))
    return {"bytes": size, "hash": digest.hexdigest(), "hashed": "sampled"}


def installed_versions() -> dict[str, str]:
    """Versions of all installed packages by name."""
    found = {package.name: package.version for package in importlib.metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def code_by_package() -> dict[str, str]:
    """One hash of the code of each package of Spinome, and of the modules beside them."""
    digests: dict[str, Any] = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        parts = path.relative_to(LIBRARY).with_suffix("").parts
        module = ".".join(["spinome", *(part for part in parts if part != "__init__")])
        package = parts[0] if len(parts) > 1 else "spinome"
        digests.setdefault(package, hashlib.blake2b(digest_size=8)).update(_read(module)[0])
    return {package: digest.hexdigest() for package, digest in digests.items()}


@cache
def _path(module: str) -> Path | None:
    stem = LIBRARY.joinpath(*module.split(".")[1:])
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _read(module: str) -> tuple[bytes, frozenset[str]]:
    """Digest of a module's source, and the modules of Spinome that it names in its imports, inside of functions too.

    `from spinome.io.tables import read_table` names the module alone, `from spinome.io import tables` the
    submodule. The packages above them do not count: their `__init__` hold a docstring (a test says so), and
    that of `spinome.configuration`, which imports every branch, would make each rule depend on everything.
    """
    path = _path(module)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree, names = ast.parse(path.read_text()), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*parents, *([node.module] if node.module else [])])
            submodules = {f"{source}.{alias.name}" for alias in node.names} if source.startswith("spinome") else set()
            submodules = {name for name in submodules if _path(name)}
            # a package that is only passed through to its submodules is not used itself
            names |= submodules if len(submodules) == len(node.names) else submodules | {source}
    digest = hashlib.blake2b(ast.dump(tree).encode(), digest_size=8).digest()
    return digest, frozenset(name for name in names if name.split(".")[0] == "spinome" and _path(name))


def _collect(module: str, seen: set[str]) -> None:
    if _path(module) is None:
        raise ValueError(f"{module}: no such module of Spinome")
    if module not in seen:
        seen.add(module)
        for name in _read(module)[1]:
            _collect(name, seen)
