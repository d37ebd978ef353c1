"""The page of the lab, served on this machine."""

from __future__ import annotations

import socket

import torch

from mho.errors import invalid
from mho.files.extras import of_extra
from mho.lab.page import Page
from mho.trial.device import Device

HOST = "127.0.0.1"


def check_port(port: int) -> None:
    """Refuse a port at which no page can be served.

    Raises:
        ValueError: there is none of that number, or another program has it.
    """
    if not 1 <= port <= 65_535:
        raise invalid("port", port, "1 to 65535")
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError as error:
            raise invalid("port", port, f"a free one ({error.strerror})") from error


def serve(first: Device, port: int, opened: bool = True) -> None:
    """Serve the page on this machine until it is interrupted.

    Args:
        first: the device that the page begins with.
        port: of the page.
        opened: whether a browser is opened.

    Raises:
        ValueError: the package of the page is not installed.
    """
    nicegui = of_extra("lab", "nicegui")
    torch.set_num_threads(1)  # arrays are small; threads that wait for each other take longer
    nicegui.ui.run(
        lambda: Page(nicegui, first), host=HOST, port=port, title="mho lab", dark=None,
        reload=False, show=opened, show_welcome_message=False, tailwind=False,
    )  # fmt: skip
