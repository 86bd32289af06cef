"""Sample sheets: what they accept, and errors that name file, row and column."""

import pytest

from spinome.workflow.samples import CellRow, NeuronRow, StackRow, VolumeRow, read_sheet

STACK_HEADER = "specimen\tfield\ttimepoint\tday\tpath"


def sheet(folder, *lines, name="sheet.tsv", encoding="utf-8"):
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def refuse(path, row_type, *expected, **options):
    with pytest.raises(ValueError) as error:
        read_sheet(path, row_type, **options)
    message = str(error.value)
    assert str(path) in message
    for text in expected:
        assert text in message
    return message


@pytest.fixture
def stack(tmp_path):
    (tmp_path / "a.tif").touch()
    return "mouse\tfield1\t0\t0.5\ta.tif"


def test_reads_columns_in_any_order_and_paths_from_the_sheets_folder(tmp_path):
    (tmp_path / "a.tif").touch()
    path = sheet(tmp_path, "day\tpath\tspecimen\tvoxel_z_um\tvoxel_y_um\tvoxel_x_um\tfield\ttimepoint",
                 "3\ta.tif\tmouse\t1\t0.12\t0.12\tf\t2")  # fmt: skip
    (row,) = read_sheet(path, StackRow)
    assert row.series == "mouse.f"
    assert (row.day, row.timepoint, row.voxel_um) == (3.0, "2", (1.0, 0.12, 0.12))
    assert row.path == str(tmp_path / "a.tif")
    assert row.channel is None


@pytest.mark.parametrize(("cell", "channel"), [("1", 1), ("0.0", 0), ("Ch2", "Ch2"), ("tdTomato", "tdTomato")])
def test_a_channel_is_a_number_from_0_or_a_name(tmp_path, stack, cell, channel):
    (row,) = read_sheet(sheet(tmp_path, f"{STACK_HEADER}\tchannel", f"{stack}\t{cell}"), StackRow)
    assert row.channel == channel and type(row.channel) is type(channel)


def test_a_channel_below_0(tmp_path, stack):
    path = sheet(tmp_path, f"{STACK_HEADER}\tchannel", f"{stack}\t-1")
    refuse(path, StackRow, "row 2", "column channel", "channels count from 0")


def test_comments_blank_lines_and_byte_order_mark_are_passed_over(tmp_path, stack):
    path = sheet(tmp_path, "# made by hand", STACK_HEADER, "", stack, encoding="utf-8-sig")
    assert len(read_sheet(path, StackRow)) == 1


def test_a_hash_inside_a_path_is_part_of_it(tmp_path):
    (tmp_path / "a#1.tif").touch()
    path = sheet(tmp_path, STACK_HEADER, "mouse\tf\t0\t0\ta#1.tif")
    assert read_sheet(path, StackRow)[0].path.endswith("a#1.tif")


def test_a_data_set_inside_a_file_keeps_its_name(tmp_path):
    (tmp_path / "v.h5").touch()
    path = sheet(tmp_path, "volume\timage", "v\tv.h5::grey")
    (row,) = read_sheet(path, VolumeRow)
    assert row.image == f"{tmp_path / 'v.h5'}::grey"
    assert row.files() == [str(tmp_path / "v.h5")]


def test_files_that_a_rule_makes_need_not_exist(tmp_path):
    path = sheet(tmp_path, "neuron\tmesh", "n\tresources/phantom/p/mesh.npz")
    assert read_sheet(path, NeuronRow, produced=["resources"])[0].mesh == "resources/phantom/p/mesh.npz"
    refuse(path, NeuronRow, "row 2", "column mesh", "no such file")


def test_errors_name_the_line_in_the_file(tmp_path, stack):
    path = sheet(tmp_path, "# comment", STACK_HEADER, stack, "", stack.replace("0.5", "soon").replace("\t0\t", "\t1\t"))
    refuse(path, StackRow, "row 5", "column day", "'soon'")


@pytest.mark.parametrize(
    ("cells", "column", "problem"),
    [
        ("mouse\tf\t0\t0\tmissing.tif", "path", "no such file"),
        ("mouse\tf\t0\tinf\ta.tif", "day", "give a number from -100,000 to 100,000, not 'inf'"),
        ("mo/use\tf\t0\t0\ta.tif", "specimen", "letters, digits"),
        ("mouse\t\t0\t0\ta.tif", "field", "is empty"),
    ],
)
def test_bad_cells(tmp_path, stack, cells, column, problem):
    refuse(sheet(tmp_path, STACK_HEADER, cells), StackRow, "row 2", f"column {column}", problem)


