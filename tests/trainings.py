"""Whole fits in one line: what is asked of them is sorted into data, settings and control."""

import os
import signal
from dataclasses import fields

from chainrule import Network
from chainrule._cancellation import Cancellation
from chainrule.optimize.multistart import StartOptions
from chainrule.optimize.multistart import minimize_from_starts as _minimize
from chainrule.pipeline import fit
from chainrule.pipeline.settings import FitControl, FitData, FitSettings


def train(X, Y, network, **options):
    """Fit a network to rows: every option goes where it belongs."""

    def of(record):
        names = {field.name for field in fields(record)}
        return {name: options.pop(name) for name in list(options) if name in names}

    settings, control, data = of(FitSettings), of(FitControl), of(FitData)
    assert not options, options
    if not isinstance(network, Network):  # of one hidden layer, of any width
        of_width, settings = network, {"most_layers": 1, **settings}
        network = lambda widths: of_width(*widths)  # noqa: E731
    return fit.train(FitData(X, Y, **data), FitSettings(network, **settings), FitControl(**control))


def minimize_from_starts(objective, n_restarts, seed, **options):
    """Minimize from starts."""
    watched = Cancellation(options.pop("max_time", None), options.pop("progress", None))
    with watched.listening():
        return _minimize(objective, n_restarts, seed, StartOptions(cancellation=watched, **options))


def press_ctrl_c():
    """Interrupt this process, as Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)
