"""What other libraries call the points of a network (the table in docs/formats.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Hooks", "block_hooks"]

SIDES = {":in": ":in", ":out": ":out", ".input": ":in", ".output": ":out"}
"""how the side of a module that is meant is written behind its path -> how a point says it"""

BASE_MODEL = re.compile(r"^(?:model|transformer)\.")


@dataclass(frozen=True)
class Hooks:
    """Names of points of a network, in TransformerLens and as module paths, with our points.

    `centred` says whether its norms take the mean of the coordinates away, so that TransformerLens
    may have centred the weights that write to the residual stream (None: not known). `within` is
    what stands before a module's path where transformers leaves it out.

    >>> Hooks({"blocks.0.hook_resid_pre": ("blocks.0:in",)}).points("blocks.0.hook_resid_pre")
    ('blocks.0:in',)
    """

    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    centred: bool | None = None
    within: str = ""

    def points(self, name: str) -> tuple[str, ...]:
        """Return the points that a name stands for; one that is a module's path is its output.

        >>> Hooks(within="model.transformer.").points("transformer.h.0.attn.c_proj.input")[-1]
        'model.transformer.h.0.attn.c_proj:in'
        """
        path, side = name, ":out"
        for suffix, meant in SIDES.items():
            if name.endswith(suffix):
                path, side = name.removesuffix(suffix), meant
        plain = BASE_MODEL.sub("", path)
        for each in (name, plain, f"{plain}{side}"):
            if each in self.names:
                return tuple(self.names[each])
        return (name, f"{path}{side}", f"{self.within}{plain}{side}")

    def part(self, point: str) -> str:
        """Return the input of the MLP that a point is in front of the norm of, else the point.

        >>> names = {"blocks.0.hook_resid_mid": ["0.ln:in"], "blocks.0.mlp.hook_in": ["0.mlp:in"]}
        >>> Hooks(names).part("0.ln:in"), Hooks(names).part("0:in")
        ('0.mlp:in', '0:in')
        """
        for name, points in self.names.items():
            if name.endswith(".hook_resid_mid") and point in points:
                return self.names.get(name.replace("hook_resid_mid", "mlp.hook_in"), (point,))[0]
        return point

    @property
    def stream(self) -> set[str]:
        """The points of the residual stream, where nothing bypasses them."""
        return {p for name, points in self.names.items() if "hook_resid" in name for p in points}


def block_hooks(
    blocks: int, block: str, ln1: str, ln2: str, mlp: str, last: str, parts: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return the names of the points of a transformer, and the points.

    `block` is the path of a block, with {} for its number; `ln1`, `ln2` and `mlp` are the points in
    it before attention, MLP and in front of the MLP itself, `last` that before the last norm.
    `parts` names what else is in a block.
    """
    short = block.rpartition(".{}")[0].rpartition(".")[2]
    found: dict[str, tuple[str, ...]] = {}
    for i in range(blocks + 1):
        here = block.format(i)
        stream = f"{here}.{ln1}" if i < blocks else last
        before = (f"{block.format(i - 1)}:out",) if i else ()
        found[f"blocks.{i}.hook_resid_pre"] = (stream, *before)
        if i:
            for name in (f"blocks.{i - 1}.hook_resid_post", f"{short}.{i - 1}:out"):
                found[name] = (stream, *before)
        if i < blocks:
            found[f"blocks.{i}.hook_resid_mid"] = (f"{here}.{ln2}",)
            found[f"blocks.{i}.hook_mlp_in"] = (f"{here}.{ln2}",)
            found[f"blocks.{i}.mlp.hook_in"] = (f"{here}.{mlp}",)
            found[f"{short}.{i}.mlp:in"] = (f"{here}.{mlp}",)
            found |= {name.format(i): (f"{here}.{point}",) for name, point in parts.items()}
    return found
