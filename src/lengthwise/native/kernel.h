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
// Projection. What an input adds to the gates depends on nothing but the item that a step reads, and a batch of text reads
// its frequent words many times: each item that is used is projected once, and gradients by the gates are summed per item
// before they go through the projection. Of the English sentences that this was measured on, 256 have 3,700 words, of
// which 1,000 differ.
//
// Cells: see lengthwise.layers.cells for the equations. G gates, S states (the output first), U units, D features. V
// vectors belong to single units:
//
//     kPeepholeLSTM      peepholes of i, f and o
//     kLayerNormSimple   gain and offset
//     kLayerNormLSTM     gains of the input's part of the gates, its offsets, gains of the state's part, its offsets, four
//                        each; gain and offset of the memory
//     kLayerNormGRU      the same of the input's part and of the state's, three each

#ifndef LENGTHWISE_KERNEL_H_
#define LENGTHWISE_KERNEL_H_

#include <cstdint>

namespace lengthwise {

enum class Kind { kSimple, kLSTM, kGRU, kPeepholeLSTM, kLayerNormSimple, kLayerNormLSTM, kLayerNormGRU };

int GatesOf(Kind kind);
int StatesOf(Kind kind);
int VectorsOf(Kind kind);
bool HasRecurrentBias(Kind kind);

struct Problem {
  Kind kind;
  int64_t rows;      // B
  int64_t units;     // U
  int64_t features;  // D, or G U of inputs that are projected already
  int64_t items;     // M, rows of `inputs`
  int64_t steps;     // N
  int64_t times;     // T, the longest row
  int64_t shards;
  bool projected;                 // whether the inputs are: there is no kernel then, and its sums stay away
  int64_t used;                   // K, how many of the M some step reads
  const int32_t* items_used;      // (K,)
  const int32_t* slot;            // (N,) where among the K what a step reads stands
  int64_t outputs;                // P, how many steps are read
  const int32_t* read;            // (N,) where a step stands among the P, or -1; null if all are read, in their order
  const float* inputs;            // (M, D)
  const int32_t* index;           // (N,) which of the M each step reads
  const int32_t* active;          // (T,)
  const int32_t* order;           // (B,) where a row stands in `states` and `last`
  const bool* resets;             // (N,) whether the state before a step is the initial one
  const float* states;            // (S, B, U) before the first step
  const float* initial;           // (S, U)
  const float* kernel;            // (D, G U), unless the inputs are projected
  const float* recurrent_kernel;  // (U, G U)
  const float* bias;              // (G U,)
  const float* recurrent_bias;    // (G U,), or null
  const float* vectors;           // (V, U)
};

struct Outputs {
  float* outputs;  // (P, U)
  float* last;     // (S, B, U)
  float* saved;    // SavedFloats(), for the way back; or null
};

struct Gradients {
  const float* saved;
  const float* outputs;          // by `outputs`, (P, U)
  const float* last;             // by `last`, (S, B, U)
  const int32_t* reader_offset;  // (K + 1,) where the readers of an item stand
  const int32_t* reader;         // (N,) steps, by item
  float* gates;                  // GatesFloats(), scratch
  int32_t* place;                // (N,), scratch: where a step stands in `gates`
  float* states;                 // (S, B, U)
  float* inputs;                 // (M, D)
  float* initial;                // (S, U)
  float* kernel;                 // or unset, if the inputs are projected
  float* recurrent_kernel;
  float* bias;
  float* recurrent_bias;  // or null
  float* vectors;
};

// Floats of what the way forward keeps for the way back.
int64_t SavedFloats(const Problem& problem);
// Floats of the weights as the kernel reads them; `Pack` writes those of the way forward or back, once for all shards.
int64_t PackedFloats(const Problem& problem);
void Pack(const Problem& problem, bool back, float* packed);
// Floats of the projected items, (K, G U) with each gate's units filled up to whole vectors.
int64_t ProjectedFloats(const Problem& problem);
// Floats of the gradients by all gates of all steps.
int64_t GatesFloats(const Problem& problem);
// Floats of a shard's own memory.
int64_t ForwardScratchFloats(const Problem& problem);
int64_t BackwardScratchFloats(const Problem& problem);

// The way forward: each share of the items, 0 to shards - 1; then each shard of the rows. `saved` as in `Outputs`.
void Project(const Problem& problem, const float* packed, float* projected, float* saved, float* scratch,
             int64_t share);
void Forward(const Problem& problem, const float* packed, const float* projected, const Outputs& outputs, float* scratch,
             int64_t shard);

// The way back: each shard of the rows; then each share of the items; then the sums over shards, from the scratch
// memories, which stand one after another and are kept from the first part to the last.
void Backward(const Problem& problem, const float* packed, const Gradients& gradients, float* scratch, int64_t shard);
void ProjectBackward(const Problem& problem, const float* packed, const Gradients& gradients, float* scratch,
                     int64_t share);
void AddShards(const Problem& problem, const Gradients& gradients, const float* scratches);

// Dropout (Srivastava et al., 2014) of a part of some values: each is kept with a probability of `keep` / 2^32 and multiplied
// by `scale`, or is 0. Which ones are kept is known from the key and a value's place, by the generator Philox 4x32-10 (Salmon
// et al., 2011), whoever computes it. `begin` is a multiple of kDropoutGroup.
constexpr int64_t kDropoutGroup = 64;
void Dropout(const uint32_t key[2], uint32_t keep, float scale, int64_t begin, int64_t end, const float* values, float* out);

// Adam (Kingma and Ba, 2015) for a part of a weight; `rate` is the step size with both biases of the moments taken out.
struct Adam {
  float rate, rest_1, rest_2, epsilon;  // 1 - beta_1, 1 - beta_2
};
void ApplyAdam(const Adam& adam, int64_t count, const float* gradient, float* weight, float* momentum, float* velocity);

}  // namespace lengthwise

#endif  // LENGTHWISE_KERNEL_H_
