// Whole fits for rows in memory, from many starts, without a return to Python.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "engine.hpp"

namespace chainrule {

enum Method { LEVENBERG_MARQUARDT, BROYDEN };
enum Ending { RUNNING, CONVERGED, MAX_ITER, STALLED, NOT_FINITE };

struct Iteration {
    double cost, max_gradient, step;
    std::ptrdiff_t evaluations;
    double seconds;  // of computing, on its own thread
};

// What is minimized, how, and when to stop. The arrays outlive it.
struct Problem {
    Network net;
    Rows rows;
    const double* decay;  // (p)
    const double* held;   // (p), not 0 for a weight that is not learned
    double scale;
    double tol;
    std::ptrdiff_t max_iter;
    Method method;
    bool polish;     // of Levenberg-Marquardt: whether the exact Hessian takes over at the end
    bool resumable;  // whether what was learned is kept when the iterations are used up
};

// What Broyden's method has learned: see broyden.cpp.
struct InverseHessian {
    Numbers B;
    Numbers Bg, s, t;
    double keep = 1.0, ss = 0.0, st = 0.0, tt = 0.0;
    double length = 1.0;  // what is expected of the next step
};

// How one start stands, in numbers: with theta and the history it is what is needed to go on.
struct State {
    double cost = 0.0, max_gradient = 0.0;
    std::ptrdiff_t evaluations = 0;
    double seconds = 0.0;
    Ending ending = RUNNING;
    // of Levenberg-Marquardt: see Memory in levenberg_marquardt.py; no damping yet is 0
    double damping = 0.0, size = 0.0, growth = 2.0;
    std::ptrdiff_t slow = 0;
    bool exact = false;
};

// One start on its way.
struct Run : State {
    std::vector<double> theta;
    std::vector<Iteration> history;

    Numbers sum;  // J, g, and what else was asked for, at theta; empty where it is not known
    std::unique_ptr<InverseHessian> learned;
    double worst = 0.0;  // finite cost that was seen

    bool started() const { return !history.empty(); }
};

// Takes runs along, one after the other, on a thread.
class Walker {
  public:
    using Clock = std::chrono::steady_clock;

    Walker(const Kernel&, const Problem&, int threads);
    virtual ~Walker() = default;

    // Walk until the run ends, the time has come, or the history has so many rows.
    void walk(Run&, Clock::time_point until, std::size_t rows = std::size_t(-1));

  protected:
    virtual void begin(Run&) = 0;    // learn what `iterate` needs to know at run.theta
    virtual void iterate(Run&) = 0;  // one step, taken or not

    // J and what `order` asks for, penalty included; counted.
    double evaluate(Run&, const double* theta, int order, double* sum);
    // Note J and g in run.sum as the next row of the history, and perhaps the last.
    void record(Run&, double length);
    double largest(const double* g) const;

    const Kernel& kernel_;
    const Problem& problem_;
    const std::ptrdiff_t p_, row_, start_;  // of theta; of H: see kernel.hpp
    const int threads_;

  private:
    double seconds() const { return before_ + std::chrono::duration<double>(Clock::now() - began_).count(); }

    Clock::time_point began_;
    double before_ = 0.0;
};

std::unique_ptr<Walker> levenberg_marquardt(const Kernel&, const Problem&, int threads);
std::unique_ptr<Walker> broyden(const Kernel&, const Problem&, int threads);

// Work on all unfinished runs for about so many seconds, each by one thread of its own or, if there
// are fewer runs than threads, by several. What comes out does not depend on time or threads.
void advance(const Kernel&, const Problem&, std::vector<Run>&, double seconds, int threads);

// Take one run to the next row of its history, or to its end.
void step(const Kernel&, const Problem&, Run&, int threads);


}  // namespace chainrule
