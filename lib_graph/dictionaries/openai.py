"""OpenAI's sparse_autoencoder: N.pt, whose activation stands in the state dict itself."""

from __future__ import annotations

from collections.abc import Mapping

from lib_graph.dictionaries.files import Files
from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.parts import dictionary, matrix, vector
from lib_graph.errors import NotFoundError

__all__ = ["NAME", "read"]

NAME, FORM = "openai", "OpenAI sparse_autoencoder"
PARTS = {"pre_bias", "latent_bias", "encoder.weight", "decoder.weight"}


def read(files: Files) -> list[Found] | None:
    """Return the dictionary of one of OpenAI's files; None if it is none.

    With TopK each position is normalised first, as its loader decides: less its mean, over its
    standard deviation, and back after decoding.

    Raises RunError if it is damaged or does not fit together, NotFoundError for another activation.
    """
    path = files.weights()
    if path is None or path.suffix not in (".pt", ".pth") or not files.names(path) >= PARTS:
        return None
    tensors = files.tensors(path)
    activation = str(tensors.get("activation", "ReLU"))
    state = tensors.get("activation_state_dict")
    state = state if isinstance(state, Mapping) else {}
    known = {"ReLU": "relu", "TopK": "topk", "Identity": "identity"}
    if activation not in known:
        raise NotFoundError(f"activation of {FORM}", activation, known)
    ours = known[activation]
    if ours == "topk" and state.get("postact_fn", "ReLU") == "Identity":
        ours = "signed-topk"
    normed = activation == "TopK"
    held = dictionary(
        path, FORM, matrix(tensors, "encoder.weight", path, FORM).T,
        vector(tensors, "latent_bias", path, FORM),
        matrix(tensors, "decoder.weight", path, FORM).T,
        vector(tensors, "pre_bias", path, FORM), ours,
        subtracted=True, k=state.get("k"), scaling="layer_norm" if normed else None,
    )  # fmt: skip
    notes: tuple[str, ...] = ("pre_bias subtracted before encoding",)
    if normed:
        notes = ("of activations after layer_norm at each position", *notes)
    return [Found(path, FORM, ours, held, None, notes)]
