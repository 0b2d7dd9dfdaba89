"""The papers' one-layer transformer for (a + b) mod p, with TransformerLens parameter names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional

from lib_graph.data.evaluation import Evaluation
from lib_graph.data.labelling import FourierLabeller, all_triples
from lib_graph.data.notation import Sums
from lib_graph.dictionaries.hooks import Hooks
from lib_graph.errors import UsageError
from lib_graph.kinds import Attention, Linear, ResidualMLP
from lib_graph.networks.checkpoint import fill, read_config, read_weights
from lib_graph.networks.subject import Kinds, Subject
from lib_graph.support import defaults

__all__ = [
    "LAYERS",
    "AdditionConfig",
    "AdditionTraining",
    "ModularAddition",
    "kinds",
    "load",
    "split",
]

LAYERS = {
    "ln1.0": "blocks.0:in",
    "ln2.0": "blocks.0.mlp:in",
    "unembed": "unembed:in",
    "output": "output",
}
"""The layers of the published graphs: before attention, MLP and unembedding, and the logits."""

HOOKS = Hooks(
    {
        "blocks.0.hook_resid_pre": ("blocks.0:in",),
        "blocks.0.hook_resid_mid": ("blocks.0.mlp:in",),
        "blocks.0.hook_mlp_in": ("blocks.0.mlp:in",),
        "blocks.0.hook_resid_post": ("unembed:in",),
    },
    centred=False,
)
"""It has no norms, so that TransformerLens has nothing to fold."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AdditionTraining(_Record):
    """How a model was trained and what it reached on the test split."""

    seed: int
    steps: int
    batch_size: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    betas: tuple[float, float]
    test_accuracy: float
    test_loss: float
    torch: str


class AdditionConfig(_Record):
    """What config.json says: the network's sizes, its data, and how it was trained if known.

    >>> AdditionConfig(modulus=5, d_vocab=6).d_model
    128
    """

    architecture: Literal["HookedTransformer"] = "HookedTransformer"
    n_layers: Literal[1] = 1
    d_model: PositiveInt = 128
    d_head: PositiveInt = 32
    n_heads: PositiveInt = 4
    d_mlp: PositiveInt = 512
    d_vocab: PositiveInt = 114
    n_ctx: Literal[3] = 3
    act_fn: Literal["relu"] = "relu"
    normalization_type: None = None
    modulus: Annotated[int, Field(ge=2)] = defaults.MODULUS
    fn: Literal["add"] = "add"
    frac_train: Annotated[float, Field(gt=0, lt=1)] = 0.3
    split_seed: int = 0
    training: AdditionTraining | None = None

    @model_validator(mode="after")
    def _tokens_fit(self) -> AdditionConfig:
        if self.d_vocab <= self.modulus:
            raise ValueError(
                f"d_vocab is {self.d_vocab}; modulus {self.modulus} needs at least "
                f"{self.modulus + 1}: the numbers and the equals sign"
            )
        if int(self.frac_train * self.modulus**2) == 0:
            raise ValueError(f"frac_train {self.frac_train} leaves nothing to train on")
        return self


class _Embed(nn.Module):
    def __init__(self, config: AdditionConfig) -> None:
        super().__init__()
        self.W_E = nn.Parameter(torch.zeros(config.d_vocab, config.d_model))

    def forward(self, tokens: Int[Tensor, "n s"]) -> Float[Tensor, "n s d"]:
        rows: Tensor = functional.embedding(tokens, self.W_E)
        return rows


class _PositionEmbed(nn.Module):
    def __init__(self, config: AdditionConfig) -> None:
        super().__init__()
        self.W_pos = nn.Parameter(torch.zeros(config.n_ctx, config.d_model))

    def forward(self, tokens: Int[Tensor, "n s"]) -> Float[Tensor, "s d"]:
        return self.W_pos[: tokens.shape[1]]


class _Attention(nn.Module):
    """Attention from the last position, which sees all others: a causal mask hides nothing."""

    def __init__(self, config: AdditionConfig) -> None:
        super().__init__()
        h, d, e = config.n_heads, config.d_model, config.d_head
        self.W_Q = nn.Parameter(torch.zeros(h, d, e))
        self.W_K = nn.Parameter(torch.zeros(h, d, e))
        self.W_V = nn.Parameter(torch.zeros(h, d, e))
        self.W_O = nn.Parameter(torch.zeros(h, e, d))
        self.b_Q = nn.Parameter(torch.zeros(h, e))
        self.b_K = nn.Parameter(torch.zeros(h, e))
        self.b_V = nn.Parameter(torch.zeros(h, e))
        self.b_O = nn.Parameter(torch.zeros(d))

    def forward(self, residual: Float[Tensor, "n s d"]) -> Float[Tensor, "n 1 d"]:
        q = torch.einsum("nd,hde->nhe", residual[:, -1], self.W_Q) + self.b_Q
        k = torch.einsum("nsd,hde->nhse", residual, self.W_K) + self.b_K[:, None]
        v = torch.einsum("nsd,hde->nhse", residual, self.W_V) + self.b_V[:, None]
        scores = torch.einsum("nhe,nhse->nhs", q, k) / self.W_Q.shape[-1] ** 0.5
        seen = torch.einsum("nhs,nhse->nhe", scores.softmax(-1), v)
        return (torch.einsum("nhe,hed->nd", seen, self.W_O) + self.b_O).unsqueeze(1)


