"""Where an array with wires settles for given inputs, its cells of any law of conduction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from mho.arguments import checked
from mho.circuits.circuit import Circuit
from mho.circuits.linear_circuit import ITERATIONS
from mho.circuits.newton import voltages
from mho.circuits.segments import Resistance, check, segments, thin
from mho.errors import NotConverged, invalid
from mho.physics.conduction import Conduction, Ohmic

OHMIC = Ohmic()
ADJOINT = 1e-12
"""Part of its error that conjugate gradients may leave of a derivative."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OperatingPoint:
    """Voltages, currents and powers of arrays; leading dimensions: arrays and inputs."""

    v: Float[Tensor, "*lead rows"]
    """Voltages of the drivers [V]."""
    v_sense: Float[Tensor, "*lead cols"]
    """Voltages at which the columns are held [V]."""
    row: Float[Tensor, "*lead rows cols"]
    """Word line before each cell, the driver included with the first [ohm]."""
    col: Float[Tensor, "*lead rows cols"]
    """Bit line below each cell, the amplifier included with the last [ohm]."""
    word_voltage: Float[Tensor, "*lead rows cols"]
    """Of the word line at each cell [V]."""
    bit_voltage: Float[Tensor, "*lead rows cols"]
    """Of the bit line at each cell [V]."""
    cell_current: Float[Tensor, "*lead rows cols"]
    """From the word line to the bit line [A]."""
    end_current: Float[Tensor, "*lead rows"]
    """Out of the second driver, at the right end of each row; 0 where there is none [A]."""

    @property
    def cell_voltage(self) -> Float[Tensor, "*lead rows cols"]:
        """Across each cell [V]."""
        return self.word_voltage - self.bit_voltage

    @property
    def output_current(self) -> Float[Tensor, "*lead cols"]:
        """Into the amplifier of each column [A]."""
        return self.cell_current.sum(-2)

    @property
    def input_current(self) -> Float[Tensor, "*lead rows"]:
        """Out of the driver of each row, or out of both [A]."""
        return self.cell_current.sum(-1)

    @property
    def word_current(self) -> Float[Tensor, "*lead rows cols"]:
        """Through the word line before each cell [A]."""
        return self.cell_current.flip(-1).cumsum(-1).flip(-1) - self.end_current[..., None]

    @property
    def bit_current(self) -> Float[Tensor, "*lead rows cols"]:
        """Through the bit line below each cell [A]."""
        return self.cell_current.cumsum(-2)

    @property
    def cell_power(self) -> Float[Tensor, "*lead rows cols"]:
        """Of each cell [W]."""
        return self.cell_voltage * self.cell_current

    @property
    def word_power(self) -> Float[Tensor, "*lead rows cols"]:
        """Of the word line before each cell, the driver's resistance with the first [W]."""
        return self.row * self.word_current.square()

    @property
    def bit_power(self) -> Float[Tensor, "*lead rows cols"]:
        """Of the bit line below each cell, the amplifier's resistance with the last [W]."""
        return self.col * self.bit_current.square()

    @property
    def end_power(self) -> Float[Tensor, "*lead rows"]:
        """Of the segment to each second driver, and of its resistance [W]."""
        return self.row[..., 0] * self.end_current.square()

    @property
    def input_power(self) -> Float[Tensor, "*lead rows"]:
        """Delivered by the driver or drivers of each row [W].

        In all, what cells, wires and outputs take.
        """
        return self.v * self.input_current

    @property
    def output_power(self) -> Float[Tensor, "*lead cols"]:
        """Taken by what holds each column at its voltage [W]."""
        return self.v_sense * self.output_current


