#include "levenberg_marquardt.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>

#include "threads.hpp"

namespace chainrule {
namespace {

using std::ptrdiff_t;
using Clock = std::chrono::steady_clock;

// as in damping.py and levenberg_marquardt.py
constexpr double FIRST = 1e-3, LEAST = 1e-15, MOST = 1e12, GOOD_ENOUGH = 1e-4;
constexpr double SLOW = 1e-3, ROUNDING = 16 * std::numeric_limits<double>::epsilon();
constexpr ptrdiff_t SLOW_STEPS = 2;

class Walker {
  public:
    Walker(const Kernel& kernel, const Problem& problem, int threads)
        : kernel_(kernel), problem_(problem), p_(problem.net.p), row_(row_of_H(problem.net)),
          start_(start_of_H(problem.net)), threads_(threads), step_(p_), trial_(p_), factor_(p_ * row_),
          trial_sum_(size_of_sum(problem.net, GRADIENT)) {}

    // Walk until the run ends or the time has come.
    void walk(Run& run, Clock::time_point until) {
        const auto began = Clock::now();
        const double before = run.seconds;
        auto seconds = [&] { return before + std::chrono::duration<double>(Clock::now() - began).count(); };
        if (run.sum.empty()) begin(run, seconds());
        while (run.ending == RUNNING && Clock::now() < until) iterate(run, seconds);
        run.seconds = seconds();
        if (run.ending != RUNNING) Numbers().swap(run.sum);
    }

  private:
    double evaluate(const double* theta, int order, double* sum) {
        chainrule::evaluate(kernel_, problem_.net, theta, problem_.rows, order, threads_, sum);
        const double* decay = problem_.decay;
        double* H = sum + start_;
        double penalty = 0.0;
        for (ptrdiff_t i = 0; i < p_; ++i) {
            double pull = decay[i] * theta[i];
            penalty += pull * theta[i];
            if (order >= GRADIENT) sum[1 + i] += pull;
            if (order >= GAUSS_NEWTON) H[i * row_ + i] += decay[i];
        }
        return sum[0] += 0.5 * penalty;
    }

    // Learn J, g and H at run.theta; return the relative gradient.
    double look(Run& run) {
        run.sum.resize(size_of_sum(problem_.net, GAUSS_NEWTON));
        run.J = evaluate(run.theta.data(), run.exact ? HESSIAN : GAUSS_NEWTON, run.sum.data());
        const double* g = run.sum.data() + 1;
        double relative = 0.0;
        for (ptrdiff_t i = 0; i < p_; ++i)
            relative = std::max(relative, std::fabs(g[i]) * std::max(1.0, std::fabs(run.theta[i])));
        run.max_gradient = largest(g);
        return relative / problem_.scale;
    }

    double largest(const double* g) const {
        double most = 0.0;
        for (ptrdiff_t i = 0; i < p_; ++i)
            if (!(std::fabs(g[i]) <= most)) most = std::fabs(g[i]);  // NaN is taken over too
        return most;
    }

    // Arrive at run.theta: the next row of the history, and perhaps the last.
    void arrive(Run& run, double length, double seconds) {
        const double relative = look(run);
        ++run.evaluations;
        run.history.push_back({run.J, run.max_gradient, length, run.evaluations, seconds});
        if (!std::isfinite(run.J) || !std::isfinite(run.max_gradient)) run.ending = NOT_FINITE;
        else if (relative <= problem_.tol) run.ending = CONVERGED;
        else if (ptrdiff_t(run.history.size()) > problem_.max_iter) run.ending = MAX_ITER;
    }

    void begin(Run& run, double seconds) {
        if (run.started()) {  // taken up again
            look(run);
            return;
        }
        arrive(run, 0.0, seconds);
        const double* H = run.sum.data() + start_;
        for (ptrdiff_t i = 0; i < p_; ++i) run.size = std::max(run.size, std::fabs(H[i * row_ + i]));
        if (run.size == 0.0) run.size = 1.0;
        run.damping = FIRST * run.size;
    }

