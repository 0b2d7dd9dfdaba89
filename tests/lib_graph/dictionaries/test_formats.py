"""Every layout, as its library's source writes and reads it; and what content cannot decide."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lib_graph.dictionaries import read_dictionaries as read
from lib_graph.errors import NotFoundError, RunError, UsageError
from lib_graph.method.transcoder import Transcoder, outputs
from tests.lib_graph.dictionaries import writers
from tests.lib_graph.dictionaries.writers import BASE, ENC, HOOKS, ROWS, SCALARS, WRITERS, B, C, D


@pytest.mark.parametrize("writer", WRITERS)
def test_features_and_reconstruction_are_the_librarys(writer, tmp_path):
    place, run = WRITERS[writer](tmp_path)
    (found,) = read(place)
    x = 2 * torch.randn(7, D, generator=torch.Generator().manual_seed(1))
    features, again = run(x)
    x, held = x.double(), found.holds
    if isinstance(held, Transcoder):
        f, back = held.coordinates(x), outputs([held], [x])[0]
    else:
        f = held.coordinates(x)
        back = held.amounts(x) @ held.inverse + held.origin_at(x)
    assert torch.allclose(f, features.double(), rtol=0, atol=1e-5)
    assert torch.allclose(back, again.double(), rtol=0, atol=1e-5)
    assert 0 < (features != 0).float().mean() < 1
    assert found.hook == HOOKS.get(writer, "blocks.1.hook_resid_post")


def test_an_average_norm_has_to_be_said(tmp_path):
    cfg = {"normalize_activations": "expected_average_only_in", "apply_b_dec_to_input": True}
    writers.saelens(tmp_path, cfg, BASE)
    with pytest.raises(UsageError, match="Say it: --format saelens,norm=NUMBER"):
        read(tmp_path)
    (found,) = read(tmp_path, "saelens,norm=5")
    x = torch.randn(7, D)
    f = torch.relu((x * D**0.5 / 5 - C) @ ENC + B)
    assert torch.allclose(found.holds.coordinates(x.double()), f.double(), atol=1e-5)


def test_topk_or_batch_topk_has_to_be_said(tmp_path):
    torch.save({**ROWS, "b_dec": C, **SCALARS}, tmp_path / "ae.pt")
    with pytest.raises(UsageError, match="AutoEncoderTopK or a BatchTopKSAE"):
        read(tmp_path)
    kinds = [read(tmp_path, f"dictionary-learning,class={name}")[0].holds.activation
             for name in ("AutoEncoderTopK", "BatchTopKSAE")]  # fmt: skip
    assert kinds == ["topk", "jumprelu"]


def test_k_has_to_be_said(tmp_path):
    parts = {"W_enc": ENC.T, "W_dec": BASE["W_dec"].T, "b_enc": B, "b_dec": C}
    torch.save(parts, tmp_path / "layer0.sae.pt")
    with pytest.raises(UsageError, match=r"how many of the 10 features .* qwen-scope,k=NUMBER"):
        read(tmp_path)
    assert read(tmp_path, "qwen-scope,k=4")[0].holds.k == 4


def test_the_last_of_several_checkpoints(tmp_path):
    for number, factor in ((400, 1.0), (2000, 2.0)):
        parts = {f"blocks-1-hook_resid_pre.{name}": factor * x for name, x in (
            ("encoder.0.weight", ENC.T), ("encoder.0.bias", B), ("decoder.bias", C),
            ("decoder.weight", BASE["W_dec"].T))}  # fmt: skip
        torch.save(parts, tmp_path / f"samples_{number}.pt")
    (found,) = read(tmp_path)
    assert torch.equal(found.holds.encoder, 2 * ENC.double())
    assert torch.allclose(found.holds.decoder.norm(dim=1), torch.ones(10).double())


def test_a_checkpoint_has_its_trainers_configuration(tmp_path):
    place, _ = writers.batch_topk(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    checkpoint = (place / "ae.pt").rename(tmp_path / "checkpoints" / "ae_500.pt")
    (found,) = read(checkpoint)
    assert (found.kind, found.hook) == ("BatchTopKSAE", "blocks.1.hook_resid_post")


@pytest.mark.parametrize(
    ("folder", "kind", "hook"),
    [
        ("gemma-scope-2b-pt-att/layer_3", "jumprelu", "blocks.3.attn.hook_z"),
        ("gemma-scope-2b-pt-mlp/layer_3", "jumprelu", "blocks.3.hook_mlp_out"),
        ("gemma-scope-2b-pt-res/layer_3", "jumprelu", "blocks.3.hook_resid_post"),
        ("transcoder_all/layer_3", "jumprelu transcoder", "blocks.3.ln2.hook_normalized"),
        ("gemma-scope-2b-pt-transcoders/layer_3", "jumprelu transcoder",
         "blocks.3.ln2.hook_normalized"),
    ],
)  # fmt: skip
def test_gemma_scope_says_in_its_path_what_it_is(folder, kind, hook, tmp_path):
    place, _ = writers.gemma_embedding(tmp_path)
    here = tmp_path / folder
    here.mkdir(parents=True)
    (place / "params.npz").rename(here / "params.npz")
    (found,) = read(here)
    assert (found.kind, found.hook) == (kind, hook)


@pytest.mark.parametrize("hook", [None, "model.layers.1.pre_feedforward_layernorm.output"])
def test_gemma_scopes_decoders_for_every_layer_are_taken_from_its_own_on(hook, tmp_path):
    """It is told by the folder's name or by that of the point; else it may be of any layer."""
    decoders = torch.randn(ENC.shape[1], 3, D)
    here = tmp_path / ("clt" if hook else "clt/layer_1")
    here.mkdir(parents=True)
    parts = {"w_enc": ENC, "w_dec": decoders, "b_enc": B, "b_dec": C, "threshold": B.abs()}
    save_file(parts, here / "params.safetensors")
    (here / "config.json").write_text(json.dumps({"hf_hook_point_in": hook} if hook else {}))
    (found,) = read(here)
    assert found.holds.place == 1
    assert torch.equal(found.holds.decoders, decoders[:, 1:].double())
    lost = here.rename(tmp_path / "clt-anywhere")
    (lost / "config.json").unlink()
    with pytest.raises(RunError, match="for 3 layers, and does not say of which layer it is"):
        read(lost)
    far = lost.rename(tmp_path / "layer_3")
    with pytest.raises(RunError, match="for 3 layers, and is of layer 3"):
        read(far)


