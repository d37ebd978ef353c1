"""The binary version of CIFAR-10: an archive of files of 10,000 records each.

A record is one byte of label and 3,072 bytes of pixels: red, green, blue, each row by row.
"""

import io
import tarfile
import zlib

import numpy as np

from mho.errors import InvalidInput

FILES = {
    "train": tuple(f"data_batch_{k}.bin" for k in range(1, 6)),
    "test": ("test_batch.bin",),
}
"""Files of the archive that hold images."""
SHAPE = (3, 32, 32)
"""Of an image: channels, height, width."""
IMAGES = 10_000
"""Images in a file, at most."""
_RECORD = 1 + 3 * 32 * 32  # [bytes]


def read_cifar(archive: bytes, name: str) -> dict[str, np.ndarray]:
    """Read the images ``(n, 3, 32, 32)`` and labels ``(n,)``, uint8, out of the gzipped tar file.

    The arrays are called train_x, train_y, test_x, test_y. Nothing is unpacked to the disk, no
    pickle is read, and of each file at most 10,000 records are.

    Raises:
        ValueError: naming ``name``, what was found and what was expected: it is no such archive, a
            file is missing, or is not a whole number of records, or holds a label above 9.
    """
    wanted = {file: part for part, files in FILES.items() for file in files}
    records: dict[str, np.ndarray] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
            for member in members:
                file = member.name.rsplit("/", 1)[-1]
                if file in wanted and member.isreg():
                    records[file] = _records(members, member, f"{name}: {member.name}")
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise InvalidInput(f"{name}: found {error}, expected a gzipped tar file") from error
    if missing := [file for file in wanted if file not in records]:
        raise InvalidInput(f"{name}: found no {', '.join(missing)}, expected {', '.join(wanted)}")
    out: dict[str, np.ndarray] = {}
    for part, files in FILES.items():
        rows = np.concatenate([records[file] for file in files])
        out[f"{part}_x"], out[f"{part}_y"] = rows[:, 1:].reshape(-1, *SHAPE), rows[:, 0].copy()
    for array in out.values():
        array.flags.writeable = False
    return out


def _records(members: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> np.ndarray:
    """The records ``(n, 3073)`` of one file."""
    most = IMAGES * _RECORD
    file = members.extractfile(member) if member.size <= most else None
    if file is None or member.size == 0 or member.size % _RECORD:
        expected = f"a whole number of records of {_RECORD} bytes, at most {most} bytes"
        raise InvalidInput(f"{name}: found {member.size} bytes, expected {expected}")
    rows = np.frombuffer(file.read(), np.uint8).reshape(-1, _RECORD)
    if rows[:, 0].max() > 9:
        raise InvalidInput(f"{name}: found label {rows[:, 0].max()}, expected 0 to 9")
    return rows
