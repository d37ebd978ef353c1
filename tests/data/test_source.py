import gzip
import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from mho.data import SOURCES, load, locate, source
from mho.data.source import read_file, roots, unpack

CARRIED = ("mnist", "fashion-mnist")
"""Data sets that the checkout holds."""


def put(root: Path, tiny: SimpleNamespace, content: bytes, end: str = ".gz") -> Path:
    path = root / "tiny" / (tiny.file + end)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_the_first_root_that_has_the_file_wins(tiny: SimpleNamespace) -> None:
    assert roots() == (tiny.named, tiny.checkout, tiny.cache)
    for root in reversed(roots()):
        path = put(root, tiny, tiny.zipped)
        assert locate("tiny", tiny.file) == path


def test_a_plain_file_is_as_good_as_a_compressed_one(tiny: SimpleNamespace) -> None:
    sha256 = tiny.entry.files[tiny.file]
    put(tiny.cache, tiny, tiny.content, end="")
    put(tiny.checkout, tiny, tiny.zipped)
    assert locate("tiny", tiny.file).suffix == ".gz"
    for root, end in ((tiny.cache, ""), (tiny.checkout, ".gz")):
        assert read_file(root / "tiny" / (tiny.file + end), sha256) == tiny.content


def test_without_variables_the_cache_is_in_the_home_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MHO_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert roots()[-1] == tmp_path / ".cache" / "mho"


def test_without_a_home_folder_other_folders_are_searched(
    tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/nonexistent")
    assert roots() == (tiny.named, tiny.checkout)
    with pytest.raises(FileNotFoundError, match=r"no home folder .*set MHO_DATA=DIR"):
        locate("tiny", tiny.file)
    path = put(tiny.checkout, tiny, tiny.zipped)
    assert locate("tiny", tiny.file) == path


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_named_root_that_is_no_folder_is_refused(
    kind: str, tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny.named / "x"
    if kind == "file":
        path.touch()
    put(tiny.checkout, tiny, tiny.zipped)  # found there, were the wrong variable ignored
    monkeypatch.setenv("MHO_DATA", str(path))
    with pytest.raises(ValueError, match=r"\$MHO_DATA = .*named/x'.*existing folder"):
        locate("tiny", tiny.file)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown dataset 'minst': did you mean 'mnist'"):
        locate("minst", "train-labels-idx1-ubyte")
    with pytest.raises(ValueError, match="did you mean 't10k-labels-idx1-ubyte'"):
        locate("mnist", "test-labels-idx1-ubyte")


@pytest.mark.parametrize("cut", [0, 1, 9, 100, -1, -8])
def test_a_truncated_gzip_file_is_refused(cut: int, tiny: SimpleNamespace) -> None:
    path = put(tiny.named, tiny, tiny.zipped[:cut])
    with pytest.raises(ValueError, match=rf"named/tiny/{tiny.file}\.gz: found .*, expected "):
        read_file(path, tiny.entry.files[tiny.file])


def test_every_flipped_byte_is_refused_or_harmless(tiny: SimpleNamespace) -> None:
    messages = []
    for i in range(len(tiny.zipped)):
        broken = bytearray(tiny.zipped)
        broken[i] ^= 0x10
        try:  # a time stamp, or another way to write the same, leaves the content as it was
            raw = unpack(bytes(broken), "f.gz", tiny.entry.files[tiny.file], len(tiny.content))
        except ValueError as err:
            messages.append(str(err))
        else:
            assert raw == tiny.content
    assert len(messages) > 0.9 * len(tiny.zipped)
    assert all(m.startswith("f.gz: found ") and ", expected " in m for m in messages)


def test_a_file_that_unpacks_to_gigabytes_is_refused_before(tiny: SimpleNamespace) -> None:
    bomb = gzip.compress(bytes(1 << 26))
    with pytest.raises(ValueError, match="found a gzip file of more than 60008 bytes"):
        unpack(bomb, "f.gz", tiny.entry.files[tiny.file], source.size_of(tiny.file))
    path = put(tiny.named, tiny, bytes(1 << 20))
    with pytest.raises(ValueError, match="of at most 125544 bytes"):
        read_file(path, tiny.entry.files[tiny.file])


def test_files_are_fetched_over_an_encrypted_link_and_have_a_known_size() -> None:
    assert all(entry.url.startswith("https://") for entry in SOURCES.values())
    for dataset in CARRIED:
        for file, sha256 in SOURCES[dataset].files.items():
            assert len(read_file(locate(dataset, file), sha256)) == source.size_of(file)


def test_a_flipped_byte_in_a_plain_file_names_both_checksums(tiny: SimpleNamespace) -> None:
    broken = tiny.content[:-1] + b"\xff"
    path = put(tiny.named, tiny, broken, end="")
    expected = tiny.entry.files[tiny.file]
    found = hashlib.sha256(broken).hexdigest()
    with pytest.raises(
        ValueError, match=f"{tiny.file}: found SHA-256 {found}, expected {expected}"
    ):
        read_file(path, expected)


def test_a_wrong_file_is_an_error_and_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz"
    path.parent.mkdir()
    path.write_text("<html>not found</html>")
    monkeypatch.setenv("MHO_DATA", str(tmp_path))  # the checkout holds the right one
    with pytest.raises(ValueError, match=rf"{path}: found 22 bytes .*, expected a sound gzip"):
        load("mnist", "test")


def test_the_table_is_complete_and_cannot_be_changed() -> None:
    for entry in SOURCES.values():
        assert tuple(entry.files) in (tuple(source.IDX.values()), (source.CIFAR,))
        assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in entry.files.values())
        assert len(set(entry.classes)) == 10
        assert entry.url.endswith("/")
    with pytest.raises(TypeError):
        SOURCES["x"] = None  # type: ignore[index]


def test_the_checkout_carries_every_file_and_its_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MHO_DATA", raising=False)
    notice = (source._checkout() / "NOTICE.md").read_text()
    for dataset in CARRIED:
        entry = SOURCES[dataset]
        assert entry.licence in notice
        assert entry.doi in notice
        for file, sha256 in entry.files.items():
            assert locate(dataset, file).is_relative_to(source._checkout())
            assert f"| {dataset}/{file} | {sha256} |" in notice
