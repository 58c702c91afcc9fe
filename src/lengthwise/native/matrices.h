// Products of matrices, in tiles that stay in registers.

#ifndef LENGTHWISE_MATRICES_H_
#define LENGTHWISE_MATRICES_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "vectors.h"

namespace lengthwise {
namespace {

// The left factor of a product: how far its rows, its columns and its tiles of rows are apart.
struct Left {
  const float* data;
  int64_t row, column, tile;
};

inline Left LeftRows(const float* data, int64_t apart) { return {data, apart, 1, kTileRows * apart}; }
inline Left LeftColumns(const float* data, int64_t apart) { return {data, 1, apart, kTileRows}; }

// A matrix in tiles of rows, each of which has its columns one after another, as a tile reads them. A transposed matrix
// whose rows are far apart would bring a line of the cache for each number that is read.
inline Left LeftTiles(const float* data, int64_t depth) { return {data, 1, kTileRows, kTileRows * depth}; }

inline int64_t InTiles(int64_t rows) { return (rows + kTileRows - 1) / kTileRows * kTileRows; }

// Puts `values` where column k of such a matrix of `depth` columns has its rows.
inline void PutColumn(const float* values, int64_t rows, int64_t depth, int64_t k, float* tiles) {
  float* to = tiles + k * kTileRows;
  int64_t row = 0;
  for (; row + kTileRows <= rows; row += kTileRows, to += kTileRows * depth)
    std::memcpy(to, values + row, kTileRows * sizeof(float));
  for (; row < rows; ++row) *to++ = values[row];
}

// The right factor: how far its rows and its columns are apart. Its columns are taken in panels, as wide as a tile but for
// the last one. A matrix in panels has the rows of each panel one after another, as a tile reads them: rows of a wide
// matrix are some pages apart, and fall into few places of the cache. Their distance is 0, for the panel's width.
struct Right {
  const float* data;
  int64_t row, column;
};

inline Right RightRows(const float* data, int64_t apart) { return {data, apart, 1}; }
inline Right RightPanels(const float* data, int64_t depth) { return {data, 0, depth}; }

constexpr int64_t kPanel = kTileVectors * kLanes;
// Rows of a panel that are read together, and stay in a cache.
constexpr int64_t kDepth = 512;

inline int64_t PanelWidth(int64_t columns, int64_t column) { return std::min(kPanel, columns - column); }

// Packs a matrix of `depth` rows.
inline void PutPanels(const float* rows, int64_t apart, int64_t depth, int64_t columns, float* panels) {
  for (int64_t column = 0; column < columns; column += kPanel) {
    const int64_t width = PanelWidth(columns, column);
    for (int64_t k = 0; k < depth; ++k, panels += width)
      std::memcpy(panels, rows + k * apart + column, width * sizeof(float));
  }
}

template <int Rows, int Vectors>
inline void Tile(Left a, const float* b, int64_t b_row, int64_t depth, const float* first, int64_t first_row, float* c,
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
inline void TilesOf(int vectors, Left a, const float* b, int64_t b_row, int64_t depth, const float* first,
                    int64_t first_row, float* c, int64_t c_row) {
  if constexpr (kTileVectors > 2) {
    if (vectors == 4) return Tile<Rows, 4>(a, b, b_row, depth, first, first_row, c, c_row);
    if (vectors == 3) return Tile<Rows, 3>(a, b, b_row, depth, first, first_row, c, c_row);
  }
  if (vectors == 2) return Tile<Rows, 2>(a, b, b_row, depth, first, first_row, c, c_row);
  return Tile<Rows, 1>(a, b, b_row, depth, first, first_row, c, c_row);
}

// c = first + a b, for `rows` rows of a, of `depth` columns, and b of `columns` columns, a multiple of the lanes. `first` may be c (to add to it), a single row (its stride 0) or null.
void Multiply(int64_t rows, int64_t depth, int64_t columns, Left a, Right b, const float* first, int64_t first_row, float* c,
              int64_t c_row) {
  for (int64_t from = 0; from < depth || from == 0; from += kDepth) {
    const int64_t part = std::min(kDepth, depth - from);
    for (int64_t column = 0; column < columns; column += kPanel) {
      const int64_t width = PanelWidth(columns, column);
      const int vectors = static_cast<int>(width / kLanes);
      const int64_t b_row = b.row ? b.row : width;
      const float* panel = b.data + column * b.column + from * b_row;
      Left here = {a.data + from * a.column, a.row, a.column, a.tile};
      for (int64_t row = 0; row < rows; row += kTileRows, here.data += a.tile) {
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
