#!/usr/bin/env bash
# torch.slice_scatter with a part counted from the end works, and under vmap it does not.
#
# Guess:    torch.slice_scatter(x, part, dim=0, start=-2) under torch.vmap is what it is of each
#           sample alone; slices, negative indices and x[-2:] = part are.
# Instead:  vmap takes the negative number as it stands: -2 without an end asks for an index of
#           n + 2 places ("Expected index [3, 10] to be no larger than self [3, 8]"), -4 to -2 is
#           "out of bounds", 2 to -4 has "bounds inconsistent with step sign". Alone, in jvp and in
#           vjp, each is right, and so is the assignment, which is what people write.
# Versions: torch 2.15.0.
# Who:      whoever batches a graph of torch.export: after run_decompositions the assignment
#           states[:, -2:] = ... is a slice_scatter with start -2 (xLSTM of transformers has some) and
#           the largest integer for its end, which overflows: jacfwd, jacrev and vmap fail on the
#           graph and not on the module.
# Around:   slice(start, end).indices(n) before the call.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
import sys

import torch

x, parts = torch.arange(8.0), torch.arange(6.0).reshape(3, 2) + 100


def written(start, end):
    """A vector whose part from `start` to `end` is another, as a function of that part."""
    return lambda part: torch.slice_scatter(x, part, dim=0, start=start, end=end)


def assigned(start, end):
    def of(part):
        y = x + 0 * part.sum()  # one of each sample
        y[start:end] = part
        return y

    return of


def tried(function):
    """Return what a function is of three parts at once, or what torch says."""
    try:
        return torch.vmap(function)(parts)
    except (RuntimeError, IndexError) as error:
        return str(error).splitlines()[0]


print("torch", torch.__version__)
seen = []
for start, end in [(4, 6), (-4, 6), (-4, -2), (2, -4), (-2, None)]:
    truth = torch.stack([written(start, end)(part) for part in parts])
    found = {name: tried(make(start, end)) for name, make in
             [("slice_scatter", written), ("assignment", assigned)]}
    right = {n: torch.is_tensor(y) and bool((y == truth).all()) for n, y in found.items()}
    slope = torch.func.jvp(written(start, end), (parts[0],), (parts[0],))[1]
    alone = slope.count_nonzero().item() == 2
    print(f"[{start}:{'' if end is None else end}] alone {alone}, vmap:",
          *(f"{n} {'right' if ok else found[n]!r:.70}" for n, ok in right.items()), sep="  ")
    seen.append((alone, right["slice_scatter"], right["assignment"]))


class States(torch.nn.Module):
    def forward(self, x):
        states = torch.zeros(5) + x.sum()
        states[-2:] = x
        return states


graph = torch.export.export(States(), (parts[0],)).run_decompositions({}).module()
module, exported = tried(States()), tried(graph)
print("the module under vmap:", "right" if torch.is_tensor(module) else module)
print("its exported graph under vmap:", exported if isinstance(exported, str) else "right")
seen.append((torch.is_tensor(module), isinstance(exported, str)))
if seen != [(True, True, True)] + 4 * [(True, False, True)] + [(True, True)]:
    sys.exit("The behaviour has changed.")
PY
