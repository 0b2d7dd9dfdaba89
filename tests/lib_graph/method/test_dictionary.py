"""Dictionaries as bases: the same edges where they hold a basis, and those of brute force."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.autograd.functional import jacobian

from lib_graph.analysis.reopening import reopened_network
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.cutting.cuts import cut
from lib_graph.dictionaries.bases_file import read_bases, write_bases
from lib_graph.errors import NotFoundError, RunError, UsageError
from lib_graph.method.dictionary import Dictionary
from lib_graph.method.interactions import constant_moments, interaction_moments
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.rules import Rule
from lib_graph.networks.subject import Subject
from queries.cli.main import main
from tests.lib_graph.nets import STACKED, random_, random_basis, stacked

LAYERS = ["x=0:in", "hidden=2:in", "linear=3:in", "y=output"]


def perceptron_subject():
    """A section with an activation, then two linear ones."""
    layers = [nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4), nn.Linear(4, 2)]
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return Subject.of(random_(nn.Sequential(*layers)), x, LAYERS)


def stacked_subject():
    """Two positions, and sections that only JVPs know."""
    x = torch.randn(12, 2, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return Subject.of(stacked(), x, [f"{name}={point}" for name, point in STACKED.items()])


def trained(f, features, seed=0):
    """A small sparse autoencoder of the rows of f, with unit decoder rows."""
    torch.manual_seed(seed)
    f = f.flatten(0, 1)
    decoder = torch.randn(features, f.shape[1]).double().requires_grad_()
    encoder = decoder.detach().T.clone().requires_grad_()
    bias, center = torch.zeros(features).double().requires_grad_(), f.mean(0).requires_grad_()
    adam = torch.optim.Adam([encoder, decoder, bias, center], lr=0.03)
    for _ in range(150):
        unit = nn.functional.normalize(decoder, dim=1)
        hidden = torch.relu((f - center) @ encoder + bias)
        loss = (f - center - hidden @ unit).square().sum(1).mean() + 0.05 * hidden.sum(1).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    with torch.no_grad():
        unit = nn.functional.normalize(decoder, dim=1)
        found = (encoder, bias - center @ encoder, unit, center)
        return Dictionary(*(x.detach() for x in found), "relu")


@pytest.fixture(scope="module", params=[perceptron_subject, stacked_subject])
def case(request, tmp_path_factory):
    """A subject, and a run over overcomplete relu dictionaries of all layers but the last."""
    folder, subject = tmp_path_factory.mktemp("dictionary"), request.param()
    network = cut(subject.module.requires_grad_(False), subject.inputs, subject.layers)
    batch = network.run(*subject.inputs)
    dictionaries = {
        layer.name: trained(batch.activations[layer.index], 2 * layer.width)
        for layer in network.layers[:-1]
    }
    write_bases(folder / "dictionaries.safetensors", dictionaries, {})
    run = build(subject, folder / "run", Options(basis=folder / "dictionaries.safetensors"))
    return subject, run, network, batch, dictionaries


def pair_table(section):
    return section.pivot(index="source", columns="target", values="strength").fillna(0.0)


@pytest.mark.slow
@pytest.mark.sampled
def test_strengths_are_those_of_brute_force(case):
    subject, run, network, _, dictionaries = case
    for section, found in zip(network.sections, run.sections(), strict=True):
        basis = dictionaries[section.source.name]
        following = dictionaries.get(section.target.name)
        total = 0.0
        for sample in subject.inputs[0]:
            batch = network.run(sample[None])
            f = batch.activations[section.source.index]
            A = brute(section, batch.constants, f, basis, following)
            total = total + A.square().sum(1) / len(subject.inputs[0]) / f.shape[1]
        found = pair_table(found)
        truth = total[found.index][:, found.columns - (0 if following is None else 1)]
        assert np.allclose(found, truth, rtol=1e-9, atol=1e-13 * float(truth.max()))
        assert float(total.sum()) == pytest.approx(float(truth.sum()))


def brute(section, constants, f, basis, following):
    """A_itj of one sample by autograd, the constant feature in row 0: (1 + r) × t × r'."""

    def read(activations, bias_scale=1.0):
        if following is None:
            return activations
        before = activations @ following.encoder + bias_scale * following.encoder_bias
        return before.relu()

    J = jacobian(lambda z: read(section(z[None], constants))[0], f[0])  # t r' s d
    features = (f[0] @ basis.encoder + basis.encoder_bias).relu()
    others = torch.einsum("sj,jd,tisd->jti", features, basis.decoder, J)

    def grown(step):
        moved = section(f + step * basis.decoder_bias, constants, section.scaled_biases(1 + step))
        return read(moved, 1 + step)[0]

    constant = jacobian(grown, torch.zeros((), dtype=torch.float64))
    return torch.cat([constant[None], others])


