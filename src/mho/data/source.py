"""The public data sets: their files, where a copy may lie, and whether it is the right one."""

import hashlib
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from mho.arguments import checked
from mho.data.download import download
from mho.errors import InvalidInput, invalid, unknown
from mho.files import read_bytes, user_cache


@dataclass(frozen=True, kw_only=True)
class Source:
    """One data set: its files and where they come from."""

    label: str  # its name in results
    title: str
    files: Mapping[str, str]  # name -> SHA-256, of IDX files that of the uncompressed bytes
    shape: tuple[int, ...]  # of one sample
    training: int  # samples of the split "train"
    classes: tuple[str, ...]  # class k is called classes[k]
    url: str  # folder on the data set's public site that holds the files, IDX files as <file>.gz
    home: str
    doi: str
    licence: str


IDX = {
    "train_x": "train-images-idx3-ubyte",
    "train_y": "train-labels-idx1-ubyte",
    "test_x": "t10k-images-idx3-ubyte",
    "test_y": "t10k-labels-idx1-ubyte",
}
"""Files of the data sets that come as IDX files, by what they hold."""
CIFAR = "cifar-10-binary.tar.gz"
"""The file of CIFAR-10."""


def _files(train_x: str, train_y: str, test_x: str, test_y: str) -> Mapping[str, str]:
    sums = (train_x, train_y, test_x, test_y)
    return MappingProxyType(dict(zip(IDX.values(), sums, strict=True)))


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "mnist": Source(
            label="MNIST",
            title="MNIST handwritten digits",
            shape=(1, 28, 28),
            training=55_000,
            files=_files(
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            classes=tuple("0123456789"),
            url="https://ossci-datasets.s3.amazonaws.com/mnist/",
            home="http://yann.lecun.com/exdb/mnist/",
            doi="10.1109/5.726791",
            licence="CC BY-SA 3.0",
        ),
        "fashion-mnist": Source(
            label="Fashion-MNIST",
            title="Fashion-MNIST clothing",
            shape=(1, 28, 28),
            training=55_000,
            files=_files(
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            classes=(
                *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
                *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
            ),
            url="https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            home="https://github.com/zalandoresearch/fashion-mnist",
            doi="10.48550/arXiv.1708.07747",
            licence="MIT",
        ),
        "cifar10": Source(
            label="CIFAR-10",
            title="CIFAR-10 small photographs",
            files=MappingProxyType(
                {CIFAR: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}
            ),
            shape=(3, 32, 32),
            training=45_000,
            classes=(
                *("airplane", "automobile", "bird", "cat", "deer"),
                *("dog", "frog", "horse", "ship", "truck"),
            ),
            url="https://www.cs.toronto.edu/~kriz/",
            home="https://www.cs.toronto.edu/~kriz/cifar.html",
            doi="",
            licence="none stated; Krizhevsky 2009 asks to be cited",
        ),
    }
)


def _source(dataset: str, file: str) -> Source:
    if dataset not in SOURCES:
        raise unknown("dataset", dataset, SOURCES)
    if file not in SOURCES[dataset].files:
        raise unknown(f"file of {dataset}", file, SOURCES[dataset].files)
    return SOURCES[dataset]


def _checkout() -> Path:
    """Return the repository's own ``datasets`` folder; an installed package has none."""
    return Path(__file__).resolve().parents[3] / "datasets"


def roots() -> tuple[Path, ...]:
    """Return the folders that are searched, first to last.

    They are ``$MHO_DATA`` if set, the checkout's ``datasets`` if there is one, and ``mho`` in the
    user's cache, which takes the downloads; a user without a home folder has none. Each holds
    ``<dataset>/<file>.gz`` or ``<dataset>/<file>``.

    Raises:
        ValueError: ``$MHO_DATA`` is set and is not a folder.
    """
    found = []
    if named := os.environ.get("MHO_DATA"):
        if not Path(named).is_dir():
            raise invalid("$MHO_DATA", named, "an existing folder, or unset")
        found.append(Path(named))
    if _checkout().is_dir():
        found.append(_checkout())
    with suppress(FileNotFoundError):
        found.append(user_cache())
    return tuple(found)


