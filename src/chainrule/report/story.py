"""The tutorial's whole story on its own three rows, told with every number measured.

Each function below is one section. It computes with the public functions of the
package, and returns what is said, the numbers behind it, and the figures to draw.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from chainrule._contracts import Array, Evaluation
from chainrule.heart import activations, chain_rule
from chainrule.heart.gradient_check import check_gradient
from chainrule.heart.network import Network
from chainrule.objectives.objective import Objective
from chainrule.optimize.history import Iteration
from chainrule.optimize.minimize import Fit, minimize
from chainrule.pictures import costs, predictions, surfaces
from chainrule.pictures.activations import activation_figure
from chainrule.tables.scaling import Scaling, fit_scaling

HOURS = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]])
SCORES = np.array([[75.0], [82.0], [93.0]])
MORE_HOURS, MORE_SCORES = np.array([[6.0, 1.5]]), np.array([[70.0]])
TEST_HOURS = np.array([[4.0, 5.5], [4.5, 1.0], [9.0, 2.5], [6.0, 2.0]])
TEST_SCORES = np.array([[70.0], [89.0], [85.0], [75.0]])
MAX_SCORE = 100.0  # points of the test
LAMBDA = 1e-4  # the penalty of the tutorial
STORY_STARTS = 10  # that the story makes
QUESTION = np.array([[8.0, 3.0]])
AXES = ("hours of sleep", "hours of study", "test score (points)")


@dataclass(frozen=True)
class Section:
    """One section of the story: its title, what is said, its numbers, its figures."""

    title: str
    text: str
    numbers: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Callable[[], Figure]] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """What all sections share: the network, its start, and the scaled data."""

    net: Network
    theta: Array
    hours: Scaling
    points: Scaling
    X: Array
    Y: Array

    def score(self, theta: Array, hours: Array) -> Array:
        """Return the predicted score, (n,), in points."""
        y_hat = self.net.forward(theta, self.hours.transform(hours)).y_hat
        return self.points.inverse(y_hat)[:, 0]


def story(seed: int = 25) -> Iterator[Section]:
    """Tell the story, section by section, from the starting weights of `seed`.

    The default is a start whose best single weight lies inside the range that is tried.
    """
    net = Network([2, 3, 1], hidden="sigmoid", output="sigmoid", loss="squared", bias=False)
    hours = fit_scaling("max", HOURS)
    points = Scaling("max", np.zeros(1), np.array([MAX_SCORE]))
    scene = Scene(
        net,
        net.initial(seed, scheme="normal"),
        hours,
        points,
        hours.transform(HOURS),
        points.transform(SCORES),
    )
    yield _data(scene)
    yield _untrained(scene)
    yield _brute_force(scene)
    yield _gradients(scene)
    yield _two_steps(scene)
    yield _check(scene)
    fit = minimize(Objective(net, scene.X, scene.Y), scene.theta, method="bfgs")
    yield _training(scene, fit)
    yield _answer(scene, fit)
    yield _overfitting(scene)


def _data(s: Scene) -> Section:
    trace = s.net.forward(s.theta, s.X)
    grads = s.net.backward(s.theta, trace, s.Y)
    W, _ = s.net.weights(s.theta)
    shapes = [
        ("X", "inputs, one row for each test", s.X),
        ("Y", "targets, the scores", s.Y),
        ("W[1]", "weights from the inputs to the hidden layer", W[1]),
        ("W[2]", "weights from the hidden layer to the output", W[2]),
        ("z[2]", "what enters the hidden units", trace.z[2]),
        ("a[2]", "what leaves them, sigmoid(z[2])", trace.a[2]),
        ("z[3]", "what enters the output unit", trace.z[3]),
        ("y_hat", "the prediction, sigmoid(z[3])", trace.y_hat),
        ("J", "cost, ½ Σ (y - y_hat)²", np.float64(s.net.cost(s.theta, s.X, s.Y))),
        ("delta[3]", "dJ/dz[3], the error sent back", grads.delta[3]),
        ("dJdW[2]", "dJ/dW[2]", grads.dJdW[2]),
        ("delta[2]", "dJ/dz[2]", grads.delta[2]),
        ("dJdW[1]", "dJ/dW[1]", grads.dJdW[1]),
    ]
    table = [f"  {name:<9} {np.shape(A)!s:<7} {what}" for name, what, A in shapes]
    rows = [
        f"  {h[0]:>4.0f} {h[1]:>6.0f} {y:>7.0f}      {x[0]:.2f}   {x[1]:.2f}   {t:.2f}"
        for h, y, x, t in zip(HOURS, SCORES[:, 0], s.X, s.Y[:, 0], strict=True)
    ]
    text = "\n".join(
        [
            "Three tests: how long I slept, how long I studied, what I scored. Each column is",
            "divided by its maximum (10 and 5 hours), the score by the 100 points there are.",
            "",
            "  sleep  study  score      X             Y",
            *rows,
            "",
            "A network with 2 inputs, 3 hidden units and 1 output, 9 weights, no biases:",
            "",
            *table,
        ]
    )
    numbers = {
        "X": s.X.tolist(),
        "Y": s.Y.tolist(),
        "shapes": {n: np.shape(A) for n, _, A in shapes},
    }
    figures = {
        "sigmoid": lambda: activation_figure(activations.sigmoid, derivative=False),
        "sigmoid_derivative": lambda: activation_figure(activations.sigmoid, reach=5.0),
        "tanh_derivative": lambda: activation_figure(activations.tanh, reach=5.0),
    }
    return Section("The data and the network", text, numbers, figures)


def _beside(y: Array, y_hat: Array) -> list[str]:
    return ["  truth   prediction"] + [
        f"  {a:>5.1f}   {b:>9.4f}" for a, b in zip(y, y_hat, strict=True)
    ]


def _untrained(s: Scene) -> Section:
    guess = s.score(s.theta, HOURS)
    J = s.net.cost(s.theta, s.X, s.Y)
    text = "\n".join(
        [
            "Random weights know nothing yet (points of 100):",
            "",
            *_beside(SCORES[:, 0], guess),
            "",
            f"How wrong is that? J = ½ Σ (y - y_hat)² = {J:.8f}",
        ]
    )
    return Section(
        "An untrained prediction",
        text,
        {"prediction": guess.tolist(), "J": J},
        {"untrained": lambda: _bars(guess, "Before training")},
    )


def _bars(y_hat: Array, title: str) -> Figure:
    tests = [f"test {i + 1}\n{h[0]:g} h sleep, {h[1]:g} h study" for i, h in enumerate(HOURS)]
    return predictions.bars(SCORES[:, 0], y_hat, tests, AXES[2], title)


def _costs_over(s: Scene, first: Array, second: Array | None = None) -> Array:
    """Return J for every value of W[1][1,1] and, in columns, of W[1][1,2] as well.

    A stack of weight matrices goes through the equations at once.
    """
    W, b = s.net.weights(s.theta)
    stack = np.broadcast_to(W[1], (len(first), 2, 3)).copy()
    stack[:, 0, 0] = first
    columns = []
    for value in [W[1][0, 1]] if second is None else second:
        stack[:, 0, 1] = value
        trace = chain_rule.forward(s.X, {1: stack, 2: W[2]}, b, s.net.functions)
        columns.append(s.net.pair.cost(trace.z[3], s.Y).sum(axis=-1))
    return np.array(columns)


@dataclass(frozen=True)
class _TwoWeights:
    """The cost as a function of two of the weights, the others held."""

    objective: Objective
    theta: Array
    chosen: tuple[int, int] = (0, 1)

    def evaluate(self, two: Array, order: int) -> Evaluation:
        theta = self.theta.copy()
        theta[list(self.chosen)] = two
        found = self.objective.evaluate(theta, order)
        return Evaluation(found.J, None if found.g is None else found.g[list(self.chosen)])


def _brute_force(s: Scene) -> Section:
    values = np.linspace(-5.0, 5.0, 1000)
    started = time.perf_counter()
    one = _costs_over(s, values)[0]
    middle = time.perf_counter()
    two = _costs_over(s, values, values)
    seconds = (middle - started, time.perf_counter() - middle)
    # the time that counts is the one for two weights: the first is too short to measure
    each = seconds[1] / two.size
    p = s.net.n_parameters
    years = each * 1000.0**p / (3600 * 24 * 365)
    path: list[Array] = []
    two_weights = _TwoWeights(Objective(s.net, s.X, s.Y), s.theta)
    fit = minimize(
        two_weights, s.theta[:2], method="bfgs", callback=lambda theta, _: path.append(theta)
    )
    best = np.unravel_index(np.argmin(two), two.shape)
    text = "\n".join(
        [
            "Why not try all weights? Every weight at 1,000 values from -5 to 5:",
            "",
            "  weights          evaluations             time",
            f"  1                      1,000   {seconds[0]:.2g} s, measured",
            f"  2                  1,000,000   {seconds[1]:.2g} s, measured",
            f"  {p}                      1e{3 * p}   {years:.1e} years = "
            f"{each:.1e} s · 1000^{p} / (3600 · 24 · 365)",
            "",
            f"The best of the million has J = {two.min():.8f}. BFGS, on the same two weights,",
            f"finds J = {fit.cost:.8f} in {fit.n_evaluations} evaluations: it knows where down is.",
        ]
    )
    numbers = {
        "one_weight": {"seconds": seconds[0], "lowest": float(one.min())},
        "two_weights": {
            "seconds": seconds[1],
            "lowest": float(two.min()),
            "at": [float(values[best[1]]), float(values[best[0]])],
        },
        "all_weights": {"evaluations": 1000.0**p, "years": years},
        "bfgs_on_two": {"J": fit.cost, "evaluations": fit.n_evaluations},
    }
    names = ("W[1][1,1]", "W[1][1,2]")
    figures = {
        "cost_over_one_weight": lambda: costs.cost_over_weight(values, one, names[0]),
        "cost_over_two_weights": lambda: costs.cost_over_two_weights(
            values, two, names, np.array(path), "start"
        ),
    }
    return Section("Brute force", text, numbers, figures)


def _gradients(s: Scene) -> Section:
    trace = s.net.forward(s.theta, s.X)
    grads = s.net.backward(s.theta, trace, s.Y)
    lines = []
    for title, A in (
        ("delta[3] = -(y - y_hat) * sigmoid'(z[3])", grads.delta[3]),
        ("dJdW[2]  = a[2]ᵀ delta[3]", grads.dJdW[2]),
        ("delta[2] = delta[3] W[2]ᵀ * sigmoid'(z[2])", grads.delta[2]),
        ("dJdW[1]  = Xᵀ delta[2]", grads.dJdW[1]),
    ):
        lines += ["", f"{title}    {A.shape}"]
        lines += ["  " + "  ".join(f"{x:>12.8f}" for x in row) for row in A]
    text = "Which way is down? The chain rule, from the error back to every weight:\n" + "\n".join(
        lines
    )
    numbers = {
        "delta[3]": grads.delta[3].tolist(),
        "dJdW[2]": grads.dJdW[2].tolist(),
        "delta[2]": grads.delta[2].tolist(),
        "dJdW[1]": grads.dJdW[1].tolist(),
    }
    return Section("The gradient, by name", text, numbers)


def _two_steps(s: Scene) -> Section:
    objective = Objective(s.net, s.X, s.Y)
    here, g = objective.evaluate(s.theta, 1)
    up, down = objective.cost(s.theta + 3 * g), objective.cost(s.theta - 3 * g)
    text = "\n".join(
        [
            f"  J here                 {here:.8f}",
            f"  J after W + 3 dJdW     {up:.8f}    uphill",
            f"  J after W - 3 dJdW     {down:.8f}    downhill",
        ]
    )
    return Section("One step up, one step down", text, {"here": here, "up": up, "down": down})


def _check(s: Scene) -> Section:
    check = check_gradient(Objective(s.net, s.X, s.Y), s.theta, step=1e-4)
    rows = [
        f"  {g:>12.8f}   {num:>12.8f}" for g, num in zip(check.gradient, check.numeric, strict=True)
    ]
    text = "\n".join(
        [
            "Is the gradient right? Beside each derivative, (J(w + e) - J(w - e)) / 2e, e = 1e-4:",
            "",
            "  chain rule     difference",
            *rows,
            "",
            f"norm(grad - num) / norm(grad + num) = {check.ratio:.2e}",
            str(check),
        ]
    )
    return Section("The numerical check", text, {"ratio": check.ratio, "passed": check.passed})


def _training(s: Scene, fit: Fit) -> Section:
    after = s.score(fit.theta, HOURS)
    biggest = float(np.max(np.abs(fit.gradient)))
    text = "\n".join(
        [
            f"BFGS: {fit.n_iterations} iterations, {fit.n_evaluations} evaluations of J and dJdW",
            f"  J                      {fit.history[0].cost:.8f} → {fit.cost:.2e}",
            f"  max |dJdW| at the end  {biggest:.1e}",
            f"  {fit.termination}",
            "",
            *_beside(SCORES[:, 0], after),
        ]
    )
    numbers = {
        "iterations": fit.n_iterations,
        "evaluations": fit.n_evaluations,
        "J": fit.cost,
        "max_gradient": biggest,
        "termination": fit.termination.name,
        "prediction": after.tolist(),
    }
    figures = {
        "cost_over_iterations": lambda: costs.cost_over_iterations(
            {"J": fit.history.cost}, "The cost over the iterations of BFGS"
        ),
        "trained": lambda: _bars(after, "After training"),
    }
    return Section("Training", text, numbers, figures)


def _answer(s: Scene, fit: Fit) -> Section:
    answer = float(s.score(fit.theta, QUESTION)[0])
    sleep, study = np.linspace(0, 10, surfaces.GRID_POINTS), np.linspace(0, 5, surfaces.GRID_POINTS)
    grid = np.column_stack([A.ravel() for A in np.meshgrid(sleep, study)])
    surface = surfaces.Surface(
        sleep,
        study,
        s.score(fit.theta, grid).reshape(surfaces.GRID_POINTS, surfaces.GRID_POINTS),
        np.column_stack([HOURS, SCORES]),
        AXES,
    )
    text = f"8 hours of sleep and 3 of study?  {answer:.1f} points, says the network."
    return Section(
        "The answer",
        text,
        {"sleep": 8, "study": 3, "score": answer},
        {
            "contour": lambda: surfaces.contour(surface),
            "surface": lambda: surfaces.surface_3d(surface),
        },
    )


def _overfitting(s: Scene) -> Section:
    X = s.hours.transform(np.vstack([HOURS, MORE_HOURS]))
    Y = s.points.transform(np.vstack([SCORES, MORE_SCORES]))
    unseen = s.hours.transform(TEST_HOURS), s.points.transform(TEST_SCORES)
    panels, fits, lines = {}, {}, []
    for lam in (0.0, LAMBDA):
        fit, path = _best_of_starts(s, X, Y, lam)
        train = np.array([_rmse(s, theta, X, Y) for theta in path])
        test = np.array([_rmse(s, theta, *unseen) for theta in path])
        panels[f"lambda = {lam:g}"] = {"4 training rows": train, "4 test rows": test}
        biggest = float(np.abs(fit.theta).max())
        fits[f"{lam:g}"] = {
            "J": fit.cost,
            "train_rmse": float(train[-1]),
            "test_rmse": float(test[-1]),
            "largest_weight": biggest,
            "termination": fit.termination.name,
        }
        lines.append(
            f"  {lam:<8g} {fit.cost:.10f}   {train[-1]:>7.2f}   {test[-1]:>7.2f}   {biggest:>9.2f}"
            f"   {fit.termination.name}"
        )
    text = "\n".join(
        [
            "A fourth test (6 h sleep, 1.5 h study, 70 points) and four tests kept aside. Errors",
            "are root mean squares in points; J = ½ Σ (y - y_hat)² / 4 + lambda/2 Σ W²; the best",
            f"of {STORY_STARTS} starts:",
            "",
            "  lambda   J               train      test   largest |W|",
            *lines,
            "",
            "Without lambda the weights grow to bend the network through the rows it sees, and",
            "the tests it has not seen pay for it; with lambda they stay small. Nine weights want",
            "about ninety rows. (The published curve of this lesson used test hours that were",
            "never divided by 10 and 5; here they are.)",
        ]
    )
    return Section(
        "Overfitting, and lambda",
        text,
        fits,
        {"train_and_test": lambda: costs.train_and_test(panels, "points")},
    )


def _best_of_starts(s: Scene, X: Array, Y: Array, lam: float) -> tuple[Fit, list[Array]]:
    """Return the fit of lowest cost and the weights at each of its iterations."""
    # the series divides the data term by the number of rows: weights of 1/n do the same
    objective = Objective(s.net, X, Y, alpha=lam, sample_weight=np.full(len(X), 1 / len(X)))
    runs = []
    for start in range(STORY_STARTS):
        path: list[Array] = []

        def keep(theta: Array, _: Iteration, path: list[Array] = path) -> None:
            path.append(theta)

        theta = s.net.initial(start, scheme="normal")
        runs.append((minimize(objective, theta, method="bfgs", callback=keep), path))
    return min(runs, key=lambda run: run[0].cost)


def _rmse(s: Scene, theta: Array, X: Array, Y: Array) -> float:
    error = s.points.inverse(s.net.forward(theta, X).y_hat) - s.points.inverse(Y)
    return float(np.sqrt(np.mean(error**2)))
