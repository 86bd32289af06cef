"""Comparisons of conditions: false alarms and coverage in made studies, lme4 beside, and the published contrast."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, logit

from imaged_studies import RATIO, imaged_study
from runner import ONE_THREAD, PeerUnavailable, Row, write_rows
from spinome.census.published import published
from spinome.compare.design import make_design
from spinome.compare.errors import Rate
from spinome.compare.fit import Comparison, fit
from spinome.compare.formula import parse
from spinome.compare.mixed import fit_generalised, fit_linear

# studies without an effect, and studies with one whose intervals are looked at
REPEATS, COVERAGE_REPEATS = 1000, 300
# studies simulated as images, whose stacks are detected and measured: about a CPU-minute each
IMAGED_REPEATS = 10
PROCESSES = os.cpu_count() or 1
# Standard deviations on the scale of the logarithm or the logit. Volumes of spines of one dendrite spread by 0.6 to 0.8
# (Loewenstein et al. 2011 find a lognormal with about 0.7); between dendrites and animals a tenth to a fifth.
SPREAD = {"animal": 0.15, "dendrite": 0.12, "spine": 0.65, "share": 0.4, "field": 0.25, "slope": 0.015}
DENSITY_PER_UM = 0.9
# of the shipped detector on real stacks, about
PRECISION, RECALL = 0.8, 0.75
COUNTED_ON = 240


def layout(rng: np.random.Generator, animals: int, within: int, rows: int) -> pd.DataFrame:
    """Animals in two conditions by turns, dendrites in each, and rows in each of these, with the animals' chances."""
    table = pd.MultiIndex.from_product(
        [range(animals), range(within), range(rows)], names=["number", "dendrite", "row"]
    ).to_frame(index=False)
    table["animal"] = "m" + table["number"].astype(str)
    table["condition"] = np.where(table["number"] % 2, "treated", "control")
    place = table["number"] * within + table["dendrite"]
    table["of_animal"] = rng.normal(size=animals)[table["number"]]
    table["of_dendrite"] = rng.normal(size=animals * within)[place]
    return table


def volumes(rng: np.random.Generator, animals: int = 6) -> pd.DataFrame:
    table = layout(rng, animals, 4, 25)
    chance = SPREAD["animal"] * table["of_animal"] + SPREAD["dendrite"] * table["of_dendrite"]
    return table.assign(volume_um3=0.08 * np.exp(chance + rng.normal(0, SPREAD["spine"], len(table))))


def densities(rng: np.random.Generator, animals: int = 6, effect: float = 0.0) -> pd.DataFrame:
    """Dendrites with the spines that are there; `effect` is the logarithm of the ratio of densities."""
    table = layout(rng, animals, 6, 1)
    chance = SPREAD["animal"] * table["of_animal"] + SPREAD["dendrite"] * table["of_dendrite"]
    table["length_um"] = rng.uniform(20, 70, len(table))
    rate = DENSITY_PER_UM * np.exp(chance + effect * (table["condition"] == "treated"))
    return table.assign(spines=rng.poisson(rate * table["length_um"]))


def turnovers(rng: np.random.Generator, animals: int = 6) -> pd.DataFrame:
    """Losses in fields over sessions; animals change with time at rates of their own."""
    table = layout(rng, animals, 4, 4).rename(columns={"dendrite": "field"})
    slope = rng.normal(0, SPREAD["slope"], animals)[table["number"]]
    table = table.assign(day=4 * table["row"], spines=rng.integers(20, 45, len(table)))
    chance = SPREAD["share"] * table["of_animal"] + SPREAD["field"] * table["of_dendrite"]
    chance += slope * table["day"] + rng.normal(0, 0.15, len(table))
    return table.assign(lost=rng.binomial(table["spines"], expit(logit(0.15) + chance)))


def shapes(rng: np.random.Generator, animals: int = 6) -> pd.DataFrame:
    table = layout(rng, animals, 4, 25)
    chance = SPREAD["share"] * table["of_animal"] + SPREAD["field"] * table["of_dendrite"]
    return table.assign(mushroom=rng.random(len(table)) < expit(logit(0.4) + chance))


# made table, formula, effect that is not there, and the values of rows that a plain t-test takes, if there is one
NULL_STUDIES: dict[str, tuple[Callable, str, str, Callable | None]] = {
    "volume of spines": (
        volumes,
        "log(volume_um3) ~ condition + (1 | animal/dendrite)",
        "condition[treated]",
        lambda table: np.log(table["volume_um3"]),
    ),
    "density of spines": (
        densities,
        "spines/length_um ~ condition + (1 | animal/dendrite)",
        "condition[treated]",
        lambda table: table["spines"] / table["length_um"],
    ),
    "share of mushroom spines": (
        shapes,
        "mushroom ~ condition + (1 | animal/dendrite)",
        "condition[treated]",
        lambda table: table["mushroom"].astype(float),
    ),
    "losses": (
        turnovers,
        "lost/spines ~ condition + (1 | animal/field)",
        "condition[treated]",
        lambda table: table["lost"] / table["spines"],
    ),
    "change of losses over days": (
        turnovers,
        "lost/spines ~ condition * day + (1 | animal/field)",
        "condition[treated]:day",
        None,
    ),
}


