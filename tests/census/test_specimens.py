"""The joint table in a few rows."""

import pandas as pd

from spinome.census.specimens import add_levels, by_level, by_specimen
from spinome.census.spines import from_linking, from_neurons, from_twophoton, join


def test_tracks_count_once_and_what_is_not_known_is_null(schema, twophoton, neuron_spines, neuron_synapses, linking):
    parts = [from_twophoton(twophoton), from_linking(linking), from_neurons(neuron_spines, neuron_synapses)]
    rows = by_specimen(join(parts, schema)).set_index(["specimen", "view"])
    assert rows.loc[("mouse", "twophoton"), ["rows", "spines"]].tolist() == [3, 2]
    assert pd.isna(rows.loc[("mouse", "twophoton"), "synapses"])
    assert rows.loc[("p", "neurons"), ["rows", "spines", "synapses"]].tolist() == [2, 2, 3]
    assert rows.loc[("p", "chain"), "synapses"] == 1 and rows.loc[("p", "linking"), "rows"] == 2
    # a specimen and view are in one part, so that parts stand one after another
    apart = pd.concat([by_specimen(join([part], schema)) for part in parts])
    pd.testing.assert_frame_equal(apart.set_index(["specimen", "view"]).sort_index(), rows.sort_index())
    assert by_specimen(join([], schema)).dtypes.equals(by_specimen(join(parts, schema)).dtypes)


def test_levels_of_parts_add_up():
    spines = pd.DataFrame({"spine": list("abcd"), "track": ["t", "t", None, None], "animal": ["1", "1", "2", None]})
    spines["sex"] = pd.array(["f", "m", None, "f"], "string")
    whole = by_level(spines, ["animal", "sex"])
    assert whole[whole["factor"] == "sex"].fillna("none").values.tolist() == [
        ["sex", "f", 1],
        ["sex", "m", 1],
        ["sex", "none", 1],
    ]
    parts = [by_level(spines[:2], ["animal", "sex"]), by_level(spines[2:], ["animal", "sex"])]
    pd.testing.assert_frame_equal(add_levels(parts), whole)
    assert by_level(spines, []).empty and by_level(spines.drop(columns="animal"), []).empty
