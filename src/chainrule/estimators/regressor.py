"""The regressor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from chainrule._contracts import Array
from chainrule.estimators.base import NetworkEstimator
from chainrule.estimators.callbacks import with_callbacks
from chainrule.estimators.given import numbers_of
from chainrule.heart.activations import Activation
from chainrule.heart.outputs import Loss
from chainrule.model.model import Certainty
from chainrule.optimize.problem import Optimizer
from chainrule.pipeline.effort import NORMAL
from chainrule.tables.targets import Targets


class NetworkRegressor(RegressorMixin, NetworkEstimator):
    """A network that predicts numbers, as scikit-learn knows regressors.

    Inputs and targets are scaled inside, several starts are made, and each is followed to the
    optimum; what came of it is in `termination_` and on the page of `summary`.

    Parameters
    ----------
    hidden_layer_sizes : int, sequence of int or "auto", optional
        Units of the hidden layers; 0 or () for none, a linear model; "auto": the fewest units of
        one layer, or none, whose evidence is within 3 nats of the highest
        (`chainrule.bayes.model_selection`), and from there up to three layers, and wider ones, as
        long as rows that were left out are predicted better (`chainrule.bayes.architecture`). If
        left out, what `effort` says.
    activation : str or Activation, or a sequence of them, default "tanh"
        Of the hidden layers: sigmoid, tanh, relu, softplus, silu, identity, or one of your own,
        whose derivative is checked before it is used.
    effort : {"fast", "normal", "best"}, default "normal"
        How much work is spent on what is left out of hidden_layer_sizes, alpha, n_restarts and
        ensemble. "fast": 10 units, the penalty by rule, 3 starts. "normal": the same with the
        penalty by the evidence, at MacKay's fixed point (`chainrule.bayes.fixed_point`) where rows
        are not few, or the whole search takes long. "best": depth and width as "auto" finds them,
        and 6 networks that predict together, each with its own penalty; where there is no evidence,
        as with fewer than 10 rows, 10 units; with ensemble=1 the penalty of the highest evidence
        that several searches find.
    output_activation : {"identity", "sigmoid", "softmax", "exp"}, optional
        The one of the task if left out: identity for numbers, sigmoid for two classes and for
        labels, softmax for more classes.
    loss : {"squared", "cross_entropy", "poisson"} or Loss, optional
        The canonical one of the output if left out; or one of your own.
    bias : bool, default True
    skip : bool or "auto", default "auto"
        Whether weights lead from the inputs straight to the outputs as well; "auto": where the
        evidence is higher with them, by 3 nats at least. That is tried where there are fewer than
        20 rows for each weight and alpha is "evidence", but not with `warm_start`, `fixed` or
        `monotonic_cst`.
    alpha : float, sequence of float, "evidence" or "rule", optional
        The penalty ½ α Σ W² on the weights of standardized columns: one for each column, by the
        evidence (`chainrule.bayes.empirical_bayes`); by rule, from the widths of the layers and the
        noise found in the target (`chainrule.bayes.default_alpha`); one number, or one for each
        layer.
    method : str or Optimizer, default "auto"
        auto, lm, broyden, bfgs, lbfgs or gd: see `minimize`.
    n_restarts : int, optional
        Random starts; the best, by the evidence or by the cost, is the network that is shown. It is
        the minimum at which the penalty was found, where no start comes within 3 nats of that.
    ensemble : int, optional
        How many networks predict together. With 1 predictions are those of the network that is
        shown. Several are searched for from different starts and levels of the penalty, each with
        its own α, and their mean is better than any of them; with a penalty that is given, or by
        rule, they are the best of the starts.
    max_iter : int, optional
        Iterations for each start; 10,000 if left out.
    max_time : float, optional
        Seconds for all starts together.
    tol : float, default 1e-9
        As `minimize` takes it.
    scale : {"standard", "max", "none"}, default "standard"
        Scaling of inputs and targets, which is part of the model.
    noise : {"varying", "constant", "student"}, default "varying"
        Whether the noise may differ from row to row, as far as the evidence says that it does; or
        has the heavy tails of Student's t, so that rows that are far off count less.
    missing : {"error", "indicator"}, default "error"
        Whether a missing input is refused, or replaced by the median (a category by none), with
        one more input that says so.
    fixed : mapping of str to array_like, optional
        ``{"W[1]": A}``: for some matrices a number where a weight is fixed, in the scale of the
        network, and NaN where it is free.
    monotonic_cst : mapping of str to int, or sequence of int, optional
        For some columns, or for all, 1 if predictions must not fall where the column rises, -1 if
        they must not rise, 0 if they may do either. By the signs of the weights (Sill 1998; see
        `chainrule.objectives.constraints`).
    early_stopping : bool, default False
        Whether some rows are held out of training and end it where they cost least.
    validation_fraction : float, default 0.1
        The share of these rows.
    n_iter_no_change : int, default 10
        For how many iterations they may cost no less.
    warm_start : bool, default False
        Whether another call of `fit` goes on where the last one stopped: all starts with all that
        they have learned of the curvature, so that ten times one iteration are ten iterations.
        With methods bfgs and lbfgs, and on other rows, only the weights are kept.
    random_state : int, RandomState or None, default 0
        Of the random starts: the same number gives the same model.
    missing_values : sequence of str, optional
        Words that mark a missing value in text columns of a data frame, besides null, exactly as
        they are written; () for none. If left out the usual ones: NA, N/A, NaN, null, none, ?.
    on_interrupt : {"raise", "keep"}, default "raise"
        What Ctrl-C does: "raise" keeps the best so far in the estimator, from which it predicts,
        and then raises KeyboardInterrupt, so that a search or a loop around it ends too; "keep"
        returns as usual, with a warning.
    n_jobs : int, optional
        Threads: all cores if left out, but one in a worker of joblib.
    verbose : bool, default False
        Whether to print how far it is.

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        W[l], (d[l], d[l+1]), and b[l], (d[l+1],), in the scale of the network.
    skip_coef_ : ndarray (d[1], d[L]) or None
        W[0] of a skip layer, from the inputs straight to the outputs, if there is one.
    n_iter_ : int
        Iterations of the best start.
    loss_ : float
        Its cost J, a sum over rows with the penalty.
    loss_curve_ : list of float
        J at every iteration, the start included.
    history_ : dict of str to ndarray
        The same with the change of J, the largest derivative, the step, evaluations and seconds;
        with early stopping also `validation_cost`.
    termination_ : Termination
        Why it stopped: a name, a sentence, an inequality.
    certificate_ : Certificate
        What was examined before "converged" was said.
    restarts_ : Restarts
        How every start ended.
    log_evidence_ : float or None
        Ln p(y | α, β) at the best minimum, in nats, where alpha was found by it; but for what
        depends on the data alone. Of weights held to a sign only those that are free are counted.
    alpha_ : dict of str to float
        The precision of the prior of each group of weights.
    gamma_ : float
        How many weights the data determine, of `model_.network.n_parameters`.
    noise_ : ndarray (targets,)
        Standard deviation of the noise in each target, in its unit.
    coefs_std_, intercepts_std_, skip_coef_std_ : list of ndarray, and ndarray or None
        Standard errors of the weights.
    leverage_ : ndarray (n,)
        Of each row that was learned, how far its own target decides what is predicted for it: 0 to
        1 for each target, γ in all where one network predicts; of several minima the mean. A row
        that decides one target beyond 0.7 decides by itself.
    influence_ : ndarray (n,)
        How far the weights would move without the row, in standard deviations.
    loo_predictions_ : ndarray (n, targets)
        What is predicted for each row by a fit without it. That is known without fitting again, but
        for rows that decide by themselves: up to 50 of these are left out in fact.
    loo_scores_ : dict
        How good these are; where more decide by themselves those 50 stand for all of them.
    relevance_ : dict of str to dict
        Of each target and input: `effect` with its `effect_error`, the mean of dŷ/dx (of a word of
        a category against its other words); `slope` with its `error`, the mean of |dŷ/dx|, which is
        never 0; `of_spread`, that slope for one scale of the input, its standard deviation if
        `scale` is "standard". Errors of these and of weights take noise as the same everywhere.
    passes_ : dict of str to float
        How often each stage has looked at all rows.
    model_ : Model
        All that is needed to predict: `chainrule.save_model(regressor.model_, path)`.
    n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_
        As scikit-learn's networks have them.

    See Also
    --------
    chainrule.NetworkClassifier

    Examples
    --------
    Hours slept and studied, and the score of a test, in their own units:

    >>> import chainrule
    >>> X, y = [[3, 5], [5, 1], [10, 2]], [75, 82, 93]
    >>> regressor = chainrule.NetworkRegressor(hidden_layer_sizes=(3,)).fit(X, y)
    >>> regressor.predict(X).round(1)
    array([75., 82., 93.])
    >>> regressor.termination_.name
    'converged'
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] | str | None = None,
        activation: str | Activation | Sequence[str | Activation] = "tanh",
        *,
        effort: str = NORMAL,
        output_activation: str | None = None,
        loss: str | Loss | None = None,
        bias: bool = True,
        skip: bool | str = "auto",
        alpha: float | Sequence[float] | str | None = None,
        method: str | Optimizer = "auto",
        n_restarts: int | None = None,
        ensemble: int | None = None,
        max_iter: int | None = None,
        max_time: float | None = None,
        tol: float = 1e-9,
        scale: str = "standard",
        noise: str = "varying",
        missing: str = "error",
        fixed: Mapping[str, ArrayLike] | None = None,
        monotonic_cst: Mapping[str, int] | Sequence[int] | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = 0,
        missing_values: Sequence[str] | None = None,
        on_interrupt: str = "raise",
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            effort=effort,
            output_activation=output_activation,
            loss=loss,
            bias=bias,
            skip=skip,
            alpha=alpha,
            method=method,
            n_restarts=n_restarts,
            ensemble=ensemble,
            max_iter=max_iter,
            max_time=max_time,
            tol=tol,
            scale=scale,
            noise=noise,
            missing=missing,
            fixed=fixed,
            monotonic_cst=monotonic_cst,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            warm_start=warm_start,
            random_state=random_state,
            missing_values=missing_values,
            on_interrupt=on_interrupt,
            n_jobs=n_jobs,
            verbose=verbose,
        )

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> NetworkRegressor:
        """Fit the network.

        Parameters
        ----------
        X : array_like (n, features), sparse matrix or data frame
        y : array_like (n,) or (n, targets)
        sample_weight : array_like (n,), optional
            A weight of 2 is the row twice, a weight of 0 is the row left out. If some are not
            whole, only how they compare counts for the penalty by rule.

        Returns
        -------
        NetworkRegressor
            Itself.
        """
        table, self._one = numbers_of(self, y)
        Y = table.numbers(table.names)
        self._fit(X, y, Targets(Y), table.names, sample_weight)
        return self

    def predict(self, X: Any, return_std: bool = False) -> Array | tuple[Array, Array]:
        """Predict the targets in their own unit, (n,) or (n, targets) as they were given.

        Parameters
        ----------
        X : array_like (n, features), sparse matrix or data frame
        return_std : bool, default False
            Whether to return, beside the predictions, the standard deviation of a target around
            each: of what is not known of the weights, and of the noise. With noise "student", which
            may have none, what two thirds are within. With a penalty that is given, not found by
            the evidence, what is not known of the weights is the same share for all targets.
        """
        if not return_std:
            return self._as_given(self._outputs(X))
        sure = self._certainty(X)
        return self._as_given(sure.mean), self._as_given(sure.std)

    def predict_interval(self, X: Any, coverage: float = 0.95) -> tuple[Array, Array]:
        """Return between what a target lies with so much probability, lower and upper ends.

        As wide as it has to be to hold so many of the rows that were learned, each predicted by a
        fit without it. The penalty, the noise and the size were found with it, though: with many
        weights for few rows new ones are held somewhat less often, 84 % instead of 90 % with 60
        rows of 8 inputs, and without a penalty too, 81 % with 60 rows of 2.

        Parameters
        ----------
        X : array_like (n, features), sparse matrix or data frame
        coverage : float, default 0.95
        """
        sure = self._certainty(X)
        lower, upper = self.model_.interval(sure, coverage)
        return self._as_given(lower), self._as_given(upper)

    def _certainty(self, X: Any) -> Certainty:
        check_is_fitted(self)
        sure = self.model_.certainty(self._inputs(X))
        self._warn_of_far(sure.is_far)
        return sure

    def _as_given(self, columns: Array) -> Array:
        return columns[:, 0] if self._one else columns

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return R², the mean over targets, computed so that it is the same in any unit."""
        truth, predicted = np.asarray(y, dtype=np.float64), self._as_given(self._outputs(X))
        exponent = np.frexp(np.max(np.abs(truth), initial=0.0))[1]
        shifted = np.ldexp(truth, -exponent), np.ldexp(predicted, -exponent)
        return float(r2_score(*shifted, sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
