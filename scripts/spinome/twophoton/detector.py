"""A small transformer detector of dendritic spines, in plain torch.

A convolutional pyramid, a transformer encoder on its coarsest level, a heatmap of spine heads whose peaks become
the queries, and deformable decoder layers that refine each query to a box and a score: a two-stage Deformable DETR
(Zhu et al. 2021) with the heatmap in place of dense proposals, which is what lets it train in minutes on a CPU.
A set loss makes one query answer for one spine, so there is no suppression of overlapping boxes.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from spinome.io.atomic import atomic
from spinome.io.networks import read_network

QUERIES = 60
# pixels along a side that `QUERIES` is meant for; larger images get proportionally more
CROP = 256
HEAT_STRIDE = 2
# the pyramid is computed in half precision where the processor has it, twice as fast
HALF = torch.cpu.get_capabilities().get("avx512_bf16", False)
# side of a box, in pixels, that a predicted log size of 0 stands for
UNIT_BOX = 10.0


class Convolution(nn.Sequential):
    """3 x 3 convolution, group normalisation, activation."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.GroupNorm(out // 8, out), nn.SiLU())


class Residual(nn.Module):
    """Two convolutions added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = Convolution(channels, channels), Convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class DeformableAttention(nn.Module):
    """Each query looks at a few learned points around itself on every level (Zhu et al. 2021)."""

    def __init__(self, width: int, strides: tuple[int, ...], heads: int = 8, points: int = 4) -> None:
        super().__init__()
        self.heads, self.points, self.strides = heads, points, strides
        samples = heads * len(strides) * points
        self.value, self.out = nn.Conv2d(width, width, 1), nn.Linear(width, width)
        self.offset, self.weight = nn.Linear(width, samples * 2), nn.Linear(width, samples)
        nn.init.zeros_(self.offset.weight)
        angle = torch.arange(heads) * (2 * math.pi / heads)
        ring = torch.stack([angle.cos(), angle.sin()], -1)[:, None, None] * torch.arange(1, points + 1)[:, None]
        self.offset.bias.data = ring.expand(heads, len(strides), points, 2).flatten().clone()

    def forward(self, query: Tensor, reference: Tensor, levels: list[Tensor]) -> Tensor:
        """`query` (B, Q, C), `reference` (B, Q, 2) x y in pixels, `levels` (B, C, H, W) by stride."""
        batch, count, width = query.shape
        shape = (batch, count, self.heads, len(levels), self.points)
        offset = self.offset(query).view(*shape, 2)
        weight = self.weight(query).view(*shape[:3], -1).softmax(-1).view(shape)
        gathered = 0
        for index, (level, stride) in enumerate(zip(levels, self.strides)):
            height, breadth = level.shape[-2:]
            value = self.value(level).reshape(batch * self.heads, width // self.heads, height, breadth)
            place = reference[:, :, None, None] / stride + offset[:, :, :, index]
            grid = 2 * place / place.new_tensor([breadth, height]) - 1
            grid = grid.permute(0, 2, 1, 3, 4).reshape(batch * self.heads, count, self.points, 2)
            taken = functional.grid_sample(value, grid, align_corners=False)
            taken = taken.view(batch, self.heads, -1, count, self.points)
            gathered = gathered + torch.einsum("bhcqp,bqhp->bqhc", taken, weight[:, :, :, index])
        return self.out(gathered.reshape(batch, count, width))


class DecoderLayer(nn.Module):
    """Queries attend to each other, then to the image around them; box and score are refined."""

    def __init__(self, width: int, strides: tuple[int, ...]) -> None:
        super().__init__()
        self.among = nn.MultiheadAttention(width, 4, batch_first=True)
        self.image = DeformableAttention(width, strides)
        self.mix = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.box = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 3))
        self.score = nn.Linear(width, 1)
        nn.init.zeros_(self.box[-1].weight)
        nn.init.zeros_(self.box[-1].bias)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(
        self, query: Tensor, boxes: Tensor, logits: Tensor, levels: list[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        place = query + sine_position(boxes[..., :2], query.shape[-1])
        query = self.norms[0](query + self.among(place, place, query, need_weights=False)[0])
        query = self.norms[1](query + self.image(query, boxes[..., :2].detach(), levels))
        query = self.norms[2](query + self.mix(query))
        return query, boxes.detach() + self.box(query), logits.detach() + self.score(query).squeeze(-1)


class Detector(nn.Module):
    """Boxes and scores of the spines in a slice that is shown with its two neighbours."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.stem = nn.Sequential(Convolution(3, 24, 2), Convolution(24, 24))
        self.fourth = nn.Sequential(Convolution(24, 48, 2), Residual(48))
        self.eighth = nn.Sequential(Convolution(48, 80, 2), Residual(80))
        self.sixteenth = nn.Sequential(Convolution(80, 128, 2), Residual(128))
        layer = nn.TransformerEncoderLayer(128, 4, 256, 0.0, functional.silu, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.lateral = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in (128, 80, 48))
        self.smooth = nn.ModuleList(Convolution(width, width) for _ in range(2))
        self.fine = nn.ModuleList([nn.Conv2d(width, 32, 1), nn.Conv2d(24, 32, 1), Convolution(32, 32)])
        self.heat = nn.Conv2d(32, 1, 1)
        self.size = nn.Conv2d(32, 1, 1)
        self.start = nn.Linear(32 + width, width)
        self.decoder = nn.ModuleList(DecoderLayer(width, (4, 8, 16)) for _ in range(2))
        nn.init.constant_(self.heat.bias, -4.0)

    def forward(self, image: Tensor) -> dict[str, Tensor | list[tuple[Tensor, Tensor]]]:
        """Detect in `image` (B, 3, H, W), H and W multiples of 16.

        Returns
        -------
        `heat` and `size` (B, H/2, W/2): logits of a head's centre and log sizes there;
        `stages`: after each decoder layer, boxes (B, Q, 3) as x, y in pixels (indices, 0 is the centre of the first)
        and log size, and logits (B, Q)
        """
        with torch.autocast("cpu", torch.bfloat16, enabled=HALF):
            half = self.stem(image)
            quarter = self.fourth(half)
            eighth = self.eighth(quarter)
            deep = self.sixteenth(eighth)
            channels, height, width = deep.shape[1:]
            tokens = deep.flatten(2).transpose(1, 2) + grid_position(height, width, channels, deep)
            deep = self.encoder(tokens).transpose(1, 2).view_as(deep)
            p16 = self.lateral[0](deep)
            p8 = self.smooth[0](self.lateral[1](eighth) + enlarge(p16))
            p4 = self.smooth[1](self.lateral[2](quarter) + enlarge(p8))
            fine = self.fine[2](enlarge(self.fine[0](p4)) + self.fine[1](half))
        # places are counted in whole precision
        p4, p8, p16, fine = (level.float() for level in (p4, p8, p16, fine))
        heat, size = self.heat(fine).squeeze(1), self.size(fine).squeeze(1)

        x, y, index = peaks(heat)
        boxes = torch.stack([x, y, gather(size[:, None], index)[..., 0].detach()], -1)
        logits = gather(heat[:, None], index)[..., 0]
        grid = 2 * boxes[:, :, None, :2] / boxes.new_tensor([image.shape[-1], image.shape[-2]]) - 1
        around = functional.grid_sample(p4, grid.detach(), align_corners=False).squeeze(-1).transpose(1, 2)
        query = self.start(torch.cat([gather(fine, index), around], -1))
        stages = []
        for layer in self.decoder:
            query, boxes, logits = layer(query, boxes, logits, [p4, p8, p16])
            stages.append((boxes, logits))
        return {"heat": heat, "size": size, "stages": stages}


