"""A voxel's probability does not depend on its cuboid."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from spinome.cuboids import cuboids
from spinome.flat_forest import complete_forest
from spinome.io.volumes import Volume, open_volume
from spinome.synapses.classify import Evidence, Recipe, balance, describe, draw, halo, open_evidence, training_classes
from spinome.synapses.forest import features, vesicles
from spinome.synapses.forest import membrane_mask as gate
from spinome.synapses.grey import Grey, measure_grey, read_grey, write_grey
from spinome.synapses.objects.detect import forest_probability
from volumes import draw_cut, draw_membrane, draw_objects, draw_shape

VOXEL_NM = (45.0, 8.0, 8.0)
RECIPE = Recipe(contrast=0.5, vesicle_threshold=0.6)


def tissue(shape, seed=0):
    """Blobs of many sizes, dark lines, and rings of the size of vesicles."""
    rng = np.random.default_rng(seed)
    image = rng.normal(130, 20, shape)
    image[:, ::37] -= 70
    image[:, :, ::53] -= 70
    template = vesicles.mean_template(VOXEL_NM)
    side = len(template)
    for _ in range(int(np.prod(shape) / 2000)):
        z, y, x = (int(rng.integers(0, length)) for length in shape)
        patch = image[z, y : y + side, x : x + side]
        patch += 150 * template[: patch.shape[0], : patch.shape[1]]
    return np.clip(image, 1, 255).astype(np.uint8)


def evidence_of(image, **maps):
    volume = Volume(image, VOXEL_NM, "image")
    return Evidence(volume, measure_grey(volume), **maps)


@pytest.fixture(scope="module")
def forest():
    """A forest on random labels of the features of tissue: it has an opinion on every voxel."""
    evidence = evidence_of(tissue((6, 90, 90)))
    piece = next(iter(cuboids((6, 90, 90), (6, 90, 90))))
    described = describe(evidence, piece, RECIPE)[1]
    labels = np.random.default_rng(0).integers(0, 2, len(described))
    return RandomForestClassifier(8, max_depth=6, random_state=0).fit(described, labels)


@pytest.mark.parametrize(("mapped", "original"), [(False, False), (True, False), (True, True)])
def test_probabilities_do_not_depend_on_the_cuboid(forest, mapped, original):
    image = tissue((18, 150, 170))
    spots = Volume((image > 200).astype(np.uint8), VOXEL_NM, "vesicles") if mapped else None
    evidence = evidence_of(image, vesicles=spots)
    flat = complete_forest(forest)
    recipe = replace(RECIPE, original=original)
    margin = halo(VOXEL_NM, mapped, original)
    whole = next(iter(cuboids(image.shape, image.shape, margin)))
    expected = forest_probability(evidence, whole, flat, recipe)
    assert len(np.unique(expected)) > 100
    for size in ((18, 60, 50), (5, 150, 90), (4, 41, 170)):
        found = np.empty_like(expected)
        for piece in cuboids(image.shape, size, margin):
            found[piece.core] = forest_probability(evidence, piece, flat, recipe)
        np.testing.assert_array_equal(found, expected)


@settings(max_examples=80)
@given(random=st.randoms())
def test_any_cut_gives_the_probabilities_of_the_whole(forest, random):
    """Draws images, maps and voxels of many sizes, volumes down to a voxel, and cuts of them."""
    shape = draw_shape(random)
    voxel_nm = random.choice([(100.0, 60.0, 60.0), (200.0, 100.0, 100.0), (150.0, 45.5, 45.5), (40.0, 24.0, 24.0)])
    noise = np.random.default_rng(random.getrandbits(32)).normal(128, 40, shape)
    image = noise + 80 * draw_membrane(random, shape) - 60 * draw_membrane(random, shape)
    maps = {}
    if random.random() < 0.4:
        maps["vesicles"] = Volume((draw_objects(random, shape) > 0).astype(np.uint8), voxel_nm, "vesicles")
    if random.random() < 0.4:
        maps["membrane"] = Volume(draw_membrane(random, shape), voxel_nm, "membrane")
    evidence = Evidence(Volume(image.clip(0, 255).astype(np.uint8), voxel_nm, "image"), Grey(128.0, 32.0), **maps)
    recipe = Recipe(random.choice([-5, 0.2, 0.5]), random.choice([0.2, 0.6, 1]), random.random() < 0.2)
    margin, size = halo(voxel_nm, "vesicles" in maps, recipe.original), draw_cut(random, shape, most=8)
    note(f"cuboids of {size} in {shape}, voxels of {voxel_nm} nm, {recipe}")
    expected = forest_probability(evidence, next(cuboids(shape, shape, margin)), complete_forest(forest), recipe)
    for piece in cuboids(shape, size, margin):
        found = forest_probability(evidence, piece, complete_forest(forest), recipe)
        np.testing.assert_array_equal(found, expected[piece.core])


def test_original_features_take_voxels_for_cubes_and_weigh_far_gradients_more():
    levels = np.random.default_rng(0).integers(60, 200, (3, 40, 40)).astype(np.uint8)
    spots = np.zeros(levels.shape, bool)
    spots[0, 20, 20] = True
    where = np.array([[2, 20, 20]])
    mended, original = (features.compute_features(levels, spots, where, VOXEL_NM, flag)[0] for flag in (False, True))
    distance = features.FEATURES.index("vesicle_distance_nm")
    assert (mended[distance], original[distance]) == (90, 16)
    changed = [name for name, a, b in zip(features.FEATURES, mended, original) if a != b]
    assert changed == ["vesicle_distance_nm", "coherence_120nm", "coherence_200nm"]


def test_features_of_simple_images():
    levels = np.full((5, 80, 80), 100, np.uint8)
    levels[:, :, 40:] = 180
    spots = np.zeros(levels.shape, bool)
    spots[2, 10:14, 10:14] = spots[2, 20:24, 10:14] = True
    where = np.array([[2, 40, 20], [2, 12, 17], [2, 40, 39]])
    described = dict(zip(features.FEATURES, features.compute_features(levels, spots, where, VOXEL_NM).T))
    assert described["intensity_40nm"].tolist() == pytest.approx([100, 100, 132])
    assert described["vesicle_distance_nm"].tolist() == pytest.approx([np.hypot(136, 56), 32, features.DISTANCE_NM])
    assert described["vesicle_count_400nm"].tolist() == pytest.approx([1, 2, 0])
    assert described["gradient_120nm"][2] > 5 > described["gradient_120nm"][0]
    assert described["coherence_120nm"][2] > 0.4


def test_vesicles_are_found_in_clusters_only():
    levels = np.full((3, 120, 120), 128, np.uint8)
    picture = levels.astype(float)
    template = vesicles.mean_template(VOXEL_NM)
    template = template / np.abs(template).max()
    side = len(template)
    cluster = [(30, 30), (30, 38), (38, 30), (38, 38), (46, 30)]
    for y, x in [*cluster, (90, 95)]:
        picture[1, y - side // 2 : y + side // 2 + 1, x - side // 2 : x + side // 2 + 1] += 60 * template
    mask = vesicles.detect_vesicles(np.clip(picture, 0, 255).astype(np.uint8), VOXEL_NM, 0.6)
    assert all(mask[1, y, x] for y, x in cluster)
    assert not mask[1, 85:101, 90:101].any()
    assert not mask[[0, 2]].any()


def test_vesicles_at_the_end_of_the_neighbourhood_count_wherever_the_array_begins():
    voxel_nm = (45.0, 4.8, 4.8)
    template = vesicles.mean_template(voxel_nm)
    side, apart = len(template), round(vesicles.NEIGHBOURHOOD_NM / 4.8)
    picture = np.full((1, 60, 1200), 128.0)
    for x in range(100, 1150, apart):
        # each has two neighbours that are just close enough, beside the one below
        for y in (20, 40):
            rows, columns = (slice(place - side // 2, place + side // 2 + 1) for place in (y, x))
            picture[0, rows, columns] += 60 * template / np.abs(template).max()
    levels = np.clip(picture, 0, 255).astype(np.uint8)
    whole = vesicles.detect_vesicles(levels, voxel_nm, 0.6)
    assert whole[0, 20, 125:1125:apart].all()
    for start in range(1, 80, 7):
        rest = vesicles.detect_vesicles(levels[:, :, start:], voxel_nm, 0.6)
        np.testing.assert_array_equal(rest, whole[:, :, start:])


def test_gate_keeps_true_synapses_of_real_tissue(shared_data):
    path = shared_data("em/drosophila_vnc") / "stack1_y0000-0640.h5"
    image = open_volume(f"{path}::raw")
    synapse = open_volume(f"{path}::synapse")[8:12] > 0
    passed = gate.dark_gate(measure_grey(image).levels(image[8:12]), image.voxel_nm, 1.0)
    assert passed[synapse].mean() > 0.98
    assert passed.mean() < 0.75


def test_the_membrane_gate_reaches_five_pixels():
    membrane = np.zeros((1, 30, 30), np.float32)
    membrane[0, 15, 15] = 1
    assert gate.membrane_gate(membrane, VOXEL_NM).sum() == 81


def test_training_leaves_out_what_is_close_to_a_synapse():
    truth = np.zeros((5, 40, 40), np.uint32)
    truth[2, 20, 20] = 7
    classes = training_classes(truth, VOXEL_NM)
    assert classes[2, 20, 20] == 1
    assert classes[2, 20, 29] == -1 and classes[2, 20, 30] == 0
    assert classes[1, 20, 20] == -1 and classes[0, 20, 20] == 0  # sections are 45 nm thick
    assert (training_classes(np.zeros((2, 3, 3)), VOXEL_NM) == 0).all()


def test_draw_depends_on_the_name_of_the_cuboid_alone():
    classes = np.zeros((4, 50, 50), np.int8)
    classes[0, :5] = 1
    chosen = draw(classes, 0.1, "a", 0)
    np.testing.assert_array_equal(chosen, draw(classes, 0.1, "a", 0))
    assert (chosen != draw(classes, 0.1, "b", 0)).any()
    assert chosen[classes == 1].all()
    assert 0.05 < chosen[classes == 0].mean() < 0.15


def test_balance_needs_both_classes():
    described, labels = np.arange(20, dtype=np.float32).reshape(10, 2), np.repeat([0, 1], 5)
    assert np.bincount(balance(described, labels, 3, 0)[1]).tolist() == [3, 3]
    with pytest.raises(ValueError, match="no synapse voxel"):
        balance(described, np.zeros(10, int), 3, 0)


def test_chosen_voxels_have_the_features_of_all(forest):
    evidence = evidence_of(tissue((6, 90, 90)))
    piece = next(iter(cuboids((6, 90, 90), (6, 90, 90))))
    where, described = describe(evidence, piece, RECIPE)
    chosen = np.random.default_rng(0).random((6, 90, 90)) < 0.1
    some, of_some = describe(evidence, piece, RECIPE, chosen)
    inside = chosen[tuple(where.T)]
    np.testing.assert_array_equal(where[inside], some)
    np.testing.assert_array_equal(described[inside], of_some)


def test_blank_image_is_an_error():
    with pytest.raises(ValueError, match=r"blank\.tif: is blank"):
        measure_grey(Volume(np.zeros((3, 9, 9), np.uint8), VOXEL_NM, "blank.tif"))


def test_levels_do_not_depend_on_contrast():
    image = tissue((4, 60, 60)).astype(np.uint16)
    levels = [measure_grey(Volume(one, VOXEL_NM, "")).levels(one) for one in (image, image * 40 + 3000)]
    assert np.abs(levels[0].astype(int) - levels[1]).max() <= 1
    assert Grey(100.0, 10.0).levels(np.array([100, 110])).tolist() == [128, 160]


def test_maps_must_lie_on_the_grid_of_the_image(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "image.tif", tissue((3, 20, 20)))
    tifffile.imwrite(tmp_path / "vesicles.tif", np.zeros((3, 20, 21), np.uint8))
    row = {"image": str(tmp_path / "image.tif"), "voxel_nm": VOXEL_NM, "membrane": None, "vesicles": None}
    assert open_evidence(row, Grey(128.0, 20.0)).voxel_nm == VOXEL_NM
    with pytest.raises(ValueError, match=r"vesicles\.tif: has shape"):
        open_evidence({**row, "vesicles": str(tmp_path / "vesicles.tif")}, Grey(128.0, 20.0))
    with pytest.raises(ValueError, match=r"image\.tif: has no voxel size"):
        open_evidence({**row, "voxel_nm": None}, Grey(128.0, 20.0))


def test_what_grey_values_mean_is_read_as_it_was_written(tmp_path):
    write_grey(tmp_path / "v.json", Grey(117.5, 21.25))
    assert read_grey(tmp_path / "v.json") == Grey(117.5, 21.25)
