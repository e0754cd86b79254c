"""Cross-modal Alignment Distillation (CAD): the terms of stage 1, each a function, each with a weight.

z [B, D] are a batch's unnormalised student embeddings, e = z/|z|; a_k [K, D] the class centres; v_j [M, D]
the teacher's embeddings of labelled pictures; t_i [B, D] its embedding of the picture that belongs to sample
i: of its true pair, of the drawing it was made from, or of the sample rendered as a picture. Without one, t_i
is another student's embedding of the same moment (`peer_teaching.py`), else that of a picture of its class.
A t_i of the sample's own picture is used only if the teacher is confident (as in FixMatch, arXiv 2001.07685)
and, where the class is known, correct.

    text       cross-entropy of softmax_k(z_i . a_k) against y_i (InfoNCE over the classes' texts, arXiv
               1807.03748; the length of z is the inverse temperature and becomes the evidence)
    closeness  1 - cos(z_i, a_y): at the class centre, not merely nearest to it
    negative   a sample of none of the classes belongs to no centre: sum_k cos(z, a_k)^2, and z . a_k -> 0
    image      supervised contrastive (SupCon, arXiv 2004.11362) over the pictures v_j and t_j: those of y_i
               attract
    relation   KL(softmax_k(t_i . a_k / T) || softmax_k(e_i . a_k / T)): the student's similarities to the
               class centres follow the teacher's (OmniBind, arXiv 2405.16108; distillation of softened
               probabilities: Hinton et al., arXiv 1503.02531). Needs no label
    structure  the rows of E E' and T T', each of unit norm, agree within the batch
               (similarity-preserving distillation, arXiv 1907.09682). Needs no label
    embedding  1 - cos(e_i, t_i), where t_i is of the sample's own picture. Needs no label

docs/method.md has the formulas and an ablation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from omnibind_ros.config.strict_yaml import StrictModel
from omnibind_ros.host.training.samples import NEGATIVE

Weight = Annotated[float, Field(ge=0)]
Temperature = Annotated[float, Field(gt=0)]


class CadConfig(StrictModel):
    """Weights of the terms; a weight of 0 leaves the term out."""

    lambda_text: Weight = 1.0
    lambda_closeness: Weight = 0.5
    lambda_negative: Weight = 1.0
    lambda_image: Weight = 0.1
    lambda_relation: Weight = 0.5
    lambda_structure: Weight = 0.5
    lambda_embedding: Weight = 0.5
    temperature: Temperature = 0.1
    """of the softmax in image and relation, and in the test for confidence"""
    sure: Annotated[float, Field(ge=0, le=1)] = 0.95
    """least class probability at which the teacher's embedding of a sample's own picture is used"""

    def weight(self, term: str) -> float:
        """The weight of a term."""
        return float(getattr(self, f"lambda_{term}"))

    @property
    def needs_pictures(self) -> bool:
        """Whether any term with a weight needs the image teacher."""
        return any(self.weight(term) > 0 for term in ("image", "relation", "structure", "embedding"))


DEFAULT_CAD = CadConfig()


@dataclass(frozen=True, eq=False)
class Batch:
    """What the terms are computed from; B samples.

    Attributes:
        z: float32 [B, D], the student's embeddings before normalisation.
        labels: int64 [B]; `NEGATIVE` or `UNLABELLED` where there is no class.
        centres: float32 [K, D], unit norm.
        taught: float32 [B, D], t_i; zero where there is none.
        own: bool [B], whether t_i is of the sample's own picture.
        pictures: float32 [M, D], embeddings v_j of labelled pictures; M may be 0.
        picture_labels: int64 [M].
    """

    z: Tensor
    labels: Tensor
    centres: Tensor
    taught: Tensor
    own: Tensor
    pictures: Tensor
    picture_labels: Tensor
    label_smoothing: float = 0.0
    temperature: float = 0.1

    @property
    def e(self) -> Tensor:
        """Embeddings of unit norm, float32 [B, D]."""
        return F.normalize(self.z, dim=1)

    @property
    def known(self) -> Tensor:
        """bool [B]: the sample has a class."""
        return self.labels >= 0

    @property
    def has_target(self) -> Tensor:
        """bool [B]: the sample has a t_i."""
        return self.taught.square().sum(dim=1) > 0.5


def text(batch: Batch) -> Tensor:
    """Cross-entropy over the class centres."""
    known = batch.known
    if not known.any():
        return batch.z.sum() * 0
    logits = batch.z[known] @ batch.centres.T
    loss = F.cross_entropy(logits, batch.labels[known], label_smoothing=batch.label_smoothing)
    return loss * known.float().mean()


def closeness(batch: Batch) -> Tensor:
    """Cosine distance from the centre of the sample's class."""
    known = batch.known
    if not known.any():
        return batch.z.sum() * 0
    own_centre = batch.centres[batch.labels[known]]
    return (1 - (batch.e[known] * own_centre).sum(dim=1)).mean() * known.float().mean()


