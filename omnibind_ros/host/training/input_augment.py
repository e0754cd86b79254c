"""Augmentation of a whole batch of model inputs: turned, shifted, scaled, masked, dimmed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class InputAugment:
    """How far a picture-like model input [B,C,H,W] may move.

    Attributes:
        rotation: degrees either way.
        scale: largest relative zoom either way, x and y apart by `stretch`.
        shift_x, shift_y: share of the width and height.
        shear: horizontal, as a slope.
        gain, offset: multiplies and adds, same for all channels.
        tilt: a smooth curve over the rows is added (the frequency response of a room and a microphone).
        mask_x, mask_y: share of the columns or rows that one mask may hide (SpecAugment, Park et al. 2019).
        noise: standard deviation of added noise.
        fill: the value that means "nothing here".
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
        """A randomly changed copy of [B,C,H,W]."""
        x = self._move(x)
        x = self._mask(x)
        batch, like = len(x), x.device
        if self.gain or self.offset:
            x = x * (1 + self.gain * _both_ways(like, batch, 1, 1, 1))
            x = x + self.offset * _both_ways(like, batch, 1, 1, 1)
        if self.tilt:
            knots = self.tilt * torch.randn(batch, 1, 5, 1, device=like)
            curve = F.interpolate(knots, size=(x.shape[2], 1), mode="bilinear", align_corners=True)
            x = (x + curve).clamp_min(-1.0)
        if self.noise:
            x = x + torch.rand(batch, 1, 1, 1, device=like) * self.noise * torch.randn_like(x)
        return x

    def _move(self, x: Tensor) -> Tensor:
        def way() -> Tensor:
            return _both_ways(x.device, len(x))

        angle = torch.deg2rad(self.rotation * way())
        zoom = torch.exp(self.scale * way())
        stretch = torch.exp(self.stretch * way())
        cos, sin, shear = torch.cos(angle), torch.sin(angle), self.shear * way()
        theta = torch.stack(
            [
                torch.stack([cos * zoom * stretch, (shear - sin) * zoom, 2 * self.shift_x * way()], dim=1),
                torch.stack([sin * zoom, cos * zoom / stretch, 2 * self.shift_y * way()], dim=1),
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


def _both_ways(device: torch.device, *shape: int) -> Tensor:
    return torch.rand(*shape, device=device) * 2 - 1
