"""Teachers: frozen encoders of texts and pictures whose common space the students learn.

    minilm              a sentence encoder, and an image tower that is trained to land on its texts
    a folder or hub id  CLIP, SigLIP, or what else `transformers` knows with a text and an image tower

Everything a teacher says is kept on disk by the hash of what it was asked (`cache.py`).
"""

from __future__ import annotations

from omnibind_ros.host.models.teachers.anchors import Anchors, make_anchors, moved_to
from omnibind_ros.host.models.teachers.cache import CachedTeacher
from omnibind_ros.host.models.teachers.minilm import MiniLMTeacher, TowerTeacher
from omnibind_ros.host.models.teachers.teacher import Teacher, TextTeacher
from omnibind_ros.host.models.teachers.two_towers import TwoTowerTeacher

__all__ = [
    "Anchors",
    "CachedTeacher",
    "MiniLMTeacher",
    "Teacher",
    "TextTeacher",
    "TowerTeacher",
    "TwoTowerTeacher",
    "make_anchors",
    "moved_to",
]
