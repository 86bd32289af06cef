"""What provenance says of inputs and versions."""

from spinome.workflow.code import code_by_package
from spinome.workflow.provenance import fingerprint, installed_versions


def test_fingerprint_covers_all_of_small_inputs_and_samples_large_ones(tmp_path):
    path = tmp_path / "stack.tif"
    path.write_bytes(bytes(300_000))
    whole = fingerprint(path)
    sampled = fingerprint(path, sampled_above=1000)
    assert (whole["hashed"], sampled["hashed"], whole["bytes"]) == ("whole", "sampled", 300_000)
    path.write_bytes(bytes(299_999) + b"1")
    assert fingerprint(path)["hash"] != whole["hash"]
    assert fingerprint(path, sampled_above=1000)["hash"] != sampled["hash"]


def test_fingerprint_of_a_folder(tmp_path):
    (tmp_path / "0").write_bytes(bytes(100))
    before = fingerprint(tmp_path), fingerprint(tmp_path, sampled_above=10)
    assert [entry["hashed"] for entry in before] == ["whole", "names and sizes"]
    (tmp_path / "1").write_bytes(bytes(1))
    assert fingerprint(tmp_path)["hash"] != before[0]["hash"]
    assert fingerprint(tmp_path, sampled_above=10)["hash"] != before[1]["hash"]


def test_the_code_of_each_package_is_named():
    assert {"spinome", "io", "census", "neurons"} <= set(code_by_package())
    assert installed_versions()["numpy"]
