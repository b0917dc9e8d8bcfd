// What Python sees of the native core.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <new>
#include <stdexcept>
#include <string>
#include <tuple>

#include "fit.hpp"
#include "threads.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace chainrule;

namespace {

using In = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;
using Out = nb::ndarray<nb::numpy, double>;

Network network(const std::vector<std::ptrdiff_t>& layers, const std::vector<int>& hidden, int output,
                bool bias, bool skip) {
    Network net;
    net.L = int(layers.size());
    if (net.L < 2 || net.L > Network::MOST_LAYERS || hidden.size() + 2 != layers.size())
        throw std::invalid_argument("layers and activations do not go together");
    net.output = Output(output);
    net.bias = bias;
    net.skip = skip;
    for (int l = 1; l <= net.L; ++l) net.d[l] = layers[l - 1];
    for (int l = 2; l < net.L; ++l) net.f[l] = Activation(hidden[l - 2]);
    for (int l = net.first(); l < net.L; ++l) {
        net.at[l] = net.p;
        net.p += net.sources(l) * net.d[net.to(l)];
    }
    return net;
}

// An array that owns `n` doubles.
double* owned(std::size_t n, nb::capsule& owner) {
    double* data = new double[n];
    owner = nb::capsule(data, [](void* p) noexcept { delete[] static_cast<double*>(p); });
    return data;
}

Out array(const double* from, std::size_t rows, std::size_t columns = 0) {
    std::size_t n = rows * (columns ? columns : 1);
    nb::capsule owner;
    double* data = owned(n, owner);
    std::copy_n(from, n, data);
    return columns ? Out(data, {rows, columns}, owner) : Out(data, {rows}, owner);
}

void require(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
}

Rows rows_of(const Network& net, const In& X, const In& Y, const In& w) {
    require(X.ndim() == 2 && std::ptrdiff_t(X.shape(1)) == net.d[1], "X does not fit");
    require(Y.ndim() == 2 && std::ptrdiff_t(Y.shape(1)) == net.K(), "Y does not fit");
    require(Y.shape(0) == X.shape(0), "X and Y have different rows");
    require(w.ndim() == 1 && w.shape(0) == X.shape(0), "w does not fit");
    require(X.shape(0) > 0, "there are no rows");
    return {X.data(), Y.data(), w.data(), std::ptrdiff_t(X.shape(0))};
}

nb::tuple evaluate_rows(const Network& net, In theta, In X, In Y, In w, int order, int threads,
                        const std::string& build) {
    require(theta.ndim() == 1 && std::ptrdiff_t(theta.shape(0)) == net.p, "theta does not fit");
    Rows rows = rows_of(net, X, Y, w);
    require(order <= GAUSS_NEWTON || net.L <= 3, "the exact Hessian is for one hidden layer");
    const Kernel* chosen = build.empty() ? &kernel() : kernel_named(build.c_str());
    require(chosen != nullptr, "this machine cannot run that build");
    Numbers sum(size_of_sum(net, order));
    {
        nb::gil_scoped_release without_lock;
        evaluate(*chosen, net, theta.data(), rows, order, threads, sum.data());
    }
    std::size_t p = net.p;
    nb::object g = nb::none(), H = nb::none();
    if (order >= GRADIENT) {
        g = nb::cast(array(sum.data() + 1, p));
    }
    if (order >= GAUSS_NEWTON) {
        nb::capsule owner;
        double* data = owned(p * p, owner);
        const double* upper = sum.data() + start_of_H(net);
        const std::size_t row = row_of_H(net);
        for (std::size_t i = 0; i < p; ++i)
            for (std::size_t j = i; j < p; ++j) data[i * p + j] = data[j * p + i] = upper[i * row + j];
        H = nb::cast(Out(data, {p, p}, owner));
    }
    return nb::make_tuple(sum[0], g, H);
}

// Everything a fit needs while Python waits. The arrays are kept alive by whoever holds this.
struct Fits {
    In X, Y, w, decay, held;
    Problem problem;
    const Kernel& kernel;
    std::vector<Run> runs;

