// Recurrent layers over rows of different lengths: what the kernel computes, free of TensorFlow.
//
// Layout. B rows, sorted by falling length, stand time-major without padding: the first steps of all rows, then the
// second steps of those that have one, and so on. `active[t]` rows have a step t; they are the first ones. N is the sum
// of `active`. With lengths 3, 2, 1:
//
//     active  3 2 1        flat  a0 b0 c0 a1 b1 a2
//
// Work is dealt out in shards: shard s of n has the rows s, s + n, s + 2n, ... It writes to memory that no other shard
// writes, so that results do not depend on which thread runs it, and sums over shards are taken in their order.
//
// Cells: see lengthwise.layers.cells for the equations. G gates, S states (the output first), U units, D features.

#ifndef LENGTHWISE_KERNEL_H_
#define LENGTHWISE_KERNEL_H_

#include <cstdint>

namespace lengthwise {

enum class Kind { kSimple, kLSTM, kGRU };

int GatesOf(Kind kind);
int StatesOf(Kind kind);

struct Problem {
  Kind kind;
  int64_t rows;      // B
  int64_t units;     // U
  int64_t features;  // D
  int64_t items;     // M, rows of `inputs`
  int64_t steps;     // N
  int64_t times;     // T, the longest row
  int64_t shards;
  const float* inputs;            // (M, D)
  const int32_t* index;           // (N,) which of the M each step reads
  const int32_t* active;          // (T,)
  const int32_t* order;           // (B,) where a row stands in `states` and `last`
  const bool* resets;             // (N,) whether the state before a step is the initial one
  const float* states;            // (S, B, U) before the first step
  const float* initial;           // (S, U)
  const float* kernel;            // (D, G U)
  const float* recurrent_kernel;  // (U, G U)
  const float* bias;              // (G U,)
  const float* recurrent_bias;    // (G U,), or null
};

struct Outputs {
  float* outputs;  // (N, U)
  float* last;     // (S, B, U)
  float* saved;    // SavedFloats(), for the way back; or null
};

struct Gradients {
  const float* saved;
  const float* outputs;  // by `outputs`, (N, U)
  const float* last;     // by `last`, (S, B, U)
  float* steps;          // (N, D), scratch: by what each step read
  float* states;         // (S, B, U)
  float* inputs;         // (M, D)
  float* initial;        // (S, U)
  float* kernel;
  float* recurrent_kernel;
  float* bias;
  float* recurrent_bias;  // or null
};

// Floats of what the way forward keeps for the way back.
int64_t SavedFloats(const Problem& problem);
// Floats of the weights as the kernel reads them; `Pack` writes them once for all shards.
int64_t PackedFloats(const Problem& problem);
void Pack(const Problem& problem, float* packed);

// Floats of a shard's own memory.
int64_t ForwardScratchFloats(const Problem& problem);
int64_t BackwardScratchFloats(const Problem& problem);

void Forward(const Problem& problem, const float* packed, const Outputs& outputs, float* scratch, int64_t shard);

// The way back in three parts: each shard; then each share of the items, 0 to shards - 1; then the sums over shards,
// from the scratch memories, which stand one after another.
void Backward(const Problem& problem, const float* packed, const Gradients& gradients, float* scratch, int64_t shard);
void AddToItems(const Problem& problem, const Gradients& gradients, int64_t share);
void AddShards(const Problem& problem, const Gradients& gradients, const float* scratches);

}  // namespace lengthwise

#endif  // LENGTHWISE_KERNEL_H_
