"""Ranks, synchronised units, free parameters and gauges, checked by moving the parameters."""

import json
import math

import pandas as pd
import pytest
import torch
from torch import nn

import lib_graph
from lib_graph.analysis.degeneracy.firing import Firing, firing_of
from lib_graph.analysis.degeneracy.measured import free_maps
from lib_graph.analysis.degeneracy.tables import degeneracy_of
from lib_graph.analysis.reopening import reopened_network
from lib_graph.cutting.composing import compose
from lib_graph.networks.checkpoint import save
from tests.lib_graph.cli.test_build import lib_graph as command
from tests.lib_graph.nets import CONFIG, random_, transformer, transformer_subject
from tests.lib_graph.toys import linear, ranked

CUTOFFS = {"tau_pca": 1e-12, "tau_lib": 1e-12}


def flawed(bias=True):
    """A perceptron of 5-6-4-2 whose units 0 and 1 fire together, 2 never, and 3 is not read.

    Its data span three of five directions.
    """
    module = random_(
        nn.Sequential(
            nn.Linear(5, 6, bias=bias), nn.ReLU(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)
        )
    )
    generator = torch.Generator().manual_seed(3)
    spread, span, mean = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((200, 3), (3, 5), (5,))
    )
    x = spread @ span + mean  # whose mean is in none of the three directions
    first, second, third = module[0], module[2], module[4]
    with torch.no_grad():
        first.weight[1] = 2 * first.weight[0]
        first.weight[2] = -1
        if bias:
            first.bias[1] = 2 * first.bias[0]
            first.bias[2] = -100
        second.weight[:, 3] = 0
        third.weight[1] = -3 * third.weight[0]
    return lib_graph.Subject.of(module, x, ["a=0:in", "b=2:in", "c=4:in", "output"])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return lib_graph.build(flawed(), tmp_path_factory.mktemp("flawed"))


def outputs(found):
    return found.network.run(*found.subject.inputs).activations[-1]


@pytest.mark.slow
def test_ranks(run):
    """Units 0 and 1 of the first hidden layer are proportional, 2 is constant; one output is read
    off the other."""
    rows = degeneracy_of(run, flawed()).layers.set_index("layer")
    assert rows.width.tolist() == [5, 6, 4, 2]
    assert rows.pca_rank.tolist() == [3, 4, 4, 1]
    assert rows.lib_rank.tolist()[:3] == [layer.features for layer in run.layers[:3]]
    assert rows.lib_rank.isna().tolist() == [False, False, False, True]
    importance = run.features.query("layer == 'b' and role == 'feature'").importance.to_numpy()
    p = torch.from_numpy(importance / importance.sum())
    entropy = -float((p * p.log()).sum())
    assert rows.lib_effective_rank["b"] == pytest.approx(math.exp(entropy))
    assert 1 <= rows.pca_effective_rank["a"] <= 3


@pytest.mark.slow
def test_what_is_read_is_what_the_outputs_depend_on(run):
    """The rank of the derivatives of the outputs on all inputs, side by side."""
    found = reopened_network(run, flawed())
    batch = found.network.run(*found.subject.inputs)
    rows = degeneracy_of(run, flawed()).layers.set_index("layer")
    for index, layer in enumerate(found.network.layers[:-1]):
        whole, f = compose(found.network.sections[index:]), batch.activations[index]
        J = torch.func.vmap(torch.func.jacrev(lambda z, w=whole: w(z[None], ())[0]))(f)
        rank = int(torch.linalg.matrix_rank(J.reshape(-1, layer.width), rtol=1e-9))
        assert rows.read_rank[layer.name] == rank < layer.width


@pytest.mark.slow
def test_units_that_fire_together(run):
    rows = degeneracy_of(run, flawed(), share=0.3).units
    first = rows[rows.layer == "a"].set_index("share")
    assert first.units.tolist() == [6, 6]
    assert first.silent.tolist() == [1, 1]
    assert first.members[0.0] == [[0, 1]]
    assert (first.groups[0.0], first.synchronised[0.0]) == (1, 2)
    assert first.synchronised[0.3] >= 2
    assert set(rows.layer) == {"a", "b"}


