"""Fetch one file over HTTP so that the target either is complete and checked, or absent."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

_CHUNK = 1 << 16  # [bytes] between two moves of the progress bar
_TIMEOUT = 30.0  # [s] without a single byte before the link counts as broken


def download(url: str, target: Path, most: int, check: Callable[[bytes], object]) -> None:
    """Fetch ``url`` into ``target``, of at most so many bytes, showing a progress bar on stderr.

    The bytes go to a temporary file in the target's folder (made if missing); ``check`` is given
    all of them and raises if they are wrong; only then does an atomic rename put the file in
    place. Whatever ends the download early, Ctrl-C too, removes the temporary file, and two
    processes that fetch the same file at once do not disturb each other.

    Raises:
        OSError: the address cannot be reached, the link breaks, it sends more than ``most``
        bytes, or the target cannot be written.
        Whatever ``check`` raises.
    """
    # imported here because only a first use downloads: `import mho.data` stays fast
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import urlopen

    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    columns = (*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn())
    try:
        with urlopen(url, timeout=_TIMEOUT) as reply:
            length = reply.headers.get("Content-Length")
            total = int(length) if length and length.isascii() and length.isdigit() else None
            if total is not None and total > most:
                raise ConnectionError(f"{total} bytes are offered, at most {most} were expected")
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(".part", target.name + ".", target.parent)
            partial = Path(name)
            try:
                with (
                    os.fdopen(handle, "wb") as out,
                    Progress(*columns, console=Console(stderr=True)) as progress,
                ):
                    task = progress.add_task(target.name, total=total)
                    received = 0
                    while chunk := reply.read(_CHUNK):
                        received += len(chunk)
                        if received > most:
                            raise ConnectionError(f"over {most} bytes came, more than expected")
                        out.write(chunk)
                        progress.advance(task, len(chunk))
                if total is not None and received != total:
                    raise ConnectionError(f"link broke after {received} of {total} bytes")
                check(partial.read_bytes())
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
    except HTTPError as err:
        err.close()
        raise OSError(f"the server answered {err.code} {err.reason}") from err
    except HTTPException as err:
        raise ConnectionError(f"link broke: {err!r}") from err
