// The forward pass: the items, then the rows.

#ifndef LENGTHWISE_FORWARD_PASS_H_
#define LENGTHWISE_FORWARD_PASS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "cells.h"
#include "kernel.h"
#include "matrices.h"
#include "memory.h"
#include "vectors.h"

namespace lengthwise {
namespace {

template <class Cell>
int64_t ForwardScratch(const Problem& p) {
  const Sizes<Cell> z(p);
  return std::max(Padded(z.together() * z.features), z.together() * z.gates + z.saved + MostRows(p) * z.states());
}

template <class Cell>
void ProjectItems(const Problem& p, const float* packed, float* projected, float* saved, float* scratch,
                  int64_t share) {
  const Sizes<Cell> z(p);
  const ItemShare items(p, share);
  for (int64_t from = items.begin; from < items.end; from += z.together()) {
    const int64_t count = std::min(z.together(), items.end - from);
    float* out = projected + from * z.gates;
    for (int64_t i = 0; i < count; ++i) {
      const float* item = p.inputs + int64_t{p.items_used[from + i]} * p.features;
      if (!p.projected) {
        std::memcpy(scratch + i * p.features, item, p.features * sizeof(float));
        continue;
      }
      for (int g = 0; g < Cell::kGates; ++g) {
        float* to = out + i * z.gates + g * z.wide_units;
        CopyRow(to, item + g * p.units, p.units, z.wide_units);
        for (int64_t u = 0; u < p.units && !Cell::kNormalizesParts; ++u)
          to[u] += packed[z.bias() + g * z.wide_units + u];
      }
    }
    if (!p.projected)
      Multiply(count, p.features, z.gates, LeftRows(scratch, p.features), RightPanels(packed + z.kernel(), p.features),
               Cell::kNormalizesParts ? nullptr : packed + z.bias(), 0, out, z.gates);
    if constexpr (Cell::kNormalizesParts)
      for (int64_t i = 0; i < count; ++i)
        Cell::NormalizeInput(z.units, z.wide_units, packed + z.vector(), packed + z.bias(), out + i * z.gates,
                             saved ? saved + p.steps * z.saved + (from + i) * z.item_saved() : nullptr);
  }
}

template <class Cell>
void ForwardShard(const Problem& p, const float* packed, const float* projected, const Outputs& out, float* scratch,
                  int64_t shard) {
  const Sizes<Cell> z(p);
  const Share share(p, shard);
  // What a row keeps is written while its gates are computed: to write the products there would wait for memory.
  float* parts = scratch;
  float* unsaved = parts + z.together() * z.gates;
  float* states = unsaved + z.saved;  // (rows, S, U)
  float* saved = out.saved ? out.saved + StepsBefore(p, shard) * z.saved : nullptr;
  const float* initial = packed;

  for (int64_t i = 0; i < share.rows; ++i)
    for (int s = 0; s < Cell::kStates; ++s)
      CopyRow(states + i * z.states() + s * z.wide_units, p.states + (s * p.rows + p.order[share.Row(i)]) * p.units,
              p.units, z.wide_units);

  int64_t flat = 0;  // The first step of time t, all shards' rows counted.
  for (int64_t t = 0; t < p.times; flat += p.active[t], ++t) {
    const int64_t active = share.Of(p.active[t]);
    for (int64_t from = 0; from < active; from += z.together()) {
      const int64_t to = std::min(from + z.together(), active);
      for (int64_t i = from; i < to; ++i)
        if (p.resets[flat + share.Row(i)])
          std::memcpy(states + i * z.states(), initial, z.states() * sizeof(float));
      Multiply(to - from, p.units, z.gates, LeftRows(states + from * z.states(), z.states()),
               RightPanels(packed + z.recurrent(), p.units),
               Cell::kNormalizesParts ? nullptr : packed + z.recurrent_bias(), 0, parts, z.gates);
      const float* part = parts;
      for (int64_t i = from; i < to; ++i, part += z.gates) {
        const int64_t step = flat + share.Row(i);
        float *state = states + i * z.states(), *row = saved ? saved : unsaved;
        if (saved) saved += z.saved;
        Cell::StepRow({z.units, z.wide_units, packed + z.vector(), packed + z.recurrent_bias(),
                       projected + int64_t{p.slot[step]} * z.gates, part, row, state});
        const int64_t said = p.read ? p.read[step] : step;
        if (said >= 0) std::memcpy(out.outputs + said * p.units, state, p.units * sizeof(float));
      }
    }
  }

  for (int64_t i = 0; i < share.rows; ++i)
    for (int s = 0; s < Cell::kStates; ++s)
      std::memcpy(out.last + (s * p.rows + p.order[share.Row(i)]) * p.units,
                  states + i * z.states() + s * z.wide_units, p.units * sizeof(float));
}

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_FORWARD_PASS_H_
