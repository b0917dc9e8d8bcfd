// The kernel. A block of rows is cut into tiles that stay in the cache; in a tile every quantity
// lies unit by unit, (units, rows of the tile), so that a vector holds one unit of several rows.
//
// The names are those of chain_rule.py: a[l], delta[l], B[l]; prime[l] is f'(z[l]).
#include "kernel.hpp"

#include <cmath>

#include "dense.hpp"
#include "functions.hpp"
#include "matmul.hpp"
#include "speed.hpp"

#ifndef CHAINRULE_BUILD
#error "CHAINRULE_BUILD names the machine this is compiled for"
#endif

namespace {

using chainrule::Network;
using chainrule::Order;
using chainrule::Rows;
using std::ptrdiff_t;

// What a tile may fill, in doubles: more costs the nearest cache, less the registers their run.
constexpr ptrdiff_t CACHE = 64 * 1024 / sizeof(double);
constexpr ptrdiff_t CACHE_FOR_JACOBIAN = 512 * 1024 / sizeof(double);
constexpr ptrdiff_t FEW = LANES / 2;  // units
constexpr ptrdiff_t STEP = TILE_VECTORS * LANES;
constexpr ptrdiff_t FEWEST_TOGETHER = 96 / STEP * STEP;  // rows, with less H comes and goes too often

ptrdiff_t up(ptrdiff_t n, ptrdiff_t to) { return (n + to - 1) / to * to; }

// Give out pieces of one array, each on a boundary of the cache.
struct Room {
    double* base;
    ptrdiff_t used = 0;
    double* take(ptrdiff_t n) {
        double* piece = base ? base + used : nullptr;
        used += up(n, 8);
        return piece;
    }
};

struct Tile {
    ptrdiff_t rows;                           // a multiple of LANES
    double* a[Network::MOST_LAYERS + 1];      // (d[l] + bias, rows); the last unit is 1
    double* prime[Network::MOST_LAYERS + 1];  // (d[l], rows)
    double* delta[Network::MOST_LAYERS + 1];  // (d[l], rows)
    double* B[Network::MOST_LAYERS + 1];      // (d[l], rows), of one output; or a row of B^T Lambda B
    double *second, *y, *w, *lambda;
    double* dJdW[Network::MOST_LAYERS + 1];  // of all tiles so far, with gaps: see add_gradient
    double* delta_rows;                      // delta[l] row by row
    // for H: a[l] and B[l] row by row, and the Jacobian of one output
    double *a_rows[Network::MOST_LAYERS + 1], *B_rows[Network::MOST_LAYERS + 1];
    // for H of all outputs together: B[l] of each output k, and Lambda B[l], (K d[l], rows)
    double *every_B[Network::MOST_LAYERS + 1], *lambda_B[Network::MOST_LAYERS + 1];
    double *dz, *bent, *lanes_of_bent, *curved;
    ptrdiff_t J_row, x_row, gradient, used;  // gradient: the size of all dJdW together

