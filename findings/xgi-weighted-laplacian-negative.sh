#!/usr/bin/env bash
# The normalised Laplacian of a weighted hypergraph has eigenvalues of -3.
#
# Guess:    as in the paper that it names (Zhou et al. 2006): eigenvalues between 0 and 1, and the same ones if
#           every weight is doubled.
# Instead:  weighted=True puts the weights between the incidence matrices and leaves the nodes' degrees
#           without them. With all weights 4 the eigenvalues are -3, -1, 1 in place of 0, 0.5, 1.
# Versions: xgi 0.10.2, numpy 2.4.6.
# Who:      spectral clustering or diffusion on a weighted hypergraph.
# Around:   the formula by hand, with H.nodes.degree(weight="weight"), which does have the weights.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check xgi==0.10.2 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys

import numpy
import xgi


def spectra(weights):
    """Eigenvalues of the package's Laplacian and of the paper's formula."""
    hypergraph = xgi.Hypergraph()
    for start, weight in enumerate(weights):
        hypergraph.add_edge([start, start + 1], weight=weight)
    found = xgi.normalized_hypergraph_laplacian(hypergraph, weighted=True, sparse=False)
    incidence = xgi.incidence_matrix(hypergraph, sparse=False)
    degrees = hypergraph.nodes.degree(weight="weight").asnumpy()
    scaled = incidence / numpy.sqrt(degrees)[:, None]
    known = numpy.eye(len(degrees)) - scaled @ numpy.diag(weights / incidence.sum(0)) @ scaled.T
    return [(numpy.linalg.eigvalsh(matrix).round(3) + 0.0).tolist() for matrix in (found, known)]


print("xgi", xgi.__version__, "numpy", numpy.__version__)
seen = {weights: spectra(weights) for weights in ((1, 1), (4, 4), (0.5, 2))}
for weights, (found, known) in seen.items():
    print(f"weights {weights}: xgi {found}, formula {known}")
if [found for found, _ in seen.values()] != [[0, 0.5, 1], [-3, -1, 1], [-0.553, 0.678, 1]] or any(
    known != [0, 0.5, 1] for _, known in seen.values()
):
    sys.exit("The behaviour has changed.")
PY
