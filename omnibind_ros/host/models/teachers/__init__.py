"""Teachers: frozen encoders of texts and pictures. Students learn their common space.

    minilm              a sentence encoder, and an image tower that is trained to map pictures to its texts
    a folder or hub id  CLIP, SigLIP, or another model of `transformers` with a text and an image tower

The embeddings of a teacher are cached on disk (`cache.py`).
"""

from __future__ import annotations

from omnibind_ros.host.models.teachers.cache import CachedTeacher
from omnibind_ros.host.models.teachers.class_centres import centred, make_class_centres
from omnibind_ros.host.models.teachers.minilm import MiniLMTeacher, TowerTeacher
from omnibind_ros.host.models.teachers.teacher import Teacher, TextTeacher
from omnibind_ros.host.models.teachers.two_towers import TwoTowerTeacher

__all__ = [
    "CachedTeacher",
    "MiniLMTeacher",
    "Teacher",
    "TextTeacher",
    "TowerTeacher",
    "TwoTowerTeacher",
    "centred",
    "make_class_centres",
]
