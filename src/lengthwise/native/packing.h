// The weights as the kernel reads them.

#ifndef LENGTHWISE_PACKING_H_
#define LENGTHWISE_PACKING_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernel.h"
#include "matrices.h"
#include "memory.h"

namespace lengthwise {
namespace {

template <class Cell>
void PackCell(const Problem& p, bool back, float* packed) {
  const Sizes<Cell> z(p);
  std::memset(packed, 0, z.packed(back) * sizeof(float));
  for (int s = 0; s < Cell::kStates; ++s)
    CopyRow(packed + s * z.wide_units, p.initial + s * p.units, p.units, z.wide_units);
  for (int v = 0; v < Cell::kVectors; ++v)
    CopyRow(packed + z.vector() + v * z.wide_units, p.vectors + v * p.units, p.units, z.wide_units);
  const int64_t columns = Cell::kGates * p.units;
  // A gate's weights (rows, U), in panels: as columns `column` and on, or transposed as rows `column` and on.
  const auto copy = [&](const float* from, float* to, int64_t rows, int64_t column) {
    for (int64_t u = 0; u < p.units;) {
      const int64_t panel = (column + u) / kPanel * kPanel, width = PanelWidth(z.gates, panel);
      const int64_t count = std::min(p.units - u, panel + width - column - u);
      float* place = to + panel * rows + column + u - panel;
      for (int64_t k = 0; k < rows; ++k) std::memcpy(place + k * width, from + k * columns + u, count * sizeof(float));
      u += count;
    }
  };
  const auto transpose = [&](const float* from, float* to, int64_t rows, int64_t wide, int64_t column) {
    for (int64_t panel = 0; panel < rows; panel += kPanel) {
      const int64_t width = PanelWidth(wide, panel), end = std::min(panel + width, rows);
      for (int64_t block = 0; block < p.units; block += kLanes)
        for (int64_t k = panel; k < end; ++k)
          for (int64_t u = block; u < std::min<int64_t>(block + kLanes, p.units); ++u)
            to[panel * z.gates + (column + u) * width + k - panel] = from[k * columns + u];
    }
  };
  for (int g = 0; g < Cell::kGates; ++g) {
    const int64_t input = g * z.wide_units, state = Cell::kStateBlock[g] * z.wide_units, from = g * p.units;
    if (back) {
      transpose(p.kernel + from, packed + z.kernel_transposed(), z.features, z.wide_features, input);
      transpose(p.recurrent_kernel + from, packed + z.recurrent_transposed(), p.units, z.wide_units, state);
    } else {
      copy(p.kernel + from, packed + z.kernel(), z.features, input);
      copy(p.recurrent_kernel + from, packed + z.recurrent(), p.units, state);
    }
    std::memcpy(packed + z.bias() + input, p.bias + from, p.units * sizeof(float));
    if (p.recurrent_bias)
      std::memcpy(packed + z.recurrent_bias() + state, p.recurrent_bias + from, p.units * sizeof(float));
    if constexpr (Cell::kNormalizesParts)
      for (int64_t u = 0; u < p.units; ++u) {
        packed[z.bias() + input + u] += p.vectors[(Cell::kGates + g) * p.units + u];
        packed[z.recurrent_bias() + state + u] += p.vectors[(3 * Cell::kGates + g) * p.units + u];
      }
  }
}

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_PACKING_H_
