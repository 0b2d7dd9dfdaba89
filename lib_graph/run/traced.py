"""What a run of one input says of its tokens: how much flows in at each, layer by layer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["LayerFlow", "TracedTokens"]


class LayerFlow(BaseModel):
    """What flows into a layer at each token t: Σ_ij A_itj(x)² / S, constants left out.

    `nodes` counts the features that anything flows into there, `for_90` how many of them make up
    90 % of the strength.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layer: str
    strength: tuple[float, ...]
    nodes: tuple[int, ...]
    for_90: tuple[int, ...]


class TracedTokens(BaseModel):
    """The tokens of an input, as text, and what flows in at each, by layer from the second on.

    Tokens that do not count in averages are left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: tuple[str, ...]
    layers: tuple[LayerFlow, ...]
