"""Augmentation of batches of model inputs: rotation, shift, scale, masks, gain, noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class InputAugment:
    """Ranges of the augmentation of model inputs [B, C, H, W]. Drawn per sample from [-range, range].

    Attributes:
        rotation: degrees.
        scale: log of the zoom of both axes.
        stretch: log of the zoom of x, and of its inverse for y.
        shift_x, shift_y: shares of the width and height.
        shear: slope of the horizontal shear.
        gain, offset: inputs are multiplied by 1 + gain and offset is added, the same for all channels.
        tilt: standard deviation of a smooth curve over the rows that is added (frequency response of a room
            and a microphone).
        mask_x, mask_y: largest share of the columns or rows that a mask hides (SpecAugment,
            arXiv 1904.08779).
        noise: largest standard deviation of added noise.
        fill: the value outside of the input and below masks; None repeats the border, and masks with 0.
    """

    rotation: float = 0.0
    scale: float = 0.0
    stretch: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    shear: float = 0.0
    gain: float = 0.0
    offset: float = 0.0
    tilt: float = 0.0
    mask_x: float = 0.0
    mask_y: float = 0.0
    noise: float = 0.0
    fill: float | None = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        """A randomly augmented copy of float32 [B, C, H, W]."""
        x = self._move(x)
        x = self._mask(x)
        batch, like = len(x), x.device
        if self.gain or self.offset:
            x = x * (1 + self.gain * _uniform(like, batch, 1, 1, 1))
            x = x + self.offset * _uniform(like, batch, 1, 1, 1)
        if self.tilt:
            knots = self.tilt * torch.randn(batch, 1, 5, 1, device=like)
            curve = F.interpolate(knots, size=(x.shape[2], 1), mode="bilinear", align_corners=True)
            x = (x + curve).clamp_min(-1.0)
        if self.noise:
            x = x + torch.rand(batch, 1, 1, 1, device=like) * self.noise * torch.randn_like(x)
        return x

    def _move(self, x: Tensor) -> Tensor:
        def draw() -> Tensor:
            return _uniform(x.device, len(x))

        angle = torch.deg2rad(self.rotation * draw())
        zoom = torch.exp(self.scale * draw())
        stretch = torch.exp(self.stretch * draw())
        cos, sin, shear = torch.cos(angle), torch.sin(angle), self.shear * draw()
        theta = torch.stack(
            [
                torch.stack([cos * zoom * stretch, (shear - sin) * zoom, 2 * self.shift_x * draw()], dim=1),
                torch.stack([sin * zoom, cos * zoom / stretch, 2 * self.shift_y * draw()], dim=1),
            ],
            dim=1,
        )
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        if self.fill is None:
            return F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        return F.grid_sample(x - self.fill, grid, padding_mode="zeros", align_corners=False) + self.fill

    def _mask(self, x: Tensor) -> Tensor:
        fill = self.fill or 0.0
        for share, axis in ((self.mask_x, 3), (self.mask_y, 2)):
            if not share:
                continue
            length = x.shape[axis]
            width = torch.rand(len(x), 1, device=x.device) * share * length
            start = torch.rand(len(x), 1, device=x.device) * (length - width)
            position = torch.arange(length, device=x.device)[None]
            hidden = (position >= start) & (position < start + width)
            shape = [len(x), 1, 1, 1]
            shape[axis] = length
            x = x.masked_fill(hidden.reshape(shape), fill)
        return x


def _uniform(device: torch.device, *shape: int) -> Tensor:
    """Uniform in [-1, 1)."""
    return torch.rand(*shape, device=device) * 2 - 1
