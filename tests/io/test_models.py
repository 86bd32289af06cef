"""Models come back as they went, and nothing but a forest is loaded."""

import os
import subprocess
import sys

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from spinome.io.models import Model, load_model, save_model

FEATURES = ["a", "b"]
PATHS = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    x = rng.random((60, 2))
    forest = RandomForestClassifier(5, random_state=0).fit(x, x[:, 0] > 0.5)
    return Model(forest, FEATURES, {"licence": "BSD-3-Clause"})


def test_round_trip(tmp_path, model):
    save_model(tmp_path / "m.skops", model)
    loaded = load_model(tmp_path / "m.skops", FEATURES)
    x = np.random.default_rng(1).random((20, 2))
    np.testing.assert_array_equal(loaded.probabilities(x), model.probabilities(x))
    assert loaded.card == model.card


def test_nothing_to_judge_has_no_probabilities(model):
    assert model.probabilities(np.zeros((0, 2))).shape == (0, 2)


def test_extra_trees_are_trusted_too(tmp_path, model):
    x = np.random.default_rng(0).random((60, 2))
    save_model(tmp_path / "m.skops", Model(ExtraTreesClassifier(3, random_state=0).fit(x, x[:, 0] > 0.5), FEATURES))
    assert load_model(tmp_path / "m.skops", FEATURES).features == FEATURES


def test_other_features_are_refused(tmp_path, model):
    save_model(tmp_path / "m.skops", model)
    with pytest.raises(ValueError, match=r"m\.skops: was trained on other features"):
        load_model(tmp_path / "m.skops", ["a", "c"])
    with pytest.raises(ValueError, match="takes 2 features, not 3"):
        model.probabilities(np.zeros((1, 3)))


def test_a_forest_needs_no_torch_and_torch_can_be_loaded_after_it(tmp_path, model):
    save_model(tmp_path / "m.skops", model)
    code = "import sys; from spinome.io.models import load_model; load_model(sys.argv[1], ['a', 'b'])\n"
    code += "assert 'torch' not in sys.modules\nimport torch; assert torch.ones(2).sum() == 2"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "m.skops")], check=True, env=PATHS)


def _harm(x):
    raise AssertionError("code of a model file was run")


def test_code_in_a_model_file_is_refused(tmp_path, model):
    estimator = make_pipeline(FunctionTransformer(_harm), model.estimator)
    skops.io.dump({"estimator": estimator, "features": FEATURES, "card": {}}, tmp_path / "m.skops")
    with pytest.raises(ValueError, match=r"m\.skops: is not a model of Spinome"):
        load_model(tmp_path / "m.skops", FEATURES)


def test_other_files_are_refused(tmp_path, model):
    (tmp_path / "text.skops").write_text("text")
    skops.io.dump(model.estimator, tmp_path / "bare.skops")
    for name in ("text.skops", "bare.skops"):
        with pytest.raises(ValueError, match=f"{name}: is not a model of Spinome"):
            load_model(tmp_path / name, FEATURES)
    with pytest.raises(FileNotFoundError, match=r"absent\.skops: no such model"):
        load_model(tmp_path / "absent.skops", FEATURES)
