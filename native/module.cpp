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
    constexpr std::ptrdiff_t WIDEST = std::ptrdiff_t(1) << 24;
    for (std::ptrdiff_t width : layers)
        if (width < 1 || width > WIDEST) throw std::invalid_argument("a layer has no such width");
    for (int f : hidden)
        if (f < 0 || f > int(IDENTITY)) throw std::invalid_argument("there is no such activation");
    if (output < 0 || output > int(EXP_POISSON)) throw std::invalid_argument("there is no such output");
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
    require(order >= COST && order <= HESSIAN, "there is no such order");
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
    std::atomic<bool> busy{false};  // while runs walk without the lock of Python

    Fits(In X, In Y, In w, In decay, In held, const Problem& problem, const Kernel& kernel)
        : X(X), Y(Y), w(w), decay(decay), held(held), problem(problem), kernel(kernel) {}
    Fits(const Fits&) = delete;
};

// Runs walk on one thread of Python at a time, and nobody looks at them meanwhile.
void require_idle(const Fits& fits) { require(!fits.busy, "these fits are walking on another thread"); }

template <class Walk>
void walk_alone(Fits& fits, Walk&& walk) {
    require(!fits.busy.exchange(true), "these fits are walking on another thread");
    struct Done {
        std::atomic<bool>& busy;
        ~Done() { busy = false; }
    } done{fits.busy};
    nb::gil_scoped_release without_lock;
    walk();
}

// A column of numbers, one for each of n things.
template <class Of>
Out column(std::size_t n, Of&& of) {
    nb::capsule owner;
    double* data = owned(n, owner);
    for (std::size_t i = 0; i < n; ++i) data[i] = double(of(i));
    return Out(data, {n}, owner);
}

// The states of all runs, a column for each field, and how many rows each history has.
nb::dict states(const Fits& fits) {
    require_idle(fits);
    nb::dict found;
    auto note = [&](const char* name, auto field) {
        found[name] = column(fits.runs.size(), [&](std::size_t r) { return fits.runs[r].*field; });
    };
    note("cost", &State::cost);
    note("max_gradient", &State::max_gradient);
    note("damping", &State::damping);
    note("size", &State::size);
    note("growth", &State::growth);
    note("slow", &State::slow);
    note("exact", &State::exact);
    note("evaluations", &State::evaluations);
    note("seconds", &State::seconds);
    note("ending", &State::ending);
    found["length"] = column(fits.runs.size(), [&](std::size_t r) { return fits.runs[r].history.size(); });
    return found;
}

const Run& run_of(const Fits& fits, std::size_t r) {
    require_idle(fits);
    require(r < fits.runs.size(), "there is no such run");
    return fits.runs[r];
}

// Where all runs are, (runs, p).
Out points(const Fits& fits) {
    require_idle(fits);
    std::vector<double> theta;
    for (const Run& run : fits.runs) theta.insert(theta.end(), run.theta.begin(), run.theta.end());
    return array(theta.data(), fits.runs.size(), fits.problem.net.p);
}

// The history of a run from a row on, a column for each field.
nb::dict history(const Fits& fits, std::size_t r, std::size_t first) {
    const auto& rows = run_of(fits, r).history;
    require(first <= rows.size(), "there is no such row");
    nb::dict found;
    auto note = [&](const char* name, auto field) {
        found[name] = column(rows.size() - first, [&](std::size_t i) { return rows[first + i].*field; });
    };
    note("cost", &Iteration::cost);
    note("max_gradient", &Iteration::max_gradient);
    note("step", &Iteration::step);
    note("evaluations", &Iteration::evaluations);
    note("seconds", &Iteration::seconds);
    return found;
}

In column_of(const nb::dict& columns, const char* name, std::size_t n) {
    require(columns.contains(name), "a column is missing");
    In column = nb::cast<In>(columns[name], false);  // as it is: a converted copy would not live on
    require(column.ndim() == 1 && column.shape(0) == n, "a column does not fit");
    return column;
}

// A count from a column of numbers.
std::size_t count_of(double value, std::size_t most) {
    require(value >= 0.0 && value <= double(most), "a count does not fit");
    return std::size_t(value);
}