@pytest.mark.slow
@pytest.mark.sampled
def test_importance_is_the_mean_square_and_variance_the_variance(case):
    _, run, network, batch, dictionaries = case
    assert run.manifest.basis == "dictionary"
    assert 0 < run.manifest.checks["left_out"] < 0.9
    for layer in network.layers[:-1]:
        rows = run.features.query("layer == @layer.name and role == 'feature'")
        values = dictionaries[layer.name].coordinates(batch.activations[layer.index]).flatten(0, 1)
        assert len(rows) == 2 * layer.width
        assert np.allclose(rows.importance, values.square().mean(0))
        assert np.allclose(rows.variance, values.var(0, correction=0))


@pytest.mark.slow
@pytest.mark.sampled
def test_a_run_over_dictionaries_is_a_basis_itself(case, tmp_path):
    subject, run, *_ = case
    again = build(subject, tmp_path, Options(basis=run.path))
    assert np.allclose(again.interactions.strength, run.interactions.strength, rtol=1e-12)
    assert reopened_network(again, subject).bases.keys() == {layer.name for layer in run.layers}


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("rule", ["gradient", "trapezoid"])
def test_a_dictionary_that_holds_lib_gives_its_edges(rule, tmp_path):
    subject = perceptron_subject()
    lib = build(subject, tmp_path / "lib", Options(rule=rule))
    held = {
        name: Dictionary(b.rotation, -b.mean @ b.rotation, b.inverse, b.mean, "identity")
        for name, b in read_bases(lib.path / "bases.safetensors").items()
    }
    write_bases(tmp_path / "held.safetensors", held, {})
    options = Options(rule=rule, basis=tmp_path / "held.safetensors")
    run = build(subject, tmp_path / "run", options)
    for name in ("strength", "effect", "stderr"):
        found, truth = run.interactions[name], lib.interactions[name]
        assert np.allclose(found, truth, rtol=1e-9, atol=1e-12 * truth.abs().max())
    found, truth = run.features.importance, lib.features.importance
    assert np.allclose(found, truth, rtol=1e-6, equal_nan=True)


def overcomplete(width, features, seed):
    """An identity dictionary that leaves nothing out."""
    basis = random_basis(width, features, seed)
    offset = torch.randn(features, generator=torch.Generator().manual_seed(seed)).double()
    return Dictionary(basis.rotation, offset, basis.inverse, -offset @ basis.inverse, "identity")


@pytest.mark.slow
def test_completeness():
    """All attributions sum to the target less its value at activations and biases 0."""
    subject = perceptron_subject()
    network = cut(subject.module.requires_grad_(False), subject.inputs, subject.layers)
    batch = network.run(*subject.inputs)
    rule = Rule.named("gauss-legendre", 48)
    for section in network.sections[:2]:
        f, after = (batch.activations[x.index] for x in (section.source, section.target))
        basis, following = overcomplete(f.shape[-1], 12, 3), overcomplete(after.shape[-1], 9, 4)
        back = basis.coordinates(f) @ basis.decoder + basis.decoder_bias
        assert torch.allclose(back, f, rtol=1e-12)
        where = (section, batch, basis, following, rule)
        moments = InteractionMoments.stack(
            [constant_moments(*where), interaction_moments(*where, 4)]
        )
        baseline = section(0 * f, batch.constants, section.scaled_biases(0.0)) @ following.encoder
        reached = following.coordinates(after) - baseline
        total = moments.effect.sum(0) * f.shape[1]
        assert torch.allclose(total, reached.sum(1).mean(0), atol=1e-9 * reached.abs().max())


def tensors(width=3, features=4, name="x"):
    torch.manual_seed(0)
    return {
        f"{name}.encoder": torch.randn(width, features),
        f"{name}.encoder_bias": torch.zeros(features),
        f"{name}.decoder": torch.randn(features, width),
        f"{name}.decoder_bias": torch.zeros(width),
    }


def good():
    return {**tensors(), **tensors(5, 4, "hidden"), **tensors(4, 4, "linear")}


