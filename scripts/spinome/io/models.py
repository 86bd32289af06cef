"""Trained forests in files that are safe to load: skops, with the types that may be in them named here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from spinome.io.atomic import atomic

TRUSTED = [
    "sklearn.tree._tree.Tree",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "spinome.linking.link_model.LinkModel",
]


@dataclass(frozen=True)
class Model:
    """An estimator with the features it takes and the card that says where it comes from.

    `card` holds plain values: what the model does, its training data with their licences, scores and limits.
    """

    estimator: Any
    features: list[str]
    card: dict[str, Any] = field(default_factory=dict)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Class probabilities (N, classes), in the order of `estimator.classes_`."""
        if features.shape[1] != len(self.features):
            raise ValueError(f"the model takes {len(self.features)} features, not {features.shape[1]}")
        if not len(features):
            return np.zeros((0, len(self.estimator.classes_)))
        return self.estimator.predict_proba(features)


def save_model(path: str | Path, model: Model) -> None:
    """Write a model with its features and card."""
    skops_io = _skops_io()
    with atomic(path) as part:
        content = {"estimator": model.estimator, "features": list(model.features), "card": model.card}
        skops_io.dump(content, part, compression=8)


def load_model(path: str | Path, features: list[str]) -> Model:
    """Load a model and check that it was trained on the same features.

    Raises
    ------
    FileNotFoundError, ValueError: if there is no such file, if it holds anything but a forest, or if the forest
        takes other features; the message names the file.
    """
    skops_io = _skops_io()
    try:
        content = skops_io.load(path, trusted=TRUSTED)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such model; see `models` in the configuration") from None
    except Exception as error:
        raise ValueError(f"{path}: is not a model of Spinome ({error})") from error
    if not isinstance(content, dict) or set(content) != {"estimator", "features", "card"}:
        raise ValueError(f"{path}: is not a model of Spinome; it lacks the estimator, its features or its card")
    if content["features"] != list(features):
        raise ValueError(
            f"{path}: was trained on other features; train it again or name another file under `models`. "
            f"It takes {_listed(content['features'], features)}, here are {_listed(features, content['features'])}"
        )
    return Model(**content)


def _skops_io() -> ModuleType:
    """The module `skops.io`, loaded where it is needed, and without torch.

    It looks through every module of scikit-learn, of which one would load torch: 1.4 CPU-s and 150 MB that no forest
    needs. Modules that cannot be loaded are passed over, so torch is one of these meanwhile.
    """
    sys.meta_path.insert(0, _NoTorch)
    try:
        import skops.io
    finally:
        sys.meta_path.remove(_NoTorch)
    return skops.io


class _NoTorch:
    """A finder of modules, asked before all others, by which there is no torch."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "torch":
            raise ModuleNotFoundError(name)


def _listed(names: Sequence[str], others: Sequence[str], most: int = 3) -> str:
    """How many names there are, and the first few that the others lack."""
    own = [name for name in names if name not in others]
    return f"{len(names)}" + (f" with {', '.join(own[:most])}{', ...' if len(own) > most else ''}" if own else "")
