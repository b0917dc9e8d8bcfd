// Self-scaled Broyden: the algorithm of optimize/broyden.py and line_search.py; read it
// there. Here the update of B waits until B is next needed, so that one pass over it does both; and
// B y is a difference of two products, so that after some steps rounding parts the ways.
#include <algorithm>
#include <cmath>
#include <optional>

#include "fit.hpp"

namespace chainrule {
namespace {

using std::ptrdiff_t;

// as in broyden.py and line_search.py
constexpr double NEWEST = 0.2, LEAST = 0.1, NO_CURVATURE = 1e-14;
constexpr double DECREASE = 1e-4, CURVATURE = 0.9, ROUNDING = 1e-12, LONGER = 4.0;
constexpr int MOST_TRIALS = 40;

// phi and its slope at one alpha.
struct Point {
    double alpha, value, slope;
};

bool too_high(const Point& here, const Point& start) {
    return !(here.value <= start.value + DECREASE * here.alpha * start.slope);
}

bool good(const Point& here, const Point& start) {
    if (!too_high(here, start)) return std::fabs(here.slope) <= -CURVATURE * start.slope;
    const bool level = std::fabs(here.value - start.value) <= ROUNDING * std::fabs(start.value);
    const bool flatter = CURVATURE * start.slope <= here.slope;
    return level && flatter && here.slope <= (2.0 * DECREASE - 1.0) * start.slope;
}

double between(const Point& a, const Point& b) {
    const double width = b.alpha - a.alpha;
    const double d1 = a.slope + b.slope - 3.0 * (b.value - a.value) / width;
    const double d2 = std::copysign(std::sqrt(d1 * d1 - a.slope * b.slope), width);
    double share = 1.0 - (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
    if (!std::isfinite(share)) share = 0.5;
    return a.alpha + std::clamp(share, 0.1, 0.9) * width;
}

// Return a step that satisfies the strong Wolfe conditions, or 0.
template <class Phi>
double search(const Phi& phi, const Point& start, double first) {
    if (!(start.slope < 0.0)) return 0.0;
    Point below = start;
    std::optional<Point> above;
    double alpha = first;
    for (int trial = 0; trial < MOST_TRIALS; ++trial) {
        const Point here = phi(alpha);
        if (good(here, start)) return alpha;
        if (too_high(here, start) || here.value >= below.value) above = here;
        else {
            if (here.slope * (above ? above->alpha - below.alpha : 1.0) >= 0.0) above = below;
            below = here;
        }
        if (!above) alpha = LONGER * here.alpha;
        else if (std::fabs(above->alpha - below.alpha) > ROUNDING * std::fabs(above->alpha))
            alpha = between(below, *above);
        else break;
    }
    return below.alpha;
}

// What an update does to the sizes that were: see _mixture in broyden.py.
struct Mixture {
    double a = 0.0, theta = 0.0, tau = 1.0;
    Mixture() = default;
    Mixture(double h, double b, ptrdiff_t p) {
        const double wanted = b * h - 1.0;
        if (!(wanted > 0.0 && b > 0.0 && p > 1)) return;
        a = wanted;
        const double c = std::sqrt(a / (1.0 + a));
        const double rho = std::min(1.0, h / ((1.0 + c) * (1.0 + a)));
        theta = std::max((rho - 1.0) / a, std::min(1.0 / rho, (1.0 - b) / b));
        const double sigma = 1.0 + theta * a, size = std::min(1.0, 1.0 / b);
        const double root = std::pow(std::fabs(sigma), 1.0 / (1.0 - double(p)));
        tau = theta <= 0.0 ? std::min(size * root, sigma) : size * std::min(root, 1.0 / theta);
        if (std::isfinite(tau) && tau > 0.0) return;
        theta = 0.0;
        tau = 1.0;
    }
};

class Broyden : public Walker {
  public:
    Broyden(const Kernel& kernel, const Problem& problem, int threads)
        : Walker(kernel, problem, threads), trial_sum_(size_of_sum(problem.net, GRADIENT)) {
        for (Numbers* v : {&g_, &direction_, &y_, &trial_}) v->assign(row_, 0.0);
    }

  private:
    void begin(Run& run) override {
        run.sum.resize(size_of_sum(problem_.net, GRADIENT));
        run.worst = evaluate(run, run.theta.data(), GRADIENT, run.sum.data());
        record(run, 0.0);
    }

    void iterate(Run& run) override {
        const double scale = problem_.scale;
        const bool known = bool(run.learned);
        for (ptrdiff_t i = 0; i < p_; ++i) {
            g_[i] = run.sum[1 + i] / scale;
            direction_[i] = known ? -run.learned->Bg[i] : -g_[i];
        }
        const Point start{0.0, run.sum[0] / scale, dot(g_, direction_)};
        const double first = known ? run.learned->length : std::min(1.0, 1.0 / std::sqrt(dot(g_, g_)));
        double last = 0.0;
        auto phi = [&](double alpha) {
            for (ptrdiff_t i = 0; i < p_; ++i) trial_[i] = run.theta[i] + alpha * direction_[i];
            last = alpha;
            const double J = evaluate(run, trial_.data(), GRADIENT, trial_sum_.data());
            if (!std::isfinite(J) || !std::isfinite(largest(trial_sum_.data() + 1)))
                return Point{alpha, (run.worst + 10.0 * (1.0 + std::fabs(run.worst))) / scale, 0.0};
            run.worst = std::max(run.worst, J);
            double slope = 0.0;
            for (ptrdiff_t i = 0; i < p_; ++i) slope += trial_sum_[1 + i] * direction_[i];
            return Point{alpha, J / scale, slope / scale};
        };
        const double alpha = search(phi, start, first);
        if (!(alpha > 0.0)) {
            // an inverse Hessian gone bad: the steepest way is still open
            if (known) run.learned.reset();
            else run.ending = STALLED;
            return;
        }
        if (alpha != last) phi(alpha);
        for (ptrdiff_t i = 0; i < p_; ++i) {
            run.theta[i] = trial_[i];
            y_[i] = trial_sum_[1 + i] / scale - g_[i];
            direction_[i] *= alpha;  // s, from here on
        }
        run.sum.swap(trial_sum_);
        record(run, std::sqrt(dot(direction_, direction_)));
        if (run.ending == RUNNING || (problem_.resumable && run.ending == MAX_ITER))
            learn(run, direction_, -alpha * dot(direction_, g_));
    }

    // Take up what a step s has taught, along which the gradient changed by y: curvature is s^T B^-1 s.
    void learn(Run& run, const Numbers& s, double curvature) {
        const double ys = dot(y_, s);
        const bool taught = ys > NO_CURVATURE * std::sqrt(dot(y_, y_) * dot(s, s));
        const bool known = bool(run.learned);
        if (!known && !taught) return;
        if (!known) {
            run.learned = std::make_unique<InverseHessian>();
            InverseHessian& new_one = *run.learned;
            const double size = ys / dot(y_, y_);
            new_one.B.assign(row_ * row_, 0.0);
            for (ptrdiff_t i = 0; i < p_; ++i) new_one.B[i * row_ + i] = size;
            for (Numbers* v : {&new_one.Bg, &new_one.s, &new_one.t}) v->assign(row_, 0.0);
            for (ptrdiff_t i = 0; i < p_; ++i) new_one.Bg[i] = size * g_[i];
        }
        InverseHessian& now = *run.learned;
        for (ptrdiff_t i = 0; i < p_; ++i) g_[i] += y_[i];  // the gradient at the new point
        if (known && ys > 0.0)
            now.length = std::pow(now.length, 1.0 - NEWEST) * std::pow(std::clamp(curvature / ys, LEAST, 1.0), NEWEST);
        kernel_.renew(now.B.data(), row_, now.keep, now.ss, now.st, now.tt, now.s.data(), now.t.data(), g_.data(),
                      trial_.data());
        now.keep = 1.0;
        now.ss = now.st = now.tt = 0.0;
        if (taught) {
            for (ptrdiff_t i = 0; i < p_; ++i) {
                now.t[i] = trial_[i] - now.Bg[i];  // B y
                now.s[i] = s[i];
            }
            const double stretch = dot(y_, now.t);
            const Mixture mix = known ? Mixture(stretch / ys, curvature / ys, p_) : Mixture();
            const double phi = (1.0 - mix.theta) / (1.0 + mix.a * mix.theta);
            now.keep = 1.0 / mix.tau;
            now.ss = phi * stretch / (ys * ys * mix.tau) + 1.0 / ys;
            now.st = -phi / (ys * mix.tau);
            now.tt = (phi - 1.0) / (stretch * mix.tau);
        }
        const double along_s = dot(now.s, g_), along_t = dot(now.t, g_);
        const double of_s = now.ss * along_s + now.st * along_t, of_t = now.st * along_s + now.tt * along_t;
        for (ptrdiff_t i = 0; i < p_; ++i) now.Bg[i] = now.keep * trial_[i] + of_s * now.s[i] + of_t * now.t[i];
        if (!std::isfinite(largest(now.Bg.data())) || !std::isfinite(now.keep)) run.learned.reset();
    }

    double dot(const Numbers& a, const Numbers& b) const {
        double sum = 0.0;
        for (ptrdiff_t i = 0; i < p_; ++i) sum += a[i] * b[i];
        return sum;
    }

    // of length row_, and 0 beyond p_
    Numbers g_, direction_, y_, trial_, trial_sum_;
};

}  // namespace

std::unique_ptr<Walker> broyden(const Kernel& kernel, const Problem& problem, int threads) {
    return std::make_unique<Broyden>(kernel, problem, threads);
}

}  // namespace chainrule
