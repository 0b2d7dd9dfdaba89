"""Labelled images out of Parquet files of all sorts."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from lib_graph.data.images import read_images, splits
from lib_graph.errors import NotFoundError, UsageError


def encoded(array, mode=None, kind="PNG"):
    buffer = io.BytesIO()
    image = Image.fromarray(np.asarray(array, dtype=np.uint8))
    (image if mode is None else image.convert(mode)).save(buffer, kind)
    return buffer.getvalue()


def write_images(file, images, labels, column="img", **others):
    """Write images as the hub does: a struct of bytes and a path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    values = [{"bytes": data, "path": None} for data in images]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {column: pa.array(values, kind), "label": pa.array(labels), **others}
    pq.write_table(pa.table(columns), file)


def random_images(n, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


@pytest.mark.parametrize("column", ["img", "image"])
def test_colour_images_over_several_files(tmp_path, column):
    pixels = random_images(5, 4, 3, 3)
    for number, rows in enumerate((slice(0, 2), slice(2, 5))):
        write_images(
            tmp_path / "plain_text" / f"train-0000{number}-of-00002.parquet",
            [encoded(image) for image in pixels[rows]],
            list(range(5))[rows],
            column,
        )
    found = read_images(tmp_path, "train")
    assert found.pixels.shape == (5, 3, 4, 3)
    assert torch.equal(found.pixels, torch.from_numpy(pixels).permute(0, 3, 1, 2))
    assert found.labels.tolist() == [0, 1, 2, 3, 4]
    assert len(found) == 5


def test_grey_images_have_one_channel_and_plain_bytes_will_do(tmp_path):
    pixels = random_images(3, 2, 5)
    table = {"picture": [encoded(image) for image in pixels], "digit": [7, 8, 9]}
    pq.write_table(pa.table(table), tmp_path / "test.parquet")
    found = read_images(tmp_path, "test")
    assert torch.equal(found.pixels[:, 0], torch.from_numpy(pixels))
    assert found.labels.tolist() == [7, 8, 9]


def test_grey_among_colour_is_colour(tmp_path):
    grey = random_images(1, 2, 2)[0]
    colour = encoded(random_images(1, 2, 2, 3)[0])
    write_images(tmp_path / "train-0.parquet", [encoded(grey), colour], [0, 1])
    found = read_images(tmp_path, "train")
    assert found.pixels.shape == (2, 3, 2, 2)
    assert all(torch.equal(channel, torch.from_numpy(grey)) for channel in found.pixels[0])


@pytest.mark.parametrize("mode", ["P", "RGBA", "CMYK"])
def test_other_modes_are_colour(tmp_path, mode):
    flat = np.full((2, 2, 3), 255, dtype=np.uint8)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    write_images(tmp_path / "train-0.parquet", [encoded(flat, mode, kind)], [0])
    assert torch.equal(read_images(tmp_path, "train").pixels, torch.full((1, 3, 2, 2), 255))


def test_the_column_of_labels_can_be_named(tmp_path):
    images = [encoded(image) for image in random_images(2, 2, 2)]
    write_images(tmp_path / "train-0.parquet", images, [1, 2], fine=pa.array([3, 4]))
    assert read_images(tmp_path, "train").labels.tolist() == [1, 2]
    assert read_images(tmp_path, "train", "fine").labels.tolist() == [3, 4]
    with pytest.raises(NotFoundError, match=r"Label 'fin' not found. Closest: 'fine'"):
        read_images(tmp_path, "train", "fin")


def test_what_cannot_be_used_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"no files train-….parquet or test-….parquet in"):
        splits(tmp_path)
    images = [encoded(image) for image in random_images(2, 2, 2)]
    write_images(tmp_path / "a" / "train-0.parquet", images, [1, 2])
    with pytest.raises(NotFoundError, match="Split 'test' not found"):
        read_images(tmp_path, "test")
    write_images(tmp_path / "b" / "train-0.parquet", images, [1, 2])
    with pytest.raises(UsageError, match=r"Several data sets .* Name one: .*/a'"):
        splits(tmp_path)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"text": ["a"], "label": [1]}, "columns text, label: none holds image files"),
        ({"img": [b"x"], "label": ["cat"]}, "none is a label, a whole number"),
        ({"img": [b"x"], "fine": [1], "coarse": [1]}, "several labels: fine, coarse. Name one"),
        ({"img": [b"no image"], "label": [1]}, "image in row 0 of .* cannot be read"),
        ({"img": [None], "label": [1]}, "none holds image files"),
        ({"img": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}, "is empty"),
    ],
)
def test_columns_that_do_not_do(tmp_path, columns, words):
    pq.write_table(pa.table(columns), tmp_path / "train-0.parquet")
    with pytest.raises(UsageError, match=words):
        read_images(tmp_path, "train")


def test_images_of_several_sizes_or_of_16_bits_and_broken_files(tmp_path):
    sizes = [encoded(random_images(1, *shape)[0]) for shape in ((2, 2), (2, 3))]
    write_images(tmp_path / "train-0.parquet", sizes, [0, 1])
    with pytest.raises(UsageError, match=r"row 1 of .* is \(3, 2\), the first \(2, 2\)"):
        read_images(tmp_path, "train")
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((2, 2), dtype=np.uint16)).save(buffer, "PNG")
    write_images(tmp_path / "train-0.parquet", [buffer.getvalue()], [0])
    with pytest.raises(UsageError, match=r"row 0 of .* has pixels of mode 'I;16'"):
        read_images(tmp_path, "train")
    (tmp_path / "train-0.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        read_images(tmp_path, "train")


@pytest.mark.parametrize(
    ("noted", "names"),
    [
        ({"info": {"features": {"label": {"names": ["cat", "dog"]}}}}, ("cat", "dog")),
        ({"info": {"features": {"label": {"dtype": "int64"}}}}, ()),
        ([], ()),
        (None, ()),
    ],
)
def test_classes_have_the_names_that_the_files_tell(tmp_path, noted, names):
    file = tmp_path / "train-0.parquet"
    write_images(file, map(encoded, random_images(2, 3, 3)), [0, 1])
    if noted is not None:
        table = pq.read_table(file)
        pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(noted)}), file)
    assert read_images(tmp_path, "train").names == names
