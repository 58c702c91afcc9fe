// The backward pass: the rows, then the items, then the sums over shards.

#ifndef LENGTHWISE_BACKWARD_PASS_H_
#define LENGTHWISE_BACKWARD_PASS_H_

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
int64_t BackwardScratch(const Problem& p) {
  const Sizes<Cell> z(p);
  const int64_t by_rows = (MostRows(p) + 1) * z.states() +
                          (kChunk + MostRows(p)) * (std::max(z.wide_units, InTiles(p.units)) + z.gates + z.panels());
  const int64_t by_items = z.together() * (z.gates + z.panels() + z.wide_features + InTiles(p.features));
  return Padded(z.sums()) + std::max(by_rows, by_items);
}

template <class Cell>
void BackwardShard(const Problem& p, const float* packed, const Gradients& g, float* scratch, int64_t shard) {
  const Sizes<Cell> z(p);
  const Share share(p, shard);
  float* sums = scratch;
  float* d = sums + Padded(z.sums());         // (rows, S, U)
  float* own = d + MostRows(p) * z.states();  // (S, U), of a row that begins with states that were given.
  // Of the steps of a chunk, of which there are at most so many: the outputs before them, gradients by the state's part of
  // the gates, and these in panels.
  const int64_t most = kChunk + MostRows(p);
  float* before = own + z.states();
  float* parts = before + most * std::max(z.wide_units, InTiles(p.units));
  float* panels = parts + most * z.gates;
  std::memset(sums, 0, z.sums() * sizeof(float));
  float* initial_sums = sums + z.initial_sums();

  for (int64_t i = 0; i < share.rows; ++i)
    for (int s = 0; s < Cell::kStates; ++s)
      CopyRow(d + i * z.states() + s * z.wide_units, g.last + (s * p.rows + p.order[share.Row(i)]) * p.units, p.units,
              z.wide_units);

  int64_t steps = 0;  // Of this shard, before time t.
  for (int64_t t = 0; t < p.times; ++t) steps += share.Of(p.active[t]);
  const int64_t first = StepsBefore(p, shard);
  const float* saved = g.saved + first * z.saved;
  // Gradients by the input's part of the gates stand in the order in which they come; by the recurrent weights a chunk is
  // taken together.
  int64_t place = first, chunk = first;
  const auto flush = [&] {
    float* recurrent = sums + z.recurrent_sums();
    const int64_t count = place - chunk;
    if (z.is_wide()) PutPanels(parts, z.gates, count, z.gates, panels);
    Multiply(p.units, count, z.gates, z.is_wide() ? LeftTiles(before, most) : LeftColumns(before, z.wide_units),
             z.is_wide() ? RightPanels(panels, count) : RightRows(parts, z.gates), recurrent, z.gates, recurrent, z.gates);
    // A cell that normalizes the state's part has added what comes before that.
    if (!Cell::kNormalizesParts) AddRows(parts, z.gates, count, z.gates, sums + z.recurrent_bias_sums());
    chunk = place;
  };
  int64_t flat = p.steps;
  for (int64_t t = p.times - 1; t >= 0; --t) {
    const int64_t active = share.Of(p.active[t]);
    flat -= p.active[t];
    steps -= active;
    const float* here = saved + steps * z.saved;
    // The rows of the time before are as many or more, and stand in the same order.
    const float* there = t ? here - share.Of(p.active[t - 1]) * z.saved + z.blocks : nullptr;
    for (int64_t from = 0; from < active; from += z.together()) {
      const int64_t to = std::min(from + z.together(), active);
      float* part = parts + (place - chunk) * z.gates;
      for (int64_t i = from; i < to; ++i, ++place) {
        const int64_t step = flat + share.Row(i);
        const float* row = here + i * z.saved;
        float* di = d + i * z.states();
        const int64_t said = p.read ? p.read[step] : step;
        for (int64_t u = 0; said >= 0 && u < p.units; ++u) di[u] += g.outputs[said * p.units + u];
        const float* known = p.resets[step] ? packed : there ? there + i * z.saved : own;
        if (known == own)
          for (int k = 0; k < Cell::kStates; ++k)
            CopyRow(own + k * z.wide_units, p.states + (k * p.rows + p.order[share.Row(i)]) * p.units, p.units, z.wide_units);
        Cell::BackRow({z.units, z.wide_units, packed + z.vector(), packed + z.recurrent_bias(), row, known, di,
                       g.gates + place * z.gates, part + (i - from) * z.gates, sums + z.vector_sums(),
                       sums + z.recurrent_bias_sums()});
        if (z.is_wide()) PutColumn(known, p.units, most, place - chunk, before);
        else std::memcpy(before + (place - chunk) * z.wide_units, known, z.wide_units * sizeof(float));
        g.place[step] = static_cast<int32_t>(place);
      }
      float* by_state = d + from * z.states();
      Multiply(to - from, z.gates, z.wide_units, LeftRows(part, z.gates),
               RightPanels(packed + z.recurrent_transposed(), z.gates), by_state, z.states(), by_state, z.states());
      for (int64_t i = from; i < to; ++i) {
        if (!p.resets[flat + share.Row(i)]) continue;
        float* di = d + i * z.states();
        for (int64_t u = 0; u < z.states(); ++u) initial_sums[u] += di[u];
        std::memset(di, 0, z.states() * sizeof(float));
      }
      if (place - chunk >= kChunk) flush();
    }
  }
  flush();

  for (int64_t i = 0; i < share.rows; ++i)
    for (int s = 0; s < Cell::kStates; ++s)
      std::memcpy(g.states + (s * p.rows + p.order[share.Row(i)]) * p.units, d + i * z.states() + s * z.wide_units,
                  p.units * sizeof(float));
}

