"""What is taken where nobody says otherwise: Python and the command line both take it from here."""

from __future__ import annotations

from typing import Final

SEED: Final = 0

# a build (docs/method.md §2–5)
BASIS: Final = "lib"
LAST: Final = "raw"
RULE: Final = "gradient"
DTYPE: Final = "float64"
TAU: Final = 1e-12  # of the largest eigenvalue: what is not above it is cut
DEVICE: Final = "cpu"
MEMORY: Final = 4 << 30  # bytes that a process may take
CONTEXT: Final = 128  # tokens in a row of text
TOKENS: Final = 50_000

# after a build (§10, §12–14)
EXAMPLES: Final = 10  # at either end of a feature
MATCHES: Final = 3  # of each feature
NEARLY: Final = 0.01  # share of inputs on which units that nearly fire together may differ
DELTA: Final = 1e-3  # by which a score may be worse
DRAWS: Final = 5  # random circuits
RANK: Final = "strength"  # by which a small circuit is looked for

# a study of language models (§18)
LOSSES: Final = (0.0001, 0.001, 0.01)  # shares of the cross-entropy
ANSWERS: Final = 1016  # that a mask is scored on
RESAMPLED: Final = 200  # draws of samples
STUDIED: Final = 5120  # tokens
TIMES: Final = 3  # seeds of a random basis, partitions
NULL: Final = 20  # graphs without modules

# networks that are trained
MODULUS: Final = 113
MAX_STEPS: Final = 20_000
EPOCHS: Final = 10

# dictionaries that are trained (§9)
EXPANSION: Final = 4  # features for each coordinate
ACTIVE: Final = 16  # features at a position
STEPS: Final = 3000

# questions (§6, §8, §11)
LIMIT: Final = 20  # rows
PAGE: Final = 100  # rows that the service gives at once
PATHS: Final = 10
COST_DECIMALS: Final = 10  # to which the costs of paths agree that are equally strong
SIZE: Final = 50  # interactions of a circuit that is grown
MIN_STRENGTH: Final = 0.0
MIN_SHARE: Final = 0.05  # of what flows into a target
MIN_IMPORTANCE: Final = 1e-6  # of the layer's largest: what can end a path
LEAST_TARGET: Final = 1e-3  # of the layer's largest: what `unusual` looks at
METHOD: Final = "leiden"
ENGINE: Final = "own"
WEIGHTS: Final = "sqrt"
RESOLUTION: Final = 1.0
SHUFFLED: Final = 10  # graphs without modules
UNSHUFFLED: Final = 0  # the same, where Python asks for modules alone
CHANCE_UP_TO: Final = 100_000  # interactions of a run whose modules are held against chance unasked
SEEDS: Final = 10  # partitions that are compared
SEEDS_EACH: Final = 1  # the same, of each of several runs
SHOWN: Final = 5  # inputs, outputs and examples of a feature
SORT: Final = "index"
DRAWN: Final = 30  # of each layer, or paths or interactions in a picture
KEPT: Final = 0.8  # of the strength of each section, in an overview
VIEWED: Final = 5000  # interactions of an overview
