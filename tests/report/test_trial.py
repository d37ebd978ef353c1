import numpy as np
import pytest

from mho import card, devices
from mho.report.trial import draw_trial, picture_of
from mho.results.trial import Limit, Trial

LIMITS = [Limit(name, np.array([0.1, 0.2])) for name in ("write spread", "stuck cells")]
TRIAL = Trial(
    "cmo-hfox", "a network", "2 chips", 0.9, [("fresh", 0.0), ("a month", 2.6e6)],
    {"as written": np.array([[0.8, 0.81], [0.6, 0.5]]), "after repair": np.full((2, 2), 0.85)},
    {"as written": LIMITS, "after repair": LIMITS[::-1]}, [("cells", "1000")], ["remark"],
)  # fmt: skip


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_trial_is_drawn_with_its_card(ending: str) -> None:
    of_device = card.of_preset("cmo-hfox", devices.preset("cmo-hfox"))
    picture = picture_of(TRIAL, of_device, ending)
    assert picture == picture_of(TRIAL, of_device, ending)
    if ending == "svg":
        for words in ("Programmed conductance", "What limits it", "write spread", "remark"):
            assert words.encode() in picture


def test_panels_of_the_trial_stand_below_those_of_the_card() -> None:
    of_device = card.of_preset("cmo-hfox", devices.preset("cmo-hfox"))
    titles = [axes.get_title(loc="left") for axes in draw_trial(TRIAL, of_device).axes]
    assert titles[-3:-1] == ["Accuracy of a small network", "What limits it"]
