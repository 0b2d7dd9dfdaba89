"""Language models by folder or hub name: what is loaded, and what is said if it cannot be."""

import json
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from lib_graph.building.build import build
from lib_graph.data.text import Text
from lib_graph.errors import ModelError, NotFoundError, UsageError
from lib_graph.networks import load_subject
from lib_graph.support.progress import ConsoleProgress
from tests.lib_graph.language_models import random_model, save_model, tokens


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    (folder / "stories.txt").write_text("a b c d e f g h " * 5)
    save_model(folder / "model")
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A whole folder, to be damaged."""
    return shutil.copytree(saved, tmp_path / "copy")


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """A hub that cannot be reached, and its cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put_into_cache(cache, name, folder):
    """Lay a model's files out as a download does."""
    place = cache / f"models--{name.replace('/', '--')}"
    revision = "0" * 40
    shutil.copytree(folder, place / "snapshots" / revision)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(revision)


@pytest.mark.parametrize("name", ["tiny", "someone/Tiny-Stories-1M.v2"])
def test_a_name_on_the_hub(saved, offline, name):
    put_into_cache(offline, name, saved / "model")
    subject = load_subject(name, Text(saved / "stories.txt", context=8))
    assert (subject.name, subject.source) == (name.rpartition("/")[2], name)
    assert torch.equal(subject.module(tokens()), random_model("llama")(tokens()).logits)
    assert subject.inputs[0].tolist()[0] == [0, 2, 3, 4, 5, 6, 7, 8]


def test_a_hub_out_of_reach_is_one_line(offline):
    with pytest.raises(
        ModelError, match=r"no model folder 'some/one'.* copy the model's"
    ) as caught:
        load_subject("some/one")
    assert "\n" not in str(caught.value)


def test_what_is_missing_from_a_folder_is_not_asked_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    monkeypatch.setattr("lib_graph.networks.hub.fetch", None)
    with pytest.raises(ModelError, match=r"no model folder 'models/tiny'. Give a folder"):
        load_subject("models/tiny")


def test_an_architecture_that_is_none_of_ours(saved, offline, folder):
    config = folder / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "bert"}))
    put_into_cache(offline, "some/bert", folder / "model")
    with pytest.raises(ModelError, match=r"type 'bert'. Supported: 'gpt2', 'gpt_neo', 'llama'"):
        load_subject("some/bert")
    config.write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match=r"architecture 'bert'. Supported: .* 'gpt_neo'"):
        load_subject(folder / "model")


def test_weights_in_pytorchs_format(folder):
    weights = load_file(folder / "model" / "model.safetensors")
    (folder / "model" / "model.safetensors").unlink()
    torch.save(weights, folder / "model" / "pytorch_model.bin")
    subject = load_subject(folder / "model")
    assert torch.equal(subject.module(tokens()), random_model("llama")(tokens()).logits)


class Code:
    """What a pickle may run."""

    def __reduce__(self):
        return print, ("run",)


