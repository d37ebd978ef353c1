"""Training images moved and mirrored at random, so that a network does not learn their places."""

import torch
from jaxtyping import Float
from torch import Tensor

from mho.arguments import checked
from mho.errors import invalid


@checked
def shifted(
    images: Float[Tensor, "n channels height width"], pixels: int, generator: torch.Generator
) -> Float[Tensor, "n channels height width"]:
    """Move each image by up to `pixels` in both directions, zeros coming in at the edges.

    Args:
        images: ``(n, channels, height, width)``, any device.
        pixels: Largest shift; 0 gives the images back.
        generator: Source of the shifts, on the CPU.

    Raises:
        ValueError: a negative shift.
    """
    if pixels < 0:
        raise invalid("pixels", pixels, "an integer of 0 or more")
    if pixels == 0:
        return images
    n, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (pixels,) * 4)
    start = torch.randint(2 * pixels + 1, (2, n), generator=generator).to(images.device)
    rows = start[0].unsqueeze(1) + torch.arange(height, device=images.device)
    columns = start[1].unsqueeze(1) + torch.arange(width, device=images.device)
    which = torch.arange(n, device=images.device).view(n, 1, 1)
    moved = padded.permute(0, 2, 3, 1)[which, rows.unsqueeze(2), columns.unsqueeze(1)]
    return moved.permute(0, 3, 1, 2).contiguous()


@checked
def augmented(
    images: Float[Tensor, "n channels height width"],
    generator: torch.Generator,
    *,
    padding: int = 4,
    mirror: bool = True,
) -> Float[Tensor, "n channels height width"]:
    """Cut each image at random out of itself with a border of zeros, and mirror half of them.

    This is the usual augmentation of CIFAR-10 in training (He et al. 2016, section 4.2,
    doi:10.1109/CVPR.2016.90): `shifted` by up to `padding` pixels, then left and right swapped
    with probability 1/2.

    Args:
        images: ``(n, channels, height, width)``, any device.
        generator: Source of all choices, on the CPU.
        padding: Width of the border on every side; 0: none.
        mirror: Whether images are mirrored; not for digits or letters.

    Raises:
        ValueError: a negative border.
    """
    if padding < 0:
        raise invalid("padding", padding, "an integer of 0 or more")
    moved = shifted(images, padding, generator)
    if not mirror:
        return moved
    swapped = torch.randint(2, (len(images), 1, 1, 1), generator=generator).to(images.device)
    return torch.where(swapped == 1, moved.flip(3), moved)
