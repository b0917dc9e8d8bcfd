// Second derivatives of a tile: the Gauss-Newton matrix and the exact Hessian.
#pragma once

#include <cmath>

#include "dense.hpp"
#include "matmul.hpp"
#include "tile.hpp"

namespace {

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

// B[L] of output k: the row of a root of the curvature, so that H is a sum of squares.
void root_of_curvature(const Network& net, ptrdiff_t k, ptrdiff_t vectors, Tile& t) {
    double* B = t.B[net.L];
    for (ptrdiff_t r = 0; r < vectors * LANES; ++r) {
        const double* lambda = t.lambda + r;
        if (net.output != chainrule::SOFTMAX_CROSS_ENTROPY) {
            for (ptrdiff_t j = 0; j < net.K(); ++j) B[j * t.rows + r] = 0.0;
            B[k * t.rows + r] = std::sqrt(lambda[k * t.rows]);
        } else {
            double root = std::sqrt(lambda[net.K() * t.rows] * lambda[k * t.rows]);
            for (ptrdiff_t j = 0; j < net.K(); ++j)
                B[j * t.rows + r] = root * ((j == k) - lambda[j * t.rows]);
        }
    }
}

// Outer products of a[l] and B[l+1] for all layers of weights from `first` on, row by row; from layer
// `bent` on, those of the slopes of a[l] and of delta[l+1] are added. What a vector writes beyond the
// last unit is written over by what follows: hence row by row, and upwards.
void outer_products(const Network& net, int first, int bent, ptrdiff_t n, Tile& t) {
    for (ptrdiff_t r = 0; r < n; ++r)
        for (int l = first; l < net.L; ++l) {
            ptrdiff_t units = net.sources(l), d_out = net.d[net.to(l)];
            const double* a = t.a_rows[net.from(l)] + r * up(net.rows(net.from(l)), LANES);
            const double* B = t.B_rows[net.to(l)] + r * up(d_out, LANES);
            double* J = t.dz + r * t.J_row + net.at[l];
            if (l < bent) {
                if (d_out == 1)
                    for (ptrdiff_t i = 0; i < units; i += LANES) store(J + i, load(a + i) * B[0]);
                else
                    for (ptrdiff_t i = 0; i < units; ++i)
                        for (ptrdiff_t j = 0; j < d_out; j += LANES)
                            store(J + i * d_out + j, a[i] * load(B + j));
                continue;
            }
            const double* s = t.slope_rows[l] + r * up(net.rows(l), LANES);
            const double* delta = t.every_delta_rows[l + 1] + r * up(d_out, LANES);
            if (d_out == 1)
                for (ptrdiff_t i = 0; i < units; i += LANES)
                    store(J + i, load(a + i) * B[0] + load(s + i) * delta[0]);
            else
                for (ptrdiff_t i = 0; i < units; ++i)
                    for (ptrdiff_t j = 0; j < d_out; j += LANES)
                        store(J + i * d_out + j, a[i] * load(B + j) + s[i] * load(delta + j));
        }
}

// dz (n, p) of one output.
void jacobian(const Network& net, const double* theta, ptrdiff_t n, ptrdiff_t vectors, Tile& t) {
    for (int l = net.L - 1; l > 1; --l) back(net, theta, l, vectors, t.B[l + 1], t.B[l], t);
    for (int l = 2; l <= net.L; ++l)
        transpose(t.B[l], t.rows, net.d[l], n, t.B_rows[l], up(net.d[l], LANES));
    outer_products(net, net.first(), net.L, n, t);
}

// T[m,l] = dz[m]/dz[l] of every unit of the hidden layers l.
void slopes_of_units(const Network& net, const double* theta, ptrdiff_t vectors, Tile& t) {
    for (int l = net.L - 1; l > 1; --l) {
        const ptrdiff_t d = net.d[l], next = net.d[l + 1];
        for (ptrdiff_t k = 0; k < next; ++k)
            for (ptrdiff_t h = 0; h < d; ++h)
                for (ptrdiff_t r = h * t.rows, v = 0; v < vectors; r += LANES, ++v)
                    store(t.slope_of(net, l + 1, k, l) + r, theta[net.at[l] + h * next + k] * load(t.prime[l] + r));
        for (int m = l + 2; m <= net.L; ++m)
            for (ptrdiff_t k = 0; k < net.d[m]; ++k)
                back(net, theta, l, vectors, t.slope_of(net, m, k, l + 1), t.slope_of(net, m, k, l), t);
    }
}

// x^T G[m] of a vector x of which element k lies at x + k * next, (d[m], rows); G[L] is Lambda.
void times_curvature(const Network& net, int m, const double* x, ptrdiff_t next, ptrdiff_t vectors, double* to,
                     Tile& t) {
    const ptrdiff_t d = net.d[m];
    const bool softmax = net.output == chainrule::SOFTMAX_CROSS_ENTROPY;
    for (ptrdiff_t r = 0; r < vectors * LANES; r += LANES) {
        vec mean{};
        for (ptrdiff_t k = 0; k < d && m == net.L && softmax; ++k)
            mean += load(t.lambda + k * t.rows + r) * load(x + k * next + r);
        for (ptrdiff_t g = 0; g < d; ++g) {
            vec sum{};
            if (m < net.L)
                for (ptrdiff_t k = 0; k < d; ++k)
                    sum += load(x + k * next + r) * load(t.G[m] + (k * d + g) * t.rows + r);
            else {
                sum = load(t.lambda + g * t.rows + r) * (load(x + g * next + r) - mean);
                if (softmax) sum *= load(t.lambda + d * t.rows + r);
            }
            store(to + g * t.rows + r, sum);
        }
    }
}

// G[l] = T^T G[l+1] T + diag(f'' e[l]) of the hidden layers, T that of the next layer; second holds f'' e.
void curvature_of_units(const Network& net, const double* theta, ptrdiff_t vectors, bool exact, Tile& t) {
    for (int l = net.L - 1; l > 1; --l) {
        const ptrdiff_t d = net.d[l];
        for (ptrdiff_t h = 0; h < d; ++h) {
            double* G = t.G[l] + h * d * t.rows;
            times_curvature(net, l + 1, t.slope_of(net, l + 1, 0, l) + h * t.rows, d * t.rows, vectors, t.slopes, t);
            back(net, theta, l, vectors, t.slopes, G, t);
            for (ptrdiff_t r = h * t.rows, v = 0; v < vectors && exact; r += LANES, ++v)
                store(G + r, load(G + r) + load(t.second[l] + r));
        }
    }
}

// Row h of d2J/dz[q]dz[m], (d[m], rows).
void curvature_of_unit(const Network& net, int q, ptrdiff_t h, int m, ptrdiff_t vectors, double* to, Tile& t) {
    const ptrdiff_t d = net.d[m], wide = vectors * LANES;
    if (q < m) return times_curvature(net, m, t.slope_of(net, m, 0, q) + h * t.rows, net.d[q] * t.rows, vectors, to, t);
    const bool softmax = net.output == chainrule::SOFTMAX_CROSS_ENTROPY;
    const double* lambda = t.lambda;
    for (ptrdiff_t g = 0; g < d; ++g)
        for (ptrdiff_t r = 0; r < wide; r += LANES) {
            vec of_unit{}, mean{};  // T of output h, and its mean over outputs
            if (q < net.L) {
                store(to + g * t.rows + r, load(t.G[q] + (h * d + g) * t.rows + r));
                continue;
            }
            if (m < net.L) {
                of_unit = load(t.slope_of(net, net.L, h, m) + g * t.rows + r);
                for (ptrdiff_t k = 0; k < net.K() && softmax; ++k)
                    mean += load(lambda + k * t.rows + r) * load(t.slope_of(net, net.L, k, m) + g * t.rows + r);
            } else {
                of_unit = all(double(g == h));
                if (softmax) mean = load(lambda + g * t.rows + r);
            }
            vec of = load(lambda + h * t.rows + r) * (of_unit - mean);
            if (softmax) of *= load(lambda + net.K() * t.rows + r);
            store(to + g * t.rows + r, of);
        }
}

// da[l] of each layer from q on by unit h of layer q, row by row.
void slopes_by_unit(const Network& net, int q, ptrdiff_t h, ptrdiff_t n, ptrdiff_t vectors, Tile& t) {
    for (int l = q; l < net.L; ++l) {
        const ptrdiff_t d = net.d[l];
        for (ptrdiff_t j = 0; j < net.rows(l); ++j)
            for (ptrdiff_t r = j * t.rows, v = 0; v < vectors; r += LANES, ++v) {
                vec by{};  // a bias depends on nothing
                if (l == q && j == h) by = load(t.prime[l] + r);
                if (l > q && j < d) by = load(t.prime[l] + r) * load(t.slope_of(net, l, j, q) + h * t.rows + r - j * t.rows);
                store(t.slopes + r, by);
            }
        transpose(t.slopes, t.rows, net.rows(l), n, t.slope_rows[l], up(net.rows(l), LANES));
    }
}

// H[l,m] = sum over rows of (a[l] a[m]^T) (x) d2J/dz[l+1]dz[m+1]: the outputs are contracted first, so
// that they are not counted (Fairbank & Alonso 2012, Neural Computation 24:607). The exact one adds
// what comes of a weight times what depends on other weights.
void together(const Network& net, const double* theta, ptrdiff_t n, ptrdiff_t vectors, bool exact, double* H,
              Tile& t) {
    for (int l = 2; l < net.L && exact; ++l) {
        Strided W{theta + net.at[l], net.d[l + 1], 1};
        matmul<TIMES>(net.d[l], vectors, W, net.d[l + 1], t.delta[l + 1], t.rows, t.second[l], t.rows, t.second[l]);
        transpose(t.delta[l + 1], t.rows, net.d[l + 1], n, t.every_delta_rows[l + 1], up(net.d[l + 1], LANES));
    }
    slopes_of_units(net, theta, vectors, t);
    curvature_of_units(net, theta, vectors, exact, t);
    for (int q = 2; q <= net.L; ++q) {
        const int first = net.skip && q == net.L ? 0 : q - 1;
        const int lowest = first == 0 ? 2 : q;  // of the layers that have to be known
        for (ptrdiff_t h = 0; h < net.d[q]; ++h) {
            for (int m = lowest; m <= net.L; ++m) {
                curvature_of_unit(net, q, h, m, vectors, t.B[m], t);
                transpose(t.B[m], t.rows, net.d[m], n, t.B_rows[m], up(net.d[m], LANES));
            }
            if (exact) slopes_by_unit(net, q, h, n, vectors, t);
            outer_products(net, first, exact ? q : net.L, n, t);
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

// What the exact Hessian of one hidden layer has beyond Gauss-Newton: with e = W[2] delta[3],
//   d2J/dW[1]_ih dW[1]_jh += sum x_i x_j f''_h e_h      d2J/dW[1]_ih dW[2]_hk += sum x_i f'_h delta_k
void bend(const Network& net, const double* theta, ptrdiff_t n, ptrdiff_t vectors, Tile& t) {
    ptrdiff_t x_units = net.rows(1), d = net.d[2], K = net.K(), wide = vectors * LANES;
    Strided W{theta + net.at[2], K, 1};
    matmul<TIMES>(d, vectors, W, K, t.delta[3], t.rows, t.second[2], t.rows, t.second[2]);
    for (ptrdiff_t h = 0; h < d; ++h) {
        for (ptrdiff_t i = 0; i < x_units; ++i)
            for (ptrdiff_t r = 0; r < wide; r += LANES)
                store(t.bent + i * t.rows + r,
                      load(t.a[1] + i * t.rows + r) * load(t.second[2] + h * t.rows + r));
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

void second_derivatives(const Network& net, const double* theta, ptrdiff_t n, ptrdiff_t vectors, bool exact,
                        double* H, Tile& t) {
    for (int l = 1; l < net.L; ++l)
        transpose(t.a[l], t.rows, net.rows(l), n, t.a_rows[l], up(net.rows(l), LANES));
    const bool bends = exact && chainrule::exact_by_bend(net);
    if ((exact && !bends) || chainrule::outputs_together(net)) return together(net, theta, n, vectors, exact, H, t);
    for (ptrdiff_t k = 0; k < net.K(); ++k) {
        root_of_curvature(net, k, vectors, t);
        jacobian(net, theta, n, vectors, t);
        add_squares<ADD>(t.dz, n, net.p, t.J_row, H);
    }
    if (bends) bend(net, theta, n, vectors, t);
}

}  // namespace
