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
        "How accurate is a binarized network on cells that spread, if each cell is written once?",
        (
            "at the smallest claimed spread the network reaches {cov*_best_accuracy} with a repair "
            "that needs no labels and {cov*_raw_accuracy} without one; without spread it reaches "
            "{ideal_accuracy}.",
        ),
    ),
    "siamese": Story(
        "How often must a network that is trained on its arrays write its cells?",
        (
            "if weights are written beyond a falling threshold, {mlp_gone} of the writes are saved "
            "(paper: 98 %) and the network reaches {mlp_accuracy}; in float it reaches "
            "{mlp_float_accuracy}.",
            "on the chip {chip_gone} of the writes are saved (paper: 98 %) and the network reaches "
            "{chip_accuracy}; in float it reaches {chip_float_accuracy}.",
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
        "What does the resistance of the wires cost each system, and what compensates for it?",
        (
            "bmcnn reaches {bmcnn_unwired} without wire resistance, {bmcnn_wired} with it, and "
            "{bmcnn_compensated} with it and the best compensation;",
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
