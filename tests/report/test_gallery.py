import io

from PIL import Image

from mho import card, devices
from mho.report.gallery import PAGE, gallery


def test_a_gallery_shows_each_card_with_its_note() -> None:
    done: list[int] = []
    cards = [card.of_preset(name, devices.preset(name)) for name in ("cmo-hfox", "ag-asi")]
    files = gallery("Devices", cards, done.append)
    page = files[PAGE].decode()
    assert set(files) == {PAGE, "cmo-hfox.png", "ag-asi.png"}
    assert len(done) == 2
    for each in cards:
        assert f"[{each.name}](#{each.name})" in page
        assert each.note in page
        with Image.open(io.BytesIO(files[f"{each.name}.png"])) as picture:
            assert picture.width > 1000
