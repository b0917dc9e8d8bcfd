"""Second derivatives with the outputs contracted first, against their definitions."""

import numpy as np
import pytest

from chainrule import Network
from chainrule.heart import chain_rule
from chainrule.kernels import native, reference
from chainrule.kernels.units import gauss_newton, outputs_together

RNG = np.random.default_rng(5)
OUTPUTS = [
    ("identity", "squared"),
    ("sigmoid", "squared"),
    ("sigmoid", "cross_entropy"),
    ("softmax", "cross_entropy"),
    ("exp", "poisson"),
]


def by_definition(net, theta, X, Y, w):
    """Σ_i w_i dz_iᵀ Λ_i dz_i, row by row."""
    W, b = net.weights(theta)
    trace = chain_rule.forward(X, W, b, net.functions)
    z_L = trace.z[net.n_layers]
    identity = np.broadcast_to(np.eye(z_L.shape[1]), (len(X), *2 * z_L.shape[1:]))
    dz = chain_rule.jacobian(identity, trace, W, b, net.functions)
    return sum(
        weight * J.T @ of @ J
        for weight, J, of in zip(w, dz, net.pair.curvature(z_L, Y), strict=True)
    )


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("hidden", [(), (4,), (3, 5), (4, 2, 3), (2, 3, 2, 3)])
@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
def test_it_is_the_sum_over_rows_of_its_definition(output, loss, hidden, bias, skip):
    n, K = 37, 6
    net = Network([3, *hidden, K], output=output, loss=loss, bias=bias, skip=skip and bool(hidden))
    X, w = RNG.standard_normal((n, 3)), RNG.uniform(0.5, 2.0, n)
    Y = RNG.uniform(0.05, 0.95, (n, K))
    theta = RNG.standard_normal(net.n_parameters)
    expected = by_definition(net, theta, X, Y, w)
    size = np.abs(expected).max()
    # 37 rows and 6 outputs are summed in another order: some units in the last place of the largest
    for kernel in (reference, native) if native.build() else (reference,):
        H = kernel.evaluate(net, theta, X, Y, w, 2).H
        assert np.abs(H - expected).max() <= 1e-13 * size, kernel.__name__
    W, b = net.weights(theta)
    trace = chain_rule.forward(X, W, b, net.functions)
    curvature = w[:, None, None] * net.pair.curvature(trace.z[net.n_layers], Y)
    assert np.abs(gauss_newton(net, trace, W, curvature) - expected).max() <= 1e-13 * size


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("hidden", [(), (4,), (3, 5), (4, 2, 3), (2, 3, 2, 3)])
@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
def test_the_exact_hessian_is_the_derivative_of_the_gradient(output, loss, hidden, bias, skip):
    n = 37
    for K, f in ((1, "tanh"), (3, "silu"), (6, "softplus"), (2, "sigmoid")):
        if output == "softmax" and K == 1:
            continue
        options = {"hidden": f, "bias": bias, "skip": skip and bool(hidden)}
        net = Network([3, *hidden, K], output=output, loss=loss, **options)
        X, w = RNG.standard_normal((n, 3)), RNG.uniform(0.5, 2.0, n)
        Y, theta = RNG.uniform(0.05, 0.95, (n, K)), 0.5 * RNG.standard_normal(net.n_parameters)
        units = np.eye(len(theta))
        expected = [reference.hessian_product(net, theta, e, X, Y, w) for e in units]
        for kernel in (reference, native) if native.build() else (reference,):
            H = kernel.hessian(net, theta, X, Y, w)
            size = np.abs(expected).max()
            assert np.abs(H - expected).max() <= 1e-12 * size, (kernel.__name__, K, f)


def test_many_outputs_are_contracted_and_few_are_not():
    assert outputs_together(Network([5, 10, 100]))
    assert outputs_together(Network([64, 10, 10]))
    assert not any(outputs_together(Network([4, 10, K])) for K in (1, 2))
    assert not outputs_together(Network([2, 300, 4]))


@pytest.mark.skipif(not native.build(), reason="no native core")
@pytest.mark.parametrize("layers", [[5, 10, 40], [30, 4, 12], [3, 20, 20, 9], [700, 2, 8]])
def test_tiles_and_threads_add_up(layers):
    n, K = 1_500, layers[-1]
    net = Network(layers, output="softmax")
    X, w = RNG.standard_normal((n, layers[0])), RNG.uniform(0.5, 2.0, n)
    Y, theta = np.eye(K)[RNG.integers(0, K, n)], net.initial(0)
    few = sum(
        reference.evaluate(net, theta, X[k : k + 250], Y[k : k + 250], w[k : k + 250], 2).H
        for k in range(0, n, 250)
    )
    assert (
        np.abs(native.evaluate(net, theta, X, Y, w, 2).H - few).max() <= 1e-12 * np.abs(few).max()
    )
