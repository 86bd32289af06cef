"""Hashes of code: a script and every module of the library that it reaches by import.

Snakemake sees that a script's own file changed, and not the library that it calls. Rules carry the hash of their
script as a parameter, so that a change of the library reruns just the rules whose scripts reach it. Docstrings,
comments and layout do not count, nor do the modules of `PLUMBING`, which decide how a result is made and not what is
in it.
"""

from __future__ import annotations

import ast
import atexit
import hashlib
import json
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from spinome.io.atomic import atomic

LIBRARY = Path(__file__).parents[1]
SCRIPTS = LIBRARY.parent
# what carries words and results about; everything else counts, whatever it is called
# as many source files as ten versions of the library have
MOST_KEPT = 5000
PLUMBING = ("spinome.logs", "spinome.workflow", "spinome.failures")


def script_hash(name: str) -> str:
    """Hash of the script `scripts/<name>.py` and of the modules of the library that it reaches by import.

    Returns
    -------
    16 hexadecimal digits

    Raises
    ------
    FileNotFoundError: if there is no such script
    """
    digest = hashlib.blake2b(digest_size=8)
    digest.update(_read(SCRIPTS / f"{name}.py", "")[0])
    for module in sorted(reached(name)):
        digest.update(_read(_path(module), module)[0])
    return digest.hexdigest()


def reached(name: str) -> set[str]:
    """The modules of the library that the script `scripts/<name>.py` reaches by import, without plumbing."""
    seen: set[str] = set()
    waiting = set(_read(SCRIPTS / f"{name}.py", "")[1])
    while waiting:
        module = waiting.pop()
        if module not in seen and not _is_plumbing(module):
            seen.add(module)
            waiting |= _read(_path(module), module)[1]
    return seen


def code_by_package() -> dict[str, str]:
    """One hash of the code of each package of Spinome, and of the modules beside them."""
    digests: dict[str, hashlib.blake2b] = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        parts = path.relative_to(LIBRARY).with_suffix("").parts
        module = ".".join(["spinome", *(part for part in parts if part != "__init__")])
        package = parts[0] if len(parts) > 1 else "spinome"
        digests.setdefault(package, hashlib.blake2b(digest_size=8)).update(_read(path, module)[0])
    return {package: digest.hexdigest() for package, digest in digests.items()}


def _is_plumbing(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in PLUMBING)


class Kept:
    """What was found of source files by a hash of all that it depends on, kept in a file where one is told of.

    To parse the library takes 1.5 CPU-seconds, and Snakemake reads the rules anew for every job.
    """

    def __init__(self) -> None:
        self.file: Path | None = None
        self.known: dict[str, Any] = {}

    def read(self, file: Path) -> None:
        """Take what a file holds, and keep what is found later there."""
        self.file = file
        try:
            self.known = json.loads(file.read_text())
        except (OSError, ValueError):
            self.known = {}
        self.used: set[str] = set()
        self.before = len(self.known)
        atexit.register(self.save)

    def get(self, key: str) -> Any:
        """What was found under a key; None where nothing was."""
        found = self.known.get(key)
        if self.file and found is not None:
            self.used.add(key)
        return found

    def add(self, key: str, found: Any) -> Any:
        """Keep what was found."""
        self.known[key] = found
        return found

    def save(self) -> None:
        """Write what is new; what was not asked for goes when it has become much."""
        if self.file is None or len(self.known) == self.before:
            return
        if len(self.known) > MOST_KEPT:
            self.known = {key: found for key, found in self.known.items() if key in self.used}
        with suppress(OSError), atomic(self.file) as part:
            part.write_text(json.dumps(self.known))


KEPT = Kept()


@cache
def _path(module: str) -> Path | None:
    stem = LIBRARY.joinpath(*module.split(".")[1:])
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _read(path: Path, module: str) -> tuple[bytes, frozenset[str]]:
    """Digest of a source file, and the modules of Spinome that it names in its imports, inside of functions too.

    `from spinome.io.tables import read_table` names the module alone, `from spinome.io import tables` the
    submodule. The packages above them do not count: their `__init__` hold a docstring (a test says so), and
    those that gather other modules would make each rule depend on everything. Files beside the module that it names
    in a string, such as a template, count with their bytes.
    """
    text = path.read_bytes()
    key = hashlib.blake2b(b"\0".join([text, module.encode(), *_surroundings(path)]), digest_size=16).hexdigest()
    if (known := KEPT.get(key)) is None:
        digest, names = _parsed(path, module, text.decode())
        known = KEPT.add(key, [digest.hex(), sorted(names)])
    return bytes.fromhex(known[0]), frozenset(known[1])


@cache
def _modules(library: Path) -> bytes:
    """The names of all modules: what an import means depends on which there are."""
    return "|".join(sorted(str(file.relative_to(library)) for file in library.rglob("*.py"))).encode()


def _surroundings(path: Path) -> list[bytes]:
    """What counts beside a source file itself: which modules there are, and files that are no code in its folder."""
    return [sys.version.encode(), _own_code(), _modules(LIBRARY), *_states(path.parent)]


@cache
def _states(folder: Path) -> list[bytes]:
    """Name, size and time of the files of a folder that are no code."""
    beside = sorted(file for file in folder.iterdir() if file.suffix != ".py" and file.is_file())
    return [f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}".encode() for file in beside]


@cache
def _own_code() -> bytes:
    """This file: another version of it may find something else in the same sources."""
    return Path(__file__).read_bytes()


def _parsed(path: Path, module: str, text: str) -> tuple[bytes, set[str]]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree, names = ast.parse(text), set()
    beside = {file.name for file in path.parent.iterdir() if file.is_file() and file.suffix != ".py"}
    digest = hashlib.blake2b(digest_size=8)
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
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in beside:
            digest.update((path.parent / node.value).read_bytes())
    digest.update(ast.dump(tree).encode())
    return digest.digest(), {name for name in names if name.split(".")[0] == "spinome" and _path(name)}
