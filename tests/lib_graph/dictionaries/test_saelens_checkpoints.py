"""What SAELens has beside its weights: scalings, whitening, factors; and what is refused by name.

Each is computed in the space that it was trained in, from inputs brought there and back.
"""

import json
from itertools import product

import pytest
import torch
from safetensors.torch import save_file

from lib_graph.dictionaries import read_dictionaries as read
from lib_graph.errors import RunError, UsageError
from tests.lib_graph.dictionaries.writers import (
    BASE,
    DEC,
    ENC,
    THETA,
    B,
    C,
    D,
    R,
    jump,
    relu,
    saelens,
    same,
    top,
)

S = 0.37
GATE = {"b_gate": B.clone(), "b_mag": B.flip(0), "r_mag": THETA}
ARCHITECTURES = {
    "standard": ({}, {}, relu),
    "jumprelu": ({}, {"threshold": THETA}, jump),
    "topk": ({"k": 3}, {}, top),
    "batchtopk": ({"k": 2.5}, {"topk_threshold": torch.tensor(0.6)}, lambda x: jump(x, 0.6)),
    "gated": ({}, GATE, None),
}
"""architecture -> its configuration, its tensors, and features from what is before them"""


def features(name, before, enc):
    """Return the features of inputs `before` on which b_dec has been subtracted, if it is."""
    if name != "gated":
        return ARCHITECTURES[name][2](before @ enc + B)
    open_ = before @ enc + GATE["b_gate"] > 0
    return open_ * relu(before @ (enc * GATE["r_mag"].exp()) + GATE["b_mag"])


def written(folder, name, normalised, subtracted, **more):
    cfg, tensors, _ = ARCHITECTURES[name]
    whole = {"architecture": name, "normalize_activations": normalised,
             "apply_b_dec_to_input": subtracted, **cfg, **more}  # fmt: skip
    return saelens(folder, whole, {**BASE, **tensors})


def agree(place, x, f, again, format=None):
    (found,) = read(place, format)
    held, x = found.holds, x.double()
    assert 0 < (f != 0).double().mean() < 1
    assert torch.allclose(held.coordinates(x), f.double(), atol=2e-5)
    back = held.amounts(x) @ held.inverse + held.origin_at(x)
    assert torch.allclose(back, again.double(), atol=2e-5)
    return found


def inputs():
    return 2 * torch.randn(9, D, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "subtracted"), list(product(ARCHITECTURES, [True, False])))
def test_whitened_activations_are_folded_in(name, subtracted, tmp_path):
    written(tmp_path, name, "covariance_whitening", subtracted)
    mean, into = torch.randn(D).double(), torch.randn(D, D).double() + 2 * torch.eye(D).double()
    parts = {"mean": mean, "matrix": into, "inverse_matrix": into.inverse()}
    save_file(same(parts), tmp_path / "activation_whitening.safetensors")
    x = inputs()
    z = ((x - mean) @ into).float()
    f = features(name, z - C if subtracted else z, ENC)
    again = (f @ DEC + C).double() @ into.inverse() + mean
    for place in (tmp_path, tmp_path / "sae_weights.safetensors"):
        found = agree(place, x, f, again)
        assert "of whitened activations, folded in" in found.notes


@pytest.mark.parametrize(("name", "subtracted"), list(product(ARCHITECTURES, [True, False])))
def test_the_average_norm_of_a_checkpoint_is_beside_it(name, subtracted, tmp_path):
    written(tmp_path, name, "expected_average_only_in", subtracted)
    scaler = {"scaling_factor": S, "has_whitening": False}
    (tmp_path / "activation_scaler.json").write_text(json.dumps(scaler))
    x = inputs()
    f = features(name, x * S - C if subtracted else x * S, ENC)
    agree(tmp_path, x, f, (f @ DEC + C) / S)
    f = features(name, x * D**0.5 / 5 - C if subtracted else x * D**0.5 / 5, ENC)
    agree(tmp_path, x, f, (f @ DEC + C) * 5 / D**0.5, "saelens,norm=5")


@pytest.mark.parametrize("name", ["topk", "batchtopk"])
def test_features_are_as_long_as_the_rows_of_the_scaled_decoder(name, tmp_path):
    """As after SAELens's fold_activation_norm_scaling_factor, which divides the rows by s."""
    more = {"rescale_acts_by_decoder_norm": True}
    written(tmp_path, name, "expected_average_only_in", True, **more)
    (tmp_path / "activation_scaler.json").write_text(json.dumps({"scaling_factor": S}))
    x, norm = inputs(), DEC.norm(dim=1)
    f = ARCHITECTURES[name][2](((x * S - C) @ ENC + B) * norm)
    agree(tmp_path, x, f / S, ((f / norm) @ DEC + C) / S)


@pytest.mark.parametrize("name", ["scaling_factor", "finetuning_scaling_factor"])
def test_finetuned_factors_by_either_name(name, tmp_path):
    """3.x to 5.x saved them by the second name and look for the first."""
    factor = torch.rand(R) + 0.5
    cfg = {"finetuning_scaling_factor": True, "apply_b_dec_to_input": True}
    place = saelens(tmp_path, cfg, {**BASE, name: factor}, "5.11.0")
    x = inputs()
    f = relu((x - C) @ ENC + B)
    agree(place, x, f, (f * factor) @ DEC + C)
    saelens(tmp_path, {**cfg, "finetuning_scaling_factor": False}, {**BASE, name: factor}, "5.11.0")
    with pytest.raises(RunError, match=f"has a {name}, but its cfg.json does not say"):
        read(place)


@pytest.mark.parametrize("architecture", ["matching_pursuit", "temporal"])
def test_what_has_no_encoder_of_its_own_is_named(architecture, tmp_path):
    parts = {name: BASE[name] for name in ("W_dec", "b_dec")}
    with pytest.raises(UsageError, match=f"with architecture '{architecture}'. Read are standard"):
        read(saelens(tmp_path, {"architecture": architecture}, parts))


def test_a_single_head_of_long_ago_is_refused(tmp_path):
    cfg = {"hook_point": "blocks.0.attn.hook_q", "hook_point_head_index": 2, "metadata": None}
    with pytest.raises(UsageError, match="a dictionary of a single head"):
        read(saelens(tmp_path, cfg, BASE))


def test_whitening_that_is_not_there_or_does_not_fit(tmp_path):
    written(tmp_path, "standard", "covariance_whitening", True)
    with pytest.raises(UsageError, match=r"activation_whitening.safetensors, .* is not beside it"):
        read(tmp_path)
    parts = {"mean": torch.zeros(D - 1), "matrix": torch.eye(D), "inverse_matrix": torch.eye(D)}
    save_file(parts, tmp_path / "activation_whitening.safetensors")
    with pytest.raises(RunError, match=f"does not fit to sae_weights.safetensors: .* of {D}"):
        read(tmp_path)
