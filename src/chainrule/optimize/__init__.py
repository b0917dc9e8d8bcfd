"""Minimization, and the proof that a minimum was reached. In reading order:

minimize             minimize an objective from one starting point, by any method
problem              the interface between an optimizer and its problem
recorder             one run of an optimizer: count, record, stop
levenberg_marquardt  Levenberg-Marquardt, polished by Newton's method near the end
steps                the damped step: minimize gᵀs + ½ sᵀHs + ½ λ ‖s‖², in the cheapest way
damping              damping of Levenberg-Marquardt steps
broyden              self-scaled Broyden, a quasi-Newton method
line_search          line search: a step length that satisfies the Wolfe conditions
scipy_               SciPy's BFGS and L-BFGS-B, stopped by our rules
descent              plain gradient descent: θ ← θ - step · dJ/dθ
methods              choose the optimizer from the size of the problem
stopping             stopping rules, Ctrl-C and time limits among them: each stop has a name
history              the iterations of a run, in the same columns for every method
native_solvers       Levenberg-Marquardt and Broyden in C++, from many starting points at once
early_stopping       early stopping: end a run when the cost of validation rows no longer falls
saddles              saddle points that Gauss-Newton takes for minima, and descent from them
curvature            the Hessian and its smallest eigenvalue, exact or by differences
certificate          convergence certificate: is this point a local minimum, to rounding?
convergence          examine the claim that a run has converged
idle_units           hidden units that are dead, saturated, or duplicates of another unit
multistart           minimize from several starting points, compare them, count how many agree
starts               how each start ended, as records and in words
saved_starts         write finished starts to the arrays of a checkpoint, and read them
checkpoint           a file of what has been found so far
"""