@checked
def locate(dataset: str, file: str) -> Path:
    """Return the path of one file of a data set, downloading it if no folder of `roots` has it.

    A file that is already there is not opened: `read_file` is what checks it.

    Raises:
        ValueError: unknown name, ``$MHO_DATA`` not a folder, or a download with wrong content.
        FileNotFoundError: no folder has the file and the download failed.
    """
    source = _source(dataset, file)
    searched, offered = roots(), _names(file)[0]
    for root in searched:
        for name in _names(file):
            if (path := root / dataset / name).is_file():
                return path
    url = f"{source.url}{offered}"
    try:
        target = user_cache() / dataset / offered
        download(url, target, most_zipped(file), lambda raw: _checked(raw, url, source.files[file]))
    except OSError as err:
        places = ", ".join(str(root / dataset) for root in searched)
        raise FileNotFoundError(
            f"{dataset}: {offered} is in none of {places}, and {url} cannot be downloaded ({err}): "
            f"fetch it elsewhere, put it in DIR/{dataset}/ and set MHO_DATA=DIR"
        ) from err
    return target


def _names(file: str) -> tuple[str, ...]:
    """What a file may be called: an IDX file compressed, as it is offered, or not."""
    return (file,) if file == CIFAR else (f"{file}.gz", file)


def size_of(file: str) -> int:
    """Return how many bytes a file has, one of images or labels uncompressed [1]."""
    if file == CIFAR:
        return 170_052_171
    images = 60_000 if file.startswith("train") else 10_000
    return 16 + 784 * images if "images" in file else 8 + images


def most_zipped(file: str) -> int:
    """Return how many bytes a compressed file may have: what does not shrink grows a little."""
    return size_of(file) + (1 << 16)


def read_file(path: Path, sha256: str) -> bytes:
    """Return the checked bytes of a file, of an IDX file the uncompressed ones; its name in
    ``.gz`` says that it is compressed."""
    raw = read_bytes(path, "data", most=most_zipped(_file(path.name)),
                     wanted="a file of the data set")  # fmt: skip
    return _checked(raw, str(path), sha256)


def _file(name: str) -> str:
    """The file of a data set that has the name, or the address."""
    name = name.rsplit("/", 1)[-1]
    return name if name == CIFAR else name.removesuffix(".gz")


def _checked(raw: bytes, name: str, sha256: str) -> bytes:
    file = _file(name)
    zipped = file != CIFAR and name.endswith(".gz")
    return unpack(raw, name, sha256, size_of(file) if zipped else None)


def unpack(raw: bytes, name: str, sha256: str, most: int | None) -> bytes:
    """Return ``raw`` once its SHA-256 is known to be right, uncompressed first unless ``most``,
    the bytes that it may come to, is None.

    Raises:
        ValueError: naming ``name``, what was found and what was expected; nothing is unpacked
            beyond ``most`` bytes.
    """
    if most is not None:
        unzipped = zlib.decompressobj(wbits=31)  # of gzip
        try:
            plain = unzipped.decompress(raw, most + 1)
        except zlib.error as err:
            found = f"{len(raw)} bytes starting 0x{raw[:4].hex()} ({err})"
            raise InvalidInput(f"{name}: found {found}, expected a sound gzip file") from err
        if len(plain) > most:
            raise InvalidInput(f"{name}: found a gzip file of more than {most} bytes, "
                               f"expected {most}")  # fmt: skip
        if not unzipped.eof or unzipped.unused_data:
            found = "ends early" if not unzipped.eof else "goes on after its end"
            raise InvalidInput(f"{name}: found a gzip file that {found}, expected a whole one")
        raw = plain
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256:
        raise InvalidInput(f"{name}: found SHA-256 {found}, expected {sha256}")
    return raw
