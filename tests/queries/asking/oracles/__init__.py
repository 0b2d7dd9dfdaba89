"""What each named query is asked in its test, and what finds the same by pandas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from tests.queries.asking.oracles.comparisons import (
    against_base,
    changed_interactions,
    changed_variance,
    matched_interactions,
    matches,
)
from tests.queries.asking.oracles.features import (
    bottlenecks,
    concentrated_inputs,
    constant_driven,
    dead_ends,
    hubs,
    layer_totals,
    outliers,
    specialists,
    weak_inputs,
)
from tests.queries.asking.oracles.groups import (
    circuits_with,
    label_flow,
    mixing_labels,
    module_bridges,
    module_flow,
    one_module_features,
)
from tests.queries.asking.oracles.interactions import (
    cancelling,
    inputs_of,
    outputs_of,
    signed,
    uncertain,
)
from tests.queries.asking.oracles.pairs import redundant_pairs, shared_inputs, similar_answers
from tests.queries.asking.oracles.paths import best_path_through, paths_through
from tests.queries.asking.oracles.world import BASE, RUN, World

__all__ = ["ASKED", "BASE", "RUN"]

Oracle = Callable[[World], pd.DataFrame]
ASKED: dict[str, tuple[dict[str, Any], Oracle]] = {
    "best_path_through": ({"layer": "layer.2"}, best_path_through),
    "bottlenecks": ({}, bottlenecks),
    "cancelling": ({"layer": "layer/1"}, cancelling),
    "changed_variance": ({"other": "base"}, changed_variance),
    "changed_interactions": (
        {"other": BASE[:4], "min_share": 0.1, "k": 1000},
        changed_interactions,
    ),
    "circuits_with": ({"feature": "layer/1/1"}, circuits_with),
    "concentrated_inputs": ({"k": 1000}, concentrated_inputs),
    "constant_driven": ({}, constant_driven),
    "dead_ends": ({"min_share": 0.3}, dead_ends),
    "exciting": ({"min_share": 0.05}, lambda w: signed(w, 1)),
    "hubs": ({"by": "degree_out", "min_share": 0.2}, hubs),
    "inhibiting": ({"min_share": 0.05}, lambda w: signed(w, -1)),
    "input_ignores": ({"min_share": 0.1, "k": 1000}, lambda w: against_base(w, -1)),
    "input_uses": ({"min_share": 0.1}, lambda w: against_base(w, 1)),
    "inputs_of": ({"feature": "layer/3/1", "k": 3}, inputs_of),
    "label_flow": ({}, label_flow),
    "layer_totals": ({}, layer_totals),
    "matched_interactions": (
        {"other": "base", "min_correlation": 0.5, "min_share": 0.1, "k": 1000},
        matched_interactions,
    ),
    "matches": ({"feature": "layer/1/1", "min_correlation": 0.2}, matches),
    "mixing_labels": ({"layer": "layer/1"}, mixing_labels),
    "module_bridges": ({}, module_bridges),
    "module_flow": ({}, module_flow),
    "one_module_features": ({"min_part": 0.6}, one_module_features),
    "outliers": ({"min_part": 0.01}, outliers),
    "outputs_of": ({"feature": f"{RUN}/layer.0/2", "k": 3}, outputs_of),
    "paths_through": ({"feature": "layer/1/1"}, paths_through),
    "redundant_pairs": ({"layer": "layer.0"}, redundant_pairs),
    "shared_inputs": ({"first": "layer/1/1", "second": "layer/1/2"}, shared_inputs),
    "similar_answers": ({"layer": "layer/3"}, similar_answers),
    "specialists": ({"min_part": 0.01}, specialists),
    "uncertain": ({}, uncertain),
    "weak_inputs": ({"max_share": 0.9, "min_inputs": 3}, weak_inputs),
}
