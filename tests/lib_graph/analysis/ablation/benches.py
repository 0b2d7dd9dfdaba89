"""Small random networks to ablate, and what they compute found by brute force."""

from dataclasses import replace

import torch

import lib_graph
from lib_graph.analysis.ablation import Bench
from lib_graph.data.evaluation import Evaluation
from lib_graph.networks.modular_addition import answers, split
from lib_graph.run.circuit import CircuitFile, CircuitInteraction
from tests.lib_graph.nets import CONFIG, STACKED, stacked, transformer_subject

TEST = split(CONFIG)[1]


def scored(metric="cross-entropy"):
    evaluation = Evaluation("test split", (TEST,), answers(TEST, CONFIG), metric=metric)
    return replace(transformer_subject(), evaluation=evaluation)


def two_positions():
    """A network without closed forms: two positions, a norm, a layer of two tensors."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(30, 2, 3, generator=generator, dtype=torch.float64)
    targets = torch.randint(0, 3, (30, 2), generator=generator)
    counted = torch.rand(30, 2, generator=generator) < 0.7
    evaluation = Evaluation("random", (inputs,), targets, counted, "cross-entropy")
    subject = lib_graph.Subject("stacked", "tests", stacked(), (inputs,), "random", STACKED)
    return replace(subject, evaluation=evaluation)


SUBJECTS = {"transformer": scored, "two positions": two_positions}


def bench_of(subject, folder):
    """In the neurons' basis, where nothing is cut: all interactions are the whole network."""
    run = lib_graph.build(subject, folder, lib_graph.Options(basis="neuron"))
    return Bench.of(run, subject=subject, dtype=torch.float64)


def whole_batch(bench):
    """All of the data at once."""
    return bench.scored(bench.network.run(*bench.evaluation.inputs))


def in_batches(bench, function, values, step=7):
    found = []
    for i in range(0, len(bench), step):
        inputs = (x[i : i + step] for x in bench.evaluation.inputs)
        found.append(function(values[i : i + step], bench.network.run(*inputs).constants))
    return torch.cat(found)


def brute(bench, section, features, mask):
    """Each target on its own: all other features at 0, through the section, into its basis."""
    basis, following = (bench.bases[x.name] for x in (section.source, section.target))
    columns = [
        following.coordinates(
            in_batches(bench, section, (features * row) @ basis.inverse + basis.origin)
        )[..., i]
        for i, row in enumerate(mask.T)
    ]
    return torch.stack(columns, -1)


def whole(bench):
    """The circuit of all interactions."""
    run = bench.run
    rows = (
        CircuitInteraction(
            source=f"{run.id}/{row.source_layer}/{row.source}",
            target=f"{run.id}/{row.target_layer}/{row.target}",
            strength=row.strength,
        )
        for row in run.interactions.itertuples()
    )
    return CircuitFile(run=run.id, interactions=tuple(rows))


def only(circuit, interactions):
    return circuit.model_copy(update={"interactions": tuple(interactions)})
