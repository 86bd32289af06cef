import imageio.v3 as imageio
import numpy as np
import pandas as pd
import pytest

from spinome.twophoton.fields import groups_of, read_fields
from spinome.twophoton.training_images import held_out_fields

CORNERS = ["x_min_px", "y_min_px", "x_max_px", "y_max_px"]


@pytest.fixture
def folder(tmp_path):
    """A function that writes a folder of field views: images by name, a table and its name."""

    def write(images, table, name="boxes.csv"):
        (tmp_path / "images").mkdir()
        for key, image in images.items():
            imageio.imwrite(tmp_path / "images" / key, image)
        table.to_csv(tmp_path / name, index=False)
        return tmp_path

    return write


def boxes(rows, **more):
    return pd.DataFrame(rows, columns=["image", *CORNERS]).assign(**more)


def polygon(image, spine, points):
    return pd.DataFrame(points, columns=["y_px", "x_px"]).assign(image=image, spine=spine)


def test_views_are_read_from_their_folder_by_name(folder):
    images = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), np.uint8)
    rows = [["b.png", 1, 2, 3, 4], *(["a.png", x, 10, x + 12, 22] for x in (5, 20, 40))]
    first, second = read_fields(folder(dict(zip(["b.png", "a.png"], images)), boxes(rows)))
    np.testing.assert_allclose(first.image, images[1].mean(axis=2), rtol=1e-5)
    assert first.boxes.tolist() == [[x, 10, x + 12, 22] for x in (5, 20, 40)]
    assert second.boxes.tolist() == [[1, 2, 3, 4]]


def test_groups_are_text_and_where_there_are_none_neighbours_by_name_are_one():
    named = boxes([["a.png", 1, 1, 2, 2], ["b.png", 1, 1, 2, 2], ["a.png", 3, 3, 4, 4]])
    assert groups_of(named.assign(group=["07", "7", "07"]), "t") == {"a.png": "07", "b.png": "7"}
    many = boxes([[f"{number:03}.png", 1, 1, 2, 2] for number in range(140)])
    groups = [groups_of(many, "t")[name] for name in many["image"]]
    assert [groups.count(str(number)) for number in range(14)] == [10] * 14
    assert groups == sorted(groups, key=int)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (boxes([]), "boxes.csv: has no spine"),
        (boxes([["a.png", 1, 1, 5, 5], ["b.png", 1, 1, 5, 5]], group=["1", None]), "b.png has no group"),
        (boxes([["a.png", 1, 1, 5, 5]], group=[" "]), "a.png has no group"),
        (boxes([["a.png", 1, 1, 5, 5], ["a.png", 1, 1, 5, 5]], group=["1", "2"]), "a.png is in several groups"),
        (boxes([["a.png", 40, 1, 72, 5]]), "a spine of a.png lies outside of its image of 64 x 48 pixels, at x 40 to"),
        (boxes([["a.png", -9, 1, 5, 5]]), "lies outside"),
        (boxes([["a.png", 1, 1, 5, 5]]).drop(columns="y_max_px"), "y_max_px"),
    ],
)
def test_a_table_that_makes_no_sense_is_named(folder, table, words):
    image = np.zeros((48, 64), np.uint8)
    with pytest.raises(ValueError, match=words):
        list(read_fields(folder({"a.png": image, "b.png": image}, table)))


@pytest.mark.parametrize("box", [[14, 1, 4, 14], [4, 14, 14, 14]])
def test_a_box_that_ends_before_it_begins_is_named(folder, box):
    source = folder({"a.png": np.zeros((32, 32), np.uint8)}, boxes([["a.png", *box]]))
    with pytest.raises(ValueError, match=r"boxes\.csv: a box of a\.png ends before it begins"):
        list(read_fields(source))


def test_outlines_without_a_spine_or_of_two_corners_alone_are_named(folder):
    points = polygon("a.png", np.nan, [[4, 4], [4, 8], [8, 8]])
    source = folder({"a.png": np.zeros((32, 32), np.uint8)}, points, "outlines.csv")
    with pytest.raises(ValueError, match=r"outlines\.csv: a point of a\.png has no spine"):
        list(read_fields(source))
    polygon("a.png", 1, [[4, 4], [8, 8]]).to_csv(source / "outlines.csv", index=False)
    with pytest.raises(ValueError, match="no view has outlines of three corners or more"):
        list(read_fields(source))


def test_a_view_of_several_pages_or_with_alpha_is_named(folder):
    source = folder({"a.tif": np.zeros((5, 32, 32), np.uint8)}, boxes([["a.tif", 1, 1, 4, 4]]))
    with pytest.raises(ValueError, match=r"a\.tif: has shape \(5, 32, 32\); a field view is one image"):
        list(read_fields(source))


def test_a_folder_without_a_table_is_named(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises((ValueError, FileNotFoundError), match=r"boxes\.csv"):
        list(read_fields(tmp_path))


def test_outlines_become_boxes_on_a_dendrite_whose_light_fades(folder):
    image = np.zeros((300, 400), np.uint8)
    image[140:150, 100:200] = 200
    image[128:140, 150:160] = 150
    square = [[128, 150], [128, 160], [140, 160], [140, 150]]
    unclear = polygon("b.png", 1, [[135, 155], [10, 12]])
    table = pd.concat([polygon("a.png", 0, square), polygon("b.png", 0, square), unclear])
    (view,) = read_fields(folder({"a.png": image, "b.png": image}, table, "outlines.csv"))
    # cut to 32 pixels around what is not black
    assert view.image.shape == (22 + 64, 100 + 64)
    assert view.boxes.tolist() == [[82, 32, 92, 44]]
    assert view.image[32:44, 82:92].min() == 150
    # beside the dendrite it is half as bright, and dark farther off
    row = view.image[54:64, 60].round()
    assert 60 < row[0] < 140 and (np.diff(row) <= 0).all() and row[9] == 0


def test_a_polygon_outside_of_its_image_is_named(folder):
    table = polygon("a.png", 4, [[10, 10], [10, 70], [20, 20]])
    with pytest.raises(ValueError, match=r"outlines.csv: a spine of a.png lies outside of its image of 64 x 48"):
        list(read_fields(folder({"a.png": np.ones((48, 64), np.uint8)}, table, "outlines.csv")))


def test_real_views_are_held_out_without_near_duplicates(shared_data):
    """No view that is held out looks like one of another folder that is trained on."""
    thumbnails, held = [], []
    for name in ("smirnov", "spinedetector"):
        fields = list(read_fields(shared_data(f"twophoton/{name}")))
        out = held_out_fields([field.group for field in fields])
        groups = [{field.group for field, is_out in zip(fields, out) if is_out == side} for side in (True, False)]
        assert groups[0] and groups[1] and not groups[0] & groups[1]
        thumbnails.append(np.stack([thumbnail(field.image) for field in fields]))
        held.append(out)
    for one, other in ((0, 1), (1, 0)):
        alike = thumbnails[one][held[one]] @ thumbnails[other][~held[other]].T
        assert alike.max() < 0.9


def thumbnail(image):
    """24 x 24, on a logarithmic scale so that dim structure counts, of mean 0 and length 1."""
    rows, columns = (np.linspace(0, length, 25).astype(int) for length in image.shape)
    small = np.add.reduceat(np.add.reduceat(image, rows[:-1], axis=0), columns[:-1], axis=1)
    small = np.log1p(small / np.outer(np.diff(rows), np.diff(columns))).ravel()
    small -= small.mean()
    return small / np.linalg.norm(small)
