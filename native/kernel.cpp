// The kernel. A block of rows is cut into tiles that stay in the cache; in a tile every quantity
// lies unit by unit, (units, rows of the tile), so that a vector holds one unit of several rows.
//
// The names are those of chain_rule.py: a[l], delta[l], B[l]; prime[l] is f'(z[l]).
#include "kernel.hpp"

#include <cmath>

#include "dense.hpp"
#include "functions.hpp"
#include "matmul.hpp"
#include "second_derivatives.hpp"
#include "speed.hpp"
#include "tile.hpp"

#ifndef CHAINRULE_BUILD
#error "CHAINRULE_BUILD names the machine this is compiled for"
#endif

namespace {

using chainrule::Rows;

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
            activate(net.f[l + 1], t.a[l + 1], t.prime[l + 1], t.second[l + 1], d_out, t.rows, vectors);
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

ptrdiff_t room(const Network& net, ptrdiff_t n, int order) { return Tile(net, n, order, nullptr).used; }

void evaluate(const Network& net, const double* theta, Rows rows, int order, double* total, double* room) {
    Tile t(net, rows.n, order, room);
    double J = 0.0, *g = total + 1, *H = total + chainrule::start_of_H(net);
    if (order >= Order::GRADIENT) fill(t.dJdW[net.first()], t.gradient, 0.0);
    if (order >= Order::GAUSS_NEWTON) fill(H, net.p * t.J_row, 0.0);
    const bool bends = order == Order::HESSIAN && chainrule::exact_by_bend(net);
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
        if (order >= Order::GAUSS_NEWTON)
            second_derivatives(net, theta, n, vectors, order == Order::HESSIAN, H, t);
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
