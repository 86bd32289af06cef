"""The floors of the library: a module imports from floors below its own, and from its own room."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "scripts" / "spinome"
# rooms (folders, and modules beside them) from the ground upwards; rooms of one floor stand side by side
FLOORS = (
    (
        "colours",
        "columns",
        "cuboids",
        "design",
        "flat_forest",
        "hashing",
        "labels",
        "limits",
        "logs",
        "names",
        "normalisation",
        "ranges",
        "seeds",
        "union_find",
    ),
    ("mesh", "scores"),
    ("io",),
    ("failures", "gaps"),
    ("phantom", "twophoton", "synapses", "linking", "neurons"),
    ("census", "compare", "retrieve", "review"),
    ("configuration", "report", "shipped"),
    ("workflow",),
    # the names at the top of the package
    ("spinome",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imports_of(path):
    """Modules of the library that a file imports, inside of functions as well."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] == "spinome")
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            if node.module.split(".")[0] == "spinome":
                names = [f"{node.module}.{name.name}" for name in node.names]
                yield from names if node.module == "spinome" else [node.module]


def room_of(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "spinome"


ARROWS = {
    (room_of(".".join(["spinome", *path.relative_to(LIBRARY).with_suffix("").parts]).removesuffix(".__init__")), module)
    for path in LIBRARY.rglob("*.py")
    for module in imports_of(path)
}


def test_every_room_has_a_floor():
    rooms = {path.stem for path in LIBRARY.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - {"__init__"} == set(FLOOR) - {"spinome"}
    assert len(FLOOR) == sum(map(len, FLOORS))


def test_the_picture_shows_every_room_on_its_floor():
    picture = (LIBRARY.parents[1] / "docs" / "architecture.svg").read_text()
    titles = re.findall(r'<text x="[\d.]+" y="([\d.]+)" [^>]*font-weight="600"[^>]*>([\w, ]+)</text>', picture)
    height = {room: float(y) for y, title in titles for room in title.split(", ")}
    assert set(height) == set(FLOOR) - {"spinome"}
    for lower, higher in pairwise(FLOORS[:-1]):
        assert min(height[room] for room in lower) > max(height[room] for room in higher)


@pytest.mark.parametrize("room", FLOOR)
def test_arrows_go_down_only(room):
    taken = {module for importer, module in ARROWS if importer == room and room_of(module) != room}
    assert not {module for module in taken if FLOOR[room_of(module)] >= FLOOR[room]}


def test_no_module_of_the_library_imports_the_report():
    assert not {arrow for arrow in ARROWS if room_of(arrow[1]) == "report" and arrow[0] != "report"}


def test_the_walk_sees_what_is_imported_late_and_whole(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("import spinome.io.tables\ndef f():\n    from spinome.mesh import hks\nfrom spinome import gaps\n")
    assert list(imports_of(file)) == ["spinome.io.tables", "spinome.gaps", "spinome.mesh"]
    assert len(ARROWS) > 300
