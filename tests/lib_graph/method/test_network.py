"""How the tensors that cross a layer lie side by side."""

import pytest
import torch

from lib_graph.method.network import Layer

# shapes of one sample: a vector, positions × coordinates, an image
SHAPES = [((4,), (2,)), ((3, 4), (3, 2)), ((2, 3, 5), (4, 3, 5)), ((2, 1, 1),)]


def tensors(shapes, samples):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(samples, *shape, generator=generator) for shape in shapes]


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("shapes", SHAPES)
def test_what_is_packed_comes_out_in_the_shapes_it_had(shapes, samples):
    given = tensors(shapes, samples)
    layer = Layer(0, "x", shapes)
    packed = layer.pack(given)
    assert packed.shape == (samples, layer.positions, layer.width)
    for one, other in zip(layer.unpack(packed), given, strict=True):
        assert torch.equal(one, other)


def test_pixels_are_positions_and_channels_coordinates():
    image, more = tensors([(2, 3, 5), (4, 3, 5)], 1)
    packed = Layer(0, "x", ((2, 3, 5), (4, 3, 5))).pack([image, more])
    for row in range(3):
        for column in range(5):
            pixel = torch.cat([image[0, :, row, column], more[0, :, row, column]])
            assert torch.equal(packed[0, 5 * row + column], pixel)
