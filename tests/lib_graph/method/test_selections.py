"""Dictionaries whose features compete, have thresholds, or are of scaled activations: the edges are
those of brute force with what is active, and the scale, held fixed (docs/method.md §9)."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.autograd.functional import jacobian

from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.cutting.cuts import cut
from lib_graph.dictionaries.bases_file import read_bases, write_bases
from lib_graph.errors import RunError, UsageError
from lib_graph.method.dictionary import Dictionary
from lib_graph.method.interactions import constant_moments, interaction_moments
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.rules import Rule
from lib_graph.networks.subject import Subject
from tests.lib_graph.nets import STACKED, random_, stacked

K = 4
CASES = {
    "jumprelu": {"activation": "jumprelu"},
    "topk": {"activation": "topk", "k": K},
    "signed-topk": {"activation": "signed-topk", "k": K},
    "abs-topk": {"activation": "abs-topk", "k": K},
    "groupmax": {"activation": "groupmax", "k": K},
    "topk of a layer norm": {"activation": "topk", "k": K, "scaling": "layer_norm"},
    "relu of a norm": {"activation": "relu", "scaling": "norm"},
    "identity of a layer norm": {"activation": "identity", "scaling": "layer_norm"},
}


def made(case, width, seed):
    torch.manual_seed(seed)
    encoder, decoder = torch.randn(width, 12).double(), torch.randn(12, width).double()
    threshold = torch.rand(12).double() - 0.3 if case == "jumprelu" else None
    if CASES[case].get("scaling") == "layer_norm":
        encoder = encoder - encoder.mean(0)
    bias, center = torch.randn(12).double(), torch.randn(width).double()
    return Dictionary(encoder, bias, decoder, center, threshold=threshold, **CASES[case])


def scales(d, f):
    """By what activations are divided before encoding, and what is multiplied by after."""
    if d.scaling == "layer_norm":
        sigma = (
            (f - f.mean(-1, keepdim=True)).square().sum(-1, keepdim=True) / (f.shape[-1] - 1)
        ).sqrt()
        return sigma + 1e-5, sigma
    one = (f.square().mean(-1, keepdim=True)).sqrt() if d.scaling == "norm" else f[..., :1] * 0 + 1
    return one, one


def chosen(d, before):
    """Which features are active, one position at a time."""
    mask = torch.zeros_like(before)
    for at in np.ndindex(*before.shape[:-1]):
        row = before[at]
        order = (row.abs() if d.activation == "abs-topk" else row).argsort(descending=True)
        if d.activation == "groupmax":
            size = len(row) // K
            here = [g * size + int(row[g * size : (g + 1) * size].argmax()) for g in range(K)]
        elif d.k is not None:
            here = order[:K].tolist()
        else:
            least = d.threshold if d.activation == "jumprelu" else torch.zeros_like(row)
            here = [i for i in range(len(row)) if row[i] > least[i] or d.activation == "identity"]
        if d.activation in ("topk", "groupmax"):
            here = [i for i in here if row[i] > 0]
        mask[(*at, here)] = 1.0
    return mask


@pytest.fixture(scope="module")
def network():
    x = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    subject = Subject.of(stacked(), x, [f"{name}={point}" for name, point in STACKED.items()])
    found = cut(subject.module.requires_grad_(False), subject.inputs, subject.layers)
    return found, found.run(x)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_edges_are_those_of_brute_force_with_the_selection_held(case, network):
    network, batch = network
    rule = Rule.named("gradient", None)
    for section in network.sections[:2]:
        f, g = (batch.activations[x.index] for x in (section.source, section.target))
        basis, following = made(case, f.shape[-1], 3), made(case, g.shape[-1], 4)
        divisor, factor = scales(basis, f)
        before = f @ basis.encoder / divisor + basis.encoder_bias
        features = before * chosen(basis, before)
        assert torch.allclose(basis.coordinates(f), features)
        after, _ = scales(following, g)
        mask = chosen(following, g @ following.encoder / after + following.encoder_bias)
        held = features * factor, basis, factor, following, mask / after, mask
        A = torch.stack([brute(section, batch, n, *held) for n in range(len(f))])  # n j t i
        where = (section, batch, basis, following, rule)
        found = InteractionMoments.stack([constant_moments(*where), interaction_moments(*where, 5)])
        positions = f.shape[0] * f.shape[1]
        assert torch.allclose(found.strength, A.square().sum((0, 2)) / positions, rtol=1e-9)
        assert torch.allclose(found.effect, A.sum((0, 2)) / positions, rtol=1e-9, atol=1e-12)


def brute(section, batch, n, amounts, basis, factor, following, slopes, mask):
    """A_itj of sample n, the constant feature in row 0: j × t × i."""
    f = batch.activations[section.source.index][n : n + 1]

    def read(z):
        return (section(z, batch.constants) @ following.encoder)[0] * slopes[n]

    J = jacobian(lambda z: read(z[None]), f[0])
    others = torch.einsum("sj,jd,tisd->jti", amounts[n], basis.decoder, J)
    origin = factor[n] * basis.decoder_bias
    if basis.scaling == "layer_norm":
        origin = origin + f[0].mean(-1, keepdim=True)

    def grown(step):
        moved = section(f + step * origin, batch.constants, section.scaled_biases(1 + step))
        return (moved @ following.encoder)[0] * slopes[n] + step * mask[n] * following.encoder_bias

    constant = jacobian(grown, torch.zeros((), dtype=torch.float64))
    return torch.cat([constant[None], others])


def test_some_features_go_on_competing_with_all():
    whole = made("topk", 5, 1)
    f = torch.randn(4, 3, 5).double()
    which = torch.tensor([7, 2, 9])
    part = whole.only(which)
    assert torch.equal(part.coordinates(f), whole.coordinates(f)[..., which])
    assert torch.equal(part.slopes(f), whole.slopes(f)[..., which])
    again = part.only(torch.tensor([2]))
    assert torch.equal(again.coordinates(f), whole.coordinates(f)[..., [9]])
    assert again.to(torch.float32).coordinates(f.float()).dtype == torch.float32


@pytest.mark.parametrize("case", CASES)
def test_a_file_gives_back_what_was_written(case, tmp_path):
    held = {"x": made(case, 5, 0), "y": made("topk", 4, 1)}
    write_bases(tmp_path / "file.safetensors", held, {})
    for layer, found in read_bases(tmp_path / "file.safetensors").items():
        f = torch.randn(2, 3, held[layer].width).double()
        assert torch.equal(found.coordinates(f), held[layer].coordinates(f))
        assert torch.equal(found.amounts(f), held[layer].amounts(f))


@pytest.mark.parametrize(
    ("more", "words", "match"),
    [
        ({}, {"activation": "jumprelu"}, "no threshold for the activation 'jumprelu' of layer 'x'"),
        ({"x.threshold": torch.ones(4)}, {"activation": "relu"}, "threshold beside the activation"),
        ({}, {"activation": "topk"}, "k None for the activation 'topk'"),
        ({}, {"activation": "relu", "k": "2"}, "k '2' for the activation 'relu'"),
        ({}, {"activation": "topk", "k": "5"}, "k '5' for the 4 features"),
        ({}, {"activation": "groupmax", "k": "3"}, "4 features of 'x' in 3 groups"),
        ({}, {"x.activation": "relu", "x.scaling": "z"}, "the scaling 'z' for layer 'x'"),
    ],
)
def test_what_does_not_go_together_is_refused(more, words, match, tmp_path):
    parts = {"x.encoder": torch.ones(3, 4), "x.encoder_bias": torch.ones(4),
             "x.decoder": torch.ones(4, 3), "x.decoder_bias": torch.ones(3)}  # fmt: skip
    save_file({**parts, **more}, tmp_path / "file.safetensors", words)
    with pytest.raises(RunError, match=match):
        read_bases(tmp_path / "file.safetensors")


@pytest.fixture(scope="module")
def subject():
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(1)).double()
    layers = ["x=0:in", "hidden=2:in", "y=output"]
    return Subject.of(
        random_(nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4))), x, layers
    )


def saved(folder, **held):
    return {name: write(folder / name, name, each) for name, each in held.items()}


def write(path, layer, held):
    write_bases(path, {layer: held}, {})
    return path.rename(path.with_suffix(".safetensors"))


@pytest.mark.slow
def test_several_places_for_several_layers(subject, tmp_path):
    """Each layer has its own, by its name or where it is put; the run says and keeps all of it."""
    files = saved(tmp_path, x=made("topk", 3, 0), other=made("jumprelu", 5, 1))
    where = (files["x"], f"hidden={files['other']}")
    run = build(subject, tmp_path / "run", Options(basis=where), force=True)
    assert [layer.features for layer in run.layers] == [12, 12, 4]
    assert run.manifest.config.basis == tuple(map(str, where))
    found = read_bases(run.path / "bases.safetensors")
    assert (found["x"].activation, found["hidden"].activation) == ("topk", "jumprelu")
    assert build(subject, tmp_path / "run", Options(basis=where)).id == run.id
    top = build(subject, tmp_path / "top", Options(basis=where, top=5), force=True)
    few = top.interactions.set_index(["source_layer", "source", "target"]).strength
    every = run.interactions.set_index(["source_layer", "source", "target"]).strength
    assert len(few) < len(every)
    assert np.allclose(few, every[few.index], rtol=1e-10)


@pytest.mark.parametrize(
    ("held", "place", "words"),
    [
        (made("topk", 2, 0), "x={}", "for 2 coordinates; the layer has 3"),
        (made("topk", 3, 0), "x={}", "Basis of layer 'hidden' not found"),
        (made("topk", 3, 0), "lib|x={}", "'lib' follows from the features of later layers"),
        (made("topk", 3, 0), "z={}", "Layer 'z' not found. There are 'x'"),
        (made("topk", 3, 0), "{}", "holds nothing of a layer of the network"),
    ],
)  # fmt: skip
def test_bases_are_checked_before_anything_is_computed(
    held, place, words, subject, tmp_path, monkeypatch
):
    def cut_anyway(*_, **__):
        raise AssertionError("the network was cut first")

    monkeypatch.setattr("lib_graph.building.job.cut_or_recorded", cut_anyway)
    file = write(tmp_path / "file", "else", held)
    with pytest.raises(UsageError, match=words):
        build(subject, tmp_path / "run", Options(basis=tuple(place.format(file).split("|"))))


def test_options_say_what_does_not_go_together(tmp_path):
    with pytest.raises(UsageError, match="format 'openai' says how to read a place"):
        Options(format="openai")
    with pytest.raises(UsageError, match="Basis 'lib' is for all layers without a place, and so"):
        Options(basis=("pca", "lib", str(tmp_path)))
    with pytest.raises(UsageError, match=r"There are no bases at 'nowhere/x.pt'"):
        Options(basis=("x=nowhere/x.pt",))
