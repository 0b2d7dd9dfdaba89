"""Labelled images out of Parquet, as the Hugging Face hub lays data sets out.

A folder holds files `train-….parquet` and `test-….parquet`, in it or in one folder below. A column
holds the images as files (bytes, or a struct with a field `bytes`: PNG, JPEG, …), another one,
whole numbers, their labels.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Int64, UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from lib_graph.errors import NotFoundError, UsageError

__all__ = ["LabelledImages", "read_images", "splits"]

GREY, COLOUR = ("1", "L"), ("RGB", "RGBA", "P", "LA", "PA", "CMYK", "YCbCr", "HSV", "LAB")
NAMES = b"names"  # of classes, in a table's metadata
SPLITS = ("train", "test", "validation")


@dataclass(frozen=True)
class LabelledImages:
    """Images of one size, grey (1 channel) or in colour (3: red, green, blue), and their labels.

    `names` are those of the labels, from 0, where the files tell them.
    """

    pixels: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)


def splits(folder: Path) -> dict[str, list[Path]]:
    """Return the Parquet files of each split in a folder.

    Raises UsageError if there are none, or if they lie in several folders.
    """
    files = sorted(folder.rglob("*.parquet")) if folder.is_dir() else []
    found = {
        split: [f for f in files if f.stem == split or f.stem.startswith(f"{split}-")]
        for split in SPLITS
    }
    found = {split: files for split, files in found.items() if files}
    if not found:
        raise UsageError(
            f"There are no files train-….parquet or test-….parquet in {str(folder)!r}. Give a "
            "folder of images in Parquet as the Hugging Face hub lays it out."
        )
    folders = sorted({str(file.parent) for files in found.values() for file in files})
    if len(folders) > 1:
        raise UsageError(f"Several data sets are in {str(folder)!r}. Name one: {folders[0]!r}, …")
    return found


def read_images(folder: Path, split: str, label: str | None = None) -> LabelledImages:
    """Return the images of a split; `label` names the column of labels where there are several.

    Raises UsageError if the split is not there, or has no such columns, NotFoundError for another
    label column, UsageError naming the row if an image cannot be read or has another size.
    """
    files = splits(folder)
    if split not in files:
        raise NotFoundError("split", split, files, f"It was to be in {str(folder)!r}.")
    images: list[Image.Image] = []
    labels: list[int] = []
    names: tuple[str, ...] = ()
    for file in files[split]:
        table = _table(file, label)
        names = names or _names(table)
        for row, (value, number) in enumerate(
            zip(table["image"].to_pylist(), table["label"].to_pylist(), strict=True)
        ):
            images.append(_image(value, f"row {row} of {str(file)!r}"))
            labels.append(number)
            if images[-1].size != images[0].size:
                raise UsageError(
                    f"The image in row {row} of {str(file)!r} is {images[-1].size}, the first "
                    f"{images[0].size}. All must have one size."
                )
    if not images:
        raise UsageError(f"The split {split!r} in {str(folder)!r} is empty.")
    mode = "L" if all(image.mode in GREY for image in images) else "RGB"
    pixels = np.stack([np.asarray(image.convert(mode)) for image in images])
    pixels = pixels[:, None] if mode == "L" else pixels.transpose(0, 3, 1, 2)
    pixels = np.ascontiguousarray(pixels)
    return LabelledImages(torch.from_numpy(pixels), torch.tensor(labels), names)


def _table(file: Path, label: str | None) -> pa.Table:
    """Return a file's columns of images and labels, called so."""
    try:
        schema = pq.read_schema(file)
        images = [field.name for field in schema if _holds_images(field.type)]
        numbers = [field.name for field in schema if pa.types.is_integer(field.type)]
        if not images or not numbers:
            raise UsageError(
                f"{str(file)!r} has columns {', '.join(schema.names)}: none "
                f"{'holds image files' if not images else 'is a label, a whole number'}."
            )
        if label is not None and label not in numbers:
            raise NotFoundError("label", label, numbers, f"It was to be in {str(file)!r}.")
        if label is None and len(numbers) > 1 and "label" not in numbers:
            raise UsageError(f"{str(file)!r} has several labels: {', '.join(numbers)}. Name one.")
        label = label or ("label" if "label" in numbers else numbers[0])
        table = pq.read_table(file, columns=[images[0], label])
        return table.rename_columns(["image", "label"]).replace_schema_metadata(
            {NAMES: json.dumps(_told_names(schema, label))}
        )
    except (OSError, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{str(file)!r} cannot be read as Parquet ({reason}).") from error


def _told_names(schema: pa.Schema, label: str) -> list[str]:
    """Return the names of classes that the `datasets` library has noted in a file, or nothing."""
    try:
        noted = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = noted["info"]["features"][label]["names"]
    except (ValueError, KeyError, TypeError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def _names(table: pa.Table) -> tuple[str, ...]:
    return tuple(json.loads(table.schema.metadata[NAMES]))


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return "bytes" in [field.name for field in kind]
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _image(value: Any, place: str) -> Image.Image:
    data = value.get("bytes") if isinstance(value, dict) else value
    try:
        image = Image.open(io.BytesIO(data or b""))
        image.load()
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise UsageError(f"The image in {place} cannot be read ({error}).") from error
    if image.mode not in GREY + COLOUR:
        raise UsageError(f"The image in {place} has pixels of mode {image.mode!r}. Give 8 bits.")
    return image