def enlarge(x: Tensor) -> Tensor:
    """Twice the height and width."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def peaks(heat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The highest local maxima of a heatmap (B, H, W): x, y in pixels of the image, and flat indices, each (B, Q)."""
    top = functional.max_pool2d(heat[:, None], 3, 1, 1)[:, 0]
    masked = torch.where(heat == top, heat, heat.min() - 1).detach().flatten(1)
    side = CROP // HEAT_STRIDE
    count = max(1, min(masked.shape[1], round(QUERIES * max(1.0, masked.shape[1] / side**2))))
    index = masked.topk(count, dim=1).indices
    width = heat.shape[-1]
    return (index % width + 0.5) * HEAT_STRIDE, (index // width + 0.5) * HEAT_STRIDE, index


def gather(features: Tensor, index: Tensor) -> Tensor:
    """Features (B, C, H, W) at flat indices (B, Q), as (B, Q, C)."""
    flat = features.flatten(2).transpose(1, 2)
    return flat.gather(1, index[..., None].expand(-1, -1, flat.shape[-1]))


def sine_position(place: Tensor, width: int) -> Tensor:
    """Sines and cosines of x and y in pixels (..., 2), as (..., width)."""
    frequency = torch.exp(-torch.arange(width // 4, device=place.device) * (math.log(400.0) / (width // 4)))
    angle = place.detach()[..., None] * frequency * 0.5
    return torch.cat([angle.sin(), angle.cos()], -1).flatten(-2)


def grid_position(height: int, width: int, channels: int, like: Tensor) -> Tensor:
    """Position code of each cell of the coarsest level, (1, height * width, channels)."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack([x, y], -1).reshape(1, -1, 2).to(like) * 16.0
    return sine_position(place, channels)


def save_detector(path: str | Path, model: nn.Module, facts: dict) -> None:
    """Write the weights in half precision with plain facts (threshold, training data) in the header."""
    with atomic(path) as part:
        weights = {name: value.detach().half().contiguous() for name, value in model.state_dict().items()}
        save_file(weights, part, {"spinome": json.dumps(facts, sort_keys=True)})


def load_detector(path: str | Path) -> tuple[Detector, dict]:
    """Load a detector and its facts.

    Raises
    ------
    FileNotFoundError, ValueError: if there is no such file, or it is no detector; the message names it.
    """
    return read_network(path, lambda facts: Detector(), "detector", "`models.detector` and `twophoton.train`")
