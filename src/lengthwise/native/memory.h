// Where what the kernel reads and writes stands in memory, and which part of it is whose.

#ifndef LENGTHWISE_MEMORY_H_
#define LENGTHWISE_MEMORY_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernel.h"
#include "vectors.h"

namespace lengthwise {
namespace {

constexpr int64_t kChunk = 128;  // Steps whose gradients by the weights are taken together, at least.
// Rows that go through a step, or items that are projected, together: so few that they stay in the first cache; or, where
// the weights are more than the second holds well, so many that these are not read too often.
constexpr int64_t kTogether = 48, kTogetherWide = 128, kWide = 1 << 16;

int64_t Padded(int64_t size) { return (size + kLanes - 1) / kLanes * kLanes; }

template <class Cell>
struct Sizes {
  int64_t units, features, wide_units, wide_features, gates, blocks, saved;

  explicit Sizes(const Problem& p)
      : units(p.units),
        features(p.projected ? 0 : p.features),
        wide_units(Padded(p.units)),
        wide_features(Padded(features)),
        gates(Cell::kGates * wide_units),
        blocks(Cell::kBlocks * wide_units),
        saved((Cell::kBlocks + Cell::kStates) * wide_units + (Cell::kHasStatistics ? kLanes : 0)) {}

  // Whether the factors of a product are so large that they are packed.
  bool is_wide() const { return std::max(units, features) * gates > kWide; }
  int64_t together() const { return is_wide() ? kTogetherWide : kTogether; }
  int64_t panels() const { return is_wide() ? gates : 0; }
  int64_t states() const { return Cell::kStates * wide_units; }
  // Of an item whose part of the gates is normalized: that, and how.
  int64_t item_saved() const { return Cell::kNormalizesParts ? gates + kLanes : 0; }
  int64_t vectors() const { return Cell::kVectors * wide_units; }
  // Packed, in both directions: the initial states, the vectors of single units, the biases, with the offsets of normalized
  // parts in them. Forward: the kernel (D, G), the recurrent one (U, G), both in panels.
  int64_t vector() const { return states(); }
  int64_t bias() const { return vector() + vectors(); }
  int64_t recurrent_bias() const { return bias() + gates; }
  int64_t kernel() const { return recurrent_bias() + gates; }
  int64_t recurrent() const { return kernel() + features * gates; }
  // Backward: the kernels transposed, in panels.
  int64_t kernel_transposed() const { return kernel(); }
  int64_t recurrent_transposed() const { return kernel_transposed() + gates * wide_features; }
  int64_t packed(bool back) const {
    return back ? recurrent_transposed() + gates * wide_units : recurrent() + units * gates;
  }
  // Sums over a shard, and a share of the items: by the same.
  int64_t recurrent_sums() const { return features * gates; }
  int64_t bias_sums() const { return recurrent_sums() + units * gates; }
  int64_t recurrent_bias_sums() const { return bias_sums() + gates; }
  int64_t vector_sums() const { return recurrent_bias_sums() + gates; }
  int64_t initial_sums() const { return vector_sums() + vectors(); }
  int64_t sums() const { return initial_sums() + states(); }
};

// Those of the steps, then those of the items that are used, of which there are at most so many.
template <class Cell>
int64_t SavedFloatsOf(const Problem& p) {
  const Sizes<Cell> z(p);
  return p.steps * z.saved + std::min(p.items, p.steps) * z.item_saved();
}

// The rows of a shard and how many of them are active.
struct Share {
  int64_t shard, shards, rows;
  Share(const Problem& p, int64_t shard) : shard(shard), shards(p.shards), rows(Of(p.rows)) {}
  int64_t Of(int64_t active) const { return active > shard ? (active - shard + shards - 1) / shards : 0; }
  int64_t Row(int64_t place) const { return shard + place * shards; }
};

// A share of the K items that are used.
struct ItemShare {
  int64_t begin, end;
  ItemShare(const Problem& p, int64_t share) : begin(p.used * share / p.shards), end(p.used * (share + 1) / p.shards) {}
};

int64_t MostRows(const Problem& p) { return (p.rows + p.shards - 1) / p.shards; }

// Steps of the shards before this one.
int64_t StepsBefore(const Problem& p, int64_t shard) {
  int64_t steps = 0;
  for (int64_t s = 0; s < shard; ++s) {
    const Share share(p, s);
    for (int64_t t = 0; t < p.times; ++t) steps += share.Of(p.active[t]);
  }
  return steps;
}

void CopyRow(float* to, const float* from, int64_t size, int64_t wide) {
  std::memcpy(to, from, size * sizeof(float));
  std::memset(to + size, 0, (wide - size) * sizeof(float));
}

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_MEMORY_H_
