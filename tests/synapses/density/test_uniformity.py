"""Statistics of blocks: known answers on simulated counts, a null that holds where neighbours are alike."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from spinome.synapses.density.dependence import correlogram, covariance, estimate_reach, grid_of, slab_errors
from spinome.synapses.density.uniformity import (
    correct_density,
    describe_uniformity,
    fit_trend,
    morans_i,
    neighbour_pairs,
)


def simulated(shape=(12, 20, 24), density=1.0, trend=0.0, smooth=0.0, spread=0.0, seed=0, side_um=5.0):
    """Blocks on a grid with a trend along x (log change from end to end) and correlated noise."""
    rng = np.random.default_rng(seed)
    centres = (np.indices(shape).reshape(3, -1).T + 0.5) * side_um
    # cut from a larger field, since opposite ends of a volume are not neighbours
    wide = gaussian_filter(rng.standard_normal([length + 12 for length in shape]), smooth) if smooth else None
    noise = np.zeros(shape) if wide is None else wide[6:-6, 6:-6, 6:-6]
    noise = noise / max(noise.std(), 1e-9) * spread
    exposure = rng.uniform(60, 125, len(centres))
    rate = density * np.exp(trend * (centres[:, 2] / (shape[2] * side_um) - 0.5) + noise.ravel())
    table = pd.DataFrame(1000 * centres, columns=["z_nm", "y_nm", "x_nm"])
    return table.assign(synapses=rng.poisson(rate * exposure), unmasked_um3=exposure)


def statistics(blocks, dependence_um=None, repeats=99):
    described = describe_uniformity(blocks, "simulated", dependence_um, repeats)
    single = described[~described["statistic"].isin(["profile", "variogram", "correlation"])]
    return single.set_index(single["statistic"] + single["axis"])


def test_independent_counts():
    found = statistics(simulated())
    assert found.loc["density_um3", "ci_low"] < 1.0 < found.loc["density_um3", "ci_high"]
    assert found.loc["dispersion", "value"] == pytest.approx(1, abs=0.1)
    assert abs(found.loc["morans_i", "value"]) < 0.05
    for axis in "zyx":
        assert found.loc[f"trend{axis}", "ci_low"] < 0 < found.loc[f"trend{axis}", "ci_high"]


def test_trend_is_recovered_with_its_size():
    described = [
        statistics(simulated((8, 16, 20), trend=np.log(1.3), smooth=0.8, spread=0.1, seed=seed)) for seed in range(10)
    ]
    # a 95 % interval misses the truth in one of twenty, so one or two of ten are chance
    assert sum(found.loc["trendx", "ci_low"] < 0.3 < found.loc["trendx", "ci_high"] for found in described) >= 8
    assert sum(found.loc[["trendx", "uniformity"], "p"].max() <= 0.05 for found in described) >= 9
    assert described[0].loc["trendx", "note"] == "over 100 um"
    assert described[0].loc["trendz", "p"] > 0.02


@pytest.mark.parametrize("kind", [float, np.float64])
def test_an_interval_that_ends_at_0_is_an_end_at_0_or_none(kind):
    described = describe_uniformity(simulated((4, 6, 8)), "simulated", 5.0, 49)
    half, nothing, one = kind(0.5), kind(0), kind(1)

    def corrected(precision, recall):
        return correct_density(described, precision, recall).iloc[0]

    usual = corrected((half, kind(0.4), kind(0.6)), (half, kind(0.4), kind(0.6)))
    assert 0 < usual["ci_low"] < usual["value"] < usual["ci_high"] < np.inf
    row = corrected((half, nothing, one), (half, nothing, one))
    assert (row["ci_low"], row["ci_high"]) == (0, np.inf) and row["value"] == usual["value"]
    assert corrected((one, one, one), (one, one, one))["value"] == pytest.approx(described["value"].iloc[0])
    nobody = corrected((nothing, nothing, nothing), (nothing, nothing, half))
    assert np.isnan(nobody["value"]) and "no true synapse" in nobody["note"]


def test_blocks_that_are_not_known_are_left_out_and_counted():
    blocks = simulated((4, 6, 8))
    lost = np.arange(len(blocks)) < 7
    unknown = blocks.assign(known=~lost, synapses=blocks["synapses"].astype("Int64").mask(lost))
    unknown["unmasked_um3"] = unknown["unmasked_um3"].mask(lost)
    found, expected = statistics(unknown, 5.0), statistics(blocks[~lost], 5.0)
    assert found.loc["density_um3", "note"] == "7 of 192 blocks are not known"
    pd.testing.assert_frame_equal(found.drop(columns="note"), expected.drop(columns="note"))
    none = statistics(unknown.assign(known=False))
    assert none["note"].tolist() == ["no synapse in any unmasked block; 192 of 192 blocks are not known"]
    few = statistics(unknown.head(9))
    assert few.loc["density_um3", "note"] == "too few blocks for an interval; 7 of 9 blocks are not known"


def test_a_layer_without_any_trend_is_found():
    blocks = simulated((8, 16, 20), smooth=0.8, spread=0.1)
    depth = blocks["y_nm"] / 80_000 - 0.5
    rate = 1 + 0.5 * (4 * depth**2 - 1 / 3)
    found = statistics(blocks.assign(synapses=(blocks["synapses"] * rate).round()))
    assert found.loc["uniformity", "p"] <= 0.02
    assert found.loc["trendy", "p"] > 0.02


def test_estimate_is_that_of_a_poisson_model():
    import statsmodels.api as sm

    blocks = simulated(trend=0.5, seed=3)
    design = np.column_stack([np.ones(len(blocks)), blocks["x_nm"] / 1e5, blocks["y_nm"] / 1e5])
    count, exposure = blocks["synapses"].to_numpy(float), blocks["unmasked_um3"].to_numpy()
    expected = sm.GLM(count, design, family=sm.families.Poisson(), exposure=exposure).fit().params
    np.testing.assert_allclose(fit_trend(count, exposure, design), expected, rtol=1e-6)


def test_null_holds_where_neighbours_are_alike():
    def rejected(dependence_um):
        drawn = [
            statistics(simulated((6, 14, 14), smooth=0.7, spread=0.4, seed=seed), dependence_um) for seed in range(24)
        ]
        rows = ["uniformity", "trendz", "trendy", "trendx"]
        return np.mean([one.loc[rows, "p"] <= 0.05 for one in drawn], axis=0)

    assert statistics(simulated((6, 14, 14), smooth=0.7, spread=0.4)).loc["morans_i", "value"] > 0.4
    # at a level of 5 %, and far more if blocks are taken for independent; the rate itself is a benchmark
    assert rejected(None).max() <= 0.17
    assert rejected(1.0).min() >= 0.2


def test_profiles_hold_the_density_of_each_slab():
    described = describe_uniformity(simulated(trend=1.0), "simulated", repeats=99)
    profile = described[(described["statistic"] == "profile") & (described["axis"] == "x")]
    assert len(profile) == 24 and profile["at_um"].is_monotonic_increasing
    expected = np.exp(profile["at_um"] / 120 - 0.5)
    held = (profile["ci_low"] < expected) & (expected < profile["ci_high"])
    assert held.mean() >= 0.8
    assert profile["value"].iloc[-1] > 2 * profile["value"].iloc[0]


def test_slab_errors_are_those_of_independent_blocks():
    grid = grid_of(np.indices((3, 6, 7)).reshape(3, -1).T * 5.0)
    values = np.random.default_rng(0).standard_normal(len(grid.place))
    weight = np.linspace(1, 2, len(values))
    expected = [np.sqrt((weight[grid.place[:, 0] == z] ** 2).sum() * (values**2).mean()) for z in range(3)]
    np.testing.assert_allclose(slab_errors(weight, grid, covariance(values, grid, 1.0), 0), expected)


def test_correlogram_of_a_smooth_field():
    at, semivariance, correlation, pairs = correlogram(*smooth_field(1.0))
    # white noise smoothed by a Gaussian of s has the correlation exp(-d^2 / 4 s^2)
    near = at < 20
    np.testing.assert_allclose(correlation[near], np.exp(-((at[near] / 5) ** 2) / 4), atol=0.06)
    np.testing.assert_allclose(semivariance[near], 1 - correlation[near], atol=0.06)
    assert pairs[0] == 3 * 12 * 40 * 40 - 40 * 40 - 2 * 12 * 40 + 2 * (12 * 39 * 39 + 2 * 11 * 39 * 40)
    assert 15 < estimate_reach(*smooth_field(1.0)) < 35 < estimate_reach(*smooth_field(2.0))


def smooth_field(sigma):
    field = gaussian_filter(np.random.default_rng(0).standard_normal((12, 40, 40)), sigma, mode="wrap")
    return (field / field.std()).ravel(), grid_of(np.indices(field.shape).reshape(3, -1).T * 5.0)


def test_true_density_carries_the_errors_of_the_detector():
    described = describe_uniformity(simulated(), "simulated", repeats=99)
    density = described.iloc[0]
    row = correct_density(described, (0.8, 0.7, 0.9), (0.5, 0.4, 0.6)).iloc[0]
    assert row["value"] == pytest.approx(density["value"] * 1.6)
    # the intervals of precision and recall alone, on the logarithmic scale
    assert np.log(row["ci_high"] / row["value"]) == pytest.approx(np.hypot(np.log(9 / 8), np.log(5 / 4)), rel=0.05)
    assert np.log(row["value"] / row["ci_low"]) == pytest.approx(np.hypot(np.log(8 / 7), np.log(6 / 5)), rel=0.05)
    exact = correct_density(described, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)).iloc[0]
    for column in ("value", "ci_low", "ci_high"):
        assert exact[column] == pytest.approx(density[column])


def test_a_detector_that_found_nothing_corrects_nothing():
    described = describe_uniformity(simulated(), "simulated", repeats=99)
    row = correct_density(described, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)).iloc[0]
    assert np.isnan(row["value"]) and "no true synapse" in row["note"]


def test_morans_i_of_a_checkerboard_and_of_halves():
    centres = np.indices((4, 6, 6)).reshape(3, -1).T * 5.0
    pairs = neighbour_pairs(grid_of(centres).place)
    assert len(pairs) == 3 * 6 * 6 + 4 * 5 * 6 + 4 * 6 * 5
    assert morans_i(np.where(centres.sum(axis=1) / 5 % 2, 1.0, -1.0), pairs) == pytest.approx(-1)
    assert morans_i(np.where(centres[:, 0] < 10, 1.0, -1.0), pairs) > 0.7


def test_too_few_blocks_are_told():
    found = statistics(simulated((1, 2, 3)))
    assert np.isfinite(found.loc["density_um3", "value"])
    assert "too few" in found.loc["trend", "note"]
    empty = simulated().assign(synapses=0)
    assert "no synapse" in statistics(empty).loc["density_um3", "note"]


def test_flat_volumes_have_no_trend_in_depth():
    found = statistics(simulated((1, 20, 24)))
    assert "fewer than three blocks" in found.loc["trendz", "note"]
    assert np.isfinite(found.loc["trendx", "p"])


def test_real_blocks(shared_data):
    raw = pd.read_csv(shared_data("em/bock11_density") / "blocks.csv")
    voxel = np.array([45.0, 128.0, 128.0])
    blocks = pd.DataFrame(raw[["cz", "cy", "cx"]].to_numpy() * voxel, columns=["z_nm", "y_nm", "x_nm"])
    blocks = blocks.assign(synapses=raw["synapses"], unmasked_um3=raw["unmasked"] * voxel.prod() / 1e9)
    found = statistics(blocks, repeats=19)
    # measured on this table by others: dispersion 13.6 with the masked blocks left in, autocorrelation 0.53
    assert 12 < found.loc["dispersion", "value"] < 16
    assert 0.5 < found.loc["morans_i", "value"] < 0.65
    assert -0.4 < found.loc["trendy", "ci_low"] < found.loc["trendy", "ci_high"] < -0.25
    assert found.loc["uniformity", "p"] == 0.05