def test_a_threshold_that_is_rescaled_comes_with_its_rows(tmp_path):
    """A batch top-k dictionary of SAELens that was trained on the lengths of its decoder's rows."""
    cfg = {"architecture": "batchtopk", "rescale_acts_by_decoder_norm": True}
    writers.saelens(tmp_path, cfg, {**BASE, "topk_threshold": torch.tensor(0.7)})
    (found,) = read(tmp_path)
    x = torch.randn(7, D)
    norm = BASE["W_dec"].norm(dim=1)
    before = (x @ ENC + B) * norm
    f = torch.relu(before) * (before > 0.7)
    held, x = found.holds, x.double()
    assert torch.allclose(held.coordinates(x), f.double(), atol=1e-5)
    back = held.amounts(x) @ held.inverse + held.origin_at(x)
    assert torch.allclose(back, ((f / norm) @ BASE["W_dec"] + C).double(), atol=1e-5)


class Bad:
    """What a pickle runs when it is loaded."""

    def __reduce__(self):
        return exec, ("raise SystemExit('it was run')",)


def wrong_architecture(folder):
    return writers.saelens(folder, {"architecture": "temporal"}, BASE)


def single_head(folder):
    return writers.saelens(folder, {"hook_head_index": 3}, BASE)


def transposed(folder):
    return writers.saelens(folder, {"architecture": "standard"}, {**BASE, "W_dec": ENC.clone()})


def without_bias(folder):
    parts = {name: x for name, x in BASE.items() if name != "b_enc"}
    return writers.saelens(folder, {"architecture": "standard"}, parts)


def nan(folder):
    return writers.saelens(folder, {}, {**BASE, "b_dec": torch.full((D,), torch.nan)})


def early(folder):
    tensors = {**ROWS, "b_dec": C, "k": torch.tensor(3), "threshold": torch.tensor(-1.0)}
    return writers.dictionary_learning(folder, "BatchTopKSAE", tensors)


def pickled(folder):
    torch.save({"W_enc": Bad()}, folder / "ae.pt")
    return folder


def cut_off(folder):
    whole = writers.saelens_skip(folder)[0] / "sae_weights.safetensors"
    whole.write_bytes(whole.read_bytes()[:-40])
    return folder


def no_json(folder):
    place = writers.saelens(folder, {}, BASE)
    (folder / "cfg.json").write_text("[" * 100_000)
    return place


def huge_view(folder):
    torch.save({**ROWS, "bias": torch.zeros(1).expand(10**13)}, folder / "ae.pt")
    return folder


