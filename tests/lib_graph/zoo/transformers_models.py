"""Small random networks of transformers, and what they are in float64 from end to end."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class Reading(nn.Module):
    """Tokens, or pixels, to the one tensor of a model's result that is looked at."""

    def __init__(self, model: Any, result: str = "logits", given: str = "input_ids") -> None:
        super().__init__()
        self.model, self.result, self.given = model, result, given

    def forward(self, x: Tensor) -> Tensor:
        given = {self.given: x}
        if self.model.config.model_type in MASKED:
            given["attention_mask"] = (x != 0).long()
        if self.result == "logits" and self.given == "input_ids":
            given["use_cache"] = False
        found: Tensor = getattr(self.model(**given), self.result)
        return found


MASKED = ("bert",)


class Wide(TorchFunctionMode):
    """Has whatever asks for float32 get float64."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.float:
            return Tensor.double(*args)
        wide = [torch.float64 if x is torch.float32 else x for x in args]
        named = {k: torch.float64 if x is torch.float32 else x for k, x in (kwargs or {}).items()}
        return func(*wide, **named)


class Exact(nn.Module):
    """A module of transformers, whose norms and softmaxes ask for float32, without rounding."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.model, self.inner = module.model, [module]

    def forward(self, x: Tensor) -> Tensor:
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            with Wide():
                found: Tensor = self.inner[0](x)
        finally:
            torch.set_default_dtype(before)
        return found


def tokens(vocabulary: int = 11, rows: int = 5, context: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(1, vocabulary, (rows, context), generator=generator)
