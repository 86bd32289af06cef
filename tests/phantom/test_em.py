import cc3d
import numpy as np
from scipy.ndimage import distance_transform_edt

from spinome.phantom.em import render_cutout
from spinome.phantom.geometry import surface_at
from spinome.phantom.specimen import NEURON
from spinome.phantom.spines import points


def test_volumes_share_a_shape_and_have_their_types(specimen, cutout):
    volumes, _, _ = cutout
    types = {name: str(volume.dtype) for name, volume in volumes.items()}
    assert types == {
        "image": "uint8",
        "membrane": "float32",
        "segmentation": "uint32",
        "detached": "uint32",
        "vesicles": "uint8",
        "synapses": "uint32",
        "mask": "uint8",
    }
    assert {volume.shape for volume in volumes.values()} == {tuple(specimen.em_shape)}


def test_the_same_specimen_gives_the_same_voxels(specimen, cutout):
    again, _, _ = render_cutout(specimen)
    for name, volume in cutout[0].items():
        np.testing.assert_array_equal(volume, again[name])


def test_tissue_is_filled_and_only_the_vessel_is_empty(cutout):
    labels, mask = cutout[0]["segmentation"], cutout[0]["mask"]
    np.testing.assert_array_equal(labels > 0, mask > 0)
    assert 0.005 < (mask == 0).mean() < 0.15
    assert len(np.unique(labels)) > 60


def test_labels_agree_with_the_geometry(specimen, cutout):
    labels = cutout[0]["segmentation"]
    index = np.random.default_rng(0).integers(0, labels.shape, (4000, 3))
    index = index[cutout[0]["mask"][tuple(index.T)] > 0]
    tubes = specimen.tubes()
    found = surface_at(tubes, index * specimen.em_voxel_nm, specimen.seed)
    inside = found.distance < -1
    owner = specimen.neuron_of[tubes.owner[found.tube[inside]]]
    np.testing.assert_array_equal(labels[tuple(index[inside].T)], owner)
    outside = found.distance > 1
    assert (labels[tuple(index[outside].T)] >= 1000).all()


def test_heads_of_mesh_and_cutout_coincide(specimen, mesh, cutout):
    there = specimen.present(len(specimen.days) - 1)
    place = np.round(points(there, "head") / specimen.em_voxel_nm).astype(int)
    inside = ((place >= 0) & (place < specimen.em_shape)).all(axis=1)
    assert inside.sum() >= 5
    found = cutout[0]["segmentation"][tuple(place[inside].T)]
    np.testing.assert_array_equal(found, there["neuron"][inside])
    own = there[inside & (there["neuron"] == NEURON).to_numpy()]
    assert len(own)
    for row in own.itertuples():
        vertices = mesh.vertices[mesh.vertex_data["spine_id"] == row.spine]
        head = np.array([row.head_x_nm, row.head_y_nm, row.head_z_nm])
        assert np.linalg.norm(vertices - head, axis=1).min() < row.head_diameter_nm


def test_membranes_are_dark_and_probable(cutout):
    volumes = cutout[0]
    labels, image = volumes["segmentation"], volumes["image"].astype(float)
    border = (labels[:, :, 1:] != labels[:, :, :-1]) & (volumes["mask"][:, :, 1:] > 0)
    border = np.pad(border, ((0, 0), (0, 0), (1, 0)))
    deep = distance_transform_edt(~border, sampling=(1000, 1, 1)) > 8
    assert image[border].mean() < image[deep].mean() - 40
    assert volumes["membrane"][border].mean() > 0.5
    assert np.median(volumes["membrane"][deep]) < 0.1


def test_detached_spines_lie_near_their_shaft(specimen, cutout):
    volumes, links, _ = cutout
    detached, truth = volumes["detached"], volumes["segmentation"]
    assert len(links) >= 3
    assert links["orphan"].is_unique
    assert not np.isin(links["orphan"], truth).any()
    for row in links.itertuples():
        orphan = detached == row.orphan
        assert orphan.sum() >= 400
        assert set(np.unique(truth[orphan])) == {row.shaft}
        assert cc3d.connected_components(orphan, connectivity=6).max() == 1
        low, high = np.argwhere(orphan).min(axis=0), np.argwhere(orphan).max(axis=0)
        box = tuple(slice(max(a - 30, 0), b + 31) for a, b in zip(low, high))
        gap = distance_transform_edt(detached[box] != row.shaft, sampling=specimen.em_voxel_nm)[orphan[box]].min()
        assert gap < 700
    changed = detached != truth
    assert set(np.unique(truth[changed])) <= set(links["shaft"])


def test_synapses_are_dark_between_their_partners(cutout):
    volumes, _, synapses = cutout
    assert set(np.unique(volumes["synapses"])) - {0} == set(synapses["synapse"])
    assert len(synapses) >= 8
    assert (synapses["pre"] != synapses["post"]).all()
    for row in synapses.itertuples():
        touched = volumes["segmentation"][volumes["synapses"] == row.synapse]
        assert row.post in touched
        assert row.pre in touched
    inside = volumes["synapses"] > 0
    assert volumes["image"][inside].mean() < volumes["image"][volumes["mask"] > 0].mean() - 40


def test_vesicles_are_on_the_presynaptic_side(cutout):
    volumes, _, synapses = cutout
    around = np.unique(volumes["segmentation"][volumes["vesicles"] > 0], return_counts=True)
    share = np.isin(around[0], synapses["pre"]) @ around[1] / around[1].sum()
    assert volumes["vesicles"].sum() > 500
    assert share > 0.8
