"""Condensed features go round both forms.

The meshmash layout was verified with meshmash 0.1.0 (Python 3.12) on the 32,441 vertices of `dendrite_sample.gltf`:
`meshmash.read_condensed_features` opened what `write_meshmash` wrote, with equal values, labels and index -1, 0, ...,
and `read_meshmash` opened what `meshmash.save_condensed_features` wrote, with equal values, labels and header; also
the output of `meshmash.condensed_hks_pipeline` on a tube. `RECORDED` are the first and the last columns that it
wrote there.
"""

from typing import get_args

import numpy as np
import pandas as pd
import pytest

from spinome.configuration.neurons import Features
from spinome.io.meshes import read_mesh
from spinome.mesh.hks import log_hks
from spinome.mesh.surface import Mesh
from spinome.neurons.condense import condense
from spinome.neurons.features import (
    STORAGES,
    read_compressed,
    read_meshmash,
    read_parquet,
    storage_table,
    write_compressed,
    write_meshmash,
    write_parquet,
)
from spinome.neurons.simplify import simplify

RECORDED = "hks_0\thks_1\thks_2", "hks_30\thks_31"


@pytest.fixture
def features():
    """Features of 300 domains that lie in six dimensions, and the domains of 20,000 vertices, some without one."""
    random = np.random.default_rng(0)
    log_hks = random.normal(size=(300, 6)) @ random.normal(size=(6, 32)) - 18
    return log_hks.astype(np.float32), np.repeat(random.integers(-1, 300, 2000), 10).astype(np.int32)


def of_mesh(mesh):
    """Features of the vertices of a mesh, of their domains, and the domain of each vertex."""
    simplified = simplify(mesh)
    full = log_hks(simplified.vertices, simplified.faces)
    domains = condense(simplified.vertices, simplified.faces, full)
    return full[simplified.vertex_of], domains.log_hks, domains.label[simplified.vertex_of]


def test_the_layout_of_meshmash(features, tmp_path):
    write_meshmash(tmp_path / "n.npz", *features)
    header = (tmp_path / "header.txt").read_text()
    assert header.startswith(RECORDED[0]) and header.endswith(RECORDED[1])
    with np.load(tmp_path / "n.npz", allow_pickle=False) as data:
        assert set(data.files) == {"X", "labels"}
        assert data["X"].shape == (301, 32) and data["X"].dtype == np.float32
        assert np.isnan(data["X"][0]).all() and np.array_equal(data["X"][1:], features[0])
        assert data["labels"].dtype == np.int32 and np.array_equal(data["labels"], features[1])


def test_meshmash_there_and_back_for_many_neurons_of_a_folder(features, tmp_path):
    for name in ("a", "b"):
        write_meshmash(tmp_path / f"{name}.npz", *features)
        for written, found in zip(features, read_meshmash(tmp_path / f"{name}.npz")):
            assert np.array_equal(written, found) and found.dtype == written.dtype


def test_what_meshmash_writes_is_read(tmp_path):
    """As its `save_condensed_features` does: a frame with the null domain last is put in the order of its index."""
    frame = pd.DataFrame(np.arange(96.0).reshape(3, 32), columns=[f"hks_{i}" for i in range(32)], index=[0, 1, -1])
    frame = frame.reindex(np.arange(-1, 2))
    (tmp_path / "header.txt").write_bytes("\t".join(frame.columns).encode())
    np.savez_compressed(tmp_path / "n.npz", X=frame.to_numpy(np.float32), labels=np.array([0, 1, -1, 1], np.int32))
    log_hks, label = read_meshmash(tmp_path / "n.npz")
    assert log_hks[:, 0].tolist() == [0.0, 32.0]
    assert label.tolist() == [0, 1, -1, 1]


def test_other_columns_in_the_folder_are_an_error(features, tmp_path):
    (tmp_path / "header.txt").write_text("hks_0\tcurvature")
    with pytest.raises(ValueError, match=r"header\.txt: has other columns.*another folder"):
        write_meshmash(tmp_path / "n.npz", *features)
    (tmp_path / "other").mkdir()
    write_meshmash(tmp_path / "other" / "n.npz", *features)
    (tmp_path / "other" / "header.txt").write_text("hks_0\tcurvature")
    with pytest.raises(ValueError, match=r"header\.txt: names 2 columns, n\.npz has 32"):
        read_meshmash(tmp_path / "other" / "n.npz")


def test_tables_give_the_features_back(features, tmp_path):
    write_parquet(tmp_path / "n", *features)
    assert pd.read_parquet(tmp_path / "n" / "domains.parquet").columns[:2].tolist() == ["domain", "log_hks_0"]
    assert all(np.array_equal(found, given) for found, given in zip(read_parquet(tmp_path / "n"), features))
    with pytest.raises(FileNotFoundError):
        read_parquet(tmp_path / "absent")


