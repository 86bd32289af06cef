import numpy as np
import pandas as pd
import pytest

from spinome.phantom.geometry import surface_at
from spinome.phantom.specimen import NEURON, grow_specimen, load_specimen, save_specimen, truth_spines
from spinome.phantom.spines import _presence, points


def test_same_seed_same_bytes_and_other_seed_another_specimen(tiny, specimen, tmp_path):
    again, other = grow_specimen(seed=5, **tiny), grow_specimen(seed=6, **tiny)
    for name, one in (("a", specimen), ("b", again), ("c", other)):
        save_specimen(tmp_path / f"{name}.npz", one)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert (tmp_path / "a.npz").read_bytes() != (tmp_path / "c.npz").read_bytes()


def test_a_saved_specimen_comes_back_whole(specimen, tmp_path):
    save_specimen(tmp_path / "specimen.npz", specimen)
    loaded = load_specimen(tmp_path / "specimen.npz")
    for name in ("dendrites", "spines", "synapses", "axons", "soma"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(specimen, name), check_dtype=False)
    np.testing.assert_array_equal(loaded.field_origin_nm, specimen.field_origin_nm)
    assert loaded.seed == specimen.seed


def test_heads_lie_inside_of_their_own_spine(specimen):
    there = specimen.present(len(specimen.days) - 1)
    tubes = specimen.tubes()
    found = surface_at(tubes, points(there, "head"), specimen.seed)
    assert (found.distance < 0).all()
    np.testing.assert_array_equal(tubes.spine[found.tube], there["spine"])


def test_spines_do_not_touch_one_another(specimen):
    there = specimen.present(len(specimen.days) - 1)
    heads, radii = points(there, "head"), there["head_diameter_nm"].to_numpy() / 2
    gaps = np.linalg.norm(heads[:, None] - heads[None], axis=2) - radii[:, None] - radii[None]
    assert gaps[~np.eye(len(heads), dtype=bool)].min() > 50


def test_synapses_lie_on_the_part_that_their_tag_says(specimen):
    tubes = specimen.tubes()
    position = specimen.synapses[["z_nm", "y_nm", "x_nm"]].to_numpy()
    found = surface_at(tubes, position, specimen.seed)
    assert np.abs(found.distance).max() < 40
    names = np.array(["shaft", "spine", "spine", "soma"])[tubes.part[found.tube]]
    assert (names == specimen.synapses["tag"]).mean() > 0.97
    on_spine = specimen.synapses["spine"].to_numpy() >= 0
    assert (tubes.spine[found.tube][on_spine] == specimen.synapses["spine"][on_spine]).mean() > 0.97


def test_truth_counts_the_synapses_of_each_spine(specimen):
    truth = truth_spines(specimen)
    assert truth["spine"].is_unique
    assert truth["synapses"].sum() == (specimen.synapses["spine"] >= 0).sum()
    assert (truth["last_timepoint"] >= truth["first_timepoint"]).all()


def test_a_field_smaller_than_the_cutout_is_refused(tiny):
    with pytest.raises(ValueError, match="raise slices and field_px"):
        grow_specimen(seed=1, **{**tiny, "field_shape": (12, 20, 30)})


def test_wider_dendrites_run_the_same_way(tiny, specimen):
    wide = grow_specimen(seed=5, **tiny, dendrite_scale=1.5)
    one, other = specimen.dendrites, wide.dendrites
    own = (one["neuron"] == NEURON).to_numpy()
    assert np.allclose(one[["z_nm", "y_nm", "x_nm"]], other[["z_nm", "y_nm", "x_nm"]])
    assert np.allclose(other["radius_nm"] / one["radius_nm"], np.where(own, 1.5, 1.0))
    assert len(wide.spines) and not wide.spines["head_z_nm"].isna().any()


def test_scaled_spines_have_larger_heads_and_the_same_necks(tiny, specimen):
    large = grow_specimen(seed=5, **tiny, spine_scale=1.3)
    one, other = (table.spines["head_diameter_nm"] for table in (specimen, large))
    # which spines find room depends on their size, so that means are compared
    assert other.mean() / one.mean() == pytest.approx(1.3, rel=0.07)
    assert other.max() <= 1.3 * 800 and other.min() >= 1.3 * 300
    necks = [table.spines["neck_length_nm"].mean() for table in (specimen, large)]
    assert necks[1] == pytest.approx(necks[0], rel=0.15)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_as_many_spines_change_as_asked_for(share):
    presence = _presence(np.random.default_rng(1), 4000, 4, share)
    first, last = presence["first_timepoint"], presence["last_timepoint"]
    gained, lost = first > 0, last < 3
    assert not (gained & lost).any() and (first <= last).all()
    assert (gained | lost).mean() == pytest.approx(share, abs=0.03)
    assert gained.mean() == pytest.approx(share / 2, abs=0.03)


def test_filopodia_are_long_without_a_head_and_none_unless_asked_for(tiny, specimen):
    assert "filopodium" not in set(specimen.spines["kind"])
    many = grow_specimen(seed=5, **tiny, filopodia=0.5).spines
    own = many[many["kind"] == "filopodium"]
    assert 0.2 < len(own) / len(many) < 0.7
    assert own["neck_length_nm"].min() > many.loc[many["kind"] != "filopodium", "neck_length_nm"].max()
    assert own["head_diameter_nm"].max() < 300