    Fits(In X, In Y, In w, In decay, In held, const Problem& problem, const Kernel& kernel)
        : X(X), Y(Y), w(w), decay(decay), held(held), problem(problem), kernel(kernel) {}
    Fits(const Fits&) = delete;
};

// A run between two calls, in numbers: what is needed to go on, besides theta and the history.
constexpr std::size_t STATE = 11, COLUMNS = 5;

std::array<double, STATE> state_of(const Run& run) {
    return {run.J,           run.max_gradient,        run.damping,       run.size,    run.growth,
            double(run.slow), double(run.evaluations), double(run.exact), run.seconds, double(run.ending),
            double(run.history.size())};
}

// All runs at once: theta (runs, p), state (runs, STATE), history (all rows, COLUMNS).
nb::tuple states(const Fits& fits) {
    std::vector<double> theta, state;
    for (const Run& run : fits.runs) {
        theta.insert(theta.end(), run.theta.begin(), run.theta.end());
        const auto numbers = state_of(run);
        state.insert(state.end(), numbers.begin(), numbers.end());
    }
    const std::size_t n = fits.runs.size();
    return nb::make_tuple(array(theta.data(), n, fits.problem.net.p), array(state.data(), n, STATE));
}

nb::tuple state(const Fits& fits, std::size_t r) {
    require(r < fits.runs.size(), "there is no such run");
    const Run& run = fits.runs[r];
    const auto numbers = state_of(run);
    return nb::make_tuple(array(run.theta.data(), run.theta.size()), array(numbers.data(), STATE));
}

Out history(const Fits& fits, std::size_t r) {
    require(r < fits.runs.size(), "there is no such run");
    std::vector<double> rows;
    for (const Iteration& it : fits.runs[r].history)
        rows.insert(rows.end(), {it.cost, it.max_gradient, it.step, double(it.evaluations), it.seconds});
    return array(rows.data(), rows.size() / COLUMNS, COLUMNS);
}

void restore(Fits& fits, In theta, In state, In history) {
    const std::size_t n = fits.runs.size(), p = fits.problem.net.p;
    require(theta.ndim() == 2 && theta.shape(0) == n && theta.shape(1) == p, "theta does not fit");
    require(state.ndim() == 2 && state.shape(0) == n && state.shape(1) == STATE, "state does not fit");
    const double *h = history.data(), *end = h + history.size();
    for (std::size_t r = 0; r < n; ++r) {
        const double* s = state.data() + r * STATE;
        Run& run = fits.runs[r];
        const double* end_of_run = h + std::ptrdiff_t(s[10]) * std::ptrdiff_t(COLUMNS);
        require(s[10] >= 0 && end_of_run <= end, "history does not fit");
        if (fits.problem.method == BROYDEN && Ending(int(s[9])) == RUNNING) {
            h = end_of_run;  // what it had learned is lost: it begins again
            continue;
        }
        run.theta.assign(theta.data() + r * p, theta.data() + (r + 1) * p);
        run.J = s[0];
        run.max_gradient = s[1];
        run.damping = s[2];
        run.size = s[3];
        run.growth = s[4];
        run.slow = std::ptrdiff_t(s[5]);
        run.evaluations = std::ptrdiff_t(s[6]);
        run.exact = s[7] != 0.0;
        run.seconds = s[8];
        run.ending = Ending(int(s[9]));
        run.history.clear();
        for (; h != end_of_run; h += COLUMNS)
            run.history.push_back({h[0], h[1], h[2], std::ptrdiff_t(h[3]), h[4]});
    }
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "The native core: kernels/reference.py again, made for speed.";
    nb::class_<Network>(m, "Network")
        .def("__init__", [](Network* at, const std::vector<std::ptrdiff_t>& layers,
                            const std::vector<int>& hidden, int output, bool bias, bool skip) {
            new (at) Network(network(layers, hidden, output, bias, skip));
        });
    m.def("evaluate", &evaluate_rows, "net"_a, "theta"_a, "X"_a, "Y"_a, "w"_a, "order"_a, "threads"_a,
          "build"_a = "");
    nb::class_<Fits>(m, "Fits")
        .def("__init__",
             // one start for each row of theta
             [](Fits* at, const Network& net, In theta, In X, In Y, In w, In decay, In held, double scale,
                double tol, std::ptrdiff_t max_iter, const std::string& method, bool polish,
                const std::string& build) {
                 const Kernel* chosen = kernel_named(build.c_str());
                 require(chosen != nullptr, "this machine cannot run that build");
                 require(theta.ndim() == 2 && std::ptrdiff_t(theta.shape(1)) == net.p, "theta does not fit");
                 require(std::ptrdiff_t(decay.size()) == net.p, "decay does not fit");
                 require(std::ptrdiff_t(held.size()) == net.p, "held does not fit");
                 require(method == "lm" || method == "broyden", "there is no such method");
                 const Method chosen_method = method == "lm" ? LEVENBERG_MARQUARDT : BROYDEN;
                 Rows rows = rows_of(net, X, Y, w);
                 new (at) Fits(X, Y, w, decay, held,
                               {net, rows, decay.data(), held.data(), scale, tol, max_iter, chosen_method, polish},
                               *chosen);
                 at->runs.resize(theta.shape(0));
                 for (std::size_t r = 0; r < theta.shape(0); ++r)
                     at->runs[r].theta.assign(theta.data() + r * net.p, theta.data() + (r + 1) * net.p);
             })
        .def("advance",
             [](Fits& fits, double seconds, int threads) {
                 nb::gil_scoped_release without_lock;
                 advance(fits.kernel, fits.problem, fits.runs, seconds, threads);
             })
        .def("unfinished",
             [](const Fits& fits) {
                 return std::count_if(fits.runs.begin(), fits.runs.end(),
                                      [](const Run& run) { return run.ending == RUNNING; });
             })
        .def("states", &states)
        .def("state", &state, "r"_a)
        .def("history", &history, "r"_a)
        .def("restore", &restore, "theta"_a, "state"_a, "history"_a);
    m.def(
        "speed",
        [](const std::string& build, int threads) {
            const Kernel* chosen = kernel_named(build.c_str());
            require(chosen != nullptr, "this machine cannot run that build");
            constexpr double MANY = 3e8, SOME = 2e7;
            auto rate = [&](auto&& what, double n) {
                std::atomic<int> took_part{0};
                const auto began = std::chrono::steady_clock::now();
                in_parallel(threads, [&] {
                    volatile double sink = what(std::ptrdiff_t(n));
                    (void)sink;
                    ++took_part;
                });
                return took_part * n / std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
            };
            nb::gil_scoped_release without_lock;
            return std::make_pair(2.0 * rate(chosen->multiply_adds, MANY), rate(chosen->tanhs, SOME));
        },
        "build"_a, "threads"_a,
        "Return the operations and tanhs per second that this machine can do: for benchmarks.");
    m.def("builds", [] {
        std::vector<std::string> names;
        for (const char* name : {"plain", "avx2", "avx512"})
            if (kernel_named(name)) names.push_back(name);
        return names;
    });
}
