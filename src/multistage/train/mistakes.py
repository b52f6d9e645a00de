"""A picture of a network's most confident mistakes on test images."""

import io

import torch
from PIL import Image, ImageDraw
from torch import Tensor

ACROSS, DOWN = 6, 4
"""Images in the picture."""

SIDE, CAPTION = 144, 30
"""Side of each image, and height of its caption, pixels."""


def most_confident(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the mistakes with the highest softmax, int64 [at most ACROSS * DOWN], highest first."""
    confidence, predicted = scores.softmax(1).max(1)
    wrong = (predicted != labels).nonzero().flatten()
    return wrong[confidence[wrong].argsort(descending=True, stable=True)][: ACROSS * DOWN]


def picture(images: Tensor, captions: list[tuple[str, str]]) -> bytes:
    """Draw a PNG of images with two lines below each.

    Args:
        images: As the network takes them, float32 [n, 1 or 3, height, width]; others show their first map.
        captions: Two lines for each.
    """
    rows = -(-len(images) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * SIDE, max(1, rows) * (SIDE + CAPTION)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = number % ACROSS * SIDE, number // ACROSS * (SIDE + CAPTION)
        planes = image if len(image) == 3 else image[:1].expand(3, -1, -1)
        low, high = planes.min(), planes.max()
        levels = 255 * (planes - low) / (high - low).clamp_min(1e-12)
        shown = Image.fromarray(levels.permute(1, 2, 0).to(torch.uint8).numpy())
        sheet.paste(shown.resize((SIDE - 4, SIDE - 4), Image.Resampling.BICUBIC), (left + 2, top + 2))
        for line, text in enumerate(caption):
            pen.text((left + 4, top + SIDE + 13 * line), text[:22], fill="black")
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()
