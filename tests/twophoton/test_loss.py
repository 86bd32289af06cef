import numpy as np
import torch

from spinome.twophoton.loss import assign, heat_target, set_loss


def test_each_spine_is_answered_by_one_query():
    boxes = torch.tensor([[10.0, 10, 0], [10.5, 10, 0], [80, 80, 0]])
    target = np.array([[10.0, 10, 10, 1], [200, 200, 10, 1]], np.float32)
    rows, columns = assign(boxes, torch.tensor([0.0, 3.0, 0.0]), target)
    assert rows.tolist() == [1] and columns.tolist() == [0]
    assert len(assign(boxes, torch.zeros(3), target[:0])[0]) == 0


def test_the_loss_falls_toward_the_truth():
    target = np.array([[32.0, 32, 10, 1]], np.float32)

    def loss(x, logit):
        heat = torch.logit(torch.from_numpy(heat_target(target, (32, 32))).clamp(0.01, 0.99))[None]
        stage = (torch.tensor([[[x, 32.0, 0.0]]]), torch.tensor([[logit]]))
        return float(set_loss({"heat": heat, "size": torch.zeros(1, 32, 32), "stages": [stage]}, [target]))

    assert loss(32.0, 3.0) < loss(35.0, 3.0) < loss(35.0, -3.0)


def test_what_has_no_weight_is_not_learned():
    target = np.array([[32.0, 32, 10, 1]], np.float32)

    def loss(heat, x, logit, weight):
        stages = [(torch.tensor([[[32.0, 32.0, 0.0], [x, 32.0, 0.0]]]), torch.tensor([[3.0, logit]]))]
        return float(set_loss({"heat": heat, "size": torch.zeros(1, 32, 32), "stages": stages}, [target], weight))

    quiet, loud = torch.full((1, 32, 32), -4.0), torch.full((1, 32, 32), -4.0)
    loud[0, 16, 28] = 3.0
    away = np.ones((1, 32, 32), np.float32)
    away[0, :, 24:] = 0
    assert loss(loud, 56.0, 3.0, None) > loss(quiet, 56.0, -3.0, None) + 0.1
    assert loss(loud, 56.0, 3.0, away) == loss(quiet, 56.0, -3.0, away)
    assert loss(quiet, 56.0, -3.0, np.ones_like(away)) == loss(quiet, 56.0, -3.0, None)
