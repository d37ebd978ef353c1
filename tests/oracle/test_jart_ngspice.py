"""JART VCM v1b over a loop of SET and RESET, against the same equations in ngspice."""

import math
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from builders.programs import needed
from mho.circuits.ngspice import ngspice
from mho.physics import dynamics
from mho.physics.dynamics import JartVcm, Samples, transient

FOUND = dynamics.get("jart-vcm-v1b")
assert isinstance(FOUND, JartVcm)
MODEL: JartVcm = FOUND

Q, K, EPS0 = 1.602176634e-19, 1.380649e-23, 8.8541878128e-12
PLANCK, MASS, RICHARDSON = 6.62607015e-34, 9.1093837015e-31, 6.01e5


def deck(m: JartVcm, times: tuple[float, ...], volts: tuple[float, ...]) -> str:
    """State ln N as the voltage of 1 F, and behavioural sources for what moves it.

    Node s is the contact, t the temperature in kelvin. Both follow within a thousandth of a
    billionth and a billionth of the loop, so that the program solves no algebraic loop. Its ^ is a
    power of the magnitude.
    """
    area, thermal = math.pi * m.radius**2, K / Q
    ohms = 1 / (2 * Q * 1e26 * m.mobility * area)  # of a metre of filament, N = 1e26/m^3
    plug = ohms * (m.cell_length - m.disc_length) / m.n_plug
    image = ((Q / (m.image_permittivity * EPS0)) ** 3 * 2e26 / (8 * math.pi**2)) ** 0.25
    tunnelling = PLANCK / (4 * math.pi) * math.sqrt(2e26 / (MASS * m.permittivity * EPS0))
    line = m.line_resistance**2 * m.line_coefficient * m.line_thermal_resistance
    follow, cold = times[-1] * 1e-9, m.oxide_resistance + m.line_resistance
    reset_heat = m.thermal_resistance * m.reset_heating
    corners = " ".join(f"{t:.12g} {v:.12g}" for t, v in zip(times, volts, strict=True))
    return f"""* JART VCM v1b
.options reltol=1e-6 abstol=1e-13 vntol=1e-9 chgtol=1e-20 gmin=1e-15 method=gear itl4=300
.func lim(z,a,b) {{min(max(z,a),b)}}
.func n(x) {{exp(lim(x,-6,4))}}
.func disc(x) {{{ohms * m.disc_length:.12g}/n(x)}}
.func filament(x) {{disc(x)+{plug:.12g}}}
.func hot(t) {{lim(t,200,20000)}}
.func th(t) {{{thermal:.12g}*hot(t)}}
.func psi(s) {{{m.barrier - m.band_offset:.12g}-s}}
.func lowered(s,x) {{{m.barrier:.12g}-{image:.12g}*(n(x)*max(psi(s),1e-12))^0.25}}
.func phi(s,x) {{(psi(s)>1e-12) ? max(lowered(s,x),0) : {m.barrier:.12g}}}
.func w(x) {{{tunnelling:.12g}*sqrt(n(x))}}
.func r(x,t) {{w(x)/th(t)}}
.func grown(z) {{exp(lim(z,-50,80))-1}}
.func over(s,x,t) {{{area * RICHARDSON:.12g}*hot(t)^2*exp(-phi(s,x)/th(t))*grown(s/th(t))}}
.func root(s,x,t) {{sqrt({math.pi:.12g}*w(x)*(abs(s)+phi(s,x)/cosh(r(x,t))^2))}}
.func decay(s,x,t) {{exp(-phi(s,x)*tanh(r(x,t))/w(x))}}
.func gain(s,x,t) {{grown(-s*(r(x,t)-tanh(r(x,t)))/w(x))}}
.func front(t) {{{area * RICHARDSON / thermal:.12g}*hot(t)}}
.func through(s,x,t) {{front(t)*root(s,x,t)*decay(s,x,t)*gain(s,x,t)}}
.func g(e) {{lim({2 * m.hop / (math.pi * m.activation):.12g}*e,0,0.9)}}
.func mid(e) {{sqrt(1-g(e)^2)+g(e)*asin(g(e))}}
.func hop(e,t,k) {{exp(-{m.activation:.12g}/th(t)*(mid(e)-k*{math.pi / 2:.12g}*g(e)))}}
.func hops(e,t) {{hop(e,t,1)-hop(e,t,-1)}}
.func speed(x) {{{0.5 * m.hop * m.attempts / m.disc_length:.12g}*({m.n_plug:.12g}+n(x))/n(x)}}
.func most(x) {{max(1-exp(10*(x-{math.log(m.n_max):.12g})),0)}}
.func least(x) {{max(1-exp(10*({math.log(m.n_min):.12g}-x)),0)}}
.func heat(v) {{v<0 ? {m.thermal_resistance:.12g} : {reset_heat:.12g}}}
Vin in 0 PWL({corners})
Vm in a 0
Bline a s V=I(Vm)*({cold:.12g}+{line:.12g}*I(Vm)^2+filament(V(x)))
Bc s 0 I=V(in)<0 ? -through(V(s),V(x),V(t)) : over(V(s),V(x),V(t))
Cs s 0 {follow / 1e3:.12g}
Bt 0 t I={m.ambient:.12g}+heat(V(in))*I(Vm)*(V(s)+I(Vm)*filament(V(x)))
Rt t 0 1
Ct t 0 {follow:.12g}
Bset 0 x I=V(in)<0 ? speed(V(x))*most(V(x))*hops(-I(Vm)*disc(V(x))/{m.disc_length},V(t)) : 0
Be e 0 V=(V(s)+I(Vm)*filament(V(x)))/{m.cell_length}*1e-9
Breset x 0 I=V(in)>0 ? speed(V(x))*least(V(x))*hops(V(e)*1e9,V(t)) : 0
Cx x 0 1
.ic V(x)={math.log(m.n_min):.12g} V(t)={m.ambient:.12g} V(s)=0
.tran {times[-1] / 2000:.12g} {times[-1]:.12g} 0 {times[-1] / 5000:.12g} uic
.control
set numdgt=12
run
wrdata course.txt i(Vm) v(x) v(t)
.endc
.end
"""


