"""Which features of a dictionary are active (docs/method.md §9)."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["ACTIVATIONS", "SELECTIONS", "activated", "active"]

SELECTIONS = ("topk", "signed-topk", "abs-topk", "groupmax")
"""activations by which features compete: what is active depends on all of them"""

ACTIVATIONS = ("identity", "relu", "jumprelu", *SELECTIONS)


def active(
    before: Float[Tensor, "*n r"],
    activation: str,
    threshold: Float[Tensor, " r"] | None = None,
    k: int | None = None,
) -> Bool[Tensor, "*n r"]:
    """Return where a feature is what is before its activation; elsewhere it is 0.

    `relu`: above 0. `jumprelu`: above its `threshold`. `topk`: among the `k` largest and above 0;
    `signed-topk` leaves out the latter, and `abs-topk` takes the largest sizes. `groupmax`: the
    largest of its group, of `k` groups of neighbours, and above 0. `identity`: everywhere.

    >>> import torch
    >>> before = torch.tensor([3.0, 1.0, -4.0, 2.0])
    >>> active(before, "topk", k=2).tolist(), active(before, "abs-topk", k=2).tolist()
    ([True, False, False, True], [True, False, True, False])
    """
    if activation == "jumprelu":
        assert threshold is not None
        return before > threshold
    if activation in SELECTIONS:
        assert k is not None
        return _selected(before, activation, k)
    return before > 0 if activation == "relu" else before.new_ones(before.shape).bool()


def activated(
    before: Float[Tensor, "*n r"],
    activation: str,
    threshold: Float[Tensor, " r"] | None = None,
    k: int | None = None,
) -> Float[Tensor, "*n r"]:
    """Return features f̂: what is before the activation where they are `active`, else 0.

    >>> import torch
    >>> activated(torch.tensor([3.0, -4.0, 2.0]), "abs-topk", k=2)
    tensor([ 3., -4.,  0.])
    """
    return before.masked_fill(~active(before, activation, threshold, k), 0.0)


def _selected(before: Tensor, activation: str, k: int) -> Tensor:
    chosen = before.new_zeros(before.shape).bool()
    if activation == "groupmax":
        grouped = before.unflatten(-1, (k, -1))
        largest = grouped.argmax(-1, keepdim=True)
        chosen = chosen.unflatten(-1, (k, -1)).scatter(-1, largest, True).flatten(-2)
    else:
        order = before.abs() if activation == "abs-topk" else before
        chosen = chosen.scatter(-1, order.topk(k, -1).indices, True)
    return chosen & (before > 0) if activation in ("topk", "groupmax") else chosen
