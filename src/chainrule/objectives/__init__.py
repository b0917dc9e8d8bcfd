"""What is minimized: a network on rows, with a penalty and constraints. In reading order:

objective         the objective J(θ) of a network on data: the loss of every row plus the L2 penalty
constraints       fixed weights, and signs that make the network monotone
least_squares     a sum of squares of any residuals, as an objective
custom_functions  check that custom activations and losses are ones that a network can use
requirements      check data and custom derivatives before anything is minimized
saturation        saturated units, and weights that diverge
"""
