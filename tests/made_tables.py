"""Made tables for the tests of comparisons."""

import numpy as np
import pandas as pd


def made_spines(animals=6, dendrites=3, spines=10, effect=0.0, between=0.3, seed=0):
    """Spines of dendrites of animals in two conditions by turns, balanced, with a volume and a truth."""
    rng = np.random.default_rng(seed)
    animal = np.repeat(np.arange(animals), dendrites * spines)
    dendrite = np.tile(np.repeat(np.arange(dendrites), spines), animals)
    condition = np.where(animal % 2, "treated", "control")
    value = effect * (animal % 2) + rng.normal(0, between, animals)[animal] + rng.normal(0, 1, len(animal))
    value += rng.normal(0, between / 2, animals * dendrites)[animal * dendrites + dendrite]
    return pd.DataFrame(
        {
            "animal": [f"m{number}" for number in animal],
            "dendrite": dendrite,
            "condition": condition,
            "volume": value,
            "size_um3": np.exp(value),
            "mushroom": rng.random(len(animal)) < 0.4,
            "probability": rng.uniform(0.6, 1.0, len(animal)),
        }
    )


def made_counts(animals=8, dendrites=4, effect=0.0, rate=0.8, seed=0):
    """Dendrites of animals with their length and number of spines."""
    rng = np.random.default_rng(seed)
    animal = np.repeat(np.arange(animals), dendrites)
    length = rng.uniform(40, 80, len(animal))
    mean = rate * length * np.exp(effect * (animal % 2) + rng.normal(0, 0.1, animals)[animal])
    return pd.DataFrame(
        {
            "animal": [f"m{number}" for number in animal],
            "dendrite": np.tile(np.arange(dendrites), animals),
            "condition": np.where(animal % 2, "treated", "control"),
            "length_um": length,
            "spines": rng.poisson(mean),
        }
    )


def made_turnover(animals=8, fields=3, sessions=4, share=0.2, seed=0):
    """Losses and gains of fields over sessions."""
    rng = np.random.default_rng(seed)
    table = pd.MultiIndex.from_product(
        [range(animals), range(fields), range(sessions)], names=["number", "field", "session"]
    ).to_frame(index=False)
    spines = rng.integers(25, 45, len(table))
    return table.assign(
        animal="m" + table["number"].astype(str),
        condition=np.where(table["number"] % 2, "treated", "control"),
        day=4 * table["session"],
        spines=spines,
        next_spines=spines,
        lost=rng.binomial(spines, share),
        gained=rng.binomial(spines, share),
    )
