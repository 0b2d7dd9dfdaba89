"""Whether modules follow the parts of a network that its weights and its data name (docs §18)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from queries.modules.partitions import adjusted_rand_index, shuffled_agreement

__all__ = ["AGREEMENT", "SHUFFLES", "agreement_rows"]

AGREEMENT = ("structure", "features", "ari", "shuffled_mean", "shuffled_sd")
SHUFFLES = 200


def agreement_rows(modules: pd.DataFrame, parts: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return a row for each structure, with AGREEMENT: how well modules and parts agree.

    `modules` has layer, index and community; `parts` are those of `feature_parts`. The adjusted
    Rand index is 0 by chance where nothing is known of either; but modules follow layers, and so do
    heads. So mean and deviation over SHUFFLES stand beside it, in which the parts of each layer's
    features are dealt out anew among them.
    """
    rows = []
    both = parts.merge(modules, on=["layer", "index"])
    for structure, own in both.groupby("structure", sort=False):
        label = own.groupby(["attention", "part"]).ngroup().to_numpy().astype(np.int64)
        group = own.groupby(["attention", "layer"]).ngroup().to_numpy().astype(np.int64)
        community = own["community"].to_numpy().astype(np.int64)
        chance = shuffled_agreement(community, label, group, SHUFFLES, seed)
        found = adjusted_rand_index(community, label)
        rows.append((structure, len(own), found, chance.mean(), chance.std(ddof=1)))
    return pd.DataFrame(rows, columns=list(AGREEMENT))
