"""The question of each experiment, and its answer in sentences with the numbers of claims."""

from __future__ import annotations

from typing import NamedTuple


class Story(NamedTuple):
    """What a run was made for, and how what it found is said."""

    question: str
    answer: tuple[str, ...]
    """Sentences with claims in braces by their ids, which may have stars; those that a result has
    all claims for are said."""


STORIES = {
    "bmcnn": Story(
        "How well does a binarized network that is written once stand the spread of its cells?",
        (
            "on chips of the smallest claimed spread, repaired without labels, the network "
            "reaches {cov*_best_accuracy}; unrepaired {cov*_raw_accuracy}, without spread "
            "{ideal_accuracy}.",
        ),
    ),
    "siamese": Story(
        "How often must a network that is trained on its arrays write its cells?",
        (
            "written beyond a threshold that falls, the network reaches {mlp_accuracy}, in float "
            "{mlp_float_accuracy}; {mlp_gone} of the writes are saved (paper: 98 %).",
            "on the chip the network reaches {chip_accuracy}, in float {chip_float_accuracy}; "
            "{chip_gone} of the writes are saved (paper: 98 %).",
        ),
    ),
    "metaplastic": Story(
        "Can one network learn task after task on the same cells without forgetting?",
        (
            "after all tasks the network keeps {mnist_after_both} on MNIST (paper: 97 %).",
            "On Fashion-MNIST it keeps {fashion_after_both} (paper: 86 %).",
        ),
    ),
    "wires": Story(
        "What does the resistance of the wires cost each system, and what wins it back?",
        (
            "bmcnn reaches {bmcnn_unwired} without wires, {bmcnn_wired} with them, and compensated "
            "{bmcnn_compensated};",
            "siamese {siamese_unwired}, {siamese_wired} and {siamese_compensated};",
            "metaplastic {metaplastic_*_unwired}, {metaplastic_*_wired} and "
            "{metaplastic_*_compensated}.",
        ),
    ),
    "sensitivity": Story(
        "Which imperfection of the cells costs each system most?",
        (
            "bmcnn reaches {bmcnn_ideal} without imperfections, {bmcnn_device} with all;",
            "siamese {siamese_ideal} and {siamese_device};",
            "metaplastic {metaplastic_ideal} and {metaplastic_device}.",
        ),
    ),
}
"""By experiment."""