    Tile(const Network& net, ptrdiff_t n, int order, double* room) {
        const int L = net.L;
        ptrdiff_t each = 2;
        for (int l = 1; l <= L; ++l) each += (order >= Order::GRADIENT ? 2 : 1) * net.d[l] + 1;
        J_row = chainrule::row_of_H(net);
        x_row = up(net.rows(1), LANES);
        const bool together = order >= Order::GAUSS_NEWTON && chainrule::outputs_together(net);
        if (order >= Order::GAUSS_NEWTON) each += J_row;
        for (int l = 2; l < L && together; ++l) each += 2 * net.K() * net.d[l];
        rows = up((order >= Order::GAUSS_NEWTON ? CACHE_FOR_JACOBIAN : CACHE) / each, STEP);
        if (together && rows < FEWEST_TOGETHER) rows = FEWEST_TOGETHER;
        if (rows < STEP) rows = STEP;
        if (rows > 256 / STEP * STEP) rows = 256 / STEP * STEP;
        if (rows > up(n, LANES)) rows = up(n, LANES);

        Room from{room};
        for (int l = 1; l <= L; ++l) {
            a[l] = from.take((net.d[l] + 1) * rows);
            prime[l] = delta[l] = B[l] = a_rows[l] = B_rows[l] = every_B[l] = lambda_B[l] = nullptr;
            if (order >= Order::GRADIENT && 1 < l && l < L) prime[l] = from.take(net.d[l] * rows);
            if (l == L || order >= Order::GAUSS_NEWTON) delta[l] = from.take(net.d[l] * rows);
            else if (l > 1) delta[l] = prime[l];  // f' is needed no more when delta is known
            if (order >= Order::GAUSS_NEWTON) {
                B[l] = from.take(net.d[l] * rows);
                a_rows[l] = from.take(rows * up(net.rows(l), LANES) + LANES);
                B_rows[l] = from.take(rows * up(net.d[l], LANES) + LANES);
            }
            if (together && 1 < l && l < L) {
                every_B[l] = from.take(net.K() * net.d[l] * rows);
                lambda_B[l] = from.take(net.K() * net.d[l] * rows);
            }
        }
        y = from.take(net.K() * rows);
        w = from.take(rows);
        ptrdiff_t widest = 0;
        gradient = from.used;
        for (int l = net.first(); l < L && order >= Order::GRADIENT; ++l) {
            ptrdiff_t d_out = net.d[net.to(l)];
            dJdW[l] = from.take(net.sources(l) * (d_out < FEW ? d_out * LANES : up(d_out, LANES)));
            if (d_out > widest) widest = d_out;
        }
        gradient = from.used - gradient;
        delta_rows = from.take(rows * up(widest, LANES));
        lambda = dz = second = bent = lanes_of_bent = curved = nullptr;
        if (order >= Order::GAUSS_NEWTON) {
            lambda = from.take((net.K() + 1) * rows);
            dz = from.take(rows * J_row + 2 * LANES);
        }
        if (order >= Order::HESSIAN && L == 3) {
            second = from.take(net.d[2] * rows);
            bent = from.take((net.d[2] * net.K() > net.rows(1) ? net.d[2] * net.K() : net.rows(1)) * rows);
            lanes_of_bent = from.take(net.rows(1) * net.d[2] * net.K() * LANES);
            curved = from.take(net.d[2] * net.rows(1) * x_row);
        }
        used = from.used;
    }
};

void fill(double* to, ptrdiff_t n, double x) {
    for (ptrdiff_t i = 0; i < n; ++i) to[i] = x;
}

// Bring the rows into the tile. Rows that are missing in the last vector are copies of the last one,
// so that nothing overflows that would not do so anyway, and weigh nothing.
void read(const Network& net, const Rows& from, ptrdiff_t n, ptrdiff_t vectors, Tile& t) {
    ptrdiff_t d = net.d[1], K = net.K();
    transpose(from.X, d, n, d, t.a[1], t.rows);
    transpose(from.Y, K, n, K, t.y, t.rows);
    for (ptrdiff_t r = 0; r < n; ++r) t.w[r] = from.w[r];
    for (ptrdiff_t r = n; r < vectors * LANES; ++r) {
        for (ptrdiff_t i = 0; i < d; ++i) t.a[1][i * t.rows + r] = t.a[1][i * t.rows + n - 1];
        for (ptrdiff_t k = 0; k < K; ++k) t.y[k * t.rows + r] = t.y[k * t.rows + n - 1];
        t.w[r] = 0.0;
    }
}

void forward(const Network& net, const double* theta, ptrdiff_t vectors, Tile& t) {
    for (int l = 1; l < net.L; ++l) {
        ptrdiff_t d_in = net.d[l], d_out = net.d[l + 1];
        const double* W = theta + net.at[l];
        Strided W_t{W, 1, d_out};
        if (net.bias)
            matmul<FROM>(d_out, vectors, W_t, d_in, t.a[l], t.rows, t.a[l + 1], t.rows, W + d_in * d_out);
        else
            matmul<SET>(d_out, vectors, W_t, d_in, t.a[l], t.rows, t.a[l + 1], t.rows);
        if (net.skip && l + 1 == net.L)
            matmul<ADD>(d_out, vectors, {theta + net.at[0], 1, d_out}, net.d[1], t.a[1], t.rows, t.a[net.L], t.rows);
        if (l + 1 < net.L)
            activate(net.f[l + 1], t.a[l + 1], t.prime[l + 1], t.second, d_out, t.rows, vectors);
    }
}

template <chainrule::Output O>
double cost_of(const Network& net, ptrdiff_t vectors, bool exact, Tile& t) {
    vec J{};
    for (ptrdiff_t v = 0; v < vectors; ++v) {
        ptrdiff_t r = v * LANES;
        J += output<O>({t.a[net.L] + r, t.y + r, load(t.w + r), t.delta[net.L] + r,
                        t.lambda ? t.lambda + r : nullptr, net.K(), t.rows, exact});
    }
    return sum(J);
}

// Return J of the tile; fill delta[L] and the curvature.
double cost(const Network& net, ptrdiff_t vectors, int order, Tile& t) {
    bool exact = order == Order::HESSIAN;
    switch (net.output) {
        case chainrule::IDENTITY_SQUARED: return cost_of<chainrule::IDENTITY_SQUARED>(net, vectors, exact, t);
        case chainrule::SIGMOID_SQUARED: return cost_of<chainrule::SIGMOID_SQUARED>(net, vectors, exact, t);
        case chainrule::SIGMOID_CROSS_ENTROPY: return cost_of<chainrule::SIGMOID_CROSS_ENTROPY>(net, vectors, exact, t);
        case chainrule::SOFTMAX_CROSS_ENTROPY: return cost_of<chainrule::SOFTMAX_CROSS_ENTROPY>(net, vectors, exact, t);
        case chainrule::EXP_POISSON: return cost_of<chainrule::EXP_POISSON>(net, vectors, exact, t);
    }
    return NAN;
}

// delta[l] = (W[l] delta[l+1]) * f'(z[l]); W[l] holds row i of the transposed formula of the paper.
void back(const Network& net, const double* theta, int l, ptrdiff_t vectors, const double* from,
          double* to, Tile& t) {
    const double* W_l = theta + net.at[l];
    if (net.d[l + 1] == 1) {  // a product of two numbers is not worth a matmul
        for (ptrdiff_t i = 0; i < net.d[l]; ++i)
            for (ptrdiff_t r = i * t.rows, v = 0; v < vectors * LANES; r += LANES, v += LANES)
                store(to + r, W_l[i] * load(from + v) * load(t.prime[l] + r));
        return;
    }
    Strided W{W_l, net.d[l + 1], 1};
    matmul<TIMES>(net.d[l], vectors, W, net.d[l + 1], from, t.rows, to, t.rows, t.prime[l]);
}

// dJdW[l] = a[l]^T delta[l+1], or a[1]^T delta[L] for l = 0, summed over all tiles of a block. With few units in layer l+1 a vector
// runs along the rows of the table and its lanes are added last; with many it runs along the units.
void add_gradient(const Network& net, int l, ptrdiff_t n, ptrdiff_t vectors, Tile& t) {
    const double *a = t.a[net.from(l)], *delta = t.delta[net.to(l)];
    ptrdiff_t units = net.sources(l), d_out = net.d[net.to(l)], wide = up(d_out, LANES);
    if (d_out < FEW)
        for (ptrdiff_t j = 0; j < d_out; ++j)
            dots(units, a, delta + j * t.rows, t.rows, vectors, t.dJdW[l] + j * LANES, d_out);
    else {
        transpose(delta, t.rows, d_out, n, t.delta_rows, wide);
        matmul<ADD>(units, wide / LANES, {a, t.rows, 1}, n, t.delta_rows, wide, t.dJdW[l], wide);
    }
}

void gather_gradient(const Network& net, const Tile& t, double* g) {
    for (int l = net.first(); l < net.L; ++l) {
        ptrdiff_t d_out = net.d[net.to(l)], wide = up(d_out, LANES);
        for (ptrdiff_t i = 0; i < net.sources(l); ++i)
            for (ptrdiff_t j = 0; j < d_out; ++j)
                *g++ = d_out < FEW ? sum(load(t.dJdW[l] + (i * d_out + j) * LANES)) : t.dJdW[l][i * wide + j];
    }
}

void backward(const Network& net, const double* theta, ptrdiff_t n, ptrdiff_t vectors, Tile& t) {
    for (int l = net.L - 1; l >= 1; --l) {
        add_gradient(net, l, n, vectors, t);
        if (net.skip && l + 1 == net.L) add_gradient(net, 0, n, vectors, t);
        if (l > 1) back(net, theta, l, vectors, t.delta[l + 1], t.delta[l], t);
    }
}

// B[L] of output k: the row of a root of the curvature, so that H is a sum of squares; where the
// curvature is negative, of its magnitude.
void root_of_curvature(const Network& net, ptrdiff_t k, ptrdiff_t vectors, Tile& t) {
    double* B = t.B[net.L];
    for (ptrdiff_t r = 0; r < vectors * LANES; ++r) {
        const double* lambda = t.lambda + r;
        if (net.output != chainrule::SOFTMAX_CROSS_ENTROPY) {
            for (ptrdiff_t j = 0; j < net.K(); ++j) B[j * t.rows + r] = 0.0;
            B[k * t.rows + r] = std::sqrt(std::fabs(lambda[k * t.rows]));
        } else {
            double root = std::sqrt(lambda[net.K() * t.rows] * lambda[k * t.rows]);
            for (ptrdiff_t j = 0; j < net.K(); ++j)
                B[j * t.rows + r] = root * ((j == k) - lambda[j * t.rows]);
        }
    }
}

// Outer products of a[l] and B[l+1] for all layers of weights from `first` on, row by row. What a
// vector writes beyond the last unit is written over by what follows: hence row by row, and upwards.
void outer_products(const Network& net, int first, ptrdiff_t n, Tile& t) {
    for (ptrdiff_t r = 0; r < n; ++r)
        for (int l = first; l < net.L; ++l) {
            ptrdiff_t units = net.sources(l), d_out = net.d[net.to(l)];
            const double* a = t.a_rows[net.from(l)] + r * up(net.rows(net.from(l)), LANES);
            const double* B = t.B_rows[net.to(l)] + r * up(d_out, LANES);
            double* J = t.dz + r * t.J_row + net.at[l];
            if (d_out == 1)
                for (ptrdiff_t i = 0; i < units; i += LANES) store(J + i, load(a + i) * B[0]);
            else
                for (ptrdiff_t i = 0; i < units; ++i)
                    for (ptrdiff_t j = 0; j < d_out; j += LANES)
                        store(J + i * d_out + j, a[i] * load(B + j));
        }
}

// dz (n, p) of one output.
void jacobian(const Network& net, const double* theta, ptrdiff_t n, ptrdiff_t vectors, Tile& t) {
    for (int l = net.L - 1; l > 1; --l) back(net, theta, l, vectors, t.B[l + 1], t.B[l], t);
    for (int l = 2; l <= net.L; ++l)
        transpose(t.B[l], t.rows, net.d[l], n, t.B_rows[l], up(net.d[l], LANES));
    outer_products(net, net.first(), n, t);
}

// B[l] = dz[L]/dz[l] of every output, and Lambda B[l], for the hidden layers.
void all_outputs(const Network& net, const double* theta, ptrdiff_t vectors, Tile& t) {
    const ptrdiff_t K = net.K(), wide = vectors * LANES;
    for (int l = net.L - 1; l > 1; --l)
        for (ptrdiff_t k = 0; k < K; ++k) {
            double* B = t.every_B[l] + k * net.d[l] * t.rows;
            if (l < net.L - 1) {
                back(net, theta, l, vectors, t.every_B[l + 1] + k * net.d[l + 1] * t.rows, B, t);
                continue;
            }
            for (ptrdiff_t h = 0; h < net.d[l]; ++h)
                for (ptrdiff_t r = h * t.rows; r < h * t.rows + wide; r += LANES)
                    store(B + r, theta[net.at[l] + h * K + k] * load(t.prime[l] + r));
        }
    for (int l = 2; l < net.L; ++l)
        for (ptrdiff_t h = 0; h < net.d[l]; ++h)
            for (ptrdiff_t r = 0; r < wide; r += LANES) {
                const ptrdiff_t at = h * t.rows + r, next = net.d[l] * t.rows;
                vec mean{}, scale = all(1.0);
                if (net.output == chainrule::SOFTMAX_CROSS_ENTROPY) {
                    for (ptrdiff_t k = 0; k < K; ++k)
                        mean += load(t.lambda + k * t.rows + r) * load(t.every_B[l] + k * next + at);
                    scale = load(t.lambda + K * t.rows + r);
                }
                for (ptrdiff_t k = 0; k < K; ++k)
                    store(t.lambda_B[l] + k * next + at, scale * load(t.lambda + k * t.rows + r) *
                                                             (load(t.every_B[l] + k * next + at) - mean));
            }
}

// Row h of B[l]^T Lambda B[m], (d[m], rows).
void curvature_of_unit(const Network& net, int l, ptrdiff_t h, int m, ptrdiff_t vectors, double* to, Tile& t) {
    const ptrdiff_t K = net.K(), wide = vectors * LANES;
    for (ptrdiff_t g = 0; g < net.d[m]; ++g)
        for (ptrdiff_t r = 0; r < wide; r += LANES) {
            vec sum{};
            if (l < net.L && m < net.L)
                for (ptrdiff_t k = 0; k < K; ++k)
                    sum += load(t.every_B[l] + (k * net.d[l] + h) * t.rows + r) *
                           load(t.lambda_B[m] + (k * net.d[m] + g) * t.rows + r);
            else if (l < net.L) sum = load(t.lambda_B[l] + (g * net.d[l] + h) * t.rows + r);
            else if (m < net.L) sum = load(t.lambda_B[m] + (h * net.d[m] + g) * t.rows + r);
            else if (net.output == chainrule::SOFTMAX_CROSS_ENTROPY)
                sum = load(t.lambda + K * t.rows + r) * load(t.lambda + h * t.rows + r) *
                      (double(g == h) - load(t.lambda + g * t.rows + r));
            else if (g == h) sum = load(t.lambda + h * t.rows + r);
            store(to + g * t.rows + r, sum);
        }
}

// H[l,m] = sum over rows of (a[l] a[m]^T) (x) (B[l+1]^T Lambda B[m+1]): the outputs are contracted
// first, so that they are not counted (Fairbank & Alonso 2012, Neural Computation 24:607).
void gauss_newton_together(const Network& net, const double* theta, ptrdiff_t n, ptrdiff_t vectors, double* H,
                           Tile& t) {
    all_outputs(net, theta, vectors, t);
    for (int q = 2; q <= net.L; ++q) {
        const int first = net.skip && q == net.L ? 0 : q - 1;
        const int lowest = first == 0 ? 2 : q;  // of the layers that have to be known
        for (ptrdiff_t h = 0; h < net.d[q]; ++h) {
            for (int m = lowest; m <= net.L; ++m) {
                curvature_of_unit(net, q, h, m, vectors, t.B[m], t);
                transpose(t.B[m], t.rows, net.d[m], n, t.B_rows[m], up(net.d[m], LANES));
            }
            outer_products(net, first, n, t);
            for (int l = first; l < net.L; l = l ? net.L : q - 1) {
                const ptrdiff_t d = net.d[q], stride = up(net.rows(net.from(l)), LANES);
                for (ptrdiff_t i = 0; i < net.sources(l); i += TILE_ROWS) {
                    ptrdiff_t height = net.sources(l) - i < TILE_ROWS ? net.sources(l) - i : TILE_ROWS;
                    ptrdiff_t j = (net.at[l] + i * d) / LANES * LANES;
                    double* to = H + (net.at[l] + i * d + h) * t.J_row + j;
                    matmul<ADD>(height, (t.J_row - j) / LANES, {t.a_rows[net.from(l)] + i, 1, stride}, n,
                                t.dz + j, t.J_row, to, d * t.J_row);
                }
            }
        }
    }
}

void gauss_newton(const Network& net, const double* theta, ptrdiff_t n, ptrdiff_t vectors, double* H,
                  Tile& t) {
    for (int l = 1; l < net.L; ++l)
        transpose(t.a[l], t.rows, net.rows(l), n, t.a_rows[l], up(net.rows(l), LANES));
    if (chainrule::outputs_together(net)) return gauss_newton_together(net, theta, n, vectors, H, t);
    for (ptrdiff_t k = 0; k < net.K(); ++k) {
        root_of_curvature(net, k, vectors, t);
        jacobian(net, theta, n, vectors, t);
        if (net.output != chainrule::SIGMOID_SQUARED) {
            add_squares<ADD>(t.dz, n, net.p, t.J_row, H);
            continue;
        }
        for (ptrdiff_t r = 0; r < n;) {  // runs of rows that curve the same way
            const double* lambda = t.lambda + k * t.rows;
            ptrdiff_t from = r;
            bool down = lambda[r] < 0;
            while (r < n && (lambda[r] < 0) == down) ++r;
            if (down) add_squares<SUBTRACT>(t.dz + from * t.J_row, r - from, net.p, t.J_row, H);
            else add_squares<ADD>(t.dz + from * t.J_row, r - from, net.p, t.J_row, H);
        }
    }
}

// What the exact Hessian of one hidden layer has beyond Gauss-Newton: with e = W[2] delta[3],
//   d2J/dW[1]_ih dW[1]_jh += sum x_i x_j f''_h e_h      d2J/dW[1]_ih dW[2]_hk += sum x_i f'_h delta_k
void bend(const Network& net, const double* theta, ptrdiff_t n, ptrdiff_t vectors, Tile& t) {
    ptrdiff_t x_units = net.rows(1), d = net.d[2], K = net.K(), wide = vectors * LANES;
    Strided W{theta + net.at[2], K, 1};
    matmul<TIMES>(d, vectors, W, K, t.delta[3], t.rows, t.second, t.rows, t.second);
    for (ptrdiff_t h = 0; h < d; ++h) {
        for (ptrdiff_t i = 0; i < x_units; ++i)
            for (ptrdiff_t r = 0; r < wide; r += LANES)
                store(t.bent + i * t.rows + r,
                      load(t.a[1] + i * t.rows + r) * load(t.second + h * t.rows + r));
        matmul<ADD>(x_units, t.x_row / LANES, {t.bent, t.rows, 1}, n, t.a_rows[1], t.x_row,
               t.curved + h * x_units * t.x_row, t.x_row);
    }
    for (ptrdiff_t h = 0; h < d; ++h)
        for (ptrdiff_t k = 0; k < K; ++k)
            for (ptrdiff_t r = 0; r < wide; r += LANES)
                store(t.bent + (h * K + k) * t.rows + r,
                      load(t.prime[2] + h * t.rows + r) * load(t.delta[3] + k * t.rows + r));
    for (ptrdiff_t m = 0; m < d * K; ++m)
        dots(x_units, t.a[1], t.bent + m * t.rows, t.rows, vectors, t.lanes_of_bent + m * LANES, d * K);
}

void add_bend(const Network& net, double* H, const Tile& t) {
    ptrdiff_t x_units = net.rows(1), d = net.d[2], K = net.K(), row = t.J_row;
    for (ptrdiff_t h = 0; h < d; ++h)
        for (ptrdiff_t i = 0; i < x_units; ++i) {
            double* H_i = H + (net.at[1] + i * d + h) * row;
            for (ptrdiff_t j = i; j < x_units; ++j)
                H_i[net.at[1] + j * d + h] += t.curved[(h * x_units + i) * t.x_row + j];
            for (ptrdiff_t k = 0; k < K; ++k)
                H_i[net.at[2] + h * K + k] += sum(load(t.lanes_of_bent + ((i * d + h) * K + k) * LANES));
        }
}

ptrdiff_t room(const Network& net, ptrdiff_t n, int order) { return Tile(net, n, order, nullptr).used; }

void evaluate(const Network& net, const double* theta, Rows rows, int order, double* total, double* room) {
    Tile t(net, rows.n, order, room);
    const bool bends = order == Order::HESSIAN && net.L == 3;
    double J = 0.0, *g = total + 1, *H = total + chainrule::start_of_H(net);
    if (order >= Order::GRADIENT) fill(t.dJdW[net.first()], t.gradient, 0.0);
    if (order >= Order::GAUSS_NEWTON) fill(H, net.p * t.J_row, 0.0);
    if (bends) {
        fill(t.lanes_of_bent, net.rows(1) * net.d[2] * net.K() * LANES, 0.0);
        fill(t.curved, net.d[2] * net.rows(1) * t.x_row, 0.0);
    }
    if (net.bias)
        for (int l = 1; l < net.L; ++l) fill(t.a[l] + net.d[l] * t.rows, t.rows, 1.0);

    for (ptrdiff_t r = 0; r < rows.n; r += t.rows) {
        ptrdiff_t n = rows.n - r < t.rows ? rows.n - r : t.rows, vectors = up(n, LANES) / LANES;
        read(net, {rows.X + r * net.d[1], rows.Y + r * net.K(), rows.w + r, n}, n, vectors, t);
        forward(net, theta, vectors, t);
        J += cost(net, vectors, order, t);
        if (order >= Order::GRADIENT) backward(net, theta, n, vectors, t);
        if (order >= Order::GAUSS_NEWTON) gauss_newton(net, theta, n, vectors, H, t);
        if (bends) bend(net, theta, n, vectors, t);
    }

    total[0] = J;
    if (order >= Order::GRADIENT) gather_gradient(net, t, g);
    if (bends) add_bend(net, H, t);
}

}  // namespace

#define NAMED_(build) chainrule_kernel_##build
#define NAMED(build) NAMED_(build)
#define TEXT_(build) #build
#define TEXT(build) TEXT_(build)

extern const chainrule::Kernel NAMED(CHAINRULE_BUILD);
const chainrule::Kernel NAMED(CHAINRULE_BUILD) = {TEXT(CHAINRULE_BUILD), room, evaluate, cholesky, renew, multiply_adds, tanhs};
