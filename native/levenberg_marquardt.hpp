// Levenberg-Marquardt for rows in memory, from many starts, without a return to Python.
//
// The algorithm is that of training/optimizers/levenberg_marquardt.py, step by step; read it there.
#pragma once

#include <vector>

#include "engine.hpp"

namespace chainrule {

enum Ending { RUNNING, CONVERGED, MAX_ITER, STALLED, NOT_FINITE };

struct Iteration {
    double cost, max_gradient, step;
    std::ptrdiff_t evaluations;
    double seconds;  // of computing, on its own thread
};

// What is minimized, and when to stop. The rows and the decay outlive it.
struct Problem {
    Network net;
    Rows rows;
    const double* decay;  // (p)
    double scale;
    double tol;
    std::ptrdiff_t max_iter;
    bool polish;
};

// One start on its way. All that it needs to go on later is here but for `sum` and `factor`, which
// can be computed again.
struct Run {
    std::vector<double> theta;
    double J = 0.0, max_gradient = 0.0;
    double damping = 0.0, size = 0.0, growth = 2.0;
    std::ptrdiff_t slow = 0, evaluations = 0;
    bool exact = false;
    double seconds = 0.0;
    Ending ending = RUNNING;
    std::vector<Iteration> history;

    Numbers sum;  // J, g, H at theta; empty where it is not known
    bool started() const { return !history.empty(); }
};

// Work on all unfinished runs for about so many seconds, each by one thread of its own or, if there
// are fewer runs than threads, by several. What comes out does not depend on time or threads.
void advance(const Kernel&, const Problem&, std::vector<Run>&, double seconds, int threads);

}  // namespace chainrule