def foreign(folder):
    save_file({"model.embed_tokens.weight": torch.zeros(3)}, folder / "model.safetensors")
    return folder / "model.safetensors"


def a_layer_short(folder):
    for i in (0, 2):
        parts = {"W_enc": ENC.T, "W_dec": BASE["W_dec"], "b_enc": B, "b_dec": C}
        save_file(writers.same(parts), folder / f"layer_{i}.safetensors")
    return folder


BAD = {
    wrong_architecture: "SAELens 6.54 with architecture 'temporal'. Read are standard",
    single_head: "SAELens 6.54 with a dictionary of a single head",
    transposed: r"looks like SAELens 6.54, .* the decoder is \(6, 10\), not \(10, 6\)",
    without_bias: "looks like SAELens 6.54, but has no tensor 'b_enc'",
    nan: r"b_dec .* NaN or infinite",
    early: "threshold is not set .-1.: it was saved too early",
    pickled: "cannot be read as weights alone",
    cut_off: "cannot be read as safetensors",
    no_json: "cannot be read as JSON",
    huge_view: "larger than what is stored",
    foreign: r"none of the formats that are known \(its tensors are model.embed_tokens.weight\)",
    a_layer_short: "looks like circuit-tracer, but has no layer 1",
}


@pytest.mark.parametrize("write", BAD, ids=lambda write: write.__name__)
def test_what_cannot_be_read_is_one_line(write, tmp_path):
    with pytest.raises((RunError, UsageError), match=BAD[write]) as raised:
        read(write(tmp_path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("format", "error", "words"),
    [
        ("sae-lens", NotFoundError, "Closest: 'saelens'"),
        ("qwen-scope,n=3", UsageError, "'n=3', which is none of"),
        ("saelens,norm=-1", UsageError, "norm=-1 in --format is no number above 0"),
        ("goodfire", RunError, "it is no goodfire"),
    ],
)
def test_a_format_that_is_none(format, error, words, tmp_path):
    cfg = {"normalize_activations": "expected_average_only_in"}
    with pytest.raises(error, match=words):
        read(writers.saelens(tmp_path, cfg, BASE), format)


def test_only_what_a_network_has(tmp_path):
    """A file says of which point it is; the network has it under a name of its own."""
    from lib_graph.dictionaries.fitting import Wanted, by_layer
    from lib_graph.dictionaries.hooks import Hooks, block_hooks

    writers.saelens(tmp_path, {"metadata": {"hook_name": "blocks.1.hook_resid_post"}}, BASE)
    names = block_hooks(3, "model.h.{}", "ln_1:in", "ln_2:in", "mlp:in", "model.ln_f:in", {})
    layers = {"ln1.2": "model.h.2.ln_1:in", "mine": "model.h.0.ln_2:in", "output": "output"}
    hooks = Hooks(names, centred=True)
    assert hooks.part("model.h.1.ln_2:in") == "model.h.1.mlp:in"
    found = read(tmp_path)
    assert list(by_layer([(Wanted(tmp_path), found)], layers, hooks)) == ["ln1.2"]
    assert list(by_layer([(Wanted(tmp_path, "mine"), found)], layers, hooks)) == ["mine"]
    with pytest.raises(UsageError, match=r"is of blocks.1.hook_resid_post. .* --basis LAYER=PLACE"):
        by_layer([(Wanted(tmp_path), found)], {"x": "model.h.0.ln_1:in"}, hooks)
    with pytest.raises(NotFoundError, match=r"Layer 'ln1' not found. Closest: 'ln1.2'"):
        by_layer([(Wanted(tmp_path, "ln1"), found)], layers, hooks)
    with pytest.raises(UsageError, match=r"Layer 'ln1.2' has two bases"):
        by_layer([(Wanted(tmp_path), found)] * 2, layers, hooks)


def test_weights_that_transformer_lens_centred(tmp_path):
    """Centred activations are undone where norms centre, ignored where none do, else refused."""
    from lib_graph.dictionaries.fitting import Wanted, by_layer
    from lib_graph.dictionaries.hooks import Hooks

    kwargs = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
    place = writers.saelens(tmp_path, kwargs, BASE)
    read_here, layers = [(Wanted(place, "x"), read(place))], {"x": "0:in"}
    x = torch.randn(4, D).double()
    undone = by_layer(read_here, layers, Hooks(centred=True))["x"]
    plain = by_layer(read_here, layers, Hooks(centred=False))["x"]
    less = x - x.mean(-1, keepdim=True)
    assert torch.allclose(undone.holds.coordinates(x), plain.holds.coordinates(less))
    assert "less their mean" in undone.described("x")
    with pytest.raises(UsageError, match="not known whether those of this network do"):
        by_layer(read_here, layers, Hooks())


@pytest.mark.parametrize(
    ("hook", "at", "words"),
    [
        ("blocks.0.mlp.hook_in", "0.ln:in", r"layer 'x' is at 0\.ln:in"),
        ("blocks.0.hook_resid_mid", "0.ln:in", None),  # norm and MLP together
        ("blocks.0.hook_resid_pre", "0:in", "stands in for more than an MLP"),
        ("blocks.0.mlp.hook_in", "0.mlp:in", None),
        ("blocks.7.mlp.hook_in", "0.ln:in", None),  # not of this network, and asked for
    ],
)
def test_a_transcoder_goes_where_it_reads(hook, at, words, tmp_path):
    from lib_graph.dictionaries.fitting import Wanted, by_layer
    from lib_graph.dictionaries.hooks import Hooks

    names = {"blocks.0.mlp.hook_in": ["0.mlp:in"], "blocks.0.hook_resid_mid": ["0.ln:in"],
             "blocks.0.hook_resid_pre": ["0:in"]}  # fmt: skip
    place, _ = writers.saelens_skip(tmp_path)
    found = [replace(each, hook=hook) for each in read(place)]
    asked = [(Wanted(place, "x"), found)], {"x": at}, Hooks(names, centred=True)
    if words is None:
        assert by_layer(*asked) == {"x": found[0]}
        return
    with pytest.raises(UsageError, match=words):
        by_layer(*asked)


@pytest.mark.parametrize("hook", ["blocks.0.mlp.hook_in", "blocks.0.attn.hook_in"])
def test_what_reads_behind_a_norm_that_was_folded_is_refused(hook, tmp_path):
    """On the residual stream folding changes nothing."""
    from lib_graph.dictionaries.fitting import Wanted, by_layer
    from lib_graph.dictionaries.hooks import Hooks

    def asked(folder, hook, fold):
        (tmp_path / folder).mkdir()
        metadata = {"hook_name": hook, "model_from_pretrained_kwargs": {"fold_ln": fold}}
        place = writers.saelens(tmp_path / folder, {"metadata": metadata}, BASE)
        return by_layer([(Wanted(place, "x"), read(place))], {"x": "0:in"}, Hooks())

    assert asked("plain", hook, False)["x"].hook == hook
    assert asked("stream", "blocks.0.hook_resid_pre", True)["x"].hook
    with pytest.raises(UsageError, match="whose norms TransformerLens had folded"):
        asked("folded", hook, True)


@pytest.mark.parametrize("name", ["params.npz", "ae.pt"])
def test_an_archive_that_unpacks_out_of_all_proportion_is_refused(name, tmp_path, monkeypatch):
    """A thousand times its size, which the bound says before anything of it is unpacked."""
    zeros = np.zeros(1 << 20, np.float32)
    if name == "params.npz":
        np.savez_compressed(tmp_path / name, W_enc=zeros)
    else:
        torch.save({"encoder.weight": torch.from_numpy(zeros)}, tmp_path / "plain.pt")
        with (
            zipfile.ZipFile(tmp_path / "plain.pt") as plain,
            zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as made,
        ):
            for each in plain.namelist():
                made.writestr(each, plain.read(each))
        (tmp_path / "plain.pt").unlink()
    assert (tmp_path / name).stat().st_size < 20_000
    monkeypatch.setattr("lib_graph.dictionaries.files.LEAST", 1 << 20)
    with pytest.raises(RunError, match=r"it would unpack to 419\d{4} bytes"):
        read(tmp_path)


def test_a_yaml_with_tags_is_data(tmp_path):
    writers.circuit_tracer_skip(tmp_path)
    (tmp_path / "config.yaml").write_text("a: !!python/object/apply:os.system ['false']\n")
    with pytest.raises(RunError, match="cannot be read as YAML"):
        read(tmp_path)


def test_the_folder_of_a_run_is_read_as_one(tmp_path):
    parts = {"x.encoder": ENC, "x.encoder_bias": B, "x.decoder": BASE["W_dec"], "x.decoder_bias": C}
    save_file(
        writers.same(parts), tmp_path / "bases.safetensors", {"x.activation": "topk", "x.k": "3"}
    )
    (found,) = read(tmp_path)
    assert (found.hook, found.holds.k) == ("x", 3)
    assert json.dumps(found.described("x")) == '"lib-graph, topk, 10 features at x"'
