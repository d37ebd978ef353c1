import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import rich.progress

from mho.data import locate, source

Reply = Callable[[BaseHTTPRequestHandler], None]


def reply(status: int, body: bytes, length: int | None = None) -> Reply:
    """Answer with ``body`` and then hang up, claiming ``length`` bytes (its own if None)."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.end_headers()
        request.wfile.write(body)

    return answer


@pytest.fixture
def site(tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Serve the tiny data set from a local web server; ``site.answer`` says how."""
    site = SimpleNamespace(answer=reply(200, tiny.zipped), asked=[])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            site.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        entry = replace(tiny.entry, url=f"http://127.0.0.1:{server.server_port}/sub/")
        monkeypatch.setattr(source, "SOURCES", {"tiny": entry})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield site
        server.shutdown()
        thread.join()


def files(tiny: SimpleNamespace) -> list[Path]:
    return [path for path in tiny.xdg.rglob("*") if path.is_file()]


def test_a_missing_file_is_fetched_once_into_the_cache(
    tiny: SimpleNamespace, site: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    path = locate("tiny", tiny.file)
    assert path == tiny.cache / "tiny" / f"{tiny.file}.gz"
    assert path.read_bytes() == tiny.zipped
    assert locate("tiny", tiny.file) == path
    assert site.asked == [f"/sub/{tiny.file}.gz"]
    assert files(tiny) == [path]
    out, err = capsys.readouterr()
    assert out == ""
    assert tiny.file[:12] in err
    assert "100%" in err


def test_a_length_the_server_does_not_say_is_no_obstacle(
    tiny: SimpleNamespace, site: SimpleNamespace
) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(tiny.zipped)

    site.answer = answer
    assert locate("tiny", tiny.file).read_bytes() == tiny.zipped


@pytest.mark.parametrize("content", ["flipped", "truncated", "other"])
def test_a_corrupted_download_is_refused(
    content: str, tiny: SimpleNamespace, site: SimpleNamespace
) -> None:
    middle = len(tiny.zipped) // 2
    flipped = bytearray(tiny.zipped)
    flipped[middle] ^= 1
    bodies = {"flipped": bytes(flipped), "truncated": tiny.zipped[:middle], "other": b"<html>"}
    site.answer = reply(200, bodies[content])
    with pytest.raises(ValueError, match=rf"^http://127.*/sub/{tiny.file}\.gz: found .*, expected"):
        locate("tiny", tiny.file)
    assert files(tiny) == []


@pytest.mark.parametrize("sent", [0, 1, 100])
def test_a_broken_link_leaves_nothing_and_can_be_tried_again(
    sent: int, tiny: SimpleNamespace, site: SimpleNamespace
) -> None:
    site.answer = reply(200, tiny.zipped[:sent], length=len(tiny.zipped))
    with pytest.raises(FileNotFoundError, match="link broke"):
        locate("tiny", tiny.file)
    assert files(tiny) == []
    site.answer = reply(200, tiny.zipped)
    assert locate("tiny", tiny.file).read_bytes() == tiny.zipped


def test_ctrl_c_leaves_nothing(
    tiny: SimpleNamespace, site: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def interrupt(*_: object) -> None:
        seen.extend(files(tiny))
        raise KeyboardInterrupt

    monkeypatch.setattr(rich.progress.Progress, "advance", interrupt)
    with pytest.raises(KeyboardInterrupt):
        locate("tiny", tiny.file)
    assert [path.suffix for path in seen] == [".part"]
    assert files(tiny) == []


def test_a_refusal_of_the_server_is_told(tiny: SimpleNamespace, site: SimpleNamespace) -> None:
    site.answer = reply(404, b"nothing here")
    with pytest.raises(FileNotFoundError, match="the server answered 404 Not Found"):
        locate("tiny", tiny.file)
    assert files(tiny) == []


def test_without_network_one_error_says_where_and_what_to_do(tiny: SimpleNamespace) -> None:
    with pytest.raises(FileNotFoundError) as info:
        locate("tiny", tiny.file)
    message = str(info.value)
    assert "\n" not in message
    for root in (tiny.named, tiny.checkout, tiny.cache):
        assert str(root / "tiny") in message
    assert "http://127.0.0.1:9/" in message
    assert "put it in DIR/tiny/ and set MHO_DATA=DIR" in message
    assert not tiny.cache.exists()


def test_a_cache_that_is_a_file_is_told(tiny: SimpleNamespace, site: SimpleNamespace) -> None:
    tiny.cache.write_text("in the way")
    with pytest.raises(FileNotFoundError, match=r"cannot be downloaded .*mho"):
        locate("tiny", tiny.file)


def test_an_archive_is_fetched_and_checked_as_it_is(
    tiny: SimpleNamespace, site: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = source.SOURCES["tiny"]
    digest = hashlib.sha256(tiny.zipped).hexdigest()
    entry = replace(entry, files={source.CIFAR: digest})
    monkeypatch.setattr(source, "SOURCES", {"tiny": entry})
    site.answer = reply(200, tiny.content)
    with pytest.raises(ValueError, match=rf"{source.CIFAR}: found SHA-256 .*, expected {digest}"):
        locate("tiny", source.CIFAR)
    assert files(tiny) == []
    site.answer = reply(200, b"", length=source.size_of(source.CIFAR) + (1 << 17))
    with pytest.raises(FileNotFoundError, match="170183243 bytes are offered"):
        locate("tiny", source.CIFAR)
    site.answer = reply(200, tiny.zipped)
    path = locate("tiny", source.CIFAR)
    assert path == tiny.cache / "tiny" / source.CIFAR
    assert source.read_file(path, digest) == tiny.zipped
    assert site.asked == [f"/sub/{source.CIFAR}"] * 3