def test_code_among_the_weights_is_not_run(folder, capsys):
    (folder / "model" / "model.safetensors").unlink()
    torch.save({"x": Code()}, folder / "model" / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_subject(folder / "model")
    assert "run" not in capsys.readouterr().out


def change_weights(folder, change):
    tensors = load_file(folder / "model" / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model" / "model.safetensors", metadata={"format": "pt"})


DAMAGES = {
    "no weights": (lambda f: (f / "model" / "model.safetensors").unlink(), "cannot be loaded"),
    "broken weights": (
        lambda f: (f / "model" / "model.safetensors").write_bytes(b"none"),
        "cannot be loaded",
    ),
    "a missing tensor": (
        lambda f: change_weights(f, lambda t: t.pop("model.layers.1.mlp.up_proj.weight")),
        "lack tensor 'model.layers.1.mlp.up_proj.weight'",
    ),
    "another shape": (
        lambda f: change_weights(f, lambda t: t.update({"model.norm.weight": torch.ones(3)})),
        "cannot be loaded",
    ),
    "NaN": (
        lambda f: change_weights(f, lambda t: t["model.norm.weight"][:2].fill_(torch.nan)),
        "'model.norm.weight' .* NaN",
    ),
    "no tokenizer": (
        lambda f: [p.unlink() for p in (f / "model").glob("tokenizer*")],
        "no tokenizer that can be loaded .* give tokens",
    ),
    "broken JSON": (lambda f: (f / "model" / "config.json").write_text("{,"), "read as JSON"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_one_clear_line(folder, damage):
    harm, message = DAMAGES[damage]
    harm(folder)
    with pytest.raises(ModelError, match=message) as caught:
        load_subject(folder / "model", Text(folder / "stories.txt", context=8))
    assert "\n" not in str(caught.value)


def rounded(tensors, *names):
    tensors.update({name: tensors[name].bfloat16() for name in names})


def say(folder, **values):
    """Let config.json say something else."""
    path = folder / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def the_files_tensors_are_the_models(folder, subject):
    state = subject.module.model.state_dict()
    for name, tensor in load_file(folder / "model" / "model.safetensors").items():
        assert torch.equal(state[name].double(), tensor.double()), name


EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def test_a_tied_model_is_said_to_be_tied(folder):
    loading = load_subject(folder / "model").loading
    assert loading.tied == ((EMBEDDING, HEAD),)
    assert not loading.apart
    assert list(loading.lines()) == [f"Weights: {EMBEDDING} is {HEAD} as well (tied)."]


def test_two_matrices_where_config_ties_are_both_kept(folder):
    """transformers 4 overwrites the second with the first, 5 keeps both and only logs it."""
    change_weights(folder, lambda t: t.update({HEAD: t[EMBEDDING] + torch.randn(11, 16)}))
    subject = load_subject(folder / "model")
    the_files_tensors_are_the_models(folder, subject)
    assert (subject.loading.tied, subject.loading.apart) == ((), True)
    (line,) = subject.loading.lines()
    assert line.startswith("Weights: config.json ties")


def test_a_matrix_that_is_there_twice_is_tied(folder):
    change_weights(folder, lambda t: t.update({HEAD: t[EMBEDDING].clone()}))
    loading = load_subject(folder / "model").loading
    assert (loading.tied, loading.apart) == (((EMBEDDING, HEAD),), False)


# tensors in bfloat16 (of 20), what config.json says, in what they are read
PRECISIONS = {
    "one tensor": (1, "float32", "float32"),
    "one tensor, and config": (1, "bfloat16", "float32"),
    "config alone": (0, "bfloat16", "float32"),
    "all": (20, "float32", "bfloat16"),
}


@pytest.mark.parametrize("what", PRECISIONS)
def test_nothing_is_rounded(folder, what):
    count, config, dtype = PRECISIONS[what]
    change_weights(folder, lambda t: rounded(t, *sorted(t)[:count]))
    say(folder, dtype=config, torch_dtype=config)
    subject = load_subject(folder / "model")
    the_files_tensors_are_the_models(folder, subject)
    loading = subject.loading
    assert {str(p.dtype) for p in subject.module.parameters()} == {f"torch.{dtype}"}
    assert (loading.dtype, loading.config_dtype) == (dtype, config)
    assert sum(loading.precisions.values()) == 20
    assert loading.precisions.get("bfloat16", 0) == count
    assert next(loading.lines()).startswith(f"Weights: read in {dtype}, so that none is rounded")


def test_half_precisions_of_two_kinds(folder):
    change_weights(folder, lambda t: rounded(t, *t))
    change_weights(folder, lambda t: t.update({EMBEDDING: t[EMBEDDING].half()}))
    subject = load_subject(folder / "model")
    the_files_tensors_are_the_models(folder, subject)
    assert subject.loading.dtype == "float32"


def test_what_the_model_has_no_place_for_is_said(folder):
    change_weights(folder, lambda t: t.update({"adapter.a": torch.ones(2), "b": torch.ones(3)}))
    loading = load_subject(folder / "model").loading
    assert loading.left_out == ("adapter.a", "b")
    assert "no place for 'adapter.a' and 1 more" in list(loading.lines())[-1]


@pytest.mark.slow
def test_a_run_keeps_how_its_model_was_read_and_a_build_says_it(folder, tmp_path, capsys):
    change_weights(folder, lambda t: rounded(t, EMBEDDING))
    text = Text(folder / "stories.txt", context=4, tokens=8)
    layers = ["ln_final", "output"]
    said = ConsoleProgress()
    run = build(folder / "model", tmp_path / "run", data=text, layers=layers, progress=said)
    assert run.manifest.model.loading.precisions == {"float32": 19, "bfloat16": 1}
    assert "(float32: 19, bfloat16: 1; config.json says float32)" in capsys.readouterr().err


def test_sharded_weights(folder):
    random_model("llama").save_pretrained(folder / "model", max_shard_size="4KB")
    shutil.move(folder / "model" / "model.safetensors", folder / "other")
    subject = load_subject(folder / "model")
    assert sum(subject.loading.precisions.values()) == 20
    assert torch.equal(subject.module(tokens()), random_model("llama")(tokens()).logits)


def test_rotary_positions_that_transformers_4_does_not_read_are_refused_there(folder):
    import transformers

    asked = {"rope_type": "linear", "factor": 2.0, "rope_theta": 100.0}
    say(folder, rope_parameters=asked)
    if transformers.__version__.startswith("4."):
        with pytest.raises(ModelError, match=r"'factor': 2.0.* which transformers 4.* not read"):
            load_subject(folder / "model")
        return
    rotary = load_subject(folder / "model").module.model.model.rotary_emb
    assert rotary.inv_freq.tolist() == pytest.approx([0.5, 0.05])


def test_quantised_weights_are_refused(folder):
    say(folder, quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True})
    with pytest.raises(ModelError, match="is quantised"):
        load_subject(folder / "model")


def test_a_transformers_that_is_too_old_is_one_line(saved, monkeypatch):
    import transformers

    monkeypatch.setattr(transformers, "__version__", "4.56.2")
    with pytest.raises(ModelError, match=r"4.56.2 is installed; .* with 4.57 or newer. Run: pip"):
        load_subject(saved / "model")


def test_tokens_of_another_model(saved, tmp_path):
    save_file({"tokens": torch.full((2, 3), 11)}, tmp_path / "t.safetensors")
    with pytest.raises(ModelError, match="Token 11 is none of the 11 tokens"):
        load_subject(saved / "model", Text(tmp_path / "t.safetensors"))


def test_a_context_that_is_too_long(saved):
    with pytest.raises(UsageError, match=r"A context of 13 tokens is too long: .* at most 12"):
        load_subject(saved / "model", Text(saved / "stories.txt", context=13))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("x.py:make_data",), UsageError, "runs on text"),
        ((None, "fine"), NotFoundError, "Granularity 'fine' not found. There are"),
    ],
)
def test_options_that_are_not_for_language_models(saved, arguments, error, message):
    with pytest.raises(error, match=message):
        load_subject(saved / "model", *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Text,), "no language model. Leave --text out"),
        ((None, "paper"), "no language model. Leave --granularity out"),
    ],
)
def test_options_for_language_models_alone(saved, arguments, message):
    from lib_graph.networks import shipped_model

    data = Text(saved / "stories.txt") if arguments[0] is Text else None
    with pytest.raises(UsageError, match=message):
        load_subject(shipped_model(), data, *arguments[1:])


def test_without_transformers(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelError, match=r"Run: pip install 'lib-graph\[hf\]'"):
        load_subject(saved / "model")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModelError, match=r"no model folder 'some/one'. .*lib-graph\[hf\]"):
        load_subject("some/one")
