"""What a section can be declared to be, and the closed forms that follow (docs/method.md §5).

A declaration is checked against the section itself at every build (`lib_graph.cutting.kindcheck`).
A kind of your own derives from `Kind`, and answers what it knows (docs/your-own-network.md).
"""

from lib_graph.kinds.attention import Attention, Fixed, Rotary
from lib_graph.kinds.gated_mlp import GatedMLP
from lib_graph.kinds.linear import Linear
from lib_graph.kinds.local import PositionLocal
from lib_graph.kinds.norm import Norm
from lib_graph.kinds.norm_linear import NormLinear
from lib_graph.kinds.perceptron import Perceptron
from lib_graph.kinds.residual_mlp import ResidualMLP
from lib_graph.kinds.tail import Tail
from lib_graph.method.ends import Ends
from lib_graph.method.kind import Kind
from lib_graph.method.linear_map import LinearMap
from lib_graph.method.question import Question

__all__ = [
    "Attention",
    "Ends",
    "Fixed",
    "GatedMLP",
    "Kind",
    "Linear",
    "LinearMap",
    "Norm",
    "NormLinear",
    "Perceptron",
    "PositionLocal",
    "Question",
    "ResidualMLP",
    "Rotary",
    "Tail",
]
