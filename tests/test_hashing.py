"""Hashes follow content, and neither order nor names of files."""

from spinome.hashing import content_hash, file_hash


def test_content_hash_follows_values_and_not_the_order_of_keys():
    assert content_hash({"a": 1, "b": [2]}) == content_hash({"b": [2], "a": 1})
    assert content_hash({"a": 1}) != content_hash({"a": 2})
    assert content_hash("a", "b") != content_hash("ab")


def test_file_hash_of_files_and_folders(tmp_path):
    (tmp_path / "a").write_text("one")
    (tmp_path / "b").write_text("one")
    assert file_hash(tmp_path / "a") == file_hash(tmp_path / "b")
    before = file_hash(tmp_path)
    (tmp_path / "b").rename(tmp_path / "c")
    assert file_hash(tmp_path) != before
