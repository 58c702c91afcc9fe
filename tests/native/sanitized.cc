// Runs the kernel over small random problems whose arrays are exactly as large as it says, for test_sanitizers.py: an
// access beside one of them, and what C++ leaves undefined, ends the process.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "kernel.h"

using namespace lengthwise;

namespace {

std::mt19937 random_bits(1);

int64_t Draw(int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random_bits); }

// Of its own allocation, so that each end is watched.
struct Floats {
  std::unique_ptr<float[]> data;
  explicit Floats(int64_t count) : data(new float[count]) {
    std::normal_distribution<float> normal;
    for (int64_t k = 0; k < count; ++k) data[k] = normal(random_bits);
  }
  operator float*() { return data.get(); }
};

struct Rows {
  std::vector<int32_t> active, order, index, read, used, slot, offset, reader;
  std::unique_ptr<bool[]> resets;
  int64_t outputs = 0;

  Rows(int64_t rows, int64_t longest, int64_t items, bool every) {
    for (int64_t t = 0, most = rows; t < longest && most; ++t) {
      active.push_back(static_cast<int32_t>(most));
      most = Draw(t ? 0 : 1, most);
    }
    order.resize(rows);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random_bits);
    const int64_t steps = std::accumulate(active.begin(), active.end(), int64_t{0});
    resets.reset(new bool[steps]);
    std::vector<int32_t> place(items, -1);
    for (int64_t step = 0; step < steps; ++step) {
      resets[step] = Draw(0, 4) == 0;
      index.push_back(static_cast<int32_t>(Draw(0, items - 1)));
      if (place[index.back()] < 0) {
        place[index.back()] = static_cast<int32_t>(used.size());
        used.push_back(index.back());
      }
      slot.push_back(place[index.back()]);
      read.push_back(every || Draw(0, 1) ? static_cast<int32_t>(outputs++) : -1);
    }
    offset.assign(used.size() + 1, 0);
    for (const int32_t item : slot) ++offset[item + 1];
    std::partial_sum(offset.begin(), offset.end(), offset.begin());
    std::vector<int32_t> next(offset.begin(), offset.end() - 1);
    reader.resize(steps);
    for (int64_t step = 0; step < steps; ++step) reader[next[slot[step]]++] = static_cast<int32_t>(step);
  }
};

// Forwards, with and without what is kept, and backwards. Returns how many results are no finite number.
int64_t Run(Kind kind, bool projected, bool wide) {
  const int64_t units = wide ? Draw(129, 290) : Draw(1, 40), items = Draw(1, 60), gates = GatesOf(kind) * units;
  const int64_t features = projected ? gates : wide ? Draw(200, 480) : Draw(1, 40);
  const int64_t count = Draw(1, 70), states = StatesOf(kind);
  Rows rows(count, Draw(1, 9), items, Draw(0, 1));
  const int64_t steps = static_cast<int64_t>(rows.index.size()), inner = projected ? 0 : features;
  Floats inputs(items * features), before(states * count * units), initial(states * units), kernel(inner * gates),
      recurrent(units * gates), bias(gates), recurrent_bias(gates), vectors(VectorsOf(kind) * units);
  Problem p = {};
  p.kind = kind;
  p.rows = count;
  p.units = units;
  p.features = features;
  p.items = items;
  p.steps = steps;
  p.times = static_cast<int64_t>(rows.active.size());
  p.shards = std::min<int64_t>(count, Draw(1, 4));
  p.projected = projected;
  p.used = static_cast<int64_t>(rows.used.size());
  p.items_used = rows.used.data();
  p.slot = rows.slot.data();
  p.outputs = rows.outputs;
  p.read = rows.read.data();
  p.inputs = inputs;
  p.index = rows.index.data();
  p.active = rows.active.data();
  p.order = rows.order.data();
  p.resets = rows.resets.get();
  p.states = before;
  p.initial = initial;
  p.kernel = kernel;
  p.recurrent_kernel = recurrent;
  p.bias = bias;
  p.recurrent_bias = HasRecurrentBias(kind) ? recurrent_bias.data.get() : nullptr;
  p.vectors = vectors;

  Floats packed(PackedFloats(p)), projections(ProjectedFloats(p)), outputs(rows.outputs * units), last(states * count * units),
      saved(SavedFloats(p));
  Pack(p, false, packed);
  for (float* kept : {static_cast<float*>(nullptr), static_cast<float*>(saved)}) {
    for (int64_t share = 0; share < p.shards; ++share) {
      Floats scratch(ForwardScratchFloats(p));
      Project(p, packed, projections, kept, scratch, share);
    }
    for (int64_t shard = 0; shard < p.shards; ++shard) {
      Floats scratch(ForwardScratchFloats(p));
      Forward(p, packed, projections, {outputs, last, kept}, scratch, shard);
    }
  }

  Floats by_outputs(rows.outputs * units), by_last(states * count * units), by_gates(GatesFloats(p)),
      by_states(states * count * units), by_inputs(items * features), by_initial(states * units), by_kernel(inner * gates),
      by_recurrent(units * gates), by_bias(gates), by_recurrent_bias(gates), by_vectors(VectorsOf(kind) * units);
  std::vector<int32_t> place(steps);
  const int64_t size = BackwardScratchFloats(p);
  Floats scratch(size * p.shards);
  const Gradients g = {saved,       by_outputs,  by_last,       rows.offset.data(), rows.reader.data(),
                       by_gates,    place.data(), by_states,    by_inputs,          by_initial,
                       by_kernel,   by_recurrent, by_bias,      p.recurrent_bias ? by_recurrent_bias.data.get() : nullptr,
                       by_vectors};
  Pack(p, true, packed);
  for (int64_t shard = 0; shard < p.shards; ++shard) Backward(p, packed, g, scratch + shard * size, shard);
  for (int64_t share = 0; share < p.shards; ++share) ProjectBackward(p, packed, g, scratch + share * size, share);
  AddShards(p, g, scratch);

  int64_t odd = 0;
  const auto look = [&](const float* values, int64_t number) {
    odd += std::count_if(values, values + number, [](float value) { return !(value - value == 0); });
  };
  look(outputs, rows.outputs * units);
  look(last, states * count * units);
  look(by_inputs, items * features);
  look(by_recurrent, units * gates);
  look(by_vectors, VectorsOf(kind) * units);
  return odd;
}

}  // namespace

int main() {
  int64_t odd = 0, runs = 0;
  for (int round = 0; round < 25; ++round)
    for (const Kind kind : {Kind::kSimple, Kind::kLSTM, Kind::kGRU, Kind::kPeepholeLSTM, Kind::kLayerNormSimple,
                            Kind::kLayerNormLSTM, Kind::kLayerNormGRU})
      // Factors of products are packed where a layer is wide: some of each cell, for they take long.
      for (const bool projected : {false, true}) odd += Run(kind, projected, round % 8 == 7), ++runs;
  std::printf("%lld problems, %lld values that are no finite numbers\n", static_cast<long long>(runs),
              static_cast<long long>(odd));
  return odd != 0;
}
