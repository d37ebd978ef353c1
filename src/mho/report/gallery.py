"""Cards of many devices as pictures, with a page in Markdown that shows them all."""

import io
from collections.abc import Callable, Iterable

from PIL import Image

from mho.report.card import picture_of
from mho.results.card import Card

PAGE = "gallery.md"
COLOURS = 96
"""Of a picture: drawings need few, and take a third of the space."""


def gallery(title: str, cards: Iterable[Card], progress: Callable[[int], None]) -> dict[str, bytes]:
    """Contents of the page and the pictures, by file name.

    Args:
        cards: drawn one after another; `progress` is called with 1 after each.
    """
    files: dict[str, bytes] = {}
    listed, shown = [], []
    for card in cards:
        files[f"{card.name}.png"] = _small(picture_of(card, "png"))
        listed.append(f"- [{card.name}](#{card.name})")
        shown.append(f"## {card.name}\n\n![Card of {card.name}]({card.name}.png)\n\n{card.note}")
        progress(1)
    page = "\n\n".join([f"# {title}", "\n".join(listed), *(text.rstrip() for text in shown)])
    files[PAGE] = f"{page}\n".encode()
    return files


def _small(picture: bytes) -> bytes:
    """A PNG with a palette."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS).save(
        buffer, "PNG", optimize=True
    )
    return buffer.getvalue()
