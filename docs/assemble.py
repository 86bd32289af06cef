"""Lay out the documentation site: pages from all over the repository in one folder, and the library reference.

Pages lie where they are needed (`docs/`, `config/README.md`, the model cards) and link to each other as files of the
repository, so that they can be read there. A site has one folder. So each page is copied to `PAGES`, its links are
turned to where their targets went, and a link to a file that is no page takes the file along. `make docs` runs this.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import sys
from itertools import pairwise
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LIBRARY = REPOSITORY / "scripts" / "spinome"
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
ENTRY = re.compile(r"^(\S.*?) : ", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
TITLES = {
    "io": "Formats",
    "scores": "Scores",
    "mesh": "Geometry of meshes",
    "twophoton": "Two-photon",
    "synapses": "Synapses",
    "linking": "Linking",
    "neurons": "Neurons",
    "phantom": "Simulated specimens",
    "census": "Census",
    "compare": "Comparisons",
    "report": "Report",
    "retrieve": "Public data",
    "review": "Answers by people",
    "configuration": "Configuration",
    "workflow": "Between Snakemake and the library",
}


def pages() -> dict[Path, str]:
    """Every page of the repository, and its place in the site."""
    found = {path: path.name for path in sorted((REPOSITORY / "docs").glob("*.md"))}
    found |= {path: f"models/{path.name}" for path in sorted((REPOSITORY / "workflow" / "models").glob("*.md"))}
    return found | {
        REPOSITORY / "README.md": "readme.md",
        REPOSITORY / "CHANGELOG.md": "changelog.md",
        REPOSITORY / "config" / "README.md": "configuration.md",
        REPOSITORY / "benchmarks" / "README.md": "running_benchmarks.md",
    }


def turn_links(text: str, page: Path, places: dict[Path, str], taken: dict[Path, str]) -> str:
    """The text of a page with its links as the site needs them.

    Parameters
    ----------
    text, page : of the page, and where it lies in the repository
    places : of all pages; see `pages`
    taken : files that links need besides the pages; what this page needs is added

    Raises
    ------
    ValueError: if a link leads to a file that is not there; the message names page and link.
    """

    def turn(match: re.Match) -> str:
        target, _, anchor = match[2].partition("#")
        if not target or re.match(r"\w+:", target):
            return match[0]
        file = (page.parent / target).resolve()
        if not file.is_file() or not file.is_relative_to(REPOSITORY):
            raise ValueError(f"{page.relative_to(REPOSITORY)}: the link to {target} leads nowhere; correct it")
        if file not in places:
            taken[file] = f"files/{file.relative_to(REPOSITORY)}"
        place = places.get(file) or taken[file]
        turned = os.path.relpath(place, Path(places[page]).parent)
        return f"{match[1]}{turned}{'#' if anchor else ''}{anchor}{match[3]}"

    ends = [0, *(end for fence in FENCE.finditer(text) for end in fence.span()), len(text)]
    parts = [text[start:stop] for start, stop in pairwise(ends)]
    # every other part is a block of code, which stays as it is
    return "".join(LINK.sub(turn, part) if number % 2 == 0 else part for number, part in enumerate(parts))


def reference() -> dict[str, str]:
    """The pages of the library reference: one per package, with every module that defines something public."""
    found = {}
    packages = sorted({path.parent for path in LIBRARY.rglob("*.py")} - {LIBRARY})
    for package in packages:
        name = ".".join(package.relative_to(LIBRARY).parts)
        modules = [path for path in sorted(package.glob("*.py")) if path.stem[0] != "_" and _public(path)]
        if modules:
            lines = [f"::: spinome.{name}.{path.stem}" for path in modules]
            title = TITLES.get(name, name.replace(".", ": "))
            found[f"reference/{name}.md"] = "\n\n".join([f"# {title} (`spinome.{name}`)", *lines]) + "\n"
    rows = [f"| [`spinome.{Path(place).stem}`]({Path(place).name}) | {_purpose(place)} |" for place in found]
    introduction = (
        "# Library\n\nThe library can be used without the workflow ([Neurons from a notebook](../neurons.md)).\n"
    )
    found["reference/index.md"] = "\n".join([introduction, "| package | what is in it |", "|---|---|", *rows]) + "\n"
    return found


def to_markdown(docstring: str) -> str:
    """A docstring in this project's style as Markdown.

    Its sections are those of NumPy, but what a parameter is stands in words behind the colon, where NumPy has the type;
    types are in the signature.
    """
    head, *parts = SECTION.split(docstring)
    out = [head.rstrip()]
    for title, body in zip(parts[::2], parts[1::2]):
        if title in ("Parameters", "Attributes"):
            body = ENTRY.sub(lambda entry: f"- `{entry[1]}`: ", body)
        out.append(f"**{title}**\n\n{body.rstrip()}")
    return "\n\n".join(out)


def _public(module: Path) -> bool:
    body = ast.parse(module.read_text()).body
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_" for node in body)


def _purpose(place: str) -> str:
    """The first line of a package's docstring."""
    package = LIBRARY.joinpath(*Path(place).stem.split("."), "__init__.py")
    return (ast.get_docstring(ast.parse(package.read_text())) or "").partition("\n")[0]


def assemble(folder: Path) -> list[str]:
    """Write all pages, and the files that they show or link to; returns the places of the pages."""
    places, taken = pages(), {}
    texts = {place: turn_links(page.read_text(), page, places, taken) for page, place in places.items()}
    texts |= reference()
    shutil.rmtree(folder, ignore_errors=True)
    for place, text in texts.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text)
    for file, place in taken.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / place)
    return sorted(texts)


if __name__ == "__main__":
    print(f"{len(assemble(Path(sys.argv[1])))} pages")
