"""Multilayer perceptrons that classify images, in a folder that says where their data are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from torch import Tensor, nn

from lib_graph.data.images import LabelledImages, read_images
from lib_graph.data.notation import Images
from lib_graph.errors import UsageError
from lib_graph.networks.checkpoint import fill, read_config, read_weights
from lib_graph.networks.subject import Subject

__all__ = ["MLP", "ImageData", "MLPConfig", "MLPTraining", "layers_of", "load"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageData(_Record):
    """The data set: where it is, what it holds, and how its pixels become inputs.

    Inputs are (pixel / 255 − mean) / std, with a mean and a std for each channel.
    """

    folder: str
    label: str | None = None
    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    classes: PositiveInt
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]

    @classmethod
    def of(cls, images: LabelledImages, folder: Path, label: str | None) -> ImageData:
        """Return what a training split is, normalised to mean 0 and variance 1 per channel.

        Raises UsageError if images have no labels (the hub's mark is -1).
        """
        if int(images.labels.min()) < 0:
            raise UsageError(f"Images in {str(folder)!r} have labels below 0. Give labelled ones.")
        channels, height, width = images.pixels.shape[1:]
        values = [images.pixels[:, i].double() / 255 for i in range(channels)]
        std = [float(x.std(correction=0)) for x in values]
        return cls(
            folder=str(folder.resolve()),
            label=label,
            shape=(channels, height, width),
            classes=int(images.labels.max()) + 1,
            mean=tuple(float(x.mean()) for x in values),
            std=tuple(x if x > 0 else 1.0 for x in std),
        )

    def inputs(self, images: LabelledImages) -> Float[Tensor, "n chw"]:
        """Return images as inputs in float32, channel by channel, row by row.

        Raises UsageError if they are of another shape.
        """
        if tuple(images.pixels.shape[1:]) != self.shape:
            raise UsageError(
                f"The images are {list(images.pixels.shape[1:])}, the network is for "
                f"{list(self.shape)} (channels, height, width). Give its own data."
            )
        values = images.pixels.to(torch.float32).div_(255)
        mean, std = (torch.tensor(x)[:, None, None] for x in (self.mean, self.std))
        return values.sub_(mean).div_(std).flatten(1)


class MLPTraining(_Record):
    """How a model was trained, and what it reached; null on a test split that there is not."""

    seed: int
    epochs: int
    steps: int
    batch_size: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    train_accuracy: float
    train_loss: float
    test_accuracy: float | None
    test_loss: float | None
    torch: str


class MLPConfig(_Record):
    """What config.json says."""

    architecture: Literal["MLP"] = "MLP"
    hidden: tuple[PositiveInt, ...]
    act_fn: Literal["relu"] = "relu"
    data: ImageData
    training: MLPTraining | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The widths of all layers, the pixels first, the classes last."""
        channels, height, width = self.data.shape
        return (channels * height * width, *self.hidden, self.data.classes)


class MLP(nn.Module):
    """Linear maps with ReLUs between them."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.linears = nn.ModuleList(map(nn.Linear, sizes, sizes[1:]))

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n classes"]:
        """Return the logits."""
        first, *others = self.linears
        x = first(x)
        for linear in others:
            x = linear(torch.relu(x))
        return x


def layers_of(config: MLPConfig) -> dict[str, str]:
    """Return the layers: the input of each linear map, and the logits.

    >>> data = ImageData(folder="", shape=(1, 2, 2), classes=2, mean=(0.0,), std=(1.0,))
    >>> layers_of(MLPConfig(hidden=(3,), data=data))
    {'input': 'linears.0:in', 'hidden1': 'linears.1:in', 'output': 'output'}
    """
    hidden = {f"hidden{i}": f"linears.{i}:in" for i in range(1, len(config.hidden) + 1)}
    return {"input": "linears.0:in", **hidden, "output": "output"}


def load(folder: Path, data: str | None = None) -> Subject:
    """Return the network in a folder, with its training split, or that of another data folder.

    Raises ModelError if the folder's files are missing, broken, or do not fit each other,
    UsageError if the images are not where they were, or do not fit the network.
    """
    config = read_config(folder, MLPConfig)
    module = MLP(config.sizes)
    fill(module, read_weights(folder), folder)
    place = Path(data or config.data.folder)
    images = read_images(place, "train", config.data.label)
    return Subject(
        name=folder.resolve().name,
        source=str(folder),
        module=module.eval(),
        inputs=(config.data.inputs(images),),
        data_name=f"{place.name}, training split",
        settings={"data": str(place)},
        layers=layers_of(config),
        notation=Images(config.data.shape, config.data.mean, config.data.std),
        answers=lambda: images.names,
    )