@pytest.mark.slow
def test_firing_is_counted_at_every_relu_and_where_it_counts():
    x = torch.tensor([[[1.0, -1.0]], [[1.0, 1.0]]])
    counted = torch.tensor([[False], [True]])

    def function():
        torch.relu(x).relu_()
        torch.tanh(x)

    whole, part = firing_of(function), firing_of(function, counted)
    assert [f.rows for f in whole] == [2, 2]
    assert whole[0].both.tolist() == [[2, 1], [1, 1]]
    assert [f.rows for f in part] == [1, 1]
    assert part[0].synchronised() == [[0, 1]]
    (image,) = firing_of(lambda: nn.ReLU()(torch.ones(2, 3, 4, 5)))
    assert (image.rows, len(image.both)) == (40, 3)
    nearly = torch.tensor([[1, 1], [1, 0], [1, 1]]).bool()
    assert Firing.of(nearly).synchronised() == []
    assert Firing.of(nearly).synchronised(0.3) == []
    assert Firing.of(nearly).synchronised(0.34) == [[0, 1]]
    merged = Firing.of(x[:, 0] > 0).merge(Firing.of(x[:1, 0] > 0))
    assert merged.rows == 3
    assert merged.both.tolist() == [[3, 1], [1, 1]]


def moved_along(found, each, generator):
    """Move a map's parameters a little along random free directions, and back after each way."""
    weight, bias = each.map.weight, each.map.bias

    def random(*shape):
        return 1e-3 * torch.randn(shape, generator=generator, dtype=torch.float64)

    f = found.network.run(*found.subject.inputs)
    index = next(x.index for x in found.network.layers if x.name == each.layer)
    x = each.map.inputs(f.activations[index].flatten(0, 1)) if each.map.inputs else None
    unused, unread = each.inputs.null, each.results.null
    first = unused @ random(unused.shape[1], weight.shape[1])
    moves = {
        "unused": (first, None if x is None else -x.mean(0) @ first),
        "unread": (
            random(weight.shape[0], unread.shape[1]) @ unread.T, random(unread.shape[1]) @ unread.T
        ),
    }  # fmt: skip
    for way, (change, shift) in moves.items():
        if change.abs().max() > 0:
            weight += change
            if bias is not None:
                bias += shift
            yield way
            weight -= change
            if bias is not None:
                bias -= shift


SUBJECTS = {
    "biases": flawed,
    "no first bias": lambda: flawed(bias=False),
    "linear": lambda: ranked((4, 3), 5),
}


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("name", SUBJECTS)
def test_moves_along_free_directions_change_no_output(tmp_path, name):
    subject = SUBJECTS[name]()
    found = reopened_network(lib_graph.build(subject, tmp_path), subject)
    before, generator = outputs(found), torch.Generator().manual_seed(0)
    ways = []
    for each in free_maps(found, CUTOFFS):
        for way in moved_along(found, each, generator):
            assert (outputs(found) - before).abs().max() < 1e-11 * before.abs().max(), way
            ways.append((each.layer, way))
    assert {way for _, way in ways} == {"unused", "unread"}
    found.network.sections[0].kind.weight.mul_(1.01)  # so that the moves reach what is run
    assert (outputs(found) - before).abs().max() > 1e-6


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("name", SUBJECTS)
def test_the_number_of_free_directions_is_what_autograd_finds(tmp_path, name):
    """The nullity of the derivative of all outputs by the parameters of one map."""
    subject = SUBJECTS[name]()
    found = reopened_network(lib_graph.build(subject, tmp_path), subject)
    maps = free_maps(found, CUTOFFS)
    assert sum(each.free for each in maps) > 0
    lines = [m for m in subject.module if isinstance(m, nn.Linear)]
    for each, line in zip(maps, lines, strict=True):
        parameters = dict(line.named_parameters())
        prefix = next(n for n, m in subject.module.named_modules() if m is line)

        def function(*values, names=tuple(parameters), prefix=prefix):
            given = {f"{prefix}.{n}": v for n, v in zip(names, values, strict=True)}
            return torch.func.functional_call(subject.module, given, subject.inputs)

        J = torch.autograd.functional.jacobian(function, tuple(parameters.values()))
        J = torch.cat([part.flatten(2).flatten(0, 1) for part in J], 1)
        nullity = J.shape[1] - int(torch.linalg.matrix_rank(J, rtol=1e-9))
        assert each.parameters == J.shape[1]
        assert each.free <= nullity
        if name == "linear":
            assert each.free == nullity


