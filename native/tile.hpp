// A tile: as many rows as stay in the cache with all that is computed of them.
#pragma once

#include "network.hpp"
#include "numbers.hpp"
#include "simd.hpp"
#include "matmul.hpp"

namespace {

using chainrule::Network;
using chainrule::Order;
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
    double* B[Network::MOST_LAYERS + 1];      // (d[l], rows), of one output; or of one unit
    double *y, *w, *lambda;
    double* dJdW[Network::MOST_LAYERS + 1];  // of all tiles so far, with gaps: see add_gradient
    double* delta_rows;                      // delta[l] row by row
    // for H: a[l] and B[l] row by row, and the Jacobian of one output
    double *a_rows[Network::MOST_LAYERS + 1], *B_rows[Network::MOST_LAYERS + 1];
    // for H of all outputs together: dz[m]/dz[l] of all m > l, (d[m] d[l], rows) each, and d2J/dz[l]2
    double *T[Network::MOST_LAYERS + 1], *G[Network::MOST_LAYERS + 1];
    // for the exact one: f''(z[l]) e[l], da[l] by one unit, and this and delta[l] row by row
    double *second[Network::MOST_LAYERS + 1], *slopes;
    double *slope_rows[Network::MOST_LAYERS + 1], *every_delta_rows[Network::MOST_LAYERS + 1];
    double *bent, *lanes_of_bent, *curved;  // see bend
    double* dz;
    ptrdiff_t J_row, x_row, gradient, used;  // gradient: the size of all dJdW together
    ptrdiff_t up_to[Network::MOST_LAYERS + 1];  // units of the layers 2 to l

    // dz[m]/dz[l] of unit k of layer m, (d[l], rows).
    double* slope_of(const Network& net, int m, ptrdiff_t k, int l) const {
        return T[l] + (up_to[m - 1] - up_to[l] + k) * net.d[l] * rows;
    }

    Tile(const Network& net, ptrdiff_t n, int order, double* room) {
        const int L = net.L;
        ptrdiff_t each = 2;
        for (int l = 1; l <= L; ++l) each += (order >= Order::GRADIENT ? 2 : 1) * net.d[l] + 1;
        J_row = chainrule::row_of_H(net);
        x_row = up(net.rows(1), LANES);
        const bool exact = order >= Order::HESSIAN, bends = exact && chainrule::exact_by_bend(net);
        const bool together = (exact && !bends) || (order >= Order::GAUSS_NEWTON && chainrule::outputs_together(net));
        if (order >= Order::GAUSS_NEWTON) each += J_row;
        up_to[1] = 0;
        for (int l = 2; l <= L; ++l) up_to[l] = up_to[l - 1] + net.d[l];
        for (int l = 2; l < L && together; ++l) each += net.d[l] * (up_to[L] - up_to[l] + net.d[l]);
        rows = up((order >= Order::GAUSS_NEWTON ? CACHE_FOR_JACOBIAN : CACHE) / each, STEP);
        if (together && rows < FEWEST_TOGETHER) rows = FEWEST_TOGETHER;
        if (rows < STEP) rows = STEP;
        if (rows > 256 / STEP * STEP) rows = 256 / STEP * STEP;
        if (rows > up(n, LANES)) rows = up(n, LANES);

        Room from{room};
        for (int l = 1; l <= L; ++l) {
            a[l] = from.take((net.d[l] + 1) * rows);
            prime[l] = delta[l] = B[l] = a_rows[l] = B_rows[l] = T[l] = G[l] = nullptr;
            second[l] = slope_rows[l] = every_delta_rows[l] = nullptr;
            if (order >= Order::GRADIENT && 1 < l && l < L) prime[l] = from.take(net.d[l] * rows);
            if (l == L || order >= Order::GAUSS_NEWTON) delta[l] = from.take(net.d[l] * rows);
            else if (l > 1) delta[l] = prime[l];  // f' is needed no more when delta is known
            if (order >= Order::GAUSS_NEWTON) {
                B[l] = from.take(net.d[l] * rows);
                a_rows[l] = from.take(rows * up(net.rows(l), LANES) + LANES);
                B_rows[l] = from.take(rows * up(net.d[l], LANES) + LANES);
            }
            if (together && 1 < l && l < L) {
                T[l] = from.take((up_to[L] - up_to[l]) * net.d[l] * rows);
                G[l] = from.take(net.d[l] * net.d[l] * rows);
            }
            if (exact && 1 < l && l < L) second[l] = from.take(net.d[l] * rows);
            if (exact && together && l > 1) {
                slope_rows[l] = from.take(rows * up(net.rows(l), LANES) + LANES);
                every_delta_rows[l] = from.take(rows * up(net.d[l], LANES) + LANES);
            }
        }
        y = from.take(net.K() * rows);
        w = from.take(rows);
        ptrdiff_t widest = 0, most_units = 0;
        gradient = from.used;
        for (int l = net.first(); l < L && order >= Order::GRADIENT; ++l) {
            ptrdiff_t d_out = net.d[net.to(l)];
            dJdW[l] = from.take(net.sources(l) * (d_out < FEW ? d_out * LANES : up(d_out, LANES)));
            if (d_out > widest) widest = d_out;
        }
        gradient = from.used - gradient;
        delta_rows = from.take(rows * up(widest, LANES));
        for (int l = 2; l <= L; ++l) most_units = net.rows(l) > most_units ? net.rows(l) : most_units;
        lambda = dz = slopes = bent = lanes_of_bent = curved = nullptr;
        if (order >= Order::GAUSS_NEWTON) {
            lambda = from.take((net.K() + 1) * rows);
            dz = from.take(rows * J_row + 2 * LANES);
        }
        if (together) slopes = from.take(most_units * rows);
        if (bends) {
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

}  // namespace
