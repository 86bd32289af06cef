"""Spinome: from images of dendrites to one table of spines.

The names below are what a notebook needs first; each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from spinome.io.cave import read_synapses as read_synapses
    from spinome.io.meshes import read_mesh as read_mesh
    from spinome.io.stacks import open_stack as open_stack
    from spinome.io.tables import read_table as read_table
    from spinome.io.volumes import open_labels as open_labels
    from spinome.io.volumes import open_volume as open_volume
    from spinome.mesh.hks import log_hks as log_hks
    from spinome.neurons.pipeline import condense_mesh as condense_mesh
    from spinome.neurons.pipeline import label_neuron as label_neuron
    from spinome.shipped import load_shipped as load_shipped

MODULES = {
    "condense_mesh": "spinome.neurons.pipeline",
    "label_neuron": "spinome.neurons.pipeline",
    "load_shipped": "spinome.shipped",
    "log_hks": "spinome.mesh.hks",
    "open_labels": "spinome.io.volumes",
    "open_stack": "spinome.io.stacks",
    "open_volume": "spinome.io.volumes",
    "read_mesh": "spinome.io.meshes",
    "read_synapses": "spinome.io.cave",
    "read_table": "spinome.io.tables",
}
__all__ = [*MODULES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module 'spinome' has no attribute {name!r}; it has {', '.join(MODULES)}")
    return getattr(import_module(MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *MODULES])