class _MLP(nn.Module):
    def __init__(self, config: AdditionConfig) -> None:
        super().__init__()
        self.W_in = nn.Parameter(torch.zeros(config.d_model, config.d_mlp))
        self.b_in = nn.Parameter(torch.zeros(config.d_mlp))
        self.W_out = nn.Parameter(torch.zeros(config.d_mlp, config.d_model))
        self.b_out = nn.Parameter(torch.zeros(config.d_model))

    def forward(self, residual: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        return torch.relu(residual @ self.W_in + self.b_in) @ self.W_out + self.b_out


class _Block(nn.Module):
    def __init__(self, config: AdditionConfig) -> None:
        super().__init__()
        self.attn = _Attention(config)
        self.mlp = _MLP(config)

    def forward(self, residual: Float[Tensor, "n s d"]) -> Float[Tensor, "n 1 d"]:
        last: Tensor = residual[:, -1:] + self.attn(residual)
        written: Tensor = self.mlp(last)
        return last + written


class _Unembed(nn.Module):
    def __init__(self, config: AdditionConfig) -> None:
        super().__init__()
        self.W_U = nn.Parameter(torch.zeros(config.d_model, config.d_vocab))
        self.b_U = nn.Parameter(torch.zeros(config.d_vocab))

    def forward(self, residual: Float[Tensor, "n t d"]) -> Float[Tensor, "n t v"]:
        return residual @ self.W_U + self.b_U


class ModularAddition(nn.Module):
    """Tokens (a, b, =) to the logits of the answer, read at the last position.

    No LayerNorm; behind the attention only the last position is computed, since nothing else is
    read. All parameters start as 0.
    """

    def __init__(self, config: AdditionConfig) -> None:
        super().__init__()
        self.embed = _Embed(config)
        self.pos_embed = _PositionEmbed(config)
        self.blocks = nn.ModuleList([_Block(config)])
        self.unembed = _Unembed(config)

    def forward(self, tokens: Int[Tensor, "n 3"]) -> Float[Tensor, "n vocab"]:
        """Return the logits at the last position."""
        residual = self.embed(tokens) + self.pos_embed(tokens)
        for block in self.blocks:
            residual = block(residual)
        logits: Tensor = self.unembed(residual).squeeze(1)
        return logits


def split(config: AdditionConfig) -> tuple[Int[Tensor, "train 3"], Int[Tensor, "test 3"]]:
    """Return the token triples (a, b, p) of the training and of the test split.

    Training takes the first `int(frac_train · p²)` of a random permutation of all pairs, which
    come in row-major order; the rest is for tests.

    >>> train, test = split(AdditionConfig())
    >>> len(train), len(test)
    (3830, 8939)
    """
    triples = all_triples(config.modulus)
    generator = torch.Generator().manual_seed(config.split_seed)
    order = torch.randperm(len(triples), generator=generator)
    cut = int(config.frac_train * len(triples))
    return triples[order[:cut]], triples[order[cut:]]


def kinds(module: nn.Module) -> Kinds:
    """Return what the sections between the layers of a ModularAddition are."""
    assert isinstance(module, ModularAddition)
    block, unembed = module.blocks[0], module.unembed
    assert isinstance(block, _Block)
    attn, mlp = block.attn, block.mlp
    attention = Attention(
        attn.W_Q, attn.W_K, attn.W_V, attn.W_O, attn.b_Q, attn.b_K, attn.b_V, attn.b_O,
        outputs=slice(-1, None),
    )  # fmt: skip
    return {
        ("ln1.0", "ln2.0"): attention,
        ("ln2.0", "unembed"): ResidualMLP(mlp.W_in, mlp.b_in, mlp.W_out, mlp.b_out, "relu"),
        ("unembed", "output"): Linear(unembed.W_U, unembed.b_U),
    }


def answers(triples: Int[Tensor, "n 3"], config: AdditionConfig) -> Int[Tensor, " n"]:
    """Return (a + b) mod p of each triple.

    >>> answers(torch.tensor([[3, 4, 5]]), AdditionConfig(modulus=5, d_vocab=6)).tolist()
    [2]
    """
    return triples[:, :2].sum(1) % config.modulus


def load(folder: Path, data: str | None = None) -> Subject:
    """Return the network in a folder, with its training split and a label for every frequency.

    It is scored on the test split. Raises ModelError if the folder's files are missing, broken, or
    do not fit each other, UsageError if other data are given.
    """
    if data is not None:
        raise UsageError(f"The data of this network are fixed. Leave --data {data!r} out.")
    config = read_config(folder, AdditionConfig)
    module = ModularAddition(config)
    fill(module, read_weights(folder), folder)
    train, test = split(config)
    return Subject(
        name="modular-addition",
        source=str(folder),
        module=module.eval(),
        inputs=(train,),
        data_name=f"a + b mod {config.modulus}, training split",
        layers=LAYERS,
        kinds=kinds,
        hooks=HOOKS,
        labeller=FourierLabeller(config.modulus),
        notation=Sums(config.modulus),
        evaluation=Evaluation(
            f"a + b mod {config.modulus}, test split", (test,), answers(test, config)
        ),
    )
