"""A matplotlib figure as an SVG element that can stand beside others in one HTML page."""

import io
import re
from xml.etree import ElementTree

from matplotlib.figure import Figure

_WITHOUT = {key: None for key in ("Creator", "Date", "Format", "Type")}
_REFERENCE = re.compile(r"url\(#")


def inline(figure: Figure, name: str, description: str) -> str:
    """The SVG of `figure` with text as text; every id in it starts with `name`.

    Style sheet and metadata are dropped, as inside a page they would act on the whole of it;
    the page's own style sheet sets what they did.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=_WITHOUT)
    root = ElementTree.fromstring(buffer.getvalue())
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(k): _own(_local(k), v, name) for k, v in element.items()}
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in ("metadata", "style"):
                parent.remove(child)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib |= {"role": "img", "aria-label": description}
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _own(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "href" and value.startswith("#"):
        return f"#{name}-{value[1:]}"
    return _REFERENCE.sub(f"url(#{name}-", value)
