"""One thread: several would wait for each other on a machine that is busy otherwise."""

import torch

torch.set_num_threads(1)
