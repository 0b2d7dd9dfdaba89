"""Language models of transformers as networks of layers, run on text."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lib_graph.data.evaluation import Evaluation
from lib_graph.data.text import Text, TokenRows, read_rows
from lib_graph.dictionaries.hooks import Hooks, block_hooks
from lib_graph.errors import ModelError, NotFoundError, UsageError
from lib_graph.kinds import NormLinear, PositionLocal
from lib_graph.method.kind import Kind
from lib_graph.networks import hub
from lib_graph.networks.checkpoint import CONFIG, read_json
from lib_graph.networks.family import Family, matrix, norm
from lib_graph.networks.gpt2 import GPT2
from lib_graph.networks.gpt_neo import GPT_NEO
from lib_graph.networks.llama import LLAMA
from lib_graph.networks.subject import Kinds, Subject
from lib_graph.networks.tokens import Tokens

__all__ = ["FAMILIES", "GRANULARITIES", "LanguageModel", "is_one", "kinds", "layers", "load"]

FAMILIES: dict[str, Family] = {
    "gpt2": GPT2, "gpt_neo": GPT_NEO, "llama": LLAMA, "mistral": LLAMA, "qwen2": LLAMA,
}  # fmt: skip
"""`model_type` of config.json -> the adapter"""

GRANULARITIES = ("block", "paper", "mlp")


class LanguageModel(nn.Module):
    """Tokens to logits: a model of transformers, unchanged, without its cache."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Int[Tensor, "n s"]) -> Float[Tensor, "n s vocab"]:
        """Return the logits of the next token at every position."""
        logits: Tensor = self.model(input_ids=tokens, use_cache=False).logits
        return logits


def layers(family: Family, blocks: int, granularity: str) -> dict[str, str]:
    """Return the layers of a model with that many blocks: names and points.

    `block`: the residual stream before each block's attention (ln1.0, …) and MLP (ln2.0, …), before
    the last norm (ln_final), and the logits. `paper`: norms are layers of their own too (see
    docs/method.md §3). `mlp`: what each MLP reads (mlp_in.0, …), where transcoders stand in, and
    the logits. Raises NotFoundError for another granularity.
    """
    if granularity not in GRANULARITIES:
        raise NotFoundError("granularity", granularity, GRANULARITIES)
    found = {}
    if granularity == "mlp":
        inputs = (f"model.{family.blocks}.{i}.{family.mlp}:in" for i in range(blocks))
        return {f"mlp_in.{i}": point for i, point in enumerate(inputs)} | {"output": "output"}
    for i in range(blocks):
        block = f"model.{family.blocks}.{i}"
        found[f"ln1.{i}"] = f"{block}.{family.ln1}:in"
        if granularity == "paper":
            found[f"ln1_out.{i}"] = f"{block}.{family.ln1}:variance"
            found[f"attn_in.{i}"] = f"{block}.{family.attn}:in"
        found[f"ln2.{i}"] = f"{block}.{family.ln2}:in"
        if granularity == "paper":
            found[f"ln2_out.{i}"] = f"{block}.{family.ln2}:variance"
            found[f"mlp_in.{i}"] = f"{block}.{family.mlp}:in"
    found["ln_final"] = f"model.{family.ln_final}:in"
    if granularity == "paper":
        found["ln_final_out"] = f"model.{family.ln_final}:variance"
        found["unembed"] = f"model.{family.unembed}:in"
    return {**found, "output": "output"}


def kinds(family: Family, module: nn.Module) -> Kinds:
    """Return what the sections between the layers are, of either granularity.

    Of two halves of a norm, and of an MLP that has no closed form, that is PositionLocal.
    """
    assert isinstance(module, LanguageModel)
    model: Any = module.model
    last, unembed = model.get_submodule(family.ln_final), model.get_submodule(family.unembed)
    found: dict[tuple[str, str], Kind | None] = {
        ("ln_final", "output"): NormLinear(norm(last), matrix(unembed), unembed.bias),
        ("ln_final", "ln_final_out"): PositionLocal(),
        ("ln_final_out", "unembed"): PositionLocal(),
    }
    blocks = _blocks(family, model)
    found[f"mlp_in.{blocks - 1}", "output"] = PositionLocal()
    for i in range(blocks):
        following = f"ln1.{i + 1}" if i + 1 < blocks else "ln_final"
        attention, mlp = family.attention_kind(model, i), family.mlp_kind(model, i)
        found |= {
            (f"ln1.{i}", f"ln2.{i}"): attention,
            (f"ln1.{i}", f"ln1_out.{i}"): PositionLocal(),
            (f"ln1_out.{i}", f"attn_in.{i}"): PositionLocal(),
            (f"attn_in.{i}", f"ln2.{i}"): attention and attention.beside_residual(),
            (f"ln2.{i}", following): mlp or PositionLocal(),
            (f"ln2.{i}", f"mlp_in.{i}"): PositionLocal(),
            (f"ln2.{i}", f"ln2_out.{i}"): PositionLocal(),
            (f"ln2_out.{i}", f"mlp_in.{i}"): PositionLocal(),
            (f"mlp_in.{i}", following): (mlp and mlp.beside_residual()) or PositionLocal(),
        }
    return {ends: kind for ends, kind in found.items() if kind is not None}