def negative(batch: Batch) -> Tensor:
    """Similarity of samples of none of the classes to the centres."""
    none = batch.labels == NEGATIVE
    if not none.any():
        return batch.z.sum() * 0
    cosines, logits = batch.e[none] @ batch.centres.T, batch.z[none] @ batch.centres.T
    return (cosines.square().sum(dim=1).mean() + 0.1 * logits.square().mean()) * none.float().mean()


def image(batch: Batch) -> Tensor:
    """Supervised contrastive loss with the teacher's pictures as anchors."""
    known = batch.known
    taught = batch.has_target & known
    pictures = torch.cat([batch.pictures, batch.taught[taught]])
    if not known.any() or not len(pictures):
        return batch.z.sum() * 0
    labels = torch.cat([batch.picture_labels, batch.labels[taught]])
    log_p = torch.log_softmax(batch.e[known] @ pictures.T / batch.temperature, dim=1)
    positive = (batch.labels[known][:, None] == labels).float()
    count = positive.sum(dim=1)
    loss = -(positive * log_p).sum(dim=1) / count.clamp_min(1)
    return loss.sum() / (count > 0).sum().clamp_min(1) * known.float().mean()


def relation(batch: Batch) -> Tensor:
    """Divergence of the student's class probabilities from the teacher's."""
    has = batch.has_target
    if not has.any():
        return batch.z.sum() * 0
    t = batch.temperature
    teacher = torch.softmax(batch.taught[has] @ batch.centres.T / t, dim=1)
    student = torch.log_softmax(batch.e[has] @ batch.centres.T / t, dim=1)
    return F.kl_div(student, teacher, reduction="batchmean") * has.float().mean()


def structure(batch: Batch) -> Tensor:
    """Difference of the similarities within the batch."""
    has = batch.has_target
    if has.sum() < 2:
        return batch.z.sum() * 0
    e, t = batch.e[has], batch.taught[has]
    apart = F.normalize(e @ e.T, dim=1) - F.normalize(t @ t.T, dim=1)
    return apart.square().sum(dim=1).mean() * has.float().mean()


def embedding(batch: Batch) -> Tensor:
    """Cosine distance from the teacher's embedding of the sample's own picture."""
    own = batch.own & batch.has_target
    if not own.any():
        return batch.z.sum() * 0
    return (1 - (batch.e[own] * batch.taught[own]).sum(dim=1)).mean() * own.float().mean()


TERMS: dict[str, Callable[[Batch], Tensor]] = {
    "text": text,
    "closeness": closeness,
    "negative": negative,
    "image": image,
    "relation": relation,
    "structure": structure,
    "embedding": embedding,
}
"""The terms by name; their weights are `CadConfig.lambda_<name>`."""


def weighted_terms(batch: Batch, config: CadConfig) -> dict[str, Tensor]:
    """The terms with a weight above 0, each times its weight; the loss is their sum."""
    return {name: config.weight(name) * of(batch) for name, of in TERMS.items() if config.weight(name) > 0}
