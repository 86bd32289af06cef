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
def _tree(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text())


@cache
def _source_digest(module: str) -> bytes:
    tree = ast.parse(_path(module).read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            body[0].value = ast.Constant(None)
    return hashlib.blake2b(ast.dump(tree).encode(), digest_size=8).digest()


def _collect(module: str, seen: set[str]) -> None:
    if module in seen or _path(module) is None:
        if not seen and _path(module) is None:
            raise ValueError(f"{module}: no such module of Spinome")
        return
    seen.add(module)
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.startswith("spinome"):
                _collect(name, seen)