def _hooks(family: Family, model: nn.Module) -> Hooks:
    """Return what other libraries call the points of a model."""
    names = block_hooks(
        _blocks(family, model), f"model.{family.blocks}.{{}}", f"{family.ln1}:in",
        f"{family.ln2}:in", f"{family.mlp}:in", f"model.{family.ln_final}:in",
        {"blocks.{}.hook_mlp_out": f"{family.mlp}:out",
         "blocks.{}.hook_attn_out": f"{family.attn}:out",
         "blocks.{}.attn.hook_z": f"{family.attn_out}:in"},
    )  # fmt: skip
    names["hook_embed"] = (f"model.{family.embed}:out",)
    within = f"model.{family.blocks.rpartition('.')[0]}."
    return Hooks(names, norm(model.get_submodule(family.ln_final)).centred, within)


def _blocks(family: Family, model: nn.Module) -> int:
    blocks = model.get_submodule(family.blocks)
    assert isinstance(blocks, nn.ModuleList)
    return len(blocks)


def is_one(model: str | Path) -> bool:
    """Return whether this is the folder of a language model that is supported, or a hub's name.

    What is missing from a folder that is there is no name of the hub's.
    """
    folder = Path(model)
    if folder.exists():
        config = folder / CONFIG
        return config.is_file() and read_json(folder).get("model_type") in FAMILIES
    beside = folder.parent.name and folder.parent.is_dir()
    return hub.is_hub_name(str(model)) and not beside


def load(place: str, text: Text | None, granularity: str) -> Subject:
    """Return a language model, from a folder or the hub, with rows of tokens and layers.

    Without a text there are no rows: the network can be looked at, not built.

    Raises ModelError if the model cannot be had, or if its files are broken or its architecture is
    none that lib-graph knows; UsageError if the text does not give a row, or does not fit.
    """
    folder = Path(place) if Path(place).exists() else hub.fetch(place)
    model_type = read_json(folder).get("model_type")
    if model_type not in FAMILIES:
        raise ModelError(
            f"{place!r} is a language model of type {model_type!r}. Supported: "
            f"{', '.join(map(repr, FAMILIES))}."
        )
    family = FAMILIES[model_type]
    model, loading = hub.load_model(folder)
    tokenizer = cache(partial(hub.load_tokenizer, folder))
    subject = Subject(
        name=Path(place).name,
        source=place,
        module=LanguageModel(model).eval(),
        inputs=(torch.zeros(0, 2, dtype=torch.long),),
        data_name="text",
        layers=layers(family, _blocks(family, model), granularity),
        kinds=partial(kinds, family),
        loading=loading,
        hooks=_hooks(family, model),
    )
    if text is None:
        return subject
    rows = read_rows(text, tokenizer)
    _check_fit(rows, model.config, place)
    if text.file.suffix != ".safetensors":
        tokens = Tokens(tokenizer)
        subject = replace(subject, notation=tokens, answers=tokens.names)
    return replace(
        subject,
        inputs=(rows.tokens,),
        counted=rows.counted,
        data_name=text.file.name,
        settings=text.settings,
        evaluation=Evaluation.next_tokens(text.file.name, *rows),
    )


def _check_fit(rows: TokenRows, config: Any, place: str) -> None:
    """Raise an error if the tokens are none of the model's, or the rows too long for it."""
    least, most = (int(x) for x in rows.tokens.aminmax())
    if least < 0 or most >= config.vocab_size:
        raise ModelError(
            f"Token {least if least < 0 else most} is none of the {config.vocab_size} tokens of "
            f"{place!r}. Use the tokenizer that belongs to the model."
        )
    context, longest = rows.tokens.shape[1], config.max_position_embeddings
    if context > longest:
        raise UsageError(
            f"A context of {context} tokens is too long: {place!r} takes at most {longest}. Choose "
            "a shorter --context."
        )
