#include "fit.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "threads.hpp"

namespace chainrule {

using std::ptrdiff_t;

Walker::Walker(const Kernel& kernel, const Problem& problem, int threads)
    : kernel_(kernel), problem_(problem), p_(problem.net.p), row_(row_of_H(problem.net)),
      start_(start_of_H(problem.net)), threads_(threads) {}

void Walker::walk(Run& run, Clock::time_point until, std::size_t rows) {
    began_ = Clock::now();
    before_ = run.seconds;
    try {
        if (run.sum.empty()) begin(run);
        while (run.ending == RUNNING && run.history.size() < rows && Clock::now() < until) iterate(run);
    } catch (...) {
        Numbers().swap(run.sum);  // half of it may be missing
        throw;
    }
    run.seconds = seconds();
    if (run.ending == RUNNING) return;
    Numbers().swap(run.sum);
    if (!(problem_.resumable && run.ending == MAX_ITER)) run.learned.reset();
}

double Walker::evaluate(Run& run, const double* theta, int order, double* sum) {
    chainrule::evaluate(kernel_, problem_.net, theta, problem_.rows, order, threads_, sum);
    ++run.evaluations;
    const double* decay = problem_.decay;
    double* H = sum + start_;
    double penalty = 0.0;
    for (ptrdiff_t i = 0; i < p_; ++i) {
        double pull = decay[i] * theta[i];
        penalty += pull * theta[i];
        if (order >= GRADIENT) sum[1 + i] += pull;
        if (order >= GAUSS_NEWTON) H[i * row_ + i] += decay[i];
    }
    for (ptrdiff_t i = 0; i < p_ && order >= GRADIENT; ++i) {
        if (problem_.held[i] == 0.0) continue;
        sum[1 + i] = 0.0;  // a spring holds it, as in objective.py
        if (order < GAUSS_NEWTON) continue;
        for (ptrdiff_t j = 0; j < i; ++j) H[j * row_ + i] = 0.0;
        for (ptrdiff_t j = i; j < p_; ++j) H[i * row_ + j] = 0.0;
        H[i * row_ + i] = problem_.scale;
    }
    return sum[0] += 0.5 * penalty;
}

double Walker::largest(const double* g) const {
    double most = 0.0;
    for (ptrdiff_t i = 0; i < p_; ++i)
        if (!(std::fabs(g[i]) <= most)) most = std::fabs(g[i]);  // NaN is taken over too
    return most;
}

void Walker::record(Run& run, double length) {
    const double* g = run.sum.data() + 1;
    double relative = 0.0;
    for (ptrdiff_t i = 0; i < p_; ++i)
        relative = std::max(relative, std::fabs(g[i]) * std::max(1.0, std::fabs(run.theta[i])));
    run.cost = run.sum[0];
    run.max_gradient = largest(g);
    run.history.push_back({run.cost, run.max_gradient, length, run.evaluations, seconds()});
    if (!std::isfinite(run.cost) || !std::isfinite(run.max_gradient)) run.ending = NOT_FINITE;
    else if (relative / problem_.scale <= problem_.tol) run.ending = CONVERGED;
    else if (ptrdiff_t(run.history.size()) > problem_.max_iter) run.ending = MAX_ITER;
}

void advance(const Kernel& kernel, const Problem& problem, std::vector<Run>& runs, double seconds, int threads) {
    using Clock = Walker::Clock;
    const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    std::vector<Run*> unfinished;
    for (Run& run : runs)
        if (run.ending == RUNNING) unfinished.push_back(&run);
    if (unfinished.empty()) return;
    const int workers = std::max(1, std::min<int>(threads, int(unfinished.size())));
    std::atomic<std::size_t> next{0};
    in_parallel(workers, [&] {
        const auto make = problem.method == BROYDEN ? broyden : levenberg_marquardt;
        const auto walker = make(kernel, problem, std::max(1, threads / workers));
        // the first ones begin however short the time, so that something is known of them
        auto begins = [&](std::size_t i) { return i < std::size_t(workers) || Clock::now() < until; };
        for (std::size_t i = next++; i < unfinished.size() && begins(i); i = next++)
            walker->walk(*unfinished[i], until);
    });
}

void step(const Kernel& kernel, const Problem& problem, Run& run, int threads) {
    if (run.ending != RUNNING) return;
    const auto make = problem.method == BROYDEN ? broyden : levenberg_marquardt;
    make(kernel, problem, threads)->walk(run, Walker::Clock::time_point::max(), run.history.size() + 1);
}

}  // namespace chainrule
