"""The posterior and the evidence, beside laplace-torch's, at the same weights of one network.

Not part of `make bench`, as it needs torch and laplace-torch:

    python benchmarks/laplace_torch.py

Every weight has a prior here, as theirs must; everything is float64. It ends with an error if a
covariance, a predictive variance or a log evidence differs by more than a millionth.
"""

import numpy as np
import torch
from laplace import Laplace

from chainrule import Network, Objective, minimize
from chainrule.bayes.laplace import Priors, laplace
from chainrule.bayes.posterior import spread

CLOSE = 1e-6


def main():
    """Compare a regression and a classification."""
    torch.set_default_dtype(torch.float64)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    y = np.sin(X[:, :1]) + X[:, 1:2] ** 2 + 0.2 * rng.standard_normal((60, 1))
    compare("regression", Network([3, 4, 1]), X, y, 12.0)
    labels = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int) + (X[:, 2] > 0.8)
    compare("classification", Network([3, 4, 3], output="softmax"), X, np.eye(3)[labels], 1.0)


def compare(name, net, X, Y, beta):
    """Print the largest relative differences, or raise."""
    p = net.n_parameters
    priors = Priors(tuple(map(str, range(p))), np.arange(p))
    alpha = np.random.default_rng(1).uniform(0.5, 3.0, p)
    objective = Objective(net, X, Y, alpha / beta)
    theta = minimize(objective, net.initial(seed=0), tol=1e-12).theta
    squared = net.loss == "squared"
    numbers = float(len(X)) if squared else 0.0
    ours = laplace(objective, theta, priors, beta, numbers)
    theirs, order = torch_laplace(net, theta, X, Y, alpha, beta)
    covariance = theirs.posterior_covariance.detach().numpy()
    back = np.argsort(order)
    _, variance = theirs._glm_predictive_distribution(torch.tensor(X))
    root = np.linalg.cholesky(ours.covariance)
    _, S = spread(net, theta, root, X)
    differences = {
        "covariance": relative(covariance[np.ix_(back, back)], ours.covariance),
        "variance of z": relative(variance.detach().numpy(), S),
        "log evidence": relative(float(theirs.log_marginal_likelihood()), ours.log_evidence),
    }
    for what, difference in differences.items():
        print(f"{name}: {what} differs by {difference:.1e}")
        if not difference < CLOSE:
            raise SystemExit(f"{name}: {what} differs")


def torch_laplace(net, theta, X, Y, alpha, beta):
    """Return their Laplace approximation, and where each of its weights lies in θ."""
    W, b = net.weights(theta)
    places = net.weights(np.arange(len(theta), dtype=float))
    layers, order = [], []
    for l in sorted(W):
        linear = torch.nn.Linear(*W[l].shape)
        linear.weight.data = torch.tensor(W[l].T.copy())
        linear.bias.data = torch.tensor(b[l].copy())
        order += [places[0][l].T.ravel(), places[1][l]]
        layers += [linear, torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])
    order = np.concatenate(order).astype(int)
    squared = net.loss == "squared"
    kind = "regression" if squared else "classification"
    fitted = Laplace(
        model,
        kind,
        "all",
        "full",
        prior_precision=torch.tensor(alpha[order]),
        **({"sigma_noise": torch.tensor(beta**-0.5)} if squared else {}),
    )
    target = torch.tensor(Y) if squared else torch.tensor(Y.argmax(axis=1))
    data = torch.utils.data.TensorDataset(torch.tensor(X), target)
    fitted.fit(torch.utils.data.DataLoader(data, batch_size=len(X)))
    return fitted, order


def relative(theirs, ours):
    """Return the largest difference over the largest value."""
    return float(np.max(np.abs(np.asarray(theirs) - ours)) / np.max(np.abs(ours)))


if __name__ == "__main__":
    main()
