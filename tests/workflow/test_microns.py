"""The recipe for hand labels of the MICrONS release, run on loopback with tables and meshes in the same layout."""

import hashlib
from pathlib import Path

import pytest
import yaml

from microns_release import LABELS, PUBLISHED, SYNAPSES, release, serve

REPOSITORY = Path(__file__).parents[2]
RECIPE = REPOSITORY / "config" / "training" / "microns.yaml"


@pytest.fixture
def recipe(hostile, tmp_path):
    """The recipe with the checksums written in, as a user writes them, and loopback in place of the storage."""
    files, _ = release()
    hostile.behave = serve(files)
    content = yaml.safe_load(RECIPE.read_text())
    for file in content["retrieve"]["files"].values():
        path = file["url"].removeprefix("https://storage.googleapis.com/")
        assert path.startswith((LABELS, PUBLISHED, SYNAPSES))
        file["checksum"] = f"md5:{hashlib.md5(files[path]).hexdigest()}"
    content["retrieve"]["base_url"] = hostile.url
    path = tmp_path / "microns.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.slow
def test_tables_are_fetched_and_a_forest_is_planned_from_them(snakemake, tmp_path, recipe):
    profile = ("--profile", REPOSITORY / "profiles" / "default")
    first = snakemake(tmp_path, *profile, "--configfile", recipe, "--", "resources/microns/training.yaml")
    assert first.returncode == 0, first.stdout
    log = (tmp_path / "results" / "microns" / "logs" / "retrieve_microns.log").read_text()
    assert "594 synapses are labelled by hand, 594 of them are in the table of synapses" in log
    targets = ("results/microns/models/neurons.skops", "results/microns/neurons/evaluation.tsv")
    made = tmp_path / "resources" / "microns" / "training.yaml"
    plan = snakemake(tmp_path, "--dry-run", *profile, "--configfile", recipe, made, "--", *targets)
    assert plan.returncode == 0, plan.stdout
    for rule in ("retrieve_mesh", "neurons_train", "neurons_evaluate"):
        assert f"rule {rule}:" in plan.stdout
