// Levenberg-Marquardt: the algorithm of optimize/levenberg_marquardt.py, step by step; read
// it there. All steps are solved by the normal equations, those of wide problems too.
#include <algorithm>
#include <cmath>
#include <limits>

#include "fit.hpp"

namespace chainrule {
namespace {

using std::ptrdiff_t;

// as in damping.py and levenberg_marquardt.py
constexpr double FIRST = 1e-3, LEAST = 1e-15, MOST = 1e12, GOOD_ENOUGH = 1e-4;
constexpr double SLOW = 1e-3, ROUNDING = 16 * std::numeric_limits<double>::epsilon();
constexpr ptrdiff_t SLOW_STEPS = 2;

class LevenbergMarquardt : public Walker {
  public:
    LevenbergMarquardt(const Kernel& kernel, const Problem& problem, int threads)
        : Walker(kernel, problem, threads), step_(p_), trial_(p_), factor_(p_ * row_),
          trial_sum_(size_of_sum(problem.net, GRADIENT)) {}

  private:
    void begin(Run& run) override {
        run.sum.resize(size_of_sum(problem_.net, GAUSS_NEWTON));
        if (run.started()) {  // from a checkpoint
            --run.evaluations;
            look(run);
            return;
        }
        look(run);
        record(run, 0.0);
        if (run.damping > 0.0) return;  // that of an earlier run which ended here
        const double* H = run.sum.data() + start_;
        for (ptrdiff_t i = 0; i < p_; ++i) run.size = std::max(run.size, std::fabs(H[i * row_ + i]));
        if (run.size == 0.0) run.size = 1.0;
        run.damping = FIRST * run.size;
    }

    void look(Run& run) { evaluate(run, run.theta.data(), run.exact ? HESSIAN : GAUSS_NEWTON, run.sum.data()); }

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
    void iterate(Run& run) override {
        if (!solve(run)) {
            if (!run.exact) return reject(run);
            run.exact = false;  // the cost is not convex here: Gauss-Newton is
            run.slow = 0;
            --run.evaluations;  // it was made here before
            return look(run);
        }
        const double *s = step_.data(), *g = run.sum.data() + 1;
        double predicted = 0.0, length = 0.0;
        for (ptrdiff_t i = 0; i < p_; ++i) {
            predicted += 0.5 * s[i] * (run.damping * s[i] - g[i]);
            length += s[i] * s[i];
            trial_[i] = run.theta[i] + s[i];
        }
        const bool blind = predicted <= ROUNDING * std::fabs(run.cost);
        const double J = evaluate(run, trial_.data(), blind ? GRADIENT : COST, trial_sum_.data());
        double gain = std::isfinite(J) ? (run.cost - J) / predicted : 0.0;
        if (blind) {
            // the cost cannot judge this step any more; the gradient still can
            if (!(largest(trial_sum_.data() + 1) < run.max_gradient)) {
                run.ending = STALLED;
                return;
            }
            gain = 1.0;
        }
        if (!(gain > GOOD_ENOUGH)) return reject(run);
        run.slow = run.cost - J < SLOW * std::fabs(run.cost) ? run.slow + 1 : 0;
        run.exact = problem_.polish && (run.exact || run.slow >= SLOW_STEPS);
        double bend = 2.0 * std::min(gain, 1.0) - 1.0;
        run.damping = std::max(run.damping * std::max(1.0 / 3.0, 1.0 - bend * bend * bend), LEAST * run.size);
        run.growth = 2.0;
        run.theta.swap(trial_);
        look(run);
        record(run, std::sqrt(length));
    }

    std::vector<double> step_, trial_;
    Numbers factor_, trial_sum_;
};

}  // namespace

std::unique_ptr<Walker> levenberg_marquardt(const Kernel& kernel, const Problem& problem, int threads) {
    return std::make_unique<LevenbergMarquardt>(kernel, problem, threads);
}

}  // namespace chainrule
