"""One tiny specimen and its renderings, made once for all tests of this folder."""

import pytest

from spinome.phantom.em import render_cutout
from spinome.phantom.mesh import neuron_mesh
from spinome.phantom.specimen import grow_specimen

TINY = {
    "days": [0, 1, 3],
    "em_shape": (56, 260, 260),
    "em_voxel_nm": (40.0, 16.0, 16.0),
    "field_shape": (18, 100, 130),
    "spines_per_um": 2.0,
    "soma_radius_um": 1.6,
    "passing_dendrites": 5,
}


@pytest.fixture(scope="session")
def tiny():
    """Keys of a specimen of a few seconds."""
    return TINY


@pytest.fixture(scope="session")
def specimen():
    return grow_specimen(seed=5, **TINY)


@pytest.fixture(scope="session")
def mesh(specimen):
    return neuron_mesh(specimen, 75.0)


@pytest.fixture(scope="session")
def cutout(specimen):
    """Volumes by name, links and synapses of the cutout."""
    return render_cutout(specimen)
