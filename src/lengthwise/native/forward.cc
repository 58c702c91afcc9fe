// The forward pass of kernel.h as C functions, for a process that loads no TensorFlow. Who calls checks all shapes; see
// forward_library.py, which has the same struct.

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

#include "kernel.h"

namespace {

using lengthwise::Kind;
using lengthwise::Problem;

// Rows of a shard, at most: more do not fit into the second cache.
constexpr int64_t kShardRows = 128;
// Steps for which it is worth while to begin a thread.
constexpr int64_t kStepsOfThread = 4096;

// Calls `work` for 0 to count - 1, on this thread and some others.
template <class Work>
void Run(int64_t threads, int64_t count, const Work& work) {
  threads = std::min(threads, count);
  const auto own = [&](int64_t first) {
    for (int64_t part = first; part < count; part += threads) work(part);
  };
  std::vector<std::thread> others;
  for (int64_t thread = 1; thread < threads; ++thread) others.emplace_back(own, thread);
  own(0);
  for (std::thread& other : others) other.join();
}

}  // namespace

extern "C" {

struct LengthwiseWeights {
  int64_t kind, units, features, projected;
  const float *kernel, *recurrent_kernel, *bias, *recurrent_bias, *vectors, *initial;
};

struct LengthwiseSteps {
  int64_t rows, items, steps, times, outputs, threads;
  const int32_t *index, *active, *order, *read;
  const bool* begins;
  const float *inputs, *states, *packed;
  float *said, *last;
};

static Problem ProblemOf(const LengthwiseWeights& w) {
  Problem p = {};
  p.kind = static_cast<Kind>(w.kind);
  p.units = w.units;
  p.features = w.features;
  p.projected = w.projected;
  p.kernel = w.kernel;
  p.recurrent_kernel = w.recurrent_kernel;
  p.bias = w.bias;
  p.recurrent_bias = w.recurrent_bias;
  p.vectors = w.vectors;
  p.initial = w.initial;
  return p;
}

int64_t lengthwise_packed_floats(const LengthwiseWeights* weights) {
  return lengthwise::PackedFloats(ProblemOf(*weights));
}

void lengthwise_pack(const LengthwiseWeights* weights, float* packed) {
  lengthwise::Pack(ProblemOf(*weights), false, packed);
}

void lengthwise_forward(const LengthwiseWeights* weights, const LengthwiseSteps* s) {
  Problem p = ProblemOf(*weights);
  p.rows = s->rows;
  p.items = s->items;
  p.steps = s->steps;
  p.times = s->times;
  p.outputs = s->outputs;
  p.index = s->index;
  p.active = s->active;
  p.order = s->order;
  p.read = s->read;
  p.resets = s->begins;
  p.inputs = s->inputs;
  p.states = s->states;
  const int64_t threads = std::max<int64_t>(1, std::min(s->threads, s->steps / kStepsOfThread));
  const int64_t shards = threads * ((p.rows + threads * kShardRows - 1) / (threads * kShardRows));
  p.shards = std::max<int64_t>(1, std::min(shards, p.rows));

  // An item that several steps read is projected once.
  std::vector<int32_t> used, slot(p.steps), place(p.steps == 1 ? 0 : p.items, -1);
  for (int64_t step = 0; step < p.steps && p.steps > 1; ++step) {
    int32_t& here = place[p.index[step]];
    if (here < 0) {
      here = static_cast<int32_t>(used.size());
      used.push_back(p.index[step]);
    }
    slot[step] = here;
  }
  if (p.steps == 1) used.push_back(p.index[0]);
  p.used = static_cast<int64_t>(used.size());
  p.items_used = used.data();
  p.slot = slot.data();

  const int64_t size = lengthwise::ForwardScratchFloats(p);
  std::vector<float> projected(lengthwise::ProjectedFloats(p)), scratch(size * p.shards);
  Run(threads, p.shards, [&](int64_t share) {
    lengthwise::Project(p, s->packed, projected.data(), nullptr, scratch.data() + share * size, share);
  });
  Run(threads, p.shards, [&](int64_t shard) {
    lengthwise::Forward(p, s->packed, projected.data(), {s->said, s->last, nullptr}, scratch.data() + shard * size, shard);
  });
}

}  // extern "C"
