"""Every dynamic model against what a model promises; a new one is one more entry in `MODELS`."""

import pytest
import torch
from torch import Tensor

from mho.physics import GeneratorNoise, Spread, dynamics
from mho.physics.dynamics import (
    Adaptive,
    Biolek,
    DynamicModel,
    Fixed,
    Joglekar,
    PulseTrain,
    Sine,
    Source,
    Triangle,
    Variation,
    transient,
)

MODELS: dict[str, tuple[DynamicModel, float, float]] = {
    "tio2-hp": (dynamics.get("tio2-hp"), 1.0, 1.0),
    "tio2-joglekar": (dynamics.get("tio2-joglekar"), 1.5, 1.0),
    "tio2-biolek": (dynamics.get("tio2-joglekar").replace(window=Biolek(p=2.0)), 1.5, 1.0),
    "vteam-1k-300k": (dynamics.get("vteam-1k-300k"), -2.0, 1e6),
    "vteam-50-1k": (dynamics.get("vteam-50-1k"), -1.0, 1e5),
    "vteam-exponential": (
        dynamics.get("vteam-50-1k").replace(
            form="exponential", window=Joglekar(p=2.0), start=0.1, k_on=-1.0
        ),
        -0.5,
        1e6,
    ),
    "stanford-pku": (dynamics.get("stanford-pku"), 1.8, 1e3),
    "tiox-hfox-1.7nm": (dynamics.get("tiox-hfox-1.7nm"), 1.6, 1e3),
    "tiox-hfox-2.1nm": (dynamics.get("tiox-hfox-2.1nm"), 1.6, 1e3),
    "tiox-hfox-3.3nm": (dynamics.get("tiox-hfox-3.3nm"), 1.6, 1e3),
    "jart-vcm-v1b": (dynamics.get("jart-vcm-v1b"), -0.9, 1.0),
}
"""Model, peak voltage that SETs it, and a frequency at which it switches."""

models = pytest.mark.parametrize(("model", "peak", "hertz"), MODELS.values(), ids=MODELS)

KINDS = {name: m for name, m in MODELS.items() if name[-5:] not in ("2.1nm", "3.3nm")}
"""Without those that differ from another in numbers alone: for what takes long."""

NOISY = {name: m for name, m in KINDS.items() if m[0].interval is not None}
"""Those with noise from cycle to cycle."""

kinds = pytest.mark.parametrize(("model", "peak", "hertz"), KINDS.values(), ids=KINDS)


def states(model: DynamicModel, n: int = 5) -> Tensor:
    """From the end of high resistance to that of low."""
    off, on = model.ends({})
    return torch.linspace(0, 1, n, dtype=torch.float64) * (on - off) + off


def test_every_preset_is_tested() -> None:
    assert set(dynamics.MODELS) <= set(MODELS)


@models
def test_at_0_volts_nothing_flows_and_nothing_moves(
    model: DynamicModel, peak: float, hertz: float
) -> None:
    x, v = states(model), torch.zeros(1, dtype=torch.float64)
    assert (model.current(x, v, {}) == 0).all()
    assert (model.rate(x, v, {}) == 0).all()


@models
def test_current_grows_with_the_voltage_and_falls_with_the_resistance(
    model: DynamicModel, peak: float, hertz: float
) -> None:
    v = torch.linspace(-abs(peak), abs(peak), 21, dtype=torch.float64)
    i = model.current(states(model)[:, None], v, {})
    assert (i.diff(dim=1) > 0).all()
    assert (i.abs().diff(dim=0)[:, v != 0] > 0).all()
    assert (model.conductance(states(model), {}).diff() > 0).all()


@models
def test_the_state_of_a_conductance_reads_as_it(
    model: DynamicModel, peak: float, hertz: float
) -> None:
    x = states(model)
    g = model.conductance(x, {})
    off, on = model.ends({})
    torch.testing.assert_close(model.state_of(g, {}), x, rtol=1e-9, atol=1e-12 * abs(on - off))
    beyond = model.state_of(torch.stack([g[0] / 2, g[-1] * 2]), {})
    torch.testing.assert_close(beyond, x[[0, -1]])


@models
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_state_stays_within_its_ends(
    model: DynamicModel, peak: float, hertz: float, dtype: torch.dtype
) -> None:
    for method in (Adaptive(tolerance=1e-4), Fixed(substeps=1)):
        wave = Triangle(amplitude=2 * peak, frequency=hertz / 10, cycles=2)
        x = states(model)[1:-1].to(dtype)
        trace = transient(model, wave, samples=40, state=x, method=method)
        low, high = (end.to(dtype) for end in model.limits({}, trace.state))
        assert trace.state.dtype == dtype
        assert (trace.state >= low).all()
        assert (trace.state <= high).all()
        assert trace.i.isfinite().all()