@pytest.mark.parametrize("length", [4.6e-3, 4.6])
def test_a_loop_of_set_and_reset_is_that_of_ngspice(length: float, tmp_path: Path) -> None:
    """Currents and states: the same to a thousandth, but for the moments in which the device
    switches, which both find at the same voltage."""
    needed("ngspice")
    times = tuple(length * share / 4.6 for share in (0.0, 1.0, 2.0, 3.3, 4.6))
    volts = (0.0, -1.0, 0.0, 1.3, 0.0)
    (tmp_path / "deck.cir").write_text(deck(MODEL, times, volts))
    done = subprocess.run(
        [ngspice(), "-n", "-b", "deck.cir"], cwd=tmp_path, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert "aborted" not in done.stdout + done.stderr, done.stdout
    course = np.loadtxt(tmp_path / "course.txt")
    at = torch.linspace(0.0, length, 461, dtype=torch.float64)
    start = torch.tensor([math.log(MODEL.n_min)], dtype=torch.float64)
    wave = Samples(times=times, volts=volts)
    trace = transient(MODEL, wave, samples=at, state=start)
    i, x = trace.i[0].numpy(), trace.state[0].numpy()
    theirs_i, theirs_x = (np.interp(at, course[:, 0], course[:, column]) for column in (1, 3))
    off = np.abs(theirs_i - i) / (np.abs(i) + 1e-6)
    assert np.quantile(off, 0.97) < 1e-3
    switching = np.abs(np.gradient(x)) > 0.02
    assert off[~switching].max() < 1e-3
    assert np.abs(theirs_x - x)[~switching].max() < 1e-3
    for states in (x, theirs_x):
        assert states.max() - states.min() > 7  # it was switched
    set_at, theirs_set = ((states > 0).argmax() for states in (x, theirs_x))
    assert abs(int(set_at) - int(theirs_set)) <= 1
    reset_at, theirs_reset = ((states > 0)[::-1].argmax() for states in (x, theirs_x))
    assert abs(int(reset_at) - int(theirs_reset)) <= 1
