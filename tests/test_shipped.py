"""The names at the top of the package, and the models that ship."""

import pytest

import spinome
from spinome.shipped import FOLDERS, load_shipped, shipped_file


@pytest.mark.parametrize("name", spinome.MODULES)
def test_every_name_at_the_top_is_there(name):
    assert callable(getattr(spinome, name))
    assert name in dir(spinome)


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(AttributeError, match=r"no attribute 'read_mush'; it has .*read_mesh"):
        _ = spinome.read_mush


@pytest.mark.parametrize("name", sorted({file.stem for file in FOLDERS[1].iterdir()}))
def test_every_shipped_model_loads_by_its_name(name):
    assert load_shipped(name) is not None


def test_a_model_that_does_not_ship_is_named_with_those_that_do():
    with pytest.raises(ValueError, match=r"neuron: no such model ships with Spinome; there are .*neurons"):
        shipped_file("neuron")
