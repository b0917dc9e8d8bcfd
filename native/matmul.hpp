// Products of small matrices, held in registers while they are summed.
#pragma once

#include <utility>

#include "simd.hpp"

namespace {

// Registers: one accumulator for each row and vector of a tile, and room for the operands.
#if defined(__AVX512F__)
constexpr int TILE_ROWS = 8, TILE_VECTORS = 3;
#else
constexpr int TILE_ROWS = 4, TILE_VECTORS = 3;
#endif

// A matrix of which element (i, k) lies at data[i * row + k * column].
struct Strided {
    const double* data;
    std::ptrdiff_t row, column;
};

// What becomes of a product.
enum Into {
    SET,       // C = A B
    FROM,      // C = c + A B, with one number c for each row
    TIMES,     // C = (A B) * D, element by element, D laid out as C
    ADD,       // C = C + A B
    SUBTRACT,  // C = C - A B
};

template <Into into, int M, int V>
inline void tile(Strided A, std::ptrdiff_t k_end, const double* B, std::ptrdiff_t B_row, double* C,
                 std::ptrdiff_t C_row, const double* other) {
    vec sum[M][V];
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i)
#pragma GCC unroll 3
        for (int v = 0; v < V; ++v) {
            if constexpr (into == FROM) sum[i][v] = all(other[i]);
            else if constexpr (into == ADD) sum[i][v] = load(C + i * C_row + v * LANES);
            else if constexpr (into == SUBTRACT) sum[i][v] = -load(C + i * C_row + v * LANES);
            else sum[i][v] = vec{};
        }
    const double* a = A.data;
    for (std::ptrdiff_t k = 0; k < k_end; ++k, a += A.column, B += B_row) {
        vec b[V];
#pragma GCC unroll 3
        for (int v = 0; v < V; ++v) b[v] = load(B + v * LANES);
#pragma GCC unroll 8
        for (int i = 0; i < M; ++i) {
            vec a_i = all(a[i * A.row]);
#pragma GCC unroll 3
            for (int v = 0; v < V; ++v) sum[i][v] += a_i * b[v];
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i)
#pragma GCC unroll 3
        for (int v = 0; v < V; ++v) {
            vec s = sum[i][v];
            if constexpr (into == TIMES) s *= load(other + i * C_row + v * LANES);
            if constexpr (into == SUBTRACT) s = -s;
            store(C + i * C_row + v * LANES, s);
        }
}

template <Into into, int M>
inline void tile_of_height(int vectors, Strided A, std::ptrdiff_t k, const double* B,
                           std::ptrdiff_t B_row, double* C, std::ptrdiff_t C_row, const double* other) {
    if (vectors == 3) tile<into, M, 3>(A, k, B, B_row, C, C_row, other);
    else if (vectors == 2) tile<into, M, 2>(A, k, B, B_row, C, C_row, other);
    else tile<into, M, 1>(A, k, B, B_row, C, C_row, other);
}

// C (m, LANES * vectors) from A (m, k) B (k, LANES * vectors); `other` is what `into` speaks of.
// Tiles are as even as possible, so that none is left with a single row or vector.
template <Into into>
void matmul(std::ptrdiff_t m, std::ptrdiff_t vectors, Strided A, std::ptrdiff_t k, const double* B,
            std::ptrdiff_t B_row, double* C, std::ptrdiff_t C_row, const double* other = nullptr) {
    std::ptrdiff_t across = (vectors + TILE_VECTORS - 1) / TILE_VECTORS;
    std::ptrdiff_t down = (m + TILE_ROWS - 1) / TILE_ROWS;
    for (std::ptrdiff_t q = 0; q < across; ++q) {
        std::ptrdiff_t v = q * vectors / across, right = v * LANES;
        int width = int((q + 1) * vectors / across - v);
        for (std::ptrdiff_t t = 0; t < down; ++t) {
            std::ptrdiff_t i = t * m / down;
            Strided a{A.data + i * A.row, A.row, A.column};
            const double* b = B + right;
            double* c = C + i * C_row + right;
            const double* o = into == FROM ? other + i : into == TIMES ? other + i * C_row + right : nullptr;
            switch ((t + 1) * m / down - i) {
                case 1: tile_of_height<into, 1>(width, a, k, b, B_row, c, C_row, o); break;
                case 2: tile_of_height<into, 2>(width, a, k, b, B_row, c, C_row, o); break;
                case 3: tile_of_height<into, 3>(width, a, k, b, B_row, c, C_row, o); break;
                case 4: tile_of_height<into, 4>(width, a, k, b, B_row, c, C_row, o); break;
#if defined(__AVX512F__)
                case 5: tile_of_height<into, 5>(width, a, k, b, B_row, c, C_row, o); break;
                case 6: tile_of_height<into, 6>(width, a, k, b, B_row, c, C_row, o); break;
                case 7: tile_of_height<into, 7>(width, a, k, b, B_row, c, C_row, o); break;
                case 8: tile_of_height<into, 8>(width, a, k, b, B_row, c, C_row, o); break;
#endif
            }
        }
    }
}

// C (m) += A (m, rows) b (rows), an element of C being a vector whose lanes are added only when all
// is done: C (i) at C[i * C_row * LANES].
inline void dots(std::ptrdiff_t m, const double* A, const double* b, std::ptrdiff_t row,
                 std::ptrdiff_t vectors, double* C, std::ptrdiff_t C_row) {
    constexpr int SIDE_BY_SIDE = 4;
    std::ptrdiff_t i = 0;
    for (; i + SIDE_BY_SIDE <= m; i += SIDE_BY_SIDE) {
        vec sum[SIDE_BY_SIDE];
        for (int s = 0; s < SIDE_BY_SIDE; ++s) sum[s] = load(C + (i + s) * C_row * LANES);
        for (std::ptrdiff_t v = 0; v < vectors; ++v)
            for (int s = 0; s < SIDE_BY_SIDE; ++s)
                sum[s] += load(A + (i + s) * row + v * LANES) * load(b + v * LANES);
        for (int s = 0; s < SIDE_BY_SIDE; ++s) store(C + (i + s) * C_row * LANES, sum[s]);
    }
    for (; i < m; ++i) {
        vec sum = load(C + i * C_row * LANES);
        for (std::ptrdiff_t v = 0; v < vectors; ++v)
            sum += load(A + i * row + v * LANES) * load(b + v * LANES);
        store(C + i * C_row * LANES, sum);
    }
}

// A vector of those lanes of both, counted through.
template <int... lane>
inline vec shuffle(vec a, vec b) {
#if defined(__clang__)
    return __builtin_shufflevector(a, b, lane...);
#else
    constexpr ivec lanes{lane...};
    return __builtin_shuffle(a, b, lanes);
#endif
}

// Exchange the off-diagonal quarters of every block of 2 S x 2 S, for S = LANES / 2, ..., 1.
template <int S, int... lane>
inline void exchange(vec (&A)[LANES], std::integer_sequence<int, lane...>) {
    for (int i = 0; i < LANES; ++i)
        if (!(i & S)) {
            vec above = A[i], below = A[i + S];
            A[i] = shuffle<(lane & S ? LANES + lane - S : lane)...>(above, below);
            A[i + S] = shuffle<(lane & S ? LANES + lane : lane + S)...>(above, below);
        }
    if constexpr (S > 1) exchange<S / 2>(A, std::integer_sequence<int, lane...>{});
}

// B (columns, rows) = A (rows, columns)^T
inline void transpose(const double* A, std::ptrdiff_t A_row, std::ptrdiff_t rows,
                      std::ptrdiff_t columns, double* B, std::ptrdiff_t B_row) {
    std::ptrdiff_t whole = columns < LANES ? 0 : rows / LANES * LANES;
    for (std::ptrdiff_t i = 0; i < whole; i += LANES)
        for (std::ptrdiff_t next = 0; next < columns; next += LANES) {
            // the last block overlaps the one before it
            std::ptrdiff_t j = next + LANES > columns ? columns - LANES : next;
            vec block[LANES];
            for (int s = 0; s < LANES; ++s) block[s] = load(A + (i + s) * A_row + j);
            exchange<LANES / 2>(block, std::make_integer_sequence<int, LANES>{});
            for (int s = 0; s < LANES; ++s) store(B + (j + s) * B_row + i, block[s]);
        }
    for (std::ptrdiff_t j = 0; j < columns; ++j)
        for (std::ptrdiff_t i = whole; i < rows; ++i) B[j * B_row + i] = A[i * A_row + j];
}

}  // namespace
