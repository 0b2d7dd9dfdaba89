"""What the adapters of language models have in common: one `Family` per architecture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from lib_graph.errors import ModelError
from lib_graph.kinds import Norm, ResidualMLP
from lib_graph.kinds.norm_form import NormForm
from lib_graph.method.kind import Kind

__all__ = [
    "ACTIVATIONS",
    "Family",
    "bias_heads",
    "heads",
    "matrix",
    "mlp_of_gpt",
    "norm",
]

ACTIVATIONS = {
    "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh",
    "gelu": "gelu", "relu": "relu", "silu": "silu", "swish": "silu", "tanh": "tanh",
}  # fmt: skip
"""transformers' name of an activation -> ours"""


@dataclass(frozen=True)
class Family:
    """Where the models of an architecture keep their parts, and what its blocks are.

    Paths are those of transformers' modules; `ln1` to `mlp` are inside a block, and `attn_out` is
    what the heads go into. `attention_kind` and `mlp_kind` tell, of a model and the number of a
    block, what the part is, with its norm and the residual stream; None where that has no closed
    form.
    """

    blocks: str
    ln1: str
    attn: str
    attn_out: str
    ln2: str
    mlp: str
    embed: str
    ln_final: str
    unembed: str
    attention_kind: Callable[[Any, int], Kind | None]
    mlp_kind: Callable[[Any, int], Kind | None]


def norm(module: nn.Module) -> Norm:
    """Return what a model's norm computes. Raises ModelError if that is no plain norm."""
    form = NormForm.of(module)
    if form is None:
        raise ModelError(
            f"A norm of the model, {type(module).__name__}, computes something else than such "
            "norms do. Build it as a network of your own: path.py:make_model."
        )
    return form.norm(module)


def matrix(module: Any) -> Float[Tensor, "d e"]:
    """Return W of f W + b, for a Linear (which keeps Wᵀ) or a Conv1D of transformers."""
    kept: Tensor = module.weight
    weight: Tensor = kept.T if isinstance(module, nn.Linear) else kept
    return weight


def heads(weight: Float[Tensor, "d he"], size: int) -> Float[Tensor, "h d e"]:
    """Return a weight into queries, keys or values, head by head."""
    found: Tensor = weight.unflatten(1, (-1, size)).movedim(1, 0)
    return found


def bias_heads(bias: Float[Tensor, " he"] | None, size: int) -> Float[Tensor, "h e"] | None:
    """Return the bias of queries, keys or values, head by head."""
    return None if bias is None else bias.unflatten(0, (-1, size))


def mlp_of_gpt(model: Any, index: int) -> ResidualMLP | None:
    """Return the MLP of a block of GPT-2 or GPT-Neo."""
    block = model.transformer.h[index]
    into, out = block.mlp.c_fc, block.mlp.c_proj
    activation = ACTIVATIONS.get(model.config.activation_function)
    if activation is None:
        return None
    return ResidualMLP(matrix(into), into.bias, matrix(out), out.bias, activation, norm(block.ln_2))
