"""The state of a wired array as a result holds it, solved node by node with sparse algebra."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve


def wired_array(
    rows: int,
    cols: int,
    *,
    ohms: float = 5.0,
    inputs: np.ndarray | None = None,
    cells: tuple[float, float] = (5e3, 5e5),
) -> dict:
    """Cells of log-uniform resistance; inputs of 0 to 0.2 V, the third word line at rest."""
    dice = np.random.default_rng(0)
    g = np.exp(-dice.uniform(*np.log(cells), (rows, cols)))
    v = dice.uniform(0.05, 0.2, rows) * (np.arange(rows) != 2) if inputs is None else inputs
    word = np.arange(rows * cols).reshape(rows, cols)
    bit = word + word.size
    ties = [
        (word, bit, g),
        (word[:, 1:], word[:, :-1], np.full((rows, cols - 1), 1 / ohms)),
        (bit[1:], bit[:-1], np.full((rows - 1, cols), 1 / ohms)),
    ]
    a, b, y = (np.concatenate([np.ravel(tie[k]) for tie in ties]) for k in range(3))
    ends = np.concatenate([word[:, 0], bit[-1]])
    source = np.zeros(2 * word.size)
    source[word[:, 0]] = v / ohms
    y = np.concatenate([y, y, -y, -y, np.full(len(ends), 1 / ohms)])
    at = (np.concatenate([a, b, a, b, ends]), np.concatenate([a, b, b, a, ends]))
    found = spsolve(coo_array((y, at)).tocsc(), source)
    words, bits = found[word], found[bit]
    down = np.diff(bits, axis=0, append=0.0) / -ohms
    return {
        "id": "array",
        "title": "Currents and voltages of an array",
        "rows": rows,
        "word_voltage": words.tolist(),
        "bit_voltage": bits.tolist(),
        "word_current": (np.diff(words, axis=1, prepend=v[:, None]) / -ohms).tolist(),
        "bit_current": down.tolist(),
        "cell_current": (g * (words - bits)).tolist(),
        "input": v.tolist(),
        "output": down[-1].tolist(),
        "ideal": (v @ g).tolist(),
        "wire_resistance": ohms,
        "pooled": "first",
    }