template <class Cell>
void ProjectItemsBackward(const Problem& p, const float* packed, const Gradients& g, float* scratch, int64_t share) {
  const Sizes<Cell> z(p);
  const ItemShare items(p, share);
  float* sums = scratch;
  float* by_gates = sums + Padded(z.sums());
  float* panels = by_gates + z.together() * z.gates;
  float* by_inputs = panels + z.together() * z.panels();
  float* features = by_inputs + z.together() * z.wide_features;
  for (int64_t from = items.begin; from < items.end; from += z.together()) {
    const int64_t count = std::min(z.together(), items.end - from);
    for (int64_t i = 0; i < count; ++i) {
      const int32_t* reader = g.reader + g.reader_offset[from + i];
      const int32_t* last = g.reader + g.reader_offset[from + i + 1];
      float* to = by_gates + i * z.gates;
      std::memcpy(to, g.gates + int64_t{g.place[*reader]} * z.gates, z.gates * sizeof(float));
      while (++reader < last) AddRows(g.gates + int64_t{g.place[*reader]} * z.gates, 0, 1, z.gates, to);
    }
    AddRows(by_gates, z.gates, count, z.gates, sums + z.bias_sums());
    if constexpr (Cell::kNormalizesParts)
      for (int64_t i = 0; i < count; ++i)
        Cell::NormalizeInputBack(z.units, z.wide_units, packed + z.vector(),
                                 g.saved + p.steps * z.saved + (from + i) * z.item_saved(), by_gates + i * z.gates,
                                 sums + z.vector_sums());
    const int32_t* used = p.items_used + from;
    if (p.projected) {
      for (int64_t i = 0; i < count; ++i)
        for (int gate = 0; gate < Cell::kGates; ++gate)
          std::memcpy(g.inputs + int64_t{used[i]} * p.features + gate * p.units, by_gates + i * z.gates + gate * z.wide_units,
                      p.units * sizeof(float));
      continue;
    }
    for (int64_t i = 0; i < count; ++i) {
      const float* item = p.inputs + int64_t{used[i]} * p.features;
      if (z.is_wide()) PutColumn(item, p.features, count, i, features);
      else std::memcpy(features + i * p.features, item, p.features * sizeof(float));
    }
    if (z.is_wide()) PutPanels(by_gates, z.gates, count, z.gates, panels);
    Multiply(p.features, count, z.gates, z.is_wide() ? LeftTiles(features, count) : LeftColumns(features, p.features),
             z.is_wide() ? RightPanels(panels, count) : RightRows(by_gates, z.gates), sums, z.gates, sums, z.gates);
    Multiply(count, z.gates, z.wide_features, LeftRows(by_gates, z.gates),
             RightPanels(packed + z.kernel_transposed(), z.gates), nullptr, 0, by_inputs, z.wide_features);
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(g.inputs + int64_t{used[i]} * p.features, by_inputs + i * z.wide_features, p.features * sizeof(float));
  }
}

template <class Cell>
void AddShardsOf(const Problem& p, const Gradients& g, const float* scratches) {
  const Sizes<Cell> z(p);
  const int64_t apart = BackwardScratch<Cell>(p), columns = Cell::kGates * p.units;
  // Sum of all shards at a place of their sums.
  const auto add = [&](int64_t place, float* to) {
    std::memcpy(to, scratches + place, p.units * sizeof(float));
    for (int64_t s = 1; s < p.shards; ++s)
      for (int64_t u = 0; u < p.units; ++u) to[u] += scratches[s * apart + place + u];
  };
  for (int gate = 0; gate < Cell::kGates; ++gate) {
    const int64_t input = gate * z.wide_units, state = Cell::kStateBlock[gate] * z.wide_units;
    for (int64_t k = 0; k < z.features; ++k) add(k * z.gates + input, g.kernel + k * columns + gate * p.units);
    for (int64_t k = 0; k < p.units; ++k)
      add(z.recurrent_sums() + k * z.gates + state, g.recurrent_kernel + k * columns + gate * p.units);
    add(z.bias_sums() + input, g.bias + gate * p.units);
    if (g.recurrent_bias) add(z.recurrent_bias_sums() + state, g.recurrent_bias + gate * p.units);
  }
  for (int v = 0; v < Cell::kVectors; ++v) {
    // Offsets of normalized parts have the gradients of the biases that are added to them.
    const int block = v % (2 * Cell::kGates) - Cell::kGates;
    const bool is_offset = Cell::kNormalizesParts && block >= 0 && v < 4 * Cell::kGates;
    const int64_t biases = v < 2 * Cell::kGates || !Cell::kHasRecurrentBias ? z.bias_sums() : z.recurrent_bias_sums();
    add(is_offset ? biases + block * z.wide_units : z.vector_sums() + v * z.wide_units, g.vectors + v * p.units);
  }
  for (int s = 0; s < Cell::kStates; ++s) add(z.initial_sums() + s * z.wide_units, g.initial + s * p.units);
}

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_BACKWARD_PASS_H_
