"""What a reader of dictionaries has found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lib_graph.method.dictionary import Basis
from lib_graph.method.transcoder import Transcoder

__all__ = ["Found"]


@dataclass(frozen=True)
class Found:
    """A dictionary, basis or transcoder, and what its file says of it.

    `form` is the library that wrote it, with the version where that is said, `kind` what it is;
    `hook` the name of the point that it is of, in the words of TransformerLens, of a module's path,
    or of lib-graph's layers (None: its file does not say). `notes` are what people should know of
    how it was read. `centred` says that it was made of activations less their mean over the
    coordinates, as TransformerLens has them where it centres the weights, `folded` that the weights
    of norms were folded into what follows them.
    """

    file: Path
    form: str
    kind: str
    holds: Basis | Transcoder
    hook: str | None = None
    notes: tuple[str, ...] = ()
    centred: bool = False
    folded: bool = False

    def described(self, layer: str) -> str:
        """Return what was read, in words."""
        where = f"{self.form}, {self.kind}, {self.holds.features} features at {layer}"
        return "; ".join([where, *self.notes])
