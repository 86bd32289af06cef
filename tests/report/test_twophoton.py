import json

import numpy as np
import pandas as pd
import pytest
import tifffile

from spinome.io.volumes import write_volume
from spinome.report.dynamics import draw_turnover
from spinome.report.twophoton import Session, draw, draw_series, draw_sizes, track_colours
from spinome.twophoton.dynamics import survival, turnover
from spinome.twophoton.registered import write_failed


@pytest.fixture
def series(tmp_path):
    rng = np.random.default_rng(0)
    sessions, tables = [], []
    for number in range(3):
        stack = rng.integers(0, 80, (6, 60, 90), dtype=np.uint8)
        stack[:, 28:32] = 255
        write_volume(tmp_path / f"{number}.zarr", stack, (1000, 120, 120))
        tifffile.imwrite(tmp_path / f"{number}.tif", stack.max(axis=0))
        place = pd.DataFrame({"z_um": 3.0, "y_um": 2.4, "x_um": np.linspace(1, 9.5, 8)})
        files = (str(tmp_path / f"{number}.zarr"), str(tmp_path / f"{number}.tif"))
        sessions.append(Session("s", "f", str(number), float(number), *files, (1.0, 0.12, 0.12), place))
        found = place.assign(spine=range(8), score=0.8, timepoint=str(number), day=float(number))
        found = found.assign(specimen="s", field="f", fate="stable", origin="stable", head_volume_um3=0.1, dendrite=0)
        found = found.assign(saturated=False, shaft_saturated=False, low_signal=False, corrected=False)
        found = found.assign(size_at_bound=found["spine"] == 3)
        tables.append(found.drop(index=number))
    spines = pd.concat(tables, ignore_index=True)
    links = spines[["specimen", "field", "spine", "timepoint"]].assign(probability=0.9)
    return sessions, spines, links


def names(folder):
    return [entry["name"] for entry in json.loads((folder / "figures.json").read_text())]


def test_every_figure_is_drawn_and_listed(tmp_path, series):
    sessions, spines, links = series
    days = spines[["specimen", "field", "timepoint", "day"]].drop_duplicates()
    compared = spines.assign(candidate=spines["spine"], accepted=True, true=spines["spine"], true_volume_um3=0.2)
    history = pd.DataFrame({"step": [1, 2], "loss": [2.0, 1.0], "held_out_ap": [np.nan, 0.5]})
    draw(
        tmp_path / "figures",
        sessions,
        spines,
        links,
        turnover(spines, days, 1),
        survival(spines, days),
        compared,
        history,
    )
    listed = names(tmp_path / "figures")
    assert listed == [
        *("s.f_tracks", "s.f_strips", "precision_recall", "turnover", "survival", "size_changes", "sizes", "training")
    ]
    assert all((tmp_path / "figures" / f"{name}.png").stat().st_size > 3000 for name in listed)


def test_heads_as_wide_as_the_fit_allows_are_told_apart(tmp_path, series):
    sessions, spines, links = series
    axis = draw_sizes(spines, None).axes[0]
    heights = [[patch.get_height() for patch in bars] for bars in axis.containers]
    # the fourth spine is seen in all three sessions
    assert [sum(bars) for bars in heights] == [len(spines) - 3, 3]
    days = spines[["specimen", "field", "timepoint", "day"]].drop_duplicates()
    draw(tmp_path / "f", sessions, spines, links, turnover(spines, days, 1), survival(spines, days), None, None)
    (entry,) = (own for own in json.loads((tmp_path / "f" / "figures.json").read_text()) if own["name"] == "sizes")
    assert "3 heads that are as wide as the fit allows" in entry["caption"]


def test_of_what_was_gained_and_lost_as_much_as_was_likely_missed_is_pale():
    row = {"specimen": "s", "field": "f", "timepoint": "0", "next_timepoint": "1", "stable": 10, "gained": 4}
    row |= {"recurrent": 0, "lost": 5, "gained_missed": 3.0, "lost_missed": 2.0}
    row |= {"turnover_ratio": 0.3, "turnover_low": 0.2, "turnover_high": 0.4}
    row |= {"corrected_ratio": 0.15, "corrected_low": 0.05, "corrected_high": 0.3}
    axis = draw_turnover(pd.DataFrame([row])).axes[0]
    pale = [bar for bar in axis.patches if bar.get_alpha() == 0.6]
    assert [(bar.get_y(), bar.get_height()) for bar in pale] == [(11.0, 3.0), (-5.0, 2.0)]


def test_a_run_without_spines_still_shows_its_images(tmp_path, series):
    sessions, spines, links = series
    none = spines.head(0)
    draw(
        tmp_path / "figures",
        sessions[:1],
        none,
        links.head(0),
        turnover(none, none, 1),
        survival(none, none),
        None,
        None,
    )
    assert names(tmp_path / "figures") == ["s.f_tracks"]


def test_a_spine_has_one_colour():
    colours = track_colours(pd.Series([5, 6, 5]))
    assert (colours[0] == colours[2]).all() and np.abs(colours[0] - colours[1]).max() > 0.2


def test_a_session_that_failed_is_not_known_rather_than_without_spines(tmp_path, series):
    sessions, spines, links = series
    write_failed(tmp_path / "failed.zarr", "f.tif: is truncated")
    tifffile.imwrite(tmp_path / "failed.tif", np.zeros((32, 32), np.uint8))
    files = (str(tmp_path / "failed.zarr"), str(tmp_path / "failed.tif"))
    failed = Session("s", "f", "9", 9.0, *files, (1.0, 1.0, 1.0), None, failed=True)
    for given, known in (([failed, *sessions], 3), ([failed], 0)):
        figure = draw_series(given, spines)
        titles = [axis.get_title(loc="left") for axis in figure.axes if axis.get_title(loc="left")]
        assert titles[0] == "day 9: not known, the session failed"
        assert sum("spines on dendrites" in title for title in titles) == known
    days = spines[["specimen", "field", "timepoint", "day"]].drop_duplicates()
    changes = turnover(spines, days, 1), survival(spines, days)
    draw(tmp_path / "figures", [*sessions, failed], spines, links, *changes, None, None)
    assert "s.f_strips" in names(tmp_path / "figures")
