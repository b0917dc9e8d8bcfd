"""Figures: labelled, of the data they are given, written whole. (They are also looked at.)"""

import numpy as np
import pytest

from chainrule import ConfigurationError
from chainrule.heart.activations import ACTIVATIONS, sigmoid
from chainrule.pictures import costs, diagram, predictions, surfaces
from chainrule.pictures.activations import activation_figure
from chainrule.pictures.style import save

RNG = np.random.default_rng(0)


def grid_surface():
    x, y = np.linspace(0, 10, 20), np.linspace(0, 5, 30)
    return surfaces.Surface(
        x, y, np.add.outer(y, x), np.array([[1.0, 2.0, 3.0], [10.0, 5.0, 15.0]]), ("a", "b", "c")
    )


FIGURES = {
    "activation": lambda: activation_figure(sigmoid),
    "one weight": lambda: costs.cost_over_weight(np.arange(5.0), np.arange(5.0) ** 2 + 1, "w"),
    "two weights": lambda: costs.cost_over_two_weights(
        np.linspace(-1, 1, 9), RNG.random((9, 9)) + 0.1, ("u", "v"), np.zeros((3, 2)), "start"
    ),
    "iterations": lambda: costs.cost_over_iterations({"a": np.ones(3), "b": np.ones(4)}, "t"),
    "train and test": lambda: costs.train_and_test(
        {"p": {"train": np.ones(3), "test": np.ones(3)}, "q": {"train": np.ones(3)}}, "points"
    ),
    "bars": lambda: predictions.bars(np.ones(2), np.ones(2), ["1", "2"], "y", "t"),
    "fit": lambda: predictions.fit(np.arange(9.0), np.arange(9.0) + 0.1, "y"),
    "residuals": lambda: predictions.residuals(np.arange(9.0), np.arange(9.0) + 0.1, "y"),
    "contour": lambda: surfaces.contour(grid_surface()),
    "surface": lambda: surfaces.surface_3d(grid_surface()),
    "network": lambda: diagram.network_diagram(
        {1: RNG.standard_normal((2, 3)), 2: RNG.standard_normal((3, 1))}, {}, ["a", "b"], ["y"]
    ),
    "wide network": lambda: diagram.network_diagram(
        {1: RNG.standard_normal((40, 30)), 2: RNG.standard_normal((30, 1))},
        {1: np.ones(30), 2: np.ones(1)}, [f"x{i}" for i in range(40)], ["y"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_written_and_labelled(name, tmp_path):
    fig = FIGURES[name]()
    for ending, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        save(fig, tmp_path / f"f.{ending}")
        assert (tmp_path / f"f.{ending}").read_bytes().startswith(magic)
    if "network" not in name:
        axes = [ax for ax in fig.axes if ax.get_label() != "<colorbar>"]
        assert all(ax.get_xlabel() or ax.get_xticklabels() for ax in axes)
        assert axes[0].get_ylabel()
        assert any(ax.get_title() for ax in axes)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_curves_are_the_functions(name):
    f = ACTIVATIONS[name]
    value, slope = activation_figure(f).axes[0].get_lines()
    assert np.array_equal(value.get_ydata(), f(value.get_xdata()))
    assert np.array_equal(slope.get_ydata(), f.prime(slope.get_xdata()))


def test_the_lowest_cost_is_marked():
    values, J = np.arange(5.0), np.array([3.0, 1.0, 0.5, 2.0, 4.0])
    marker = costs.cost_over_weight(values, J, "w").axes[0].get_lines()[1]
    assert (marker.get_xdata().item(), marker.get_ydata().item()) == (2.0, 0.5)


def test_figures_leave_no_state_behind():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    FIGURES["bars"]()
    assert dict(mpl.rcParams) == before


def test_unknown_formats_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"use \.png, \.pdf, \.svg"):
        save(FIGURES["bars"](), tmp_path / "f.jpeg")


@pytest.mark.parametrize("values", [[3.0, 1e-2, 1e-9], [3.0, 2.0, 1.4]])
def test_numbers_of_a_logarithmic_axis_are_no_formulas(values):
    fig = costs.cost_over_iterations({"J": np.array(values)}, "cost")
    fig.canvas.draw()
    axis = fig.axes[0].yaxis
    labels = [of.get_text() for of in axis.get_majorticklabels() + axis.get_minorticklabels()]
    assert sum(map(bool, labels)) >= 2
    for text in filter(None, labels):
        float(text.replace("\N{MINUS SIGN}", "-"))