def test_every_storage_of_the_configuration_has_a_writer():
    choices = Features.model_fields["storage"].annotation
    assert set(get_args(get_args(choices)[0])) == set(STORAGES)


def test_six_components_hold_what_lies_in_six_dimensions(features, tmp_path):
    write_compressed(tmp_path / "n.npz", *features)
    log_hks, label = read_compressed(tmp_path / "n.npz")
    assert np.array_equal(label, features[1])
    # half precision keeps 11 bits of components that reach about 20
    assert np.abs(log_hks - features[0]).max() < 0.05
    with np.load(tmp_path / "n.npz", allow_pickle=False) as data:
        assert data["components"].shape == (300, 6) and data["components"].dtype == np.float16
        assert data["domain"].dtype == np.uint16


@pytest.mark.parametrize(("domains", "dtype"), [(1, np.uint8), (255, np.uint8), (256, np.uint16), (65_536, np.uint32)])
def test_labels_take_the_smallest_type_that_holds_them(tmp_path, domains, dtype):
    log_hks = np.linspace(-20, -18, domains)[:, None] * np.ones(32)
    write_compressed(tmp_path / "n.npz", log_hks, np.arange(domains))
    with np.load(tmp_path / "n.npz") as data:
        assert data["domain"].dtype == dtype
    found, label = read_compressed(tmp_path / "n.npz")
    assert np.array_equal(label, np.arange(domains)) and np.allclose(found, log_hks, atol=0.01)


@pytest.mark.parametrize("write", [write_meshmash, write_compressed, write_parquet])
def test_labels_of_other_features_are_an_error(features, tmp_path, write):
    with pytest.raises(ValueError, match="labels are -1 to 299, but there are 299 domains"):
        write(tmp_path / "n.npz", features[0][1:], features[1])
    assert not (tmp_path / "n.npz").exists()


def test_features_that_are_not_finite_are_an_error(features, tmp_path):
    features[0][3] = np.nan
    with pytest.raises(ValueError, match="1 of 300 domains have no finite"):
        write_compressed(tmp_path / "n.npz", *features)


@pytest.mark.parametrize("read", [read_meshmash, read_compressed])
def test_another_file_is_named(tmp_path, read):
    np.savez(tmp_path / "n.npz", vertices=np.zeros(3))
    with pytest.raises(ValueError, match=r"n\.npz: holds no condensed features"):
        read(tmp_path / "n.npz")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "absent.npz")


def test_the_table_says_what_each_form_costs_and_loses(tmp_path):
    random = np.random.default_rng(1)
    label = np.repeat(np.arange(50), 400)
    log_hks = (random.normal(size=(50, 6)) @ random.normal(size=(6, 32)) - 18).astype(np.float32)
    full = (log_hks[label] + random.normal(0, 0.1, (20_000, 32))).astype(np.float32)
    table = storage_table(full, log_hks, label).set_index("form")
    for form, write in [("meshmash", write_meshmash), ("compressed", write_compressed)]:
        write(tmp_path / f"{form}.npz", log_hks, label)
        assert table["bytes_per_vertex"][form] * 20_000 == (tmp_path / f"{form}.npz").stat().st_size
        # the median of the absolute value of a normal number is 0.674 of its spread
        assert table["median_error"][form] == pytest.approx(0.0674, rel=0.02)
    write_parquet(tmp_path / "n", log_hks, label)
    size = sum(file.stat().st_size for file in (tmp_path / "n").iterdir())
    assert table["bytes_per_vertex"]["parquet"] * 20_000 == size
    assert table["bytes_per_vertex"]["gzip"] > 100
    assert table["median_added"]["meshmash"] == 0 < table["median_added"]["compressed"] < 0.01


def test_a_rough_tube_takes_a_fortieth_of_its_gzipped_features(tube):
    # a smooth one has few different features, which gzip finds by itself
    rough = Mesh(tube.vertices * np.random.default_rng(2).normal(1, 0.02, tube.vertices.shape), tube.faces)
    table = storage_table(*of_mesh(rough)).set_index("form")
    assert table["times_smaller"]["compressed"] >= 40
    assert table["median_error"]["compressed"] < 0.05
    # what compressing adds is small beside what condensing lost
    assert table["median_added"]["compressed"] < 0.3 * table["median_error"]["meshmash"]


def test_a_real_dendrite_takes_a_fortieth_of_its_gzipped_features(shared_data):
    mesh = read_mesh(str(shared_data("neurons/dendrite_sample.gltf")))
    table = storage_table(*of_mesh(mesh)).set_index("form")
    assert table["times_smaller"]["compressed"] >= 40
    assert table["median_error"]["compressed"] < 0.05
    assert table["median_added"]["compressed"] < 0.01