def hidden_of(found):
    """What comes into the ReLU of the transformer, a row per sample."""
    mlp = found.network.sections[1].kind
    return (found.network.run(*found.subject.inputs).activations[1] @ mlp.w_in + mlp.b_in)[:, 0]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_whole_transformer(tmp_path):
    subject = transformer_subject()
    with torch.no_grad():
        mlp = subject.module.blocks[0].mlp
        mlp.W_out[5] = 0
        mlp.b_in[3] = -1e3
    run = lib_graph.build(subject, tmp_path)
    found = reopened_network(run, subject)
    before, generator = outputs(found), torch.Generator().manual_seed(0)
    maps = free_maps(found, CUTOFFS)
    assert [each.map.name for each in maps] == [
        "w_q", "w_k", "w_v", "w_o", "w_in", "w_out", "weight"
    ]  # fmt: skip
    by_name = {each.map.name: each for each in maps}
    fires = Firing.of(hidden_of(found) > 0).both.diagonal() > 0
    assert not fires[3]
    assert by_name["w_out"].inputs.rank == fires.sum()
    assert fires[5]
    assert by_name["w_in"].results.rank == fires.sum() - 1
    for name in ("w_in", "w_out", "weight"):
        for way in moved_along(found, by_name[name], generator):
            assert (outputs(found) - before).abs().max() < 1e-10 * before.abs().max(), way
    table = degeneracy_of(run, subject)
    assert table.maps.free.tolist() == [each.free for each in maps]
    assert table.gauges.directions.tolist() == [2 * 9, 2 * 9, 12]


@pytest.mark.slow
def test_the_gauges_between_sections(run, tmp_path):
    gauges = degeneracy_of(run, flawed()).gauges
    assert gauges.to_dict("records") == [
        {"layer": "a", "name": "scale of each ReLU unit", "directions": 6},
        {"layer": "b", "name": "scale of each ReLU unit", "directions": 4},
    ]
    found = reopened_network(run, flawed())
    before, (first, second, *_) = outputs(found), (s.kind for s in found.network.sections)
    c = torch.rand(6).double() + 0.5
    for weight, factor in ((first.weight, c), (first.bias, c), (second.weight, 1 / c[:, None])):
        weight *= factor
    assert torch.allclose(outputs(found), before, rtol=1e-10)
    subject = ranked((4, 3), 5)
    between = degeneracy_of(lib_graph.build(subject, tmp_path), subject).gauges
    assert between.directions.tolist() == [25]


@pytest.mark.slow
def test_sections_of_no_known_kind_have_no_maps(tmp_path):
    module = nn.Sequential(linear(torch.eye(3).double()), nn.Softmax(-1))
    subject = lib_graph.Subject.of(module, torch.randn(9, 3), ["0:in", "output"])
    found = degeneracy_of(
        lib_graph.build(subject, tmp_path, lib_graph.Options(basis="pca")), subject
    )
    assert len(found.maps) == len(found.gauges) == len(found.units) == 0
    assert found.layers.lib_rank.isna().all()
    assert found.layers.pca_rank.tolist() == [3, 2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run whose network is in a folder."""
    folder = tmp_path_factory.mktemp("degeneracy")
    save(folder / "model", transformer().float(), CONFIG)
    lib_graph.build(folder / "model", folder / "run")
    return folder


@pytest.mark.slow
def test_the_command(folder, tmp_path, capsys):
    run = str(folder / "run")
    assert command("degeneracy", run, "-q") == 0
    out = capsys.readouterr().out
    assert [word in out for word in ("Ranks", "ReLU units", "Linear maps", "Gauges")] == [True] * 4
    assert command("degeneracy", run, "-q", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["layers", "units", "maps", "gauges"]
    assert [row["layer"] for row in found["layers"]] == ["ln1.0", "ln2.0", "unembed", "output"]
    assert found["layers"][-1]["lib_rank"] is None
    assert command("degeneracy", run, "-q", "--json", "--of", "maps", "--share", "0.1") == 0
    assert json.loads(capsys.readouterr().out) == found["maps"]
    assert command("degeneracy", run, "-q", "--csv", "--model", str(folder / "model")) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("layer,width,pca_rank")
    file = str(tmp_path / "units.parquet")
    assert command("degeneracy", run, "-q", "--of", "units", "--parquet", file) == 0
    assert pd.read_parquet(file).units.tolist() == [CONFIG.d_mlp] * 2
    assert command("degeneracy", run, "-q", "--of", "gauges") == 0
    assert capsys.readouterr().out.startswith("Gauges")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--data", "x"], 2, "--data goes with --model"),
        (["--share", "2"], 2, "share is 2.0"),
        (["--memory", "lots"], 2, "'lots' is not a memory size"),
        (["--json", "--csv"], 2, "exclude each other"),
        (["--model", "none"], 1, "There is no model folder 'none'"),
    ],
)
def test_what_cannot_be_used_is_one_line(folder, capsys, arguments, code, words):
    assert command("degeneracy", str(folder / "run"), "-q", *arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


@pytest.mark.slow
def test_another_network_is_refused(folder, tmp_path, capsys):
    save(tmp_path / "other", transformer(1).float(), CONFIG)
    run, model = str(folder / "run"), str(tmp_path / "other")
    assert command("degeneracy", run, "-q", "--model", model) == 4
    assert "The weights of" in capsys.readouterr().err