def test_every_error_is_told_at_once(tmp_path, stack):
    path = sheet(tmp_path, STACK_HEADER, stack.replace("0.5", "x"), stack.replace("a.tif", "b.tif"))
    message = refuse(path, StackRow, "row 2, column day", "row 3, column path")
    assert all(line.startswith(str(path)) for line in message.splitlines())


def test_voxel_size_along_one_axis_only(tmp_path, stack):
    path = sheet(tmp_path, STACK_HEADER + "\tvoxel_z_um", stack + "\t1")
    refuse(path, StackRow, "row 2", "voxel_", "all three axes")
    refuse(sheet(tmp_path, STACK_HEADER + "\tvoxel_z_um", stack + "\t-1"), StackRow, "column voxel_z_um", "from 0.005")


def test_soma_position_along_one_axis_only(tmp_path):
    (tmp_path / "m.npz").touch()
    refuse(sheet(tmp_path, "neuron\tmesh\tsoma_x_nm", "n\tm.npz\t5"), NeuronRow, "row 2", "soma_", "all three axes")


def test_the_same_sample_twice(tmp_path, stack):
    refuse(sheet(tmp_path, STACK_HEADER, stack, stack), StackRow, "row 3", "column specimen", "is in row 2")


def test_a_volume_needs_an_image_or_a_segmentation(tmp_path):
    refuse(sheet(tmp_path, "volume\timage", "v\t"), VolumeRow, "row 2", "column image")


def test_header_errors_give_the_nearest_known_column(tmp_path, stack):
    message = refuse(
        sheet(tmp_path, STACK_HEADER.replace("timepoint", "timepiont"), stack),
        StackRow,
        "header",
        "did you mean 'timepoint'?",
        "column timepoint: is missing",
    )
    assert "row 2" not in message
    refuse(sheet(tmp_path, STACK_HEADER + "\tday", stack), StackRow, "column day: is there 2 times")


def test_wrong_separator_empty_sheet_and_absent_sheet(tmp_path, stack):
    refuse(sheet(tmp_path, STACK_HEADER.replace("\t", ","), stack.replace("\t", ",")), StackRow, "by tabs")
    refuse(sheet(tmp_path, STACK_HEADER), StackRow, "has no row")
    refuse(sheet(tmp_path, ""), StackRow, "is empty")
    refuse(tmp_path / "absent.tsv", StackRow, "no such sample sheet, looked up from")
    refuse(sheet(tmp_path, STACK_HEADER, stack + "\tmore"), StackRow, "row 2", "6 cells")


def test_a_binary_file_is_not_a_sheet(tmp_path):
    path = tmp_path / "sheet.tsv"
    path.write_bytes(b"\x89HDF\xff\xfe\x00")
    refuse(path, StackRow, "cannot be read")


def test_cells_have_a_root_id_and_up_to_two_classes(tmp_path):
    header = "root_id\tcell_class\tbroad_class"
    rows = read_sheet(
        sheet(tmp_path, header, "648518346349539862\tL2/3\texcitatory", "2\tinhibitory\tinhibitory"), CellRow
    )
    assert rows[0].root_id == 648518346349539862
    assert [row.classes for row in rows] == [["L2/3", "excitatory"], ["inhibitory"]]
    refuse(sheet(tmp_path, header, "6.48518E+17\tL2/3"), CellRow, "row 2, column root_id", "'6.48518E+17'")
    refuse(
        sheet(tmp_path, header, "1\tL2/3\tpyramidal"),
        CellRow,
        "row 2, column broad_class",
        "one of excitatory",
        "'pyramidal'",
    )
    refuse(sheet(tmp_path, header, "1\tL2/3", "1\tL4"), CellRow, "row 3, column root_id: 1 is in row 2")


def test_a_mesh_at_an_address_needs_an_id_and_no_file(tmp_path):
    path = sheet(tmp_path, "neuron\tmesh", "n\tgs://bucket/meshes::7")
    (row,) = read_sheet(path, NeuronRow)
    assert row.mesh == "gs://bucket/meshes::7"
    refuse(
        sheet(tmp_path, "neuron\tmesh", "n\thttps://host/meshes"), NeuronRow, "row 2", "write https://host/meshes::ID"
    )


def test_a_volume_at_an_address_is_no_file_and_a_stack_cannot_be_one(tmp_path):
    address = "https://example.org/v::8_8_40"
    (row,) = read_sheet(sheet(tmp_path, "volume\timage", f"v\t{address}"), VolumeRow)
    assert row.image == address and row.files() == []
    path = sheet(tmp_path, "specimen\tfield\ttimepoint\tday\tpath", "s\tf\tt\t0\thttps://example.org/s.tif")
    refuse(path, StackRow, "row 2", "column path", "only meshes and volumes are read from an address")