@checked
def operating_point(
    g: Shaped[Tensor, "*_ rows cols"],
    v: Shaped[Tensor, "*_"],
    r_row: Resistance,
    r_col: Resistance,
    r_source: Resistance = 0.0,
    r_sense: Resistance = 0.0,
    *,
    v_sense: float | Shaped[Tensor, "*_"] = 0.0,
    conduction: Conduction = OHMIC,
    both_ends: bool = False,
    tolerance: float = 1e-11,
) -> OperatingPoint:
    """Solve Kirchhoff's laws in arrays of cells that follow any law of conduction, for inputs v.

    Wires as in `effective_conductance`, which is the better choice where cells are ohmic, inputs
    are many and nothing but output currents is asked for. Newton's method, each step by conjugate
    gradients between lines that are solved exactly; in float64 whatever is given. What is returned
    is converged: what Kirchhoff's voltage law lacks across any cell is at most `tolerance` times
    the largest voltage between any ends of lines.

    With the columns at voltages of their own this is an array that is written: where only one cell
    is to be, `cell_voltage` tells what disturbs all others.

    Differentiable in g, v and the resistances, once, also where those are zero (implicit function
    theorem: a linear solution, however many steps were taken).

    Args:
        g: conductance of the cells [S], (..., rows, cols), float32 or float64; 0: an open cell.
        v: voltage of each driver [V], (..., rows), float32 or float64. Leading dimensions of g and
            v are broadcast: an array of inputs needs g of shape (..., 1, rows, cols).
        r_row, r_col, r_source, r_sense, both_ends: as in `effective_conductance`.
        v_sense: voltage at which the amplifier of each column holds it [V]: a number, or (...,
            cols), leading dimensions as those of v.
        conduction: law of the cells.
        tolerance: see above [1].

    Returns:
        The operating point, in the larger of the precisions of g and v.

    Raises:
        ValueError: as `effective_conductance`; v or v_sense is not finite or does not fit; the
            tolerance is not between 0 and 1.
        NotConverged: the tolerance was not reached in some sample; rounding sets a limit at about
            2e-15 (512 x 512 cells of 1k to 100k ohm, wires of 10 ohm).
    """
    if not isinstance(conduction, Conduction):
        raise invalid("conduction", conduction, "a law of conduction, such as mho.circuits.Sinh()")
    if not 0 < tolerance < 1:
        raise invalid("tolerance", tolerance, "a number above 0, below 1")
    check(g, "g", "S")
    cells, row, col = segments(g.double(), r_row, r_col, r_source, r_sense)
    if not isinstance(v_sense, Tensor):
        v_sense = torch.tensor([v_sense], dtype=torch.float64, device=g.device)
    shape = _shape(v, v_sense, cells.shape)
    drivers, held = v.double().expand(shape[:-1]), v_sense.double().expand(*shape[:-2], shape[-1])
    row, col = row.expand(shape), col.expand(shape)
    circuit = Circuit(
        g=_inward(cells.expand(shape)),
        v=drivers.reshape(-1, shape[-2]).T,
        held=held.reshape(-1, shape[-1]).flip(1).T,
        row=_inward(thin(row) if both_ends else row),
        col=_inward(col),
        conduction=conduction,
        both_ends=both_ends,
    )
    with torch.no_grad():
        x = voltages(circuit, tolerance)
    if torch.is_grad_enabled() and any(y.requires_grad for y in (cells, drivers, held, row, col)):
        implicit: Any = _Implicit.apply(circuit.residual(x), x, circuit)
        x = implicit
    current = conduction.current(x, circuit.g)
    dtype = torch.promote_types(g.dtype, v.dtype)
    return OperatingPoint(
        v=drivers.to(dtype, copy=True),
        v_sense=held.to(dtype, copy=True),
        row=row.to(dtype, copy=True),
        col=col.to(dtype, copy=True),
        word_voltage=_outward(circuit.v[:, None] - circuit.word_drop(current), shape).to(dtype),
        bit_voltage=_outward(circuit.held + circuit.bit_drop(current), shape).to(dtype),
        cell_current=_outward(current, shape).to(dtype),
        end_current=circuit.end_current(current).T.reshape(shape[:-1]).to(dtype),
    )


class _Implicit(torch.autograd.Function):
    """x as a function of F(x; parameters) about F = 0: dx = -J^-1 dF."""

    @staticmethod
    def forward(ctx: Any, f: Tensor, x: Tensor, circuit: Circuit) -> Tensor:
        ctx.circuit = circuit
        ctx.save_for_backward(x)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """J^T = 1 + D Z, so that J^-T grad = grad - D Z (1 + D Z)^-1 grad."""
        if torch.is_grad_enabled():  # create_graph=True
            raise RuntimeError("operating points have first derivatives only")
        (x,) = ctx.saved_tensors
        back = torch.empty_like(x)
        for some in ctx.circuit.chunks():
            grad = grads[0][..., some]
            linear = ctx.circuit.at(some).linear(x[..., some])
            z, left = linear.solve(grad, ADJOINT)
            failed = left > ADJOINT
            if failed.any():
                worst, many = left.max().item(), int(failed.sum())
                raise NotConverged(worst, ADJOINT, many, x.shape[-1], ITERATIONS)
            back[..., some] = linear.slope * z - grad
        return back, None, None


def _shape(v: Tensor, v_sense: Tensor, cells: torch.Size) -> torch.Size:
    """Of arrays and inputs together, (..., rows, cols)."""
    for name, volts, lines in (("v", v, cells[-2]), ("v_sense", v_sense, cells[-1])):
        check(volts, name, "V", signed=True)
        fits = (lines,) if name == "v" else (lines, 1)
        if not volts.dim() or volts.shape[-1] not in fits:
            raise invalid(f"{name}.shape", tuple(volts.shape), f"(..., {lines})")
    leads = [cells[:-2], v.shape[:-1], v_sense.shape[:-1]]
    try:
        lead = torch.broadcast_shapes(*leads)
    except RuntimeError:
        what = "leading dimensions of the array, v and v_sense"
        raise invalid(what, [*map(tuple, leads)], "what broadcasts together") from None
    return torch.Size((*lead, *cells[-2:]))


def _inward(x: Float[Tensor, "*lead rows cols"]) -> Float[Tensor, "rows cols k"]:
    """Arrays last, columns turned round."""
    return x.reshape(-1, *x.shape[-2:]).flip(-1).movedim(0, -1).contiguous()


def _outward(x: Float[Tensor, "rows cols k"], shape: tuple[int, ...]) -> Tensor:
    """The reverse."""
    return x.movedim(-1, 0).flip(-1).reshape(shape)
