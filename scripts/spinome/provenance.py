"""What made a result: content hashes of code and inputs, versions, and the configuration written out whole."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
from collections.abc import Iterable
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
        digest.update(_source_digest(module))
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


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Installed versions of packages by name."""
    return {package: importlib.metadata.version(package) for package in packages}


@cache
def _path(module: str) -> Path | None:
    stem = LIBRARY.joinpath(*module.split(".")[1:])
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _source_digest(module: str) -> bytes:
    tree = ast.parse(_path(module).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return hashlib.blake2b(ast.dump(tree).encode(), digest_size=8).digest()


@cache
def _imports(module: str) -> frozenset[str]:
    """The modules of Spinome that a module names in its imports, inside of functions too.

    `from spinome.io.tables import read_table` names the module alone, `from spinome.io import tables` the
    submodule. The packages above them do not count: their `__init__` hold a docstring (a test says so), and
    that of `spinome.configuration`, which imports every branch, would make each rule depend on everything.
    """
    path = _path(module)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*parents, *([node.module] if node.module else [])])
            submodules = {f"{source}.{alias.name}" for alias in node.names} if source.startswith("spinome") else set()
            submodules = {name for name in submodules if _path(name)}
            # a package that is only passed through to its submodules is not used itself
            names |= submodules if len(submodules) == len(node.names) else submodules | {source}
    return frozenset(name for name in names if name.split(".")[0] == "spinome" and _path(name))


def _collect(module: str, seen: set[str]) -> None:
    if _path(module) is None:
        raise ValueError(f"{module}: no such module of Spinome")
    if module not in seen:
        seen.add(module)
        for name in _imports(module):
            _collect(name, seen)