    // Solve (H + damping) s = -g; false if that is not positive definite.
    bool solve(const Run& run) {
        const double *g = run.sum.data() + 1, *H = run.sum.data() + start_;
        for (ptrdiff_t i = 0; i < p_; ++i) {
            double* to = factor_.data() + i * row_;
            std::copy(H + i * row_ + i, H + i * row_ + p_, to + i);
            to[i] += run.damping;
        }
        if (!kernel_.cholesky(factor_.data(), p_, row_)) return false;
        const double* U = factor_.data();
        double* s = step_.data();
        for (ptrdiff_t i = 0; i < p_; ++i) s[i] = -g[i];
        for (ptrdiff_t i = 0; i < p_; ++i) {
            s[i] /= U[i * row_ + i];
            for (ptrdiff_t j = i + 1; j < p_; ++j) s[j] -= U[i * row_ + j] * s[i];
        }
        for (ptrdiff_t i = p_ - 1; i >= 0; --i) {
            double rest = s[i];
            for (ptrdiff_t j = i + 1; j < p_; ++j) rest -= U[i * row_ + j] * s[j];
            s[i] = rest / U[i * row_ + i];
        }
        return std::isfinite(s[0]);
    }

    void reject(Run& run) {
        run.damping *= run.growth;
        run.growth *= 2.0;
        const double most = MOST * run.size;
        if (!(run.damping <= most && std::isfinite(most))) run.ending = STALLED;
    }

    // One damped step, taken or not.
    template <class Seconds>
    void iterate(Run& run, const Seconds& seconds) {
        if (!solve(run)) {
            if (!run.exact) return reject(run);
            run.exact = false;  // the cost is not convex here: Gauss-Newton is
            run.slow = 0;
            evaluate(run.theta.data(), GAUSS_NEWTON, run.sum.data());
            ++run.evaluations;
            return;
        }
        const double *s = step_.data(), *g = run.sum.data() + 1;
        double predicted = 0.0, length = 0.0;
        for (ptrdiff_t i = 0; i < p_; ++i) {
            predicted += 0.5 * s[i] * (run.damping * s[i] - g[i]);
            length += s[i] * s[i];
            trial_[i] = run.theta[i] + s[i];
        }
        const bool blind = predicted <= ROUNDING * std::fabs(run.J);
        const double J = evaluate(trial_.data(), blind ? GRADIENT : COST, trial_sum_.data());
        ++run.evaluations;
        double gain = std::isfinite(J) ? (run.J - J) / predicted : 0.0;
        if (blind) {
            // the cost cannot judge this step any more; the gradient still can
            if (!(largest(trial_sum_.data() + 1) < run.max_gradient)) {
                run.ending = STALLED;
                return;
            }
            gain = 1.0;
        }
        if (!(gain > GOOD_ENOUGH)) return reject(run);
        run.slow = run.J - J < SLOW * std::fabs(run.J) ? run.slow + 1 : 0;
        run.exact = problem_.polish && problem_.net.L <= 3 && (run.exact || run.slow >= SLOW_STEPS);
        double bend = 2.0 * std::min(gain, 1.0) - 1.0;
        run.damping = std::max(run.damping * std::max(1.0 / 3.0, 1.0 - bend * bend * bend), LEAST * run.size);
        run.growth = 2.0;
        run.theta.swap(trial_);
        arrive(run, std::sqrt(length), seconds());
    }

    const Kernel& kernel_;
    const Problem& problem_;
    const ptrdiff_t p_, row_, start_;
    const int threads_;
    std::vector<double> step_, trial_;
    Numbers factor_, trial_sum_;
};

}  // namespace

void advance(const Kernel& kernel, const Problem& problem, std::vector<Run>& runs, double seconds, int threads) {
    const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    std::vector<Run*> unfinished;
    for (Run& run : runs)
        if (run.ending == RUNNING) unfinished.push_back(&run);
    if (unfinished.empty()) return;
    const int workers = std::max(1, std::min<int>(threads, int(unfinished.size())));
    std::atomic<std::size_t> next{0};
    in_parallel(workers, [&] {
        Walker walker(kernel, problem, std::max(1, threads / workers));
        // the first ones begin however short the time, so that something is known of them
        auto begins = [&](std::size_t i) { return i < std::size_t(workers) || Clock::now() < until; };
        for (std::size_t i = next++; i < unfinished.size() && begins(i); i = next++)
            walker.walk(*unfinished[i], until);
    });
}

}  // namespace chainrule