RELU = {"activation": "relu"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "metadata", "error", "words"),
    [
        ({}, {"activation": "gelu"}, RunError, r"activation 'gelu'; a dictionary's is 'identity'"),
        ({}, None, RunError, r"activation None"),
        ({"x.decoder": torch.zeros(3, 4)}, RELU, RunError, r"x.decoder is \(3, 4\), but x.encoder"),
        ({"x.encoder_bias": torch.zeros(3)}, RELU, RunError, r"x.encoder_bias is \(3,\)"),
        ({"x.decoder_bias": torch.zeros(4)}, RELU, RunError, r"x.decoder_bias is \(4,\)"),
        ({"x.encoder": torch.zeros(3)}, RELU, RunError, r"x.encoder .* is no matrix: \(3,\)"),
        ({"x.encoder": torch.zeros(3, 0)}, RELU, RunError, r"x.encoder .* is empty: \(3, 0\)"),
        ({"x.decoder": None}, RELU, RunError, r"has no tensor 'x.decoder'"),
        ({"x.rotation": torch.eye(3)}, RELU, RunError, r"both x.rotation and x.encoder"),
        ({"x.decoder_bias": torch.full((3,), torch.nan)}, RELU, RunError, r"NaN or infinite"),
        (dict.fromkeys(tensors(5, 4, "hidden")), RELU, NotFoundError, r"layer 'hidden' not found"),
        (tensors(2, 4), RELU, UsageError, r"is for 2 coordinates; the layer has 3"),
        (dict.fromkeys(good()) | {"a": torch.eye(2)}, RELU, RunError, r"holds no bases"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_one_line(tmp_path, change, metadata, error, words):
    kept = {name: x for name, x in {**good(), **change}.items() if x is not None}
    save_file(kept, tmp_path / "file.safetensors", metadata)
    with pytest.raises(error, match=words) as raised:
        build(perceptron_subject(), tmp_path / "run", Options(basis=tmp_path / "file.safetensors"))
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_a_relu_has_no_path(tmp_path):
    save_file(good(), tmp_path / "file.safetensors", RELU)
    options = Options(basis=tmp_path / "file.safetensors", rule="trapezoid")
    with pytest.raises(UsageError, match=r"relu dictionary of layer 'x' switch on and off"):
        build(perceptron_subject(), tmp_path / "run", options)


@pytest.mark.slow
def test_layers_may_be_mixed(tmp_path):
    """A file may hold a basis for one layer and a dictionary for another."""
    subject = perceptron_subject()
    lib = build(subject, tmp_path / "lib")
    bases = read_bases(lib.path / "bases.safetensors")
    torch.manual_seed(0)
    relu = Dictionary(torch.randn(5, 6), torch.ones(6), torch.randn(6, 5), torch.ones(5), "relu")
    write_bases(tmp_path / "mixed.safetensors", bases | {"hidden": relu}, {})
    run = build(
        subject, tmp_path / "run", Options(basis=tmp_path / "mixed.safetensors"), force=True
    )
    features = {layer.name: layer.features for layer in lib.layers}
    assert {layer.name: layer.features for layer in run.layers} == features | {"hidden": 6}
    found, truth = (x.interactions.query("source_layer == 'linear'") for x in (run, lib))
    assert np.allclose(found.strength, truth.strength)


@pytest.mark.slow
def test_the_command(tmp_path, capsys):
    (tmp_path / "net.py").write_text(
        "import torch\n\n\ndef make_model():\n"
        "    return torch.nn.Sequential(torch.nn.Linear(3, 2))\n"
        "\n\ndef make_data():\n    return torch.randn(30, 3)\n"
    )
    save_file(tensors(), tmp_path / "file.safetensors", RELU)
    arguments = ["build", f"{tmp_path}/net.py:make_model", "--layers", "x=0:in,output", "-q"]
    arguments += ["--force"]  # random features
    arguments += ["--basis", f"{tmp_path}/file.safetensors", "--out", f"{tmp_path}/run"]
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    assert "4 features of 3 coordinates" in capsys.readouterr().out


@pytest.mark.slow
def test_many_features_need_more_memory(tmp_path):
    """The plan counts the pairs of an overcomplete dictionary."""
    wide = {**tensors(3, 900), **tensors(5, 900, "hidden"), **tensors(4, 900, "linear")}
    for name, held in (("small", good()), ("wide", wide)):
        save_file(held, tmp_path / f"{name}.safetensors", RELU)
    memory = (512 << 20) + (16 << 20)
    build(perceptron_subject(), tmp_path / "run",
          Options(basis=tmp_path / "small.safetensors", memory=memory), force=True)  # fmt: skip
    with pytest.raises(UsageError, match=r"needs at least 5[67]\d MiB"):
        build(perceptron_subject(), tmp_path / "run",
              Options(basis=tmp_path / "wide.safetensors", memory=memory))  # fmt: skip
