import numpy as np
import pytest
import torch

from spinome.twophoton import augment, train
from spinome.twophoton.augment import augmented_crop
from spinome.twophoton.detector import Detector
from spinome.twophoton.loss import set_loss
from spinome.twophoton.train import fit


def test_training_resumes_where_it_stopped(tmp_path, view, monkeypatch):
    monkeypatch.setattr(train, "BATCH", 1)
    monkeypatch.setattr(train, "CHECKPOINT_EVERY", 2)
    monkeypatch.setattr(augment, "CROP", 64)
    monkeypatch.setattr(train, "WATCHED", 2)
    straight, history = fit([view], [view], 3, tmp_path / "a.pt", "key", report_every=1)
    assert list(history["step"]) == [1, 2, 3]

    class Killed(Exception):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as context, pytest.raises(Killed):
        context.setattr(train, "_watch", killed)
        fit([view], [view], 3, tmp_path / "b.pt", "key", report_every=1)
    resumed, again = fit([view], [view], 3, tmp_path / "b.pt", "key", report_every=1)
    assert list(again["step"]) == [1, 2, 3]
    for one, other in zip(straight.state_dict().values(), resumed.state_dict().values()):
        torch.testing.assert_close(one, other)


def test_a_few_steps_lower_the_loss(view):
    torch.manual_seed(0)
    model = Detector()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    rng = np.random.default_rng(0)
    image, target = augmented_crop(view, rng)
    batch = torch.from_numpy(image[None])
    losses = []
    for _ in range(8):
        loss = set_loss(model(batch), [target])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_training_goes_on_from_a_detector(tmp_path, view, monkeypatch):
    monkeypatch.setattr(train, "BATCH", 1)
    monkeypatch.setattr(augment, "CROP", 64)
    monkeypatch.setattr(train, "WATCHED", 1)
    torch.manual_seed(5)
    start = Detector()
    tuned, _ = fit([view], [view], 1, tmp_path / "a.pt", "key", start=start)
    fresh, _ = fit([view], [view], 1, tmp_path / "b.pt", "key")
    apart = [
        max(float((a - b).detach().abs().max()) for a, b in zip(model.parameters(), start.parameters()))
        for model in (tuned, fresh)
    ]
    assert 0 < apart[0] < 1e-3 < apart[1]
