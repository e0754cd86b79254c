"""Cross-modal Alignment Distillation (CAD): the terms of stage 1, each a function, each with a weight.

z [B,D] are a batch's unnormalised student embeddings, e = z/|z|; a_k [K,D] the class centres of the teacher's
texts; v_j [M,D] its embeddings of labelled pictures; t_i [B,D] that of the picture that belongs to sample i
(its true pair, the drawing it was made of, or the sample shown as a picture), else another student's
embedding of the same moment (`partners.py`), else that of a picture of its class.
Of its own picture the teacher must be sure (FixMatch, arXiv 2001.07685), and right where the class is known.

    text       cross-entropy of softmax_k(z_i . a_k) against y_i (InfoNCE over the classes' texts, arXiv
               1807.03748; the length of z is the inverse temperature and becomes the evidence)
    closeness  1 - cos(z_i, a_y): the class's meaning itself, not merely nearest to it
    negative   a sample of none of the classes belongs to no centre: sum_k cos(z, a_k)^2, and z . a_k -> 0
    image      supervised contrastive (SupCon, arXiv 2004.11362) over the pictures v_j and t_j: those of y_i
               attract
    relation   KL(softmax_k(t_i . a_k / T) || softmax_k(e_i . a_k / T)): how the teacher's picture lies among
               the texts, the student's sample shall, too (OmniBind, arXiv 2405.16108; T^2-scaled as in
               Hinton et al., arXiv 1503.02531). Needs no label
    structure  the rows of E E' and T T', each of unit norm, shall agree within the batch
               (similarity-preserving distillation, arXiv 1907.09682). Needs no label
    embedding  1 - cos(e_i, t_i), where t_i is of the sample's own picture. Needs no label

docs/method.md has the formulas and what each is worth.
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
    """Weights of the terms; 0 leaves one out."""

    lambda_text: Weight = 1.0
    lambda_closeness: Weight = 0.5
    lambda_negative: Weight = 1.0
    lambda_image: Weight = 0.1
    lambda_relation: Weight = 0.5
    lambda_structure: Weight = 0.5
    lambda_embedding: Weight = 0.5
    temperature: Temperature = 0.1
    """of image and relation"""
    sure: Annotated[float, Field(ge=0, le=1)] = 0.95
    """from which probability of a class on the teacher's word about a sample's own picture counts"""

    def weight(self, term: str) -> float:
        """The weight of a term."""
        return float(getattr(self, f"lambda_{term}"))

    @property
    def asks_about_pictures(self) -> bool:
        """Is any term on that needs the image teacher?"""
        return any(self.weight(term) > 0 for term in ("image", "relation", "structure", "embedding"))


DEFAULT_CAD = CadConfig()


@dataclass(frozen=True, eq=False)
class Batch:
    """What the terms see; B samples.

    Attributes:
        z: float32 [B,D], the student's embeddings before they are normalised.
        labels: int64 [B]; `NEGATIVE` or `UNLABELLED` where there is no class.
        centres: float32 [K,D], unit norm.
        taught: float32 [B,D], t_i; zero where the teacher has nothing to say.
        own: bool [B], t_i is of the sample's own picture.
        pictures, picture_labels: float32 [M,D] and int64 [M], pictures with a class, M >= 0.
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
        """Unit-norm embeddings [B,D]."""
        return F.normalize(self.z, dim=1)

    @property
    def known(self) -> Tensor:
        """bool [B]: has a class."""
        return self.labels >= 0

    @property
    def seen(self) -> Tensor:
        """bool [B]: the teacher has something to say."""
        return self.taught.square().sum(dim=1) > 0.5


def text(batch: Batch) -> Tensor:
    """Cross-entropy against the text centres."""
    known = batch.known
    if not known.any():
        return batch.z.sum() * 0
    logits = batch.z[known] @ batch.centres.T
    loss = F.cross_entropy(logits, batch.labels[known], label_smoothing=batch.label_smoothing)
    return loss * known.float().mean()


def closeness(batch: Batch) -> Tensor:
    """Distance from the sample's own centre."""
    known = batch.known
    if not known.any():
        return batch.z.sum() * 0
    own_centre = batch.centres[batch.labels[known]]
    return (1 - (batch.e[known] * own_centre).sum(dim=1)).mean() * known.float().mean()


def negative(batch: Batch) -> Tensor:
    """Nearness of samples of none of the classes to any centre."""
    none = batch.labels == NEGATIVE
    if not none.any():
        return batch.z.sum() * 0
    cosines, logits = batch.e[none] @ batch.centres.T, batch.z[none] @ batch.centres.T
    return (cosines.square().sum(dim=1).mean() + 0.1 * logits.square().mean()) * none.float().mean()


def image(batch: Batch) -> Tensor:
    """Supervised contrast against the teacher's pictures: those of the sample's class attract."""
    known = batch.known
    taught = batch.seen & known
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
    """How the teacher's picture lies among the texts, as a distribution; the student follows."""
    seen = batch.seen
    if not seen.any():
        return batch.z.sum() * 0
    t = batch.temperature
    teacher = torch.softmax(batch.taught[seen] @ batch.centres.T / t, dim=1)
    student = torch.log_softmax(batch.e[seen] @ batch.centres.T / t, dim=1)
    return F.kl_div(student, teacher, reduction="batchmean") * seen.float().mean()


def structure(batch: Batch) -> Tensor:
    """Who is like whom within the batch."""
    seen = batch.seen
    if seen.sum() < 2:
        return batch.z.sum() * 0
    e, t = batch.e[seen], batch.taught[seen]
    apart = F.normalize(e @ e.T, dim=1) - F.normalize(t @ t.T, dim=1)
    return apart.square().sum(dim=1).mean() * seen.float().mean()


def embedding(batch: Batch) -> Tensor:
    """Distance from what the teacher makes of the sample's own picture."""
    own = batch.own & batch.seen
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
"""By the name of their weights: `lambda_<term>`."""


def weighted_terms(batch: Batch, config: CadConfig) -> dict[str, Tensor]:
    """Every term that has a weight, times it; their sum is the loss."""
    return {name: config.weight(name) * of(batch) for name, of in TERMS.items() if config.weight(name) > 0}
