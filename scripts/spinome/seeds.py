"""Numbers that follow from a name alone: the shard of a unit and its seed."""

from __future__ import annotations

import hashlib

import numpy as np


def number_of(name: str, below: int) -> int:
    """A number from 0 to `below - 1` that follows from the name alone, spread evenly over names."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") % below


def seed_of(unit: str, seed: int = 0) -> int:
    """A seed from the unit's name, so that results do not depend on the shards.

    Parameters
    ----------
    unit : name of the unit
    seed : the run's own seed (key `seed` of the configuration)
    """
    return int(np.random.SeedSequence([seed, number_of(unit, 1 << 62)]).generate_state(1)[0])
