"""What a build was asked for: the part of a manifest that gives the same run again."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

__all__ = ["BuildConfig"]


class BuildConfig(BaseModel):
    """The options of a build, resolved, by the names that `lib-graph build` gives them.

    `layers` are pairs of name and point, in the order of the computation, and `biases` the
    parameters that counted as such. `data`, or `text` with `context`, `tokens` and `padding`, says
    where the data came from, if from outside. `input` is that of a run of one input.

    >>> BuildConfig(layers=[("a,b", "0:in"), ("output", "output")]).layers[0]
    ('a,b', '0:in')
    >>> BuildConfig(layers="input=0:in,output=output").layers  # as version 0.1.0 wrote them
    (('input', '0:in'), ('output', 'output'))
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: tuple[tuple[str, str], ...] = ()
    basis: str | tuple[str, ...] = "lib"
    last: str = "raw"
    rule: str = "gradient"
    points: int | None = None
    dtype: str = "float64"
    tau_pca: float | None = None
    tau_lib: float | None = None
    biases: tuple[str, ...] = ()
    partial: bool = False
    memory: int | None = None
    top: int | None = None
    min_importance: float | None = None
    edge_samples: int | None = None
    target_error: float | None = None
    probes: int | None = None
    tf32: bool = False
    format: str | None = None
    seed: int = 0
    data: str | None = None
    text: str | None = None
    context: int | None = None
    tokens: int | None = None
    padding: bool | None = None
    input: str | None = None

    @field_validator("layers", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [text.partition("=")[::2] for text in value.split(",")]
        if not all(point for _, point in pairs):
            raise ValueError(f"{value!r} cannot be taken apart: a layer's name has a comma")
        return pairs

    @field_validator("biases", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return [name for name in value.split(",") if name] if isinstance(value, str) else value
