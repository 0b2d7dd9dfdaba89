"""sparsify: HOOKPOINT/cfg.json beside sae.safetensors, autoencoders and transcoders."""

from __future__ import annotations

from lib_graph.dictionaries.files import Files
from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.parts import count, dictionary, matrix, transcoder, vector
from lib_graph.errors import NotFoundError, UsageError

__all__ = ["NAME", "read"]

NAME, FORM = "sparsify", "sparsify"
ACTIVATIONS = ("topk", "groupmax")


def read(files: Files) -> list[Found] | None:
    """Return the dictionary or transcoder of one hookpoint; None if the folder is none.

    Raises RunError if its files are damaged or do not fit together, NotFoundError for another
    activation, UsageError for one that keeps signs.
    """
    path, config = files.path("sae.safetensors"), files.config("cfg.json")
    if path is None or config is None or "encoder.weight" not in files.names(path):
        return None
    activation = str(config.get("activation", "topk"))
    if activation not in ACTIVATIONS:
        raise NotFoundError(f"activation of {FORM}", activation, ACTIVATIONS)
    if config.get("signed"):
        raise UsageError(f"{str(path)!r} is {FORM} with signed features, which are not read.")
    tensors = files.tensors(path)
    encoder = matrix(tensors, "encoder.weight", path, FORM).T
    parts = (
        encoder,
        vector(tensors, "encoder.bias", path, FORM),
        matrix(tensors, "W_dec", path, FORM),
        vector(tensors, "b_dec", path, FORM),
    )
    k = count(config.get("k"), encoder.shape[1], path, FORM)
    if activation == "groupmax" and encoder.shape[1] % k:
        raise UsageError(f"{str(path)!r} has {encoder.shape[1]} features in {k} groups: not even.")
    point, transcode = path.absolute().parent.name, bool(config.get("transcode"))
    if not transcode and "W_skip" not in tensors:
        held = dictionary(path, FORM, *parts, activation, subtracted=True, k=k)
        notes = ("b_dec subtracted before encoding",)
        return [Found(path, FORM, activation, held, f"{point}:out", notes)]
    skip = matrix(tensors, "W_skip", path, FORM).T if "W_skip" in tensors else None
    if not transcode:
        raise UsageError(
            f"{str(path)!r} is {FORM} of one point with a skip connection: what it skips is no "
            "feature. Give one without."
        )
    across = transcoder(path, FORM, *parts, activation, k=k, skip=skip)
    kind = f"{activation} transcoder" + (" with a skip" if skip is not None else "")
    return [Found(path, FORM, kind, across, f"{point}:in", (f"writes to {point}:out",))]
