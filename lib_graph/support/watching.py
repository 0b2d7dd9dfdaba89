"""What looks on while torch computes."""

from __future__ import annotations

from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Watching"]


class Watching(TorchDispatchMode):
    """Is handed each operation that torch does; derive from it, and write `__torch_dispatch__`.

    Torch's own class has its compiler leave such a method alone, which loads the compiler first:
    more than a second, where nothing is ever compiled.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False