@kinds
def test_a_loop_is_pinched_and_takes_energy(model: DynamicModel, peak: float, hertz: float) -> None:
    wave = Sine(amplitude=peak, frequency=hertz, cycles=2)
    trace = transient(model, wave, samples=400)
    assert (trace.i[trace.v.abs() < 1e-12 * abs(peak)].abs() < 1e-12 * trace.i.abs().max()).all()
    assert (trace.i * trace.v >= 0).all()
    assert trace.energy() > 0
    assert trace.g.max() / trace.g.min() > 1.02, "does not switch"


@models
def test_a_set_never_lowers_and_a_reset_never_raises_the_conductance(
    model: DynamicModel, peak: float, hertz: float
) -> None:
    for sign in (1, -1):
        train = PulseTrain(
            amplitude=sign * peak, width=0.1 / hertz, rise=0.01 / hertz, rest=0.01 / hertz
        )
        trace = transient(model, train, samples=60, state=states(model))
        steps = sign * trace.g.diff()
        assert (steps >= -1e-12 * trace.g.max()).all()
        assert steps.sum() > 0


@models
def test_a_finer_tolerance_agrees(model: DynamicModel, peak: float, hertz: float) -> None:
    wave = Triangle(amplitude=peak, frequency=hertz)
    off, on = model.ends({})
    rough, fine = (
        transient(model, wave, samples=50, method=Adaptive(tolerance=tolerance)).state
        for tolerance in (1e-4, 1e-7)
    )
    assert (rough - fine).abs().max() < 3e-3 * abs(on - off)


@models
def test_each_device_as_if_alone(model: DynamicModel, peak: float, hertz: float) -> None:
    wave = Sine(amplitude=peak, frequency=hertz)
    x = states(model, 4)[1:3, None]
    traits = {"drive": torch.tensor([0.7, 1.0, 1.2], dtype=torch.float64)}
    together = transient(model, wave, samples=20, state=x, traits=traits)
    assert together.state.shape == (2, 3, 21)
    assert together.steps.shape == (2, 3)
    for row, col in ((0, 2), (1, 0)):
        one = {"drive": traits["drive"][col]}
        alone = transient(model, wave, samples=20, state=x[row, 0], traits=one)
        torch.testing.assert_close(together.state[row, col], alone.state, rtol=1e-12, atol=0)
        torch.testing.assert_close(together.i[row, col], alone.i, rtol=1e-12, atol=0)
        assert together.steps[row, col] == alone.steps


@models
def test_a_trait_is_the_parameter_of_that_device(
    model: DynamicModel, peak: float, hertz: float
) -> None:
    x = states(model)[1:-1, None, None]
    v = peak * torch.tensor([-0.9, 0.8], dtype=torch.float64)[:, None]
    for name in model.parameters():
        value = getattr(model, name)
        other = 0.9 if name == "start" else 1.03 * value
        traits = {name: torch.tensor([value, other], dtype=torch.float64)}
        for k, record in enumerate((model, model.replace(**{name: other}))):
            for law in ("rate", "current"):
                ours, theirs = getattr(model, law)(x, v, traits), getattr(record, law)(x, v, {})
                ours = ours.expand(3, 2, 2)[..., k : k + 1]
                torch.testing.assert_close(ours, theirs.expand(3, 2, 1), rtol=1e-12, atol=0)


@kinds
def test_spread_acts_on_any_parameter(model: DynamicModel, peak: float, hertz: float) -> None:
    names = model.parameters()
    spread = Spread(distribution="lognormal", cov=0.02)
    varied = model.replace(
        variations=tuple(Variation(parameter=name, spread=spread) for name in names)
    )
    assert type(model).from_toml(varied.to_toml()) == varied
    generator = torch.Generator().manual_seed(5)
    traits = varied.traits(GeneratorNoise((6,), generator, torch.float64))
    assert set(traits) == set(names)
    for name in names:
        factor = traits[name] / getattr(model, name) if getattr(model, name) else torch.ones(6)
        assert (factor - 1).abs().max() < 0.2
    trace = transient(varied, Sine(amplitude=peak, frequency=hertz), samples=10, traits=traits)
    assert trace.state.isfinite().all()
    assert (trace.i[:, 3].std() > 0).all()


