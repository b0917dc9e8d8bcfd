// Symmetric matrices of the optimizers: their sums of squares, factors and updates.
#pragma once

#include <algorithm>
#include <cmath>

#include "matmul.hpp"

namespace {

// Add the upper triangle of A^T A for A (n, p) to H, or subtract it; from column `first` on.
template <Into into>
void add_squares(const double* A, std::ptrdiff_t n, std::ptrdiff_t p, std::ptrdiff_t row, double* H, std::ptrdiff_t first = 0) {
    for (std::ptrdiff_t i = first; i < p; i += TILE_ROWS) {
        std::ptrdiff_t height = p - i < TILE_ROWS ? p - i : TILE_ROWS, j = i / LANES * LANES;
        matmul<into>(height, (row - j) / LANES, {A + i, 1, row}, n, A + j, row, H + i * row + j, row);
    }
}

// U^T U = A: a panel of rows by hand, then its squares taken off all rows below it at once (Golub &
// Van Loan 2013, Matrix Computations, sec. 4.2.9). Below the diagonal there is nothing of meaning.
bool cholesky(double* A, std::ptrdiff_t n, std::ptrdiff_t row) {
    constexpr std::ptrdiff_t PANEL = 24;
    for (std::ptrdiff_t top = 0; top < n; top += PANEL) {
        std::ptrdiff_t end = n - top < PANEL ? n : top + PANEL;
        for (std::ptrdiff_t k = top; k < end; ++k) {
            double* U = A + k * row;
            if (!(U[k] > 0.0)) return false;
            double inverse = 1.0 / std::sqrt(U[k]);
            for (std::ptrdiff_t j = k; j < n; ++j) U[j] *= inverse;
            for (std::ptrdiff_t i = k + 1; i < end; ++i) {
                double *A_i = A + i * row, u = U[i];
                for (std::ptrdiff_t j = i; j < n; ++j) A_i[j] -= u * U[j];
            }
        }
        add_squares<SUBTRACT>(A + top * row, end - top, n, row, A, end);
    }
    return true;
}

// Only blocks on and right of the diagonal are kept: what is left of it is the same again.
void renew(double* B, std::ptrdiff_t row, double keep, double ss, double st, double tt, const double* s,
           const double* t, const double* x, double* y) {
    std::fill(y, y + row, 0.0);
    for (std::ptrdiff_t i = 0; i < row; i += LANES) {
        double of_s[LANES], of_t[LANES];
        vec sums[LANES] = {};
        for (int k = 0; k < LANES; ++k) {
            of_s[k] = ss * s[i + k] + st * t[i + k];
            of_t[k] = st * s[i + k] + tt * t[i + k];
        }
        for (std::ptrdiff_t j = i; j < row; j += LANES) {
            const vec s_j = load(s + j), t_j = load(t + j), x_j = load(x + j);
            vec y_j = load(y + j);
#pragma GCC unroll 8
            for (int k = 0; k < LANES; ++k) {
                double* at = B + (i + k) * row + j;
                const vec b = keep * load(at) + (of_s[k] * s_j + of_t[k] * t_j);
                store(at, b);
                sums[k] += b * x_j;
                y_j += b * x[i + k];
            }
            if (j != i) store(y + j, y_j);
        }
        for (int k = 0; k < LANES; ++k) y[i + k] += sum(sums[k]);
    }
}

}  // namespace
