"""The model of links learns, is kept in a file, and says so of an older one."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesClassifier

from spinome.io.models import Model, load_model, save_model
from spinome.linking.candidates import FEATURES
from spinome.linking.link_model import lesson, pool, tell_older, threshold_of, train_links
from spinome.linking.links import rank_links, top_k


@pytest.fixture(scope="module")
def trained(simulated):
    return train_links(lesson(*simulated, "one"), 0)


def test_the_model_finds_the_parent_of_dendrites_it_has_not_seen(simulated, trained):
    candidates, truth = simulated
    _, unseen = trained
    links = rank_links(candidates, unseen, truth["orphan"], 0.5)
    scores = top_k(links, truth)
    assert scores["top_1"] > 0.8 and scores["top_3"] > 0.95 and scores["candidates"] == 5
    # as sure as it is right
    first = links[links["rank"] == 1].merge(truth, on="orphan", suffixes=("", "_true"))
    right = (first["shaft"] == first["shaft_true"]).mean()
    assert first["probability"].mean() == pytest.approx(right, abs=0.1)


def test_a_file_gives_the_same_model_and_the_same_bytes(tmp_path, simulated, trained):
    model, _ = trained
    again, _ = train_links(lesson(*simulated, "one"), 0)
    for name, one in (("a", model), ("b", again)):
        save_model(tmp_path / f"{name}.skops", Model(one, FEATURES, {}))
    features = simulated[0][FEATURES].to_numpy(np.float32)
    kept = load_model(tmp_path / "a.skops", FEATURES)
    assert np.array_equal(kept.probabilities(features), model.predict_proba(features))
    assert np.array_equal(again.predict_proba(features), model.predict_proba(features))
    assert kept.probabilities(features[:0]).shape == (0, 2)


def test_orphans_with_their_true_shaft_as_the_only_candidate_train(simulated):
    # at both of its ends, so that it is right in all rows, and cut at one of them
    candidates, truth = simulated
    alone = candidates.drop_duplicates("orphan")
    both = pd.concat([alone, alone.assign(end=1, forward_nm=alone["forward_nm"] + 1)], ignore_index=True)
    taught = lesson(both, truth, "one")
    assert taught.right.all() and taught.cut.sum() == len(truth)
    _, unseen = train_links(taught, 0)
    assert (unseen > 0.5).all()


def test_one_dendrite_cannot_train(simulated):
    candidates, truth = simulated
    one = lesson(candidates, truth, "one")
    with pytest.raises(ValueError, match="two at least"):
        train_links(one._replace(dendrite=np.zeros(len(one.right), str)), 0)


def test_pooled_orphans_share_no_number(simulated):
    one = lesson(*simulated, "one")
    both = pool([one, one])
    assert len(np.unique(both.orphan)) == 2 * len(np.unique(one.orphan)) and len(both.right) == 2 * len(one.right)
    # the dendrites are the same ones
    assert len(np.unique(both.dendrite)) == len(np.unique(one.dendrite))


def test_an_older_forest_is_told(trained):
    older = Model(ExtraTreesClassifier(), FEATURES)
    new = Model(trained[0], FEATURES)
    (line,) = tell_older(older, "links.skops", 0.6)
    assert line.startswith("links.skops: ") and "linked from 0.3" in line and not tell_older(new, "links.skops", 0.6)
    # by default what it linked before
    assert threshold_of(older, 0.6) == 0.3 and threshold_of(new, 0.6) == 0.6
