"""Priors, evidence, posterior and leave-one-out; README.md has the equations. In reading order:

priors            which weights share a precision, and its usual value
laplace           Laplace approximation of the log evidence, and its exact gradient
evidence          maximize the evidence over the hyperparameters, from one starting point
fixed_point       MacKay's fixed point: penalty and noise while the weights are on their way
empirical_bayes   estimate the hyperparameters from several starts
linear_start      start the search for the evidence at the best linear function
model_selection   the number of hidden units by the evidence, mirror images counted
architecture      depth and width beyond one hidden layer, by cross-validation
default_alpha     default penalty, for problems where the evidence is not available
student_t         noise with heavy tails: rows with large residuals count less
minimum           one minimum with its covariance, leverages and noise variance
leverage          the hat matrix: leverage of rows, and first-order leave-one-out
loo               refit without a row where its leverage is too high for first-order leave-one-out
fold_refits       refit without each fold where first-order leave-one-out is too optimistic
calibration       calibrate noise variance and covariance on held-out errors
posterior         posterior predictive: moderated probabilities, intervals and their multiplier
varying_noise     noise that varies from row to row: a network for its precision
fitted_posterior  posterior, noise and leave-one-out of the fitted minima: what is calibrated when
"""
