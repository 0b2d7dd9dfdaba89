import torch

from tests.traced import traced_once

__all__ = ["traced_once"]

# Several threads would wait for each other on a machine that is busy otherwise.
torch.set_num_threads(1)
