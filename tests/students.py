"""Classes as students write them, to the tutorial's protocol: right ones and broken ones."""

import numpy as np


def squash(z):
    return 1 / (1 + np.exp(-z))


class Student:
    """A sigmoid network of any depth without biases, J = ½ Σ (y - ŷ)² + ½ penalty Σ W²."""

    def __init__(self, sizes=(2, 3, 1), seed=0, penalty=0.0):
        rng = np.random.default_rng(seed)
        self.sizes, self.penalty = sizes, penalty
        self.count = len(sizes) - 1
        for i in range(self.count):
            setattr(self, f"W{i + 1}", rng.standard_normal((sizes[i], sizes[i + 1])))

    def matrices(self):
        return [getattr(self, f"W{i + 1}") for i in range(self.count)]

    def forward(self, X):
        self.activities = [X]
        for W in self.matrices():
            self.activities.append(squash(self.activities[-1] @ W))
        return self.activities[-1]

    def getParams(self):
        return np.concatenate([W.ravel() for W in self.matrices()])

    def setParams(self, params):
        # keeps views of what it is given, as the tutorial does
        start = 0
        for i, W in enumerate(self.matrices()):
            setattr(self, f"W{i + 1}", params[start : start + W.size].reshape(W.shape))
            start += W.size

    def costFunction(self, X, y):
        squares = 0.5 * np.sum((y - self.forward(X)) ** 2)
        return squares + 0.5 * self.penalty * sum(np.sum(W**2) for W in self.matrices())

    def computeGradients(self, X, y):
        y_hat = self.forward(X)
        error = -(y - y_hat) * y_hat * (1 - y_hat)
        gradients = []
        for i in reversed(range(self.count)):
            gradients.insert(0, self.activities[i].T @ error + self.decay(i))
            if i:
                error = self.error_before(i, error, y)
        return np.concatenate([g.ravel() for g in gradients])

    def decay(self, i):
        return self.penalty * self.matrices()[i]

    def error_before(self, i, error, y):
        a = self.activities[i]
        return error @ self.matrices()[i].T * a * (1 - a)


class WrongPenalty(Student):
    """Adds the penalty of the next layer's weights to the gradient of this one."""

    def decay(self, i):
        return self.penalty * np.mean(self.matrices()[min(i + 1, self.count - 1)])


class NotBackpropagation(Student):
    """Takes y minus the activity for the error of every layer, instead of sending it back."""

    def error_before(self, i, error, y):
        a = self.activities[i]
        return -(y - a) * a * (1 - a)


class VectorCost(Student):
    """Sums over the rows but not over the outputs."""

    def costFunction(self, X, y):
        return 0.5 * sum((y - self.forward(X)) ** 2)
