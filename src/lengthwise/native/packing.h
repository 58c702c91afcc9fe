// The weights as the kernel reads them.

#ifndef LENGTHWISE_PACKING_H_
#define LENGTHWISE_PACKING_H_

#include <cstdint>
#include <cstring>

#include "kernel.h"
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
  const auto copy = [&](const float* from, float* to, int64_t rows, int64_t wide) {
    for (int64_t k = 0; k < rows; ++k)
      for (int64_t u = 0; u < p.units; ++u) to[back ? u * wide + k : k * z.gates + u] = from[k * columns + u];
  };
  for (int g = 0; g < Cell::kGates; ++g) {
    const int64_t input = g * z.wide_units, state = Cell::kStateBlock[g] * z.wide_units, from = g * p.units;
    if (back) {
      copy(p.kernel + from, packed + z.kernel_transposed() + input * z.wide_features, z.features, z.wide_features);
      copy(p.recurrent_kernel + from, packed + z.recurrent_transposed() + state * z.wide_units, p.units, z.wide_units);
    } else {
      copy(p.kernel + from, packed + z.kernel() + input, z.features, 0);
      copy(p.recurrent_kernel + from, packed + z.recurrent() + state, p.units, 0);
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
