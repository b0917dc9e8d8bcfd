"""The peers, each as it comes: J and g at the same weights, on the same rows, in float64.

A peer that is not installed is left out and said to be missing. All of them use every
core they can.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np

with contextlib.suppress(ImportError):
    import torch
with contextlib.suppress(ImportError):
    import sklearn
    from sklearn.neural_network import MLPClassifier, MLPRegressor


def versions():
    """Return what is installed, in words."""
    found = []
    if "torch" in globals():
        found.append(f"PyTorch {torch.__version__} ({torch.get_num_threads()} threads)")
    if "sklearn" in globals():
        found.append(f"scikit-learn {sklearn.__version__}")
    found.append(R.version() if R.present() else "R's nnet is not installed")
    return ", ".join(found)


class Torch:
    """tanh layers and a sum of half squares, or of cross-entropies, by autograd."""

    present = "torch" in globals()

    def __init__(self, net, X, Y):
        self.net, self.X, self.Y = net, torch.tensor(X), torch.tensor(Y)

    def parameters(self, theta):
        W, b = self.net.weights(np.array(theta))
        return [torch.tensor(A, requires_grad=True) for l in W for A in (W[l], b[l])]

    def loss(self, parameters):
        a = self.X
        layers = list(zip(parameters[::2], parameters[1::2], strict=True))
        for k, (W, b) in enumerate(layers):
            a = torch.addmm(b, a, W)
            if k + 1 < len(layers):
                a = torch.tanh(a)
        if self.net.output == "softmax":
            return torch.nn.functional.cross_entropy(a, self.Y, reduction="sum")
        if self.net.output == "sigmoid":
            of_logits = torch.nn.functional.binary_cross_entropy_with_logits
            return of_logits(a, self.Y, reduction="sum")
        return 0.5 * ((a - self.Y) ** 2).sum()

    def evaluate(self, parameters):
        J = self.loss(parameters)
        g = torch.autograd.grad(J, parameters)
        return float(J.detach()), g

    def gradient(self, theta):
        J, g = self.evaluate(self.parameters(theta))
        return J, np.concatenate([part.numpy().ravel() for part in g])


class Sklearn:
    """MLPRegressor's or MLPClassifier's own loss and gradient, as its L-BFGS calls them."""

    present = "sklearn" in globals()

    def __init__(self, net, X, Y):
        self.net, self.X = net, X
        kind = MLPRegressor if net.output == "identity" else MLPClassifier
        self.model = model = kind(hidden_layer_sizes=net.layers[1:-1], activation="tanh", alpha=0.0)
        model.n_layers_, model.n_outputs_ = net.n_layers, net.layers[-1]
        model.out_activation_, model.loss = {
            "identity": ("identity", "squared_error"),
            "sigmoid": ("logistic", "binary_log_loss"),
            "softmax": ("softmax", "log_loss"),
        }[net.output]
        model._optimal_learning_rate = None
        self.Y, self.n = Y, len(X)
        units = list(net.layers)
        self.activations = [X, *([None] * (len(units) - 1))]
        self.deltas = [None] * (len(units) - 1)
        shapes = list(pairwise(units))
        self.coef_grads = [np.empty(shape) for shape in shapes]
        self.intercept_grads = [np.empty(shape[1]) for shape in shapes]

    def evaluate(self, coefs, intercepts):
        self.model.coefs_, self.model.intercepts_ = coefs, intercepts
        return self.model._backprop(
            self.X,
            self.Y,
            None,
            self.activations,
            self.deltas,
            self.coef_grads,
            self.intercept_grads,
        )

    def parameters(self, theta):
        W, b = self.net.weights(np.array(theta))
        return list(W.values()), list(b.values())

    def gradient(self, theta):
        """Return J and g as sums over the rows, where scikit-learn has means."""
        J, coef, intercept = self.evaluate(*self.parameters(theta))
        g = np.concatenate([A.ravel() for pair in zip(coef, intercept, strict=True) for A in pair])
        return self.n * J, self.n * g


class R:
    """An R process that does one thing at a time and says how long it took."""

    @staticmethod
    def present():
        if shutil.which("Rscript") is None:
            return False
        asked = ["Rscript", "-e", "library(nnet)"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    @staticmethod
    def version():
        asked = ["Rscript", "-e", "cat(R.version$major, R.version$minor, sep='.')"]
        asked[2] += "; cat(' nnet', format(packageVersion('nnet')))"
        return "R " + subprocess.run(asked, capture_output=True, check=True, text=True).stdout

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp())
        script = self.folder / "worker.R"
        script.write_text(
            "suppressMessages(library(nnet))\n"
            "con <- file('stdin', 'r')\n"
            "while (length(line <- readLines(con, n = 1)) > 0) {\n"
            "  value <- eval(parse(text = line), globalenv())\n"
            "  cat(format(as.numeric(value), digits = 17), '\\n'); flush(stdout())\n"
            "}\n"
        )
        self.process = subprocess.Popen(
            ["Rscript", "--vanilla", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        shutil.rmtree(self.folder)

    def __call__(self, line):
        """Evaluate one line; return the numbers it gives."""
        self.process.stdin.write(line.replace("\n", " ") + "\n")
        self.process.stdin.flush()
        return [float(x) for x in self.process.stdout.readline().split()]

    def seconds(self, line):
        """Return how long a line takes R itself, to a microsecond."""
        timed = f"{{t <- Sys.time(); {line}; as.numeric(difftime(Sys.time(), t, units='secs'))}}"
        return self(timed)[0]

    def give(self, name, A):
        """Hand over a matrix."""
        path = self.folder / name
        np.ascontiguousarray(A, dtype=np.float64).tofile(path)
        n, d = A.shape
        self(f"{{{name} <- matrix(readBin('{path}', 'double', {n * d}), {n}, byrow=TRUE); 0}}")


def nnet_order(net, theta):
    """Return θ as nnet has it: for every unit its bias, then its inputs."""
    W, b = net.weights(np.asarray(theta))
    return np.concatenate([np.vstack([b[l], W[l]]).T.ravel() for l in W])
