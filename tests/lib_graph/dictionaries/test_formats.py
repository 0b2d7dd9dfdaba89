"""Every layout, as its library's source writes and reads it; and what content cannot decide."""

import json

import pytest
import torch
from safetensors.torch import save_file

from lib_graph.dictionaries import read_dictionaries as read
from lib_graph.errors import LibGraphError, NotFoundError, RunError, UsageError
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


def mutated(data, random):
    """Return bytes with some of them changed, cut off or doubled."""
    data = bytearray(data)
    for _ in range(int(torch.randint(1, 6, (), generator=random))):
        at = int(torch.randint(len(data), (), generator=random))
        what = int(torch.randint(4, (), generator=random))
        if what == 0:
            data[at] = int(torch.randint(256, (), generator=random))
        elif what == 1:
            del data[at:]
        elif what == 2:
            data[at:at] = data[at : at + 50]
        else:
            del data[at : at + 20]
        if not data:
            return b""
    return bytes(data)


def is_refused(place):
    """Return whether a place is refused, in one line; else what is read of it is finite."""
    try:
        found = read(place)
    except LibGraphError as error:
        return "\n" not in str(error)
    assert all(each.holds.encoder.isfinite().all() for each in found)
    return False


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("round", range(12))
def test_mutated_files_are_an_error_or_a_result(round, tmp_path):
    """Whatever is changed of a file, it is read with finite numbers or refused in one line."""
    random = torch.Generator().manual_seed(round)
    refused = 0
    for name, write in WRITERS.items():
        folder = tmp_path / name
        folder.mkdir()
        place, _ = write(folder)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        whole = {path: path.read_bytes() for path in files}
        for _ in range(4):
            path = files[int(torch.randint(len(files), (), generator=random))]
            path.write_bytes(mutated(whole[path], random))
            refused += is_refused(place)
            path.write_bytes(whole[path])
    assert refused > 20


def test_only_what_a_network_has(tmp_path):
    """A file says of which point it is; the network has it under a name of its own."""
    from lib_graph.dictionaries.fitting import Wanted, by_layer
    from lib_graph.dictionaries.hooks import Hooks, block_hooks

    writers.saelens(tmp_path, {"metadata": {"hook_name": "blocks.1.hook_resid_post"}}, BASE)
    names = block_hooks(3, "model.h.{}", "ln_1:in", "ln_2:in", "mlp:in", "model.ln_f:in", {})
    layers = {"ln1.2": "model.h.2.ln_1:in", "mine": "model.h.0.ln_2:in", "output": "output"}
    hooks = Hooks(names, centred=True)
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


def test_a_transcoder_is_no_basis(tmp_path):
    from lib_graph.dictionaries.fitting import Wanted, by_layer
    from lib_graph.dictionaries.hooks import Hooks

    place, _ = writers.saelens_skip(tmp_path)
    with pytest.raises(UsageError, match="it says what another point will be"):
        by_layer([(Wanted(place, "x"), read(place))], {"x": "0:in"}, Hooks())


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
