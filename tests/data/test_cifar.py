"""CIFAR-10's binary archive: read as its format says, or refused."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mho.data import SOURCES, load, source
from mho.data.cifar import FILES, read_cifar

NAMES = [name for files in FILES.values() for name in files]


def records(rows: int, seed: int) -> np.ndarray:
    """Records (rows, 3073) of a file: a byte of label, then the pixels."""
    out = np.random.default_rng(seed).integers(256, size=(rows, 3073), dtype=np.uint8)
    out[:, 0] = np.arange(rows) % 10
    return out


def archive(files: Mapping[str, bytes], *, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A gzipped tar file, as the public one is."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in {"readme.html": b"<html>", **files}.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size, member.type = len(content), kind
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def sound(rows: int = 30) -> dict[str, bytes]:
    return {name: records(rows, k).tobytes() for k, name in enumerate(NAMES)}


def test_a_record_is_a_label_and_three_planes_of_pixels() -> None:
    found = read_cifar(archive(sound()), "x.tar.gz")
    assert found["train_x"].shape == (150, 3, 32, 32)
    assert found["test_x"].shape == (30, 3, 32, 32)
    third = records(30, 2)
    assert np.array_equal(found["train_y"][60:90], third[:, 0])
    image = found["train_x"][60]
    assert image[0, 0, 0] == third[0, 1]
    assert image[1, 2, 5] == third[0, 1 + 1024 + 2 * 32 + 5]  # green
    assert image[2, 31, 31] == third[0, -1]


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_in_the_archive_does_not_count(order: int) -> None:
    files = dict(list(sound().items())[::order])
    assert np.array_equal(
        read_cifar(archive(files), "x")["train_x"], read_cifar(archive(sound()), "x")["train_x"]
    )


BAD = {
    "no archive": (b"<html>", "x.tar.gz: found .*, expected a gzipped tar file"),
    "gzip of no archive": (gzip.compress(b"a" * 2000), "expected a gzipped tar file"),
    "cut": (archive(sound())[:-2000], "x.tar.gz: found "),
    "one file missing": (
        archive({k: v for k, v in sound().items() if k != "data_batch_4.bin"}),
        "found no data_batch_4.bin, expected",
    ),
    "half a record": (
        archive(sound() | {"test_batch.bin": bytes(3000)}),
        "test_batch.bin: found 3000 bytes, expected a whole number of records",
    ),
    "empty": (archive(sound() | {"test_batch.bin": b""}), "test_batch.bin: found 0 bytes"),
    "more than there are": (
        archive(sound() | {"test_batch.bin": bytes(3073 * 10_001)}), "found 30733073 bytes",
    ),
    "label 10": (
        archive(sound() | {"test_batch.bin": bytes([10]) + bytes(3072)}), "found label 10",
    ),
    "links": (archive(sound(), kind=tarfile.SYMTYPE), "found no data_batch_1.bin"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_such_archive_is_refused(case: str) -> None:
    content, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        read_cifar(content, "x.tar.gz")


def test_it_is_a_data_set_beside_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: records(100, k).tobytes() for k, name in enumerate(NAMES)}
    content = archive(files)
    folder = tmp_path / "cifar10"
    folder.mkdir()
    (folder / source.CIFAR).write_bytes(content)
    monkeypatch.setenv("MHO_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"found SHA-256 .*, expected c4a38c50"):
        load("cifar10", "test")
    entry = SOURCES["cifar10"]
    digest = hashlib.sha256(content).hexdigest()
    files_known = {source.CIFAR: digest}
    monkeypatch.setattr("mho.data.named.SOURCES", {"cifar10": replace(entry, files=files_known)})
    test, train = load("cifar10", "test"), load("cifar10", "train", per_class=4)
    assert test.inputs.shape == (100, 3, 32, 32)
    assert torch.equal((255 * test.inputs).round().byte().flatten(1)[:, 0],
                       torch.from_numpy(records(100, 5)[:, 1].copy()))  # fmt: skip
    assert test.classes[test.labels[3]] == "cat"
    assert train.inputs.shape == (40, 3, 32, 32)
    assert test.inputs.is_contiguous()
