// Products of small matrices, in tiles that stay in registers.

#ifndef LENGTHWISE_MATRICES_H_
#define LENGTHWISE_MATRICES_H_

#include <algorithm>
#include <cstdint>

#include "vectors.h"

namespace lengthwise {
namespace {

// A factor of a product by its strides, so that one function takes a matrix and its transpose.
struct Strided {
  const float* data;
  int64_t row, column;
};

template <int Rows, int Vectors>
inline void Tile(Strided a, const float* b, int64_t b_row, int64_t depth, const float* first, int64_t first_row, float* c,
                 int64_t c_row) {
  Vector sums[Rows][Vectors];
  for (int i = 0; i < Rows; ++i)
    for (int j = 0; j < Vectors; ++j) sums[i][j] = first ? Load(first + i * first_row + j * kLanes) : Vector{};
  for (int64_t k = 0; k < depth; ++k) {
    Vector right[Vectors];
    for (int j = 0; j < Vectors; ++j) right[j] = Load(b + k * b_row + j * kLanes);
    for (int i = 0; i < Rows; ++i) {
      const Vector left = Splat(a.data[i * a.row + k * a.column]);
      for (int j = 0; j < Vectors; ++j) sums[i][j] += left * right[j];
    }
  }
  for (int i = 0; i < Rows; ++i)
    for (int j = 0; j < Vectors; ++j) Store(c + i * c_row + j * kLanes, sums[i][j]);
}

template <int Rows>
inline void TilesOf(int vectors, Strided a, const float* b, int64_t b_row, int64_t depth, const float* first,
                    int64_t first_row, float* c, int64_t c_row) {
  if constexpr (kTileVectors > 2) {
    if (vectors == 4) return Tile<Rows, 4>(a, b, b_row, depth, first, first_row, c, c_row);
    if (vectors == 3) return Tile<Rows, 3>(a, b, b_row, depth, first, first_row, c, c_row);
  }
  if (vectors == 2) return Tile<Rows, 2>(a, b, b_row, depth, first, first_row, c, c_row);
  return Tile<Rows, 1>(a, b, b_row, depth, first, first_row, c, c_row);
}

// c = first + a b, for `rows` rows of a, of `depth` columns, and b of `columns` columns, a multiple of the lanes. `first`
// may be c (to add to it), a single row (its stride 0) or null.
void Multiply(int64_t rows, int64_t depth, int64_t columns, Strided a, const float* b, int64_t b_row, const float* first,
              int64_t first_row, float* c, int64_t c_row) {
  constexpr int64_t kDepth = 256;  // A panel of b stays in the first cache.
  for (int64_t from = 0; from < depth || from == 0; from += kDepth) {
    const int64_t part = std::min(kDepth, depth - from);
    const Strided left = {a.data + from * a.column, a.row, a.column};
    for (int64_t column = 0; column < columns; column += kTileVectors * kLanes) {
      const int vectors = static_cast<int>(std::min<int64_t>(kTileVectors, (columns - column) / kLanes));
      const float* panel = b + from * b_row + column;
      for (int64_t row = 0; row < rows; row += kTileRows) {
        const Strided here = {left.data + row * left.row, left.row, left.column};
        const float* begin = first ? first + row * first_row + column : nullptr;
        float* out = c + row * c_row + column;
        switch (std::min<int64_t>(kTileRows, rows - row)) {
          case 1: TilesOf<1>(vectors, here, panel, b_row, part, begin, first_row, out, c_row); break;
          case 2: TilesOf<2>(vectors, here, panel, b_row, part, begin, first_row, out, c_row); break;
          case 3: TilesOf<3>(vectors, here, panel, b_row, part, begin, first_row, out, c_row); break;
          case 4: TilesOf<4>(vectors, here, panel, b_row, part, begin, first_row, out, c_row); break;
          case 5: TilesOf<5>(vectors, here, panel, b_row, part, begin, first_row, out, c_row); break;
          case 6: TilesOf<6>(vectors, here, panel, b_row, part, begin, first_row, out, c_row); break;
        }
      }
    }
    first = c;
    first_row = c_row;
  }
}

// sums += rows, `columns` wide.
void AddRows(const float* rows, int64_t apart, int64_t count, int64_t columns, float* sums) {
  for (int64_t column = 0; column < columns; column += kLanes) {
    Vector total = Load(sums + column);
    for (int64_t i = 0; i < count; ++i) total += Load(rows + i * apart + column);
    Store(sums + column, total);
  }
}

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_MATRICES_H_
