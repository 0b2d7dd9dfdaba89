"""How people write the inputs of a network: text, pictures, and back."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from lib_graph.errors import UsageError

__all__ = ["Images", "Notation", "Sample", "Sums"]

AROUND = 12  # tokens shown on either side of the one that is marked
NUMBERS = 8  # of a vector, at most


@dataclass(frozen=True)
class Sample:
    """One input: the module's arguments without the samples' axis, and the positions that count."""

    inputs: tuple[Tensor, ...]
    counted: Bool[Tensor, " s"] | None = None


@dataclass(frozen=True)
class Notation:
    """The notation of inputs of which nothing is known: numbers, and images that look like some.

    Of the module's arguments it shows the first.
    """

    @property
    def vocabulary(self) -> object:
        """What the numbers in an input stand for, to be compared; None where nobody knows."""
        return None

    def write(self, sample: Sample, position: int | None) -> str:
        """Return a line that shows a sample and, if given, marks one of its positions.

        >>> Notation().write(Sample((torch.tensor([5, 3, 8]),)), 1)
        '5 «3» 8'
        >>> Notation().write(Sample((torch.tensor([0.25, -1.0]),)), None)
        '0.25 -1'
        """
        x = sample.inputs[0]
        if x.ndim == 1 and not x.is_floating_point():
            counted = range(len(x)) if sample.counted is None else sample.counted.nonzero()[:, 0]
            return marked({int(s): str(int(x[s])) for s in counted}, position)
        if x.ndim == 2 and position is not None and position < len(x):
            x = x[position]
        if x.ndim < 2:
            return _numbers(x)
        return " × ".join(map(str, x.shape))

    def pieces(self, sample: Sample) -> tuple[str, ...]:
        """Return the text at each position, () where inputs are no pieces of a text."""
        return ()

    def picture(self, sample: Sample) -> UInt8[Tensor, "h w c"] | None:
        """Return a sample's image, from its darkest to its brightest value, or None."""
        x = sample.inputs[0]
        is_image = x.ndim == 3 and len(x) in (1, 3) and x.is_floating_point()
        return _bytes(x) if is_image else None

    def read(self, text: str) -> Sample:
        """Return the sample that a text stands for. Raises UsageError if it stands for none."""
        raise UsageError(
            f"The inputs of this network cannot be written as text, as {text!r} is. Give the "
            "number of a sample of its data."
        )


@dataclass(frozen=True)
class Images(Notation):
    """The notation of images [c h w] that a network takes as vectors (pixels − mean) / std.

    `mean` and `std` are those of each channel, of pixels from 0 to 1.
    """

    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def write(self, sample: Sample, position: int | None) -> str:
        """Return the size of the image."""
        return " × ".join(map(str, self.shape))

    def picture(self, sample: Sample) -> UInt8[Tensor, "h w c"]:
        """Return the image."""
        mean, std = (torch.tensor(x)[:, None, None] for x in (self.mean, self.std))
        pixels = sample.inputs[0].reshape(self.shape) * std + mean
        return (pixels * 255).round().clamp(0, 255).to(torch.uint8).movedim(0, -1)


@dataclass(frozen=True)
class Sums(Notation):
    """The notation of (a, b, =) modulo p: `a + b =`."""

    modulus: int

    @property
    def vocabulary(self) -> int:
        """The modulus: numbers below it, and itself for the equals sign."""
        return self.modulus

    def write(self, sample: Sample, position: int | None) -> str:
        """Return the sum, with a mark at a position if given.

        >>> Sums(7).write(Sample((torch.tensor([5, 3, 7]),)), 0)
        '«5» + 3 ='
        """
        a, b, _ = (int(x) for x in sample.inputs[0])
        a_text, b_text, equals = (
            f"«{text}»" if place == position else text
            for place, text in enumerate([str(a), str(b), "="])
        )
        return f"{a_text} + {b_text} {equals}"

    def read(self, text: str) -> Sample:
        """Return the sample of a sum. Raises UsageError if the text is none.

        >>> Sums(7).read("5+3").inputs[0].tolist()
        [5, 3, 7]
        """
        match = re.fullmatch(r"\s*(\d+)\s*\+\s*(\d+)\s*=?\s*", text)
        numbers = [int(number) for number in match.groups()] if match else []
        if not numbers or max(numbers) >= self.modulus:
            raise UsageError(
                f"{text!r} is no sum of two numbers below {self.modulus}. Write it as '1 + 1'."
            )
        return Sample((torch.tensor([*numbers, self.modulus]),))


def marked(tokens: dict[int, str], position: int | None, between: str = " ") -> str:
    """Return tokens, by position, as a line with one of them marked and those around it.

    Without a position the line is all of them.

    >>> marked({0: "the", 1: "cat", 2: "sat"}, 2)
    'the cat «sat»'
    """
    if position is None:
        return between.join(tokens.values())
    near = {s: text for s, text in tokens.items() if abs(s - position) <= AROUND}
    line = between.join(f"«{text}»" if s == position else text for s, text in near.items())
    before, after = min(near) > min(tokens), max(near) < max(tokens)
    return f"{'… ' if before else ''}{line}{' …' if after else ''}"


def _numbers(x: Tensor) -> str:
    """Return the first numbers of a vector.

    >>> _numbers(torch.arange(10.0))
    '0 1 2 3 4 5 6 7 … (10)'
    """
    values = x.flatten().tolist()
    more = f" … ({len(values)})" if len(values) > NUMBERS else ""
    return " ".join(f"{value:.3g}" for value in values[:NUMBERS]) + more


def _bytes(image: Tensor) -> UInt8[Tensor, "h w c"]:
    """Return an image [c h w] in bytes, its least value 0 and its largest 255."""
    image = image.double()
    low, high = image.aminmax()
    scaled = (image - low) / (high - low).clamp_min(1e-30)
    return (scaled * 255).round().to(torch.uint8).movedim(0, -1)
