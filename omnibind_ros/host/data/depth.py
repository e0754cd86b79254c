"""Frames of a depth camera -> a point cloud.

A pixel (u, v) of depth z is the point ((u - cx) z / fx, -(v - cy) z / fy, z) of a pinhole camera, with y
turned upwards, as the raw samples of `point_cloud` have it.

Of many frames either all points are taken, or those that move: whose depth differs by more than `motion_m`
from that of the frame `lag` before. This is the idea of depth motion maps (Yang, Zhang, Tian, 2012; Chen,
Liu, Kehtarnavaz, 2013) in three dimensions.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, Strict

from omnibind_ros.config.strict_yaml import StrictModel
from omnibind_ros.errors import BadRecording


class DepthCamera(StrictModel):
    """Intrinsics of the camera, and which points of a recording are kept."""

    focal_px: Annotated[tuple[float, float], Strict(False)]
    """fx, fy in pixels"""
    centre_px: Annotated[tuple[float, float], Strict(False)]
    """cx, cy in pixels"""
    unit_m: float = Field(0.001, gt=0)
    """metres of a depth of 1; a depth of 0 is no measurement"""
    keep: Literal["all", "moving"] = "all"
    """points of all frames, or of what moves between them"""
    motion_m: float = Field(0.05, gt=0)
    """least change of depth of a moving pixel; an object in front of an empty background moves as well"""
    lag: int = Field(3, ge=1)
    """distance of the compared frames; a larger one detects slower movements"""
    points: int = Field(4096, ge=1)
    """largest number of points, spread evenly over the recording"""


def points_of_depth(frames: NDArray[Any], camera: DepthCamera) -> NDArray[np.float32]:
    """Depth [H,W] or [T,H,W], any unit -> float32 [N,3] metres, x right, y up, z away from the camera.

    Raises:
        BadRecording: another shape, or a recording too short to compare its frames.
    """
    if frames.ndim == 2:
        frames = frames[None]
    if frames.ndim != 3:
        raise BadRecording(
            f"has an array of shape {list(frames.shape)}; depth [H, W] or [T, H, W] is expected"
        )
    if camera.keep == "moving":
        if len(frames) <= camera.lag:
            raise BadRecording(
                f"has {len(frames)} depth frames; 'keep: moving' with lag {camera.lag} needs {camera.lag + 1}"
            )
        now = frames[camera.lag :]
        change = np.abs(now.astype(np.int32) - frames[: -camera.lag])
        seen = (change > camera.motion_m / camera.unit_m) & (now > 0)
    else:
        now = frames
        seen = now > 0
    pixels = np.flatnonzero(seen)
    if len(pixels) > camera.points:
        pixels = pixels[np.linspace(0, len(pixels) - 1, camera.points).astype(np.intp)]
    _, v, u = np.unravel_index(pixels, now.shape)
    z = now.reshape(-1)[pixels] * np.float32(camera.unit_m)
    (fx, fy), (cx, cy) = camera.focal_px, camera.centre_px
    return np.stack([(u - cx) * z / fx, (cy - v) * z / fy, z], axis=1).astype(np.float32)