def effect_of(table: pd.DataFrame, formula: str, term: str, rates: list[Rate] | None = None) -> pd.Series:
    effects, _, _ = fit(table, Comparison("made", "made", formula, rates=rates or []))
    own = effects[effects["term"] == term]
    return own.iloc[0] if len(own) else effects.iloc[0]


def null_study(name: str, seed: int) -> tuple[float, float, float]:
    """p-values of a study without an effect: of the mixed model, by permutation, and of a t-test over rows."""
    make, formula, term, values = NULL_STUDIES[name]
    table = make(np.random.default_rng([seed, list(NULL_STUDIES).index(name)]))
    found = effect_of(table, formula, term)
    treated = table["condition"] == "treated"
    plain = stats.ttest_ind(values(table[treated]), values(table[~treated])).pvalue if values else np.nan
    return found["p_value"], found["permutation_p"], plain


def detected(rng: np.random.Generator, table: pd.DataFrame, recall: np.ndarray, false_per_um: float) -> pd.DataFrame:
    """The table with what a machine sees: spines it finds, and false ones by the length that it looks at."""
    false = rng.poisson(false_per_um * table["length_um"])
    return table.assign(true=table["spines"], false=false, spines=rng.binomial(table["spines"], recall) + false)


def measured(rng: np.random.Generator, name: str, value: float, number: int, **where: str) -> Rate:
    """A rate as it is found on so many spines."""
    return Rate(name, rng.binomial(number, value) / number, number, where)