@models
def test_gradients_are_those_of_finite_differences(
    model: DynamicModel, peak: float, hertz: float
) -> None:
    """At fixed steps, in the start and in a parameter that every model has."""
    wave = Sine(amplitude=0.5 * peak, frequency=hertz)
    off, on = model.ends({})

    def states_of(start: Tensor, drive: Tensor) -> Tensor:
        x, method = off + (on - off) * start, Fixed(substeps=2)
        trace = transient(model, wave, samples=16, state=x, traits={"drive": drive}, method=method)
        return (trace.state - off).sum() / (on - off)

    at = torch.tensor([0.4, 1.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(states_of(*at), at)
    for k in range(2):
        shift = 1e-6 * torch.eye(2, dtype=torch.float64)[k]
        up, down = (states_of(*(at.detach() + sign * shift)) for sign in (1, -1))
        torch.testing.assert_close(slope[k], (up - down) / 2e-6, rtol=1e-4, atol=1e-6)


@kinds
def test_gradients_of_all_parameters_are_finite(
    model: DynamicModel, peak: float, hertz: float
) -> None:
    traits = {
        name: torch.tensor(getattr(model, name), dtype=torch.float64, requires_grad=True)
        for name in model.parameters()
    }
    trace = transient(model, Triangle(amplitude=peak, frequency=hertz), samples=20, traits=traits)
    trace.g.sum().backward()
    for name, trait in traits.items():
        assert trait.grad is None or trait.grad.isfinite(), name


@models
def test_current_voltage_and_slope_belong_together(
    model: DynamicModel, peak: float, hertz: float
) -> None:
    x = states(model)[:, None]
    v = torch.linspace(-abs(peak), abs(peak), 12, dtype=torch.float64)
    i = model.current(x, v, {})
    torch.testing.assert_close(model.voltage(x, i, {}), v.expand(i.shape), rtol=1e-9, atol=1e-12)
    rise = model.current(x, v + 1e-6, {}) - model.current(x, v - 1e-6, {})
    torch.testing.assert_close(model.slope(x, v, {}), rise / 2e-6, rtol=2e-6, atol=0)
    assert (model.slope(x, torch.zeros_like(x), {}) > 0).all()
    assert (model.voltage(x, torch.zeros_like(x), {}) == 0).all()


@kinds
def test_a_source_limits_the_current_and_can_switch_still(
    model: DynamicModel, peak: float, hertz: float
) -> None:
    wave, rough = Sine(amplitude=peak, frequency=hertz), Adaptive(tolerance=1e-3)
    free = transient(model, wave, samples=20, method=rough)
    most = 0.5 * free.i.abs().max().item()
    source = Source(resistance=0.1 * abs(peak) / most, compliance=(most, most))
    held = transient(model, wave, samples=20, method=rough, source=source)
    assert (held.i.abs() <= most * (1 + 1e-9)).all()
    assert (held.v.abs() <= free.v.abs() * (1 + 1e-9)).all()
    assert held.energy() > 0
    none = transient(model, wave, samples=20, method=rough, source=Source())
    assert torch.equal(none.state, free.state)


@pytest.mark.parametrize(("model", "peak", "hertz"), NOISY.values(), ids=NOISY)
def test_noise_is_keyed_and_nothing_without_amplitude(
    model: DynamicModel, peak: float, hertz: float
) -> None:
    """The same numbers give the same course whatever is sampled; none give the median device."""
    wave, rough = Sine(amplitude=peak, frequency=hertz), Adaptive(tolerance=1e-3)
    interval, (off, on) = wave.duration / 25, model.ends({})
    # a few percent of the range in all
    model = model.replace(noise_interval=interval, noise=0.01 * abs(on - off) / interval)
    x = states(model, 4)[1:3]

    def course(seed: int, samples: int, model: DynamicModel = model) -> Tensor:
        source = GeneratorNoise((2,), torch.Generator().manual_seed(seed), torch.float64)
        return transient(model, wave, samples=samples, state=x, method=rough, noise=source).state

    once, again, other = course(1, 10), course(1, 20), course(2, 10)
    torch.testing.assert_close(once, again[:, ::2], rtol=0, atol=5e-3 * abs(on - off))
    assert (once - other).abs().max() > 0.01 * abs(on - off)
    median = transient(model, wave, samples=10, state=x, method=rough).state
    assert torch.equal(course(1, 10, model.replace(noise=0.0)), median)
    with pytest.raises(ValueError, match=r"noise_interval = .*: expected at least"):
        course(1, 10, model.replace(noise_interval=1e-9 * interval))


def test_a_trait_that_is_no_parameter_is_refused() -> None:
    model = dynamics.get("tio2-hp")
    with pytest.raises(ValueError, match="unknown parameter of IonDrift 'r_onn': did you mean"):
        transient(model, Sine(amplitude=1.0, frequency=1.0), traits={"r_onn": torch.ones(2)})
    with pytest.raises(ValueError, match="unknown parameter"):
        model.replace(variations=(Variation(parameter="doi", spread=Spread()),))
    with pytest.raises(ValueError, match="each parameter once"):
        model.replace(variations=2 * (Variation(parameter="depth", spread=Spread()),))