void restore(Fits& fits, In theta, nb::dict state, nb::dict history, std::size_t rows) {
    require_idle(fits);
    const std::size_t n = fits.runs.size(), p = fits.problem.net.p;
    constexpr std::size_t MOST = std::size_t(1) << 53;
    require(theta.ndim() == 2 && theta.shape(0) == n && theta.shape(1) == p, "theta does not fit");
    const char* FIELDS[] = {"cost",        "max_gradient", "damping", "size",   "growth", "slow",
                            "evaluations", "exact",        "seconds", "ending", "length"};
    std::vector<In> states, columns;
    for (const char* name : FIELDS) states.push_back(column_of(state, name, n));
    for (const char* name : {"cost", "max_gradient", "step", "evaluations", "seconds"})
        columns.push_back(column_of(history, name, rows));
    std::vector<Run> restored(n);
    std::size_t at = 0;
    for (std::size_t r = 0; r < n; ++r) {
        auto number = [&](std::size_t field) { return states[field].data()[r]; };
        const std::size_t end = at + count_of(number(10), rows - at);
        const Ending ending = Ending(int(count_of(number(9), NOT_FINITE)));
        Run& run = restored[r];
        run.theta = fits.runs[r].theta;
        if (fits.problem.method == BROYDEN && ending == RUNNING) {
            at = end;  // what it had learned is lost: it begins again
            continue;
        }
        run.theta.assign(theta.data() + r * p, theta.data() + (r + 1) * p);
        run.cost = number(0);
        run.max_gradient = number(1);
        run.damping = number(2);
        run.size = number(3);
        run.growth = number(4);
        run.slow = std::ptrdiff_t(count_of(number(5), MOST));
        run.evaluations = std::ptrdiff_t(count_of(number(6), MOST));
        run.exact = number(7) != 0.0;
        run.seconds = number(8);
        run.ending = ending;
        for (; at < end; ++at)
            run.history.push_back({columns[0].data()[at], columns[1].data()[at], columns[2].data()[at],
                                   std::ptrdiff_t(count_of(columns[3].data()[at], MOST)), columns[4].data()[at]});
    }
    fits.runs = std::move(restored);
}

// What a run of Broyden's method has learned, by the names of Pending in broyden.py; or None.
nb::object learned(const Fits& fits, std::size_t r) {
    const Run& run = run_of(fits, r);
    if (!run.learned) return nb::none();
    const InverseHessian& now = *run.learned;
    const std::size_t row = row_of_H(fits.problem.net);
    nb::dict found;
    found["B"] = array(now.B.data(), row, row);
    found["Bg"] = array(now.Bg.data(), row);
    found["s"] = array(now.s.data(), row);
    found["t"] = array(now.t.data(), row);
    found["keep"] = now.keep;
    found["ss"] = now.ss;
    found["st"] = now.st;
    found["tt"] = now.tt;
    found["length"] = now.length;
    return nb::object(found);
}

