"""Files of all formats, changed at random: an error in one line, or a result."""

import json
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lib_graph.dictionaries import read_dictionaries
from lib_graph.errors import LibGraphError
from tests.lib_graph.dictionaries.writers import BASE, DEC, ENC, WRITERS, B, C, D, R, saelens

ODD = [None, [], {}, "x", -1, 0, 1e308, float("nan"), True, ["a"], {"k": 1}, 10**30, "", 3.7]


def other_bytes(data, draw):
    """Some bytes changed, cut off, doubled or left out."""
    data = bytearray(data)
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(data)) if data else 0
        what = draw.randrange(4)
        if what == 0 and data:
            data[at] = draw.randrange(256)
        elif what == 1:
            del data[at:]
        elif what == 2:
            data[at:at] = data[at : at + 50]
        else:
            del data[at : at + 20]
    return bytes(data)


def other_value(value, draw):
    """Some value in JSON left out, or of another kind."""
    if not isinstance(value, dict) or not value or draw.random() < 0.2:
        return draw.choice(ODD)
    key = draw.choice(list(value))
    if draw.random() < 0.2:
        return {name: each for name, each in value.items() if name != key}
    return {**value, key: other_value(value[key], draw)}


def other_tensors(tensors, draw):
    """One tensor left out, renamed, or of another shape or type."""
    name = draw.choice(list(tensors))
    others = {key: x for key, x in tensors.items() if key != name}
    x = tensors[name]
    if not isinstance(x, torch.Tensor):
        return {**others, name: draw.choice(ODD)}
    changed = [
        x.reshape(-1), x.T.contiguous() if x.ndim == 2 else x[None], x.to(torch.int8), x[None],
        torch.full_like(x.float(), torch.inf), torch.zeros(0), torch.tensor(1.0), x.double(),
    ]  # fmt: skip
    which = draw.randrange(len(changed) + 2)
    if which < len(changed):
        return {**others, name: changed[which].clone()}
    return others if which == len(changed) else {**others, f"{name}z": x}


def change(path, draw):
    """Change one thing in a file: some of its bytes, or what they say."""
    if draw.random() < 0.3:
        path.write_bytes(other_bytes(path.read_bytes(), draw))
    elif path.suffix in (".json", ".yaml"):
        value = (
            json.loads(path.read_text()) if path.suffix == ".json" else {"k": 1, "activation": 2}
        )
        path.write_text(json.dumps(other_value(value, draw)))
    elif path.suffix == ".safetensors":
        save_file(other_tensors(load_file(path), draw), path)
    elif path.suffix == ".npz":
        with np.load(path) as archive:
            tensors = {name: torch.from_numpy(archive[name]) for name in archive}
        np.savez(path, **{name: x.numpy() for name, x in other_tensors(tensors, draw).items()})
    else:
        torch.save(other_tensors(torch.load(path, weights_only=True), draw), path)


def is_refused(place):
    """Return whether a place is refused, in one line; else what is read of it is finite."""
    try:
        found = read_dictionaries(place)
    except LibGraphError as error:
        return "\n" not in str(error)
    for each in found:
        assert each.described("x")
        assert each.holds.encoder.isfinite().all()
    return False


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(20))
def test_a_changed_file_is_an_error_or_a_result(seed, tmp_path):
    draw, refused = random.Random(seed), 0
    for name, write in WRITERS.items():
        (tmp_path / name).mkdir()
        place, _ = write(tmp_path / name)
        files = [path for path in sorted((tmp_path / name).rglob("*")) if path.is_file()]
        for _ in range(12):
            path = draw.choice(files)
            whole = path.read_bytes()
            change(path, draw)
            refused += is_refused(place)
            path.write_bytes(whole)
        assert not is_refused(place)
    assert 60 < refused < 190


def gated(folder):
    parts = {"W_enc": ENC, "W_dec": DEC, "b_dec": C, "b_gate": B, "b_mag": 2 * B, "r_mag": B / 9}
    return saelens(folder, {"architecture": "gated"}, parts)


def rescaled(folder):
    cfg = {"architecture": "batchtopk", "rescale_acts_by_decoder_norm": True}
    return saelens(folder, cfg, {**BASE, "topk_threshold": torch.tensor(0.7)})


def gated_auto_encoder(folder):
    torch.save({"encoder.weight": ENC.T, "decoder.weight": DEC.T, "decoder_bias": C,
                "gate_bias": B, "mag_bias": B, "r_mag": B}, folder / "ae.pt")  # fmt: skip
    return folder


SHORT = {
    **{name: lambda folder, write=write: write(folder)[0] for name, write in WRITERS.items()},
    **{write.__name__: write for write in (gated, rescaled, gated_auto_encoder)},
}


@pytest.mark.parametrize("name", SHORT)
def test_a_part_with_a_feature_or_a_coordinate_less_is_refused(name, tmp_path):
    place = SHORT[name](tmp_path)
    assert not is_refused(place)
    for path in sorted(
        x for x in tmp_path.rglob("*") if x.suffix in (".safetensors", ".pt", ".pth")
    ):
        whole = path.read_bytes()
        safe = path.suffix == ".safetensors"
        tensors = load_file(path) if safe else torch.load(path, weights_only=True)
        for part, x in tensors.items():
            for axis in range(x.ndim if isinstance(x, torch.Tensor) else 0):
                if x.shape[axis] in (D, R):
                    short = x.narrow(axis, 0, x.shape[axis] - 1).clone()
                    (save_file if safe else torch.save)({**tensors, part: short}, path)
                    assert is_refused(place), (part, axis)
        path.write_bytes(whole)
