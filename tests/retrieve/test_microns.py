"""Labels by hand of the MICrONS release, in the layout of its static tables, from a server on loopback."""

import gzip
import hashlib
import struct

import numpy as np
import pandas as pd
import pytest

from microns_release import EACH, FIRST, LABELS, PUBLISHED, SYNAPSES, release, serve
from spinome.io.cave import POSITION, read_synapses
from spinome.mesh.nearest_point import nearest_on_surface
from spinome.neurons.truth import read_synapse_truth, truth_of_synapses
from spinome.retrieve.download import download
from spinome.retrieve.mesh import retrieve_mesh
from spinome.retrieve.microns import (
    agreement,
    neuron_sheet,
    point_of,
    read_labels,
    read_synapses_of,
    training,
)


@pytest.fixture
def tables(hostile, tmp_path):
    """The dumps fetched from loopback, each with its header, by the path of their address."""
    files, truth = release()
    hostile.behave, hostile.truth = serve(files), truth
    found = {}
    for name in (LABELS, PUBLISHED, SYNAPSES):
        paths = []
        for ending in (".csv.gz", "_header.csv"):
            content = files[f"{name}{ending}"]
            checksum = f"md5:{hashlib.md5(content).hexdigest()}"
            paths.append(download(f"{hostile.url}/{name}{ending}", tmp_path / name / f"dump{ending}", checksum))
        found[name] = paths
    return found


def test_labels_synapses_and_meshes_of_a_release_fit_each_other(hostile, tables, tmp_path, quick):
    labels = read_labels(*tables[LABELS])
    # an orphan of each neuron, what was withdrawn and a synapse of two tags teach nothing
    assert len(labels) == 5 * (2 * EACH - 1) - 1
    assert labels["tag"].value_counts().to_dict() == {"spine": 5 * EACH, "shaft": 5 * (EACH - 1) - 1}
    synapses = read_synapses_of(*tables[SYNAPSES], labels["id"])
    assert set(synapses["id"]) == set(labels["id"])
    synapses.to_parquet(tmp_path / "synapses.parquet")
    labels.to_parquet(tmp_path / "labels.parquet")
    sheet = neuron_sheet(labels, synapses, str(tmp_path / "synapses.parquet"), str(tmp_path / "labels.parquet"))
    # the first has one label less than the others
    assert sheet["root_id"].tolist() == [FIRST + number for number in (1, 2, 3, 4, 0)]
    for row in sheet.itertuples():
        own = read_synapses(row.synapses, root_id=row.root_id)
        code = truth_of_synapses(read_synapse_truth(row.truth_labels), own)
        vertices, faces = retrieve_mesh(row.mesh, hostile.url)
        vertex, distance = nearest_on_surface(vertices, faces, own[POSITION].to_numpy(float))
        assert distance.max() < 50
        # the thin half of the mesh is what was called spine
        along = vertices[vertex, 0] - hostile.truth[row.root_id][0][:, 0].min()
        assert np.array_equal(code == 1, along > 6000)
    score, count = agreement(labels, read_labels(*tables[PUBLISHED], labels["id"]))
    assert count == len(labels)
    assert 0.98 < score < 1


def test_every_fifth_neuron_is_kept_apart():
    sheet = pd.DataFrame({"neuron": [f"n{number}" for number in range(11)]})
    made = training(sheet, "sheet.tsv")
    assert made["samples"] == {"neurons": "sheet.tsv"}
    assert set(sheet["neuron"]) - set(made["neurons"]["train"]) == {"n4", "n9"}


def test_points_of_a_database_are_read_as_well(tables, tmp_path):
    labels = read_labels(*tables[LABELS])
    plain = read_synapses_of(*tables[SYNAPSES], labels["id"])
    rows = [line.split(",") for line in gzip.decompress(tables[SYNAPSES][0].read_bytes()).decode().splitlines()]
    packed = [[*row[:4], (struct.pack("<bI3d", 1, 0x80000001, *map(float, row[4:]))).hex()] for row in rows]
    dump, header = tmp_path / "points.csv.gz", tmp_path / "points_header.csv"
    dump.write_bytes(gzip.compress("\n".join(map(",".join, packed)).encode()))
    header.write_text(
        "id,bigint\nsize,integer\npre_pt_root_id,bigint\npost_pt_root_id,bigint\nctr_pt_position,geometry\n"
    )
    pd.testing.assert_frame_equal(read_synapses_of(dump, header, labels["id"]), plain, check_dtype=False)
    with_system = struct.pack("<bII3d", 1, 0xA0000001, 4326, 1.0, 2.0, 3.0).hex()
    assert point_of(with_system).tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="'zz' is no point"):
        point_of("zz")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        ("header", r"dump\.csv\.gz: lacks the column tag; its header lists id, created, valid, target_id, note"),
        ("names", r"dump_header\.csv: must have a line `column,type` for each column"),
        ("row", r"dump\.csv\.gz: cannot be read by its header"),
        ("gzip", r"dump\.csv\.gz: cannot be read by its header"),
        ("tags", r"dump\.csv\.gz: labels no synapse as shaft, spine, soma, soma_spine"),
    ],
)
def test_a_dump_that_is_not_as_its_header_says(tables, spoil, problem):
    dump, header = tables[LABELS]
    if spoil == "header":
        header.write_text(header.read_text().replace("tag,", "note,"))
    elif spoil == "names":
        header.write_text("id\ncreated\n")
    elif spoil == "gzip":
        dump.write_bytes(dump.read_bytes()[:-100])
    else:
        text = gzip.decompress(dump.read_bytes()).decode()
        changed = {
            "row": text.replace(",t,", ","),
            "tags": text.replace("sha", "SHA").replace("sp", "SP").replace("soma", "s"),
        }
        dump.write_bytes(gzip.compress(changed[spoil].encode()))
    with pytest.raises(ValueError, match=problem):
        read_labels(dump, header)


def test_labels_of_another_data_set(tables):
    labels = read_labels(*tables[LABELS])
    with pytest.raises(ValueError, match="has none of the 1 labelled synapses"):
        read_synapses_of(*tables[SYNAPSES], [12345678])
    synapses = read_synapses_of(*tables[SYNAPSES], labels["id"])
    with pytest.raises(ValueError, match=r"no neuron has 100 labelled input synapses or more, the most are 59"):
        neuron_sheet(labels[labels["tag"] == "shaft"], synapses, "s", "l")