void begin_with(Fits& fits, std::size_t r, nb::dict given) {
    run_of(fits, r);
    const std::size_t row = row_of_H(fits.problem.net);
    auto now = std::make_unique<InverseHessian>();
    auto numbers = [&](const char* name, std::size_t n) {
        const In values = nb::cast<In>(given[name]);
        require(values.size() == n, "what was learned does not fit");
        return Numbers(values.data(), values.data() + n);
    };
    now->B = numbers("B", row * row);
    now->Bg = numbers("Bg", row);
    now->s = numbers("s", row);
    now->t = numbers("t", row);
    now->keep = nb::cast<double>(given["keep"]);
    now->ss = nb::cast<double>(given["ss"]);
    now->st = nb::cast<double>(given["st"]);
    now->tt = nb::cast<double>(given["tt"]);
    now->length = nb::cast<double>(given["length"]);
    fits.runs[r].learned = std::move(now);
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
    nb::enum_<Method>(m, "Method").value("LEVENBERG_MARQUARDT", LEVENBERG_MARQUARDT).value("BROYDEN", BROYDEN);
    nb::enum_<Ending>(m, "Ending", nb::is_arithmetic())
        .value("RUNNING", RUNNING)
        .value("CONVERGED", CONVERGED)
        .value("MAX_ITER", MAX_ITER)
        .value("STALLED", STALLED)
        .value("NOT_FINITE", NOT_FINITE);
    nb::class_<State>(m, "State", "How one start stands: see fit.hpp.")
        .def_ro("cost", &State::cost)
        .def_ro("max_gradient", &State::max_gradient)
        .def_ro("evaluations", &State::evaluations)
        .def_ro("seconds", &State::seconds)
        .def_ro("ending", &State::ending)
        .def_ro("damping", &State::damping)
        .def_ro("size", &State::size)
        .def_ro("growth", &State::growth)
        .def_ro("slow", &State::slow)
        .def_ro("exact", &State::exact);
    nb::class_<Fits>(m, "Fits")
        .def("__init__",
             // one start for each row of theta
             [](Fits* at, const Network& net, In theta, In X, In Y, In w, In decay, In held, double scale,
                double tol, std::ptrdiff_t max_iter, Method method, bool polish, bool resumable,
                const std::string& build) {
                 const Kernel* chosen = kernel_named(build.c_str());
                 require(chosen != nullptr, "this machine cannot run that build");
                 require(theta.ndim() == 2 && std::ptrdiff_t(theta.shape(1)) == net.p, "theta does not fit");
                 require(std::ptrdiff_t(decay.size()) == net.p, "decay does not fit");
                 require(std::ptrdiff_t(held.size()) == net.p, "held does not fit");
                 Rows rows = rows_of(net, X, Y, w);
                 new (at) Fits(X, Y, w, decay, held,
                               {net, rows, decay.data(), held.data(), scale, tol, max_iter, method, polish,
                                resumable},
                               *chosen);
                 at->runs.resize(theta.shape(0));
                 for (std::size_t r = 0; r < theta.shape(0); ++r)
                     at->runs[r].theta.assign(theta.data() + r * net.p, theta.data() + (r + 1) * net.p);
             })
        .def("advance",
             [](Fits& fits, double seconds, int threads) {
                 constexpr double LONGEST = 1e6;
                 const double time = seconds >= 0.0 ? std::min(seconds, LONGEST) : 0.0;
                 walk_alone(fits, [&] { advance(fits.kernel, fits.problem, fits.runs, time, threads); });
             })
        .def("unfinished",
             [](const Fits& fits) {
                 require_idle(fits);
                 return std::count_if(fits.runs.begin(), fits.runs.end(),
                                      [](const Run& run) { return run.ending == RUNNING; });
             })
        .def("step",
             [](Fits& fits, std::size_t r, int threads) {
                 require(r < fits.runs.size(), "there is no such run");
                 walk_alone(fits, [&] { step(fits.kernel, fits.problem, fits.runs[r], threads); });
             },
             "r"_a, "threads"_a)
        .def("evaluations",
             [](const Fits& fits) {
                 require_idle(fits);
                 std::ptrdiff_t total = 0;
                 for (const Run& run : fits.runs) total += run.evaluations;
                 return total;
             })
        .def("points", &points)
        .def("states", &states)
        .def("point", [](const Fits& fits, std::size_t r) {
            const Run& run = run_of(fits, r);
            return array(run.theta.data(), run.theta.size());
        }, "r"_a)
        .def("state", [](const Fits& fits, std::size_t r) { return State(run_of(fits, r)); }, "r"_a)
        .def("length", [](const Fits& fits, std::size_t r) { return run_of(fits, r).history.size(); }, "r"_a)
        .def("history", &history, "r"_a, "first"_a = 0)
        .def("restore", &restore, "theta"_a, "state"_a, "history"_a, "rows"_a)
        // what a run has learned, and a start that begins with it: see Memory in the two methods
        .def("resume",
             [](Fits& fits, std::size_t r, double damping, double size, double growth, std::ptrdiff_t slow,
                bool exact) {
                 Run& run = const_cast<Run&>(run_of(fits, r));
                 run.damping = damping;
                 run.size = size;
                 run.growth = growth;
                 run.slow = slow;
                 run.exact = exact;
             },
             "r"_a, "damping"_a, "size"_a, "growth"_a, "slow"_a, "exact"_a)
        .def("learned", &learned, "r"_a)
        .def("begin_with", &begin_with, "r"_a, "learned"_a);
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