def density_study(animals: int, uneven: bool, seed: int) -> tuple[bool, bool]:
    """Whether the true ratio of densities, 25 % lower, lies in the interval without and with the machine's error."""
    rng = np.random.default_rng([seed, animals, uneven])
    table = densities(rng, animals, np.log(0.75))
    treated = (table["condition"] == "treated").to_numpy()
    recall = np.where(treated, RECALL - 0.08, RECALL + 0.08) if uneven else np.full(len(table), RECALL)
    seen = detected(rng, table, recall, false_per_um=DENSITY_PER_UM * 0.875 * RECALL * (1 / PRECISION - 1))
    if uneven:
        rates = [
            measured(rng, "recall", value, COUNTED_ON // 2, condition=level)
            for level, value in (("control", RECALL + 0.08), ("treated", RECALL - 0.08))
        ]
    else:
        rates = [measured(rng, "recall", RECALL, COUNTED_ON)]
    rates.append(measured(rng, "precision", 1 - seen["false"].sum() / seen["spines"].sum(), COUNTED_ON))
    found = effect_of(seen, NULL_STUDIES["density of spines"][1], "condition[treated]", rates)
    return covers(found, "effect", 0.75), covers(found, "carried", 0.75)


def loss_study(animals: int, seed: int) -> tuple[bool, bool]:
    """The same of the odds of a loss, 1.8 times as high, where a miss looks like a loss."""
    rng = np.random.default_rng([seed, animals, 7])
    table = layout(rng, animals, 6, 1).rename(columns={"dendrite": "field"})
    table["spines"] = rng.integers(25, 60, len(table))
    chance = SPREAD["share"] * table["of_animal"] + SPREAD["field"] * table["of_dendrite"]
    chance += np.log(1.8) * (table["condition"] == "treated")
    stayed = rng.binomial(table["spines"], 1 - expit(logit(0.2) + chance))
    recall = 0.88
    seen = table.assign(lost=table["spines"] - rng.binomial(stayed, recall))
    rates = [measured(rng, "recall", recall, COUNTED_ON)]
    found = effect_of(seen, "lost/spines ~ condition + (1 | animal/field)", "condition[treated]", rates)
    return covers(found, "effect", 1.8), covers(found, "carried", 1.8)


def class_study(animals: int, seed: int) -> tuple[bool, bool]:
    """The same of the share of mushroom spines, with shapes that are confused."""
    rng = np.random.default_rng([seed, animals, 8])
    table = layout(rng, animals, 5, 40)
    chance = SPREAD["share"] * table["of_animal"] + SPREAD["field"] * table["of_dendrite"]
    true = rng.random(len(table)) < expit(logit(0.3) + chance + np.log(2.0) * (table["condition"] == "treated"))
    sensitivity, specificity = 0.85, 0.9
    taken = rng.random(len(table)) < np.where(true, sensitivity, 1 - specificity)
    rates = [
        measured(rng, "sensitivity", sensitivity, COUNTED_ON // 2),
        measured(rng, "specificity", specificity, COUNTED_ON // 2),
    ]
    seen = table.assign(mushroom=taken)
    found = effect_of(seen, NULL_STUDIES["share of mushroom spines"][1], "condition[treated]", rates)
    return covers(found, "effect", 2.0), covers(found, "carried", 2.0)


def covers(found: pd.Series, kind: str, true: float) -> bool:
    return bool(found[f"{kind}_low"] <= true <= found[f"{kind}_high"])


# what is covered, by what is compared
COVERED: dict[str, Callable[[int], tuple[bool, bool]]] = {
    "ratio of densities, 8 animals": partial(density_study, 8, False),
    "ratio of densities, 20 animals": partial(density_study, 20, False),
    "ratio of densities, recall differs, 8 animals": partial(density_study, 8, True),
    "odds ratio of losses, 8 animals": partial(loss_study, 8),
    "odds ratio of losses, 20 animals": partial(loss_study, 20),
    "odds ratio of a shape, 8 animals": partial(class_study, 8),
    "odds ratio of a shape, 20 animals": partial(class_study, 20),
}


def census_study(seed: int) -> bool:
    """Whether the published contrast of spine inputs lies in the interval found in cells made with those fractions."""
    rng = np.random.default_rng([seed, 9])
    value = published().set_index(["cell_class", "measure"])["value"]
    exact = {name: value[name, "input_on_spine"] for name in ("excitatory", "inhibitory")}
    cells = pd.DataFrame({"broad_class": ["excitatory"] * 40 + ["inhibitory"] * 15})
    cells = cells.assign(cell=[f"c{i}" for i in range(len(cells))], whole=rng.integers(300, 4000, len(cells)))
    share = expit(logit(cells["broad_class"].map(exact)) + rng.normal(0, 0.5, len(cells)))
    cells["part"] = rng.binomial(cells["whole"], share)
    cells = cells.assign(side="input", measure="input_on_spine", partner_class="")
    found = effect_of(cells, "spine_fraction ~ broad_class + (1 | cell)", "broad_class[inhibitory]")
    return covers(found, "effect", np.exp(logit(exact["inhibitory"]) - logit(exact["excitatory"])))


# formula here and model in R, on a made table
PEER_CASES = {
    "volume": (volumes, "log(volume_um3) ~ condition + (1 | animal/dendrite)"),
    "density": (densities, "spines/length_um ~ condition + (1 | animal/dendrite)"),
    "loss": (turnovers, "lost/spines ~ condition * day + (1 | animal/field)"),
    "shape": (shapes, "mushroom ~ condition + (1 | animal/dendrite)"),
}
PEER_SCRIPT = """
suppressMessages(library(lme4))
options(warn=-1)
fits <- list(
  volume=function(t) lmer(log(volume_um3) ~ condition + (1 | animal/dendrite), t),
  density=function(t) glmer(spines ~ condition + offset(log(length_um)) + (1 | animal/dendrite), t, poisson),
  loss=function(t) glmer(cbind(lost, spines - lost) ~ condition * day + (1 | animal/field) + (1 | r) + (0 + z | animal),
                         t, binomial),
  shape=function(t) glmer((mushroom == "True") ~ condition + (1 | animal/dendrite), t, binomial))
out <- NULL
for (case in names(fits)) for (number in 0:(as.integer(commandArgs(TRUE)[1]) - 1)) {
  t <- read.csv(sprintf("%s_%d.csv", case, number)); t$r <- factor(seq_len(nrow(t)))
  if ("day" %in% names(t)) t$z <- (t$day - mean(t$day)) / sqrt(mean((t$day - mean(t$day))^2))
  s <- coef(summary(fits[[case]](t)))
  out <- rbind(out, data.frame(case=case, number=number, estimate=s[, 1], standard_error=s[, 2]))
}
write.csv(out, "lme4.csv", row.names=FALSE)
cat(as.character(packageVersion("lme4")))
"""


def beside_lme4(studies: int = 25) -> list[Row]:
    """How far estimates and standard errors are from those of lme4 over made studies."""
    with tempfile.TemporaryDirectory() as place:
        folder, ours = Path(place), []
        for case, (make, formula) in PEER_CASES.items():
            for number in range(studies):
                table = make(np.random.default_rng([number, 18]), 8)
                table.to_csv(folder / f"{case}_{number}.csv", index=False)
                design = make_design(table, parse(formula))
                if design.kind == "linear":
                    found = fit_linear(design.response, design.matrix, design.random)
                else:
                    arrays = (design.response, design.whole, design.matrix, design.random)
                    found = fit_generalised(design.kind, *arrays, restricted=False)
                ours.append(
                    pd.DataFrame(
                        {"case": case, "number": number, "own": found.coefficients, "own_error": found.standard_errors}
                    )
                )
        if shutil.which("Rscript") is None:
            raise PeerUnavailable("R is not installed here (apt-get install r-base-core r-cran-lme4)")
        (folder / "fit.R").write_text(PEER_SCRIPT)
        run = subprocess.run(["Rscript", "fit.R", str(studies)], cwd=folder, capture_output=True, text=True)
        if run.returncode:
            raise PeerUnavailable(f"lme4 did not run: {run.stderr.strip().splitlines()[-1]}")
        both = pd.concat([pd.concat(ours, ignore_index=True), pd.read_csv(folder / "lme4.csv").iloc[:, 2:]], axis=1)
    # an estimate near zero has no relative difference worth the name, so that its standard error is the least measure
    scale = np.maximum(both["estimate"].abs(), both["standard_error"])
    estimate = (both["own"] - both["estimate"]).abs() / scale
    error = (both["own_error"] / both["standard_error"] - 1).abs()
    peer = f"lme4 {run.stdout.strip()}"
    rows = []
    for case, own in both.groupby("case", sort=False):
        for what, differences, target in (("estimate", estimate, 0.01), ("standard error", error, 0.05)):
            value = float(differences[own.index].quantile(0.95))
            name = f"{case}, {what}: difference from lme4, 95th percentile of {studies} studies"
            rows.append(Row(name, value, "of it", target, True, peer))
    return rows


def percent(values: np.ndarray) -> float:
    return 100 * float(np.mean(values))


def null_rows(pool: ProcessPoolExecutor, name: str) -> list[Row]:
    p_values = np.array(list(pool.map(partial(null_study, name), range(REPEATS), chunksize=20)))
    known = np.isfinite(p_values[:, 0])
    called = percent(p_values[known, 0] < 0.05)
    peer = ("t-test over rows", percent(p_values[:, 2] < 0.05)) if NULL_STUDIES[name][3] else ()
    what = f"{name}, no effect, 6 animals, {known.sum()} of {REPEATS} studies told"
    return [
        Row(f"{what}: called significant at 5 %", called, "%", None, True, *peer),
        Row(f"{what}: distance from 5 %", abs(called - 5), "%", 2, True),
    ]


def coverage_rows(pool: ProcessPoolExecutor, name: str) -> list[Row]:
    covered = np.array(list(pool.map(COVERED[name], range(COVERAGE_REPEATS), chunksize=20)))
    held, without = percent(covered[:, 1]), percent(covered[:, 0])
    what = f"{name}, {COVERAGE_REPEATS} studies"
    return [
        Row(f"{what}: intervals with the truth in them", held, "%", None, False, "without the error", without),
        Row(f"{what}: distance from 95 %", abs(held - 95), "%", 2, True),
    ]


def census_rows(pool: ProcessPoolExecutor) -> list[Row]:
    held = percent(np.array(list(pool.map(census_study, range(200), chunksize=20))))
    return [Row("published contrast of spine inputs in 200 made studies: intervals with it in them", held, "%", 90)]


def imaged_rows(pool: ProcessPoolExecutor) -> list[Row]:
    found = list(pool.map(imaged_study, range(IMAGED_REPEATS)))
    what = f"studies simulated as images, 8 animals, density 25 % lower, of {IMAGED_REPEATS}"
    told = [study for study in found if np.isfinite(study["carried_low"])]
    covered = sum(covers(study, "carried", RATIO) for study in told)
    both = sum(study["carried_effect"] < 1 and covers(study, "carried", RATIO) for study in told)
    called, plainly = (sum(study[name] < 0.05 for study in found) for name in ("carried_p_value", "p_value"))
    plain = sum(covers(study, "effect", RATIO) for study in found)
    return [
        Row(f"{what}: sign right and the true ratio in its interval", both, "studies", 9),
        Row(f"{what}: the true ratio in its interval", covered, "studies", None, False, "without the error", plain),
        Row(f"{what}: called significant at 5 %", called, "studies", None, False, "without the error", plainly),
    ]


def main() -> None:
    rows = []
    # the matrices are small: threads that wait for each other make a fit forty times slower on a busy machine
    os.environ.update(ONE_THREAD)
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        parts = [
            beside_lme4,
            partial(census_rows, pool),
            *(partial(null_rows, pool, name) for name in NULL_STUDIES),
            *(partial(coverage_rows, pool, name) for name in COVERED),
            partial(imaged_rows, pool),
        ]
        for part in parts:
            try:
                rows += part()
            except PeerUnavailable as reason:
                rows.append(Row("agreement with lme4", float("nan"), "", None, False, str(reason)))
            # the whole takes an hour, so that what is there is kept
            write_rows("compare", rows)


if __name__ == "__main__":
    sys.exit(main())
