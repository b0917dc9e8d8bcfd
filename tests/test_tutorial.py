"""The tutorial, cell by cell as it is typed, in Python 3."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest

from chainrule import TrainingError, tutorial

mpl.use("Agg")

CELLS = {
    1: "import numpy as np\n"
    "X = np.array(([3,5], [5,1], [10,2]), dtype=float)\n"
    "y = np.array(([75], [82], [93]), dtype=float)",
    2: "out = X",
    3: "out = y",
    4: "X = X/np.amax(X, axis=0)\ny = y/100",
    5: "out = y",
    6: "out = X",
    7: "print(X.shape, y.shape)",
    8: "from chainrule.tutorial import *",
    9: "import matplotlib.pyplot as plt\ntestInput = np.arange(-6, 6, 0.01)\n"
    "plt.plot(testInput, sigmoid(testInput), linewidth=2)\nplt.grid(1)\nplt.close()",
    10: "out = sigmoid(1)",
    11: "out = sigmoid(np.array([-1, 0, 1]))",
    12: "out = Neural_Network",
    13: "NN = Neural_Network()\nyHat = NN.forward(X)",
    14: "out = yHat",
    15: "out = y",
    16: "out = [NN.inputLayerSize, NN.hiddenLayerSize, NN.outputLayerSize]",
    17: "out = sigmoid(np.random.randn(3, 3))",
    18: "out = sigmoidPrime(np.array([-1, 0, 1]))",
    19: "testValues = np.arange(-5, 5, 0.01)\n"
    "plt.plot(testValues, sigmoid(testValues), linewidth=2)\n"
    "plt.plot(testValues, sigmoidPrime(testValues), linewidth=2)\n"
    "plt.legend(['sigmoid', 'sigmoidPrime'])\nplt.close()",
    20: "out = tanh(0.5), tanh_deriv(0.5), logistic(0.5), logistic_derivative(0.5)",
    21: "plt.plot(testValues, tanh(testValues), linewidth=2)\n"
    "plt.plot(testValues, tanh_deriv(testValues), linewidth=2)\nplt.close()",
    22: "out = NN.costFunctionPrime(X, y)",
    23: "out = NN.sigmoid(0), NN.sigmoidPrime(0)",
    24: "NN = Neural_Network()\ncost1 = NN.costFunction(X, y)",
    25: "out = cost1",
    26: "dJdW1, dJdW2 = NN.costFunctionPrime(X, y)\nout = dJdW1, dJdW2",
    27: "scalar = 3\nNN.W1 = NN.W1 + scalar*dJdW1\nNN.W2 = NN.W2 + scalar*dJdW2\n"
    "cost2 = NN.costFunction(X, y)\n"
    "NN.W1 = NN.W1 - 2*scalar*dJdW1\nNN.W2 = NN.W2 - 2*scalar*dJdW2\n"
    "cost3 = NN.costFunction(X, y)\nout = cost1, cost2, cost3",
    28: "from scipy import optimize",
    29: "out = trainer",
    30: "NN = Neural_Network()",
    31: "T = trainer(NN)",
    32: "T.train(X, y)",
    33: "plt.plot(T.J)\nplt.grid(1)\nplt.xlabel('Iterations')\nplt.ylabel('Cost')\nplt.close()",
    34: "hoursSleep = np.linspace(0, 10, 100)\nhoursStudy = np.linspace(0, 5, 100)\n"
    "hoursSleepNorm = hoursSleep/10.\nhoursStudyNorm = hoursStudy/5.\n"
    "a, b = np.meshgrid(hoursSleepNorm, hoursStudyNorm)\n"
    "allInputs = np.zeros((a.size, 2))\n"
    "allInputs[:, 0] = a.ravel()\nallInputs[:, 1] = b.ravel()",
    35: "allOutputs = NN.forward(allInputs)",
    36: "yy = np.dot(hoursStudy.reshape(100,1), np.ones((1,100)))\n"
    "xx = np.dot(hoursSleep.reshape(100,1), np.ones((1,100))).T\n"
    "CS = plt.contour(xx, yy, 100*allOutputs.reshape(100, 100))\n"
    "plt.clabel(CS, inline=1, fontsize=10)\nplt.close()",
    37: "ax = plt.figure().add_subplot(projection='3d')\n"
    "ax.plot_surface(xx, yy, 100*allOutputs.reshape(100, 100))\nplt.close()",
    38: "numgrad = computeNumericalGradient(NN, X, y)\ngrad = NN.computeGradients(X, y)\n"
    "out = np.linalg.norm(grad - numgrad)",
}


@pytest.fixture
def run_cells(capsys):
    def run(seed):
        np.random.seed(seed)
        scope, outs = {}, {}
        for number, cell in CELLS.items():
            scope.pop("out", None)
            exec(compile(cell, f"In[{number}]", "exec"), scope)
            outs[number] = scope.get("out")
        return scope, outs, capsys.readouterr().out

    return run


def test_every_cell_runs_and_shows_what_it_should(run_cells):
    scope, outs, printed = run_cells(seed=1)
    assert outs[6].tolist() == [[0.3, 1.0], [0.5, 0.2], [1.0, 0.4]]
    assert outs[5].tolist() == [[0.75], [0.82], [0.93]]
    assert outs[10] == 0.7310585786300049
    assert np.round(outs[11], 8).tolist() == [0.26894142, 0.5, 0.73105858]
    assert outs[14].shape == (3, 1)
    assert outs[16] == [2, 3, 1]
    assert outs[23] == (0.5, 0.25)
    assert isinstance(outs[25], float)
    assert [dJdW.shape for dJdW in outs[26]] == [(2, 3), (3, 1)]
    cost1, cost2, cost3 = outs[27]
    assert cost2 > cost1 > cost3
    assert "(3, 2) (3, 1)" in printed
    assert "Iterations: " in printed
    assert "Function evaluations: " in printed
    assert scope["NN"].forward(scope["X"]) == pytest.approx(scope["y"], abs=1e-4)
    assert outs[38] < 1e-8
    J = scope["T"].J
    assert len(J) == scope["T"].optimizationResults.nit
    assert all(after <= before for before, after in pairwise(J))


def test_the_same_seed_gives_the_tutorials_own_weights():
    np.random.seed(3)
    W1, W2 = np.random.randn(2, 3), np.random.randn(3, 1)
    np.random.seed(3)
    NN = tutorial.Neural_Network()
    assert np.array_equal(NN.W1, W1)
    assert np.array_equal(NN.W2, W2)
    assert np.array_equal(tutorial.Neural_Network(seed=3).W1, tutorial.Neural_Network(seed=3).W1)


def test_results_as_scipy_names_them(seed_data):
    NN = tutorial.Neural_Network(seed=0)
    T = tutorial.trainer(NN)
    T.train(*seed_data, disp=False)
    result = T.optimizationResults
    assert result.success
    assert result.fun == NN.costFunction(*seed_data) < 1e-15
    assert np.array_equal(result.x, NN.getParams())
    assert np.max(np.abs(result.jac)) < 1e-8
    assert result.nfev == result.njev >= result.nit


def test_forgotten_scaling_is_not_success():
    # the tutorial calls this a success, at a cost of 10,300
    X = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]]) / [10, 5]
    y = np.array([[75.0], [82.0], [93.0]])
    for seed in range(10):
        T = tutorial.trainer(tutorial.Neural_Network(seed=seed))
        try:
            T.train(X, y, disp=False)
        except TrainingError:
            continue
        assert not T.optimizationResults.success
        assert "no better than predicting the mean" in T.optimizationResults.message


def test_sizes_and_several_outputs():
    NN = tutorial.Neural_Network(4, 5, 2, seed=0)
    X, y = np.random.default_rng(0).random((7, 4)), np.full((7, 2), 0.3)
    assert isinstance(NN.costFunction(X, y), float)
    assert (NN.W1.shape, NN.W2.shape, NN.z2.shape, NN.yHat.shape) == (
        (4, 5),
        (5, 2),
        (7, 5),
        (7, 2),
    )
    ratio = tutorial.computeNumericalGradient(NN, X, y) / NN.computeGradients(X, y)
    assert ratio == pytest.approx(np.ones(30), rel=1e-6)


def test_params_are_copied_and_the_check_leaves_no_trace(seed_data):
    NN = tutorial.Neural_Network(seed=0)
    p = NN.getParams()
    NN.setParams(p)
    p[0] = 123.0
    assert NN.W1[0, 0] != 123.0
    before = NN.forward(seed_data[0])
    tutorial.computeNumericalGradient(NN, *seed_data)
    assert np.array_equal(NN.yHat, before)


def test_another_activation_than_the_tutorials_class():
    z = np.array([-800.0, 0.0, 800.0])
    assert tutorial.sigmoidPrime(z).tolist() == [0.0, 0.25, 0.0]
    assert tutorial.logistic_derivative(0.0) == 0.25
    assert tutorial.tanh_deriv(0.0) == 1.0


def test_names_are_exactly_the_tutorials():
    assert tutorial.__all__ == sorted(tutorial.__all__)
    assert set(tutorial.__all__) == {
        "Neural_Network", "trainer", "computeNumericalGradient", "sigmoid", "sigmoidPrime", "tanh",
        "tanh_deriv", "logistic", "logistic_derivative",
    }  # fmt: skip
