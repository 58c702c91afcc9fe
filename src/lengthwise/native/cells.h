// Cells that compute each unit by itself.

#ifndef LENGTHWISE_CELLS_H_
#define LENGTHWISE_CELLS_H_

#include <cstdint>

#include "vectors.h"

namespace lengthwise {
namespace {

// A cell computes in blocks of U values. The input's part of gate g is added to block `kInputBlock + g`, the state's part
// to block `kStateBlock[g]`; these are the first G blocks, so that each of the two parts stands together. Going forward
// the blocks become what `Back` needs; going back they become the gradients by both parts.

//
// `kVectors` numbers belong to each unit alone, (V, U): peepholes here, gains and offsets elsewhere; see kernel.h.

// What a step of one row reads and writes: blocks and states of `wide` units, of which the first `units` are some.
struct RowStep {
  int64_t units, wide;
  const float* vectors;         // (V, wide)
  const float* recurrent_bias;  // (G, wide), what `part` begins with if the cell does not normalize it
  const float* input;           // (G, wide), the input's part of the gates
  const float* part;            // (G, wide), the state's part
  float* row;                   // (blocks, wide), then the states (S, wide): what is kept
  float* state;                 // (S, wide)
};

// The same on the way back.
struct RowBack {
  int64_t units, wide;
  const float* vectors;
  const float* recurrent_bias;
  const float* row;     // What was kept.
  const float* before;  // (S, wide), the states before the step
  float* by_state;      // (S, wide), the gradient by the states after it, to that by those before it, but for the product
  float* by_input;      // (G, wide), the gradient by the input's part of the gates
  float* by_part;       // (G, wide), that by the state's part
  float* vector_sums;   // (V, wide), to which the gradients by the vectors are added
  float* recurrent_bias_sums;  // (G, wide), to which a cell that normalizes adds its gradients
};

// A unit's vectors, and the sums of their gradients.
struct UnitVectors {
  const float* first;
  int64_t apart;
  Vector operator[](int k) const { return Load(first + k * apart); }
};

struct UnitSums {
  float* first;
  int64_t apart;
  void Add(int k, Vector value) const { Store(first + k * apart, Load(first + k * apart) + value); }
};

// The rows of a cell that says what becomes of a unit.
template <class Cell>
struct ByUnit {
  static constexpr int kVectors = 0;
  static constexpr bool kNormalizesParts = false, kHasStatistics = false, kHasRecurrentBias = false;

  static void StepRow(const RowStep& r) {
    for (int64_t u = 0; u < r.wide; u += kLanes) {
      Vector x[Cell::kBlocks], now[Cell::kStates];
      for (int b = 0; b < Cell::kBlocks; ++b) {
        // The state's part, which the first G blocks have, and the input's, which the last G have.
        x[b] = b < Cell::kGates ? Load(r.part + b * r.wide + u) : Vector{};
        if (b >= Cell::kInputBlock) x[b] += Load(r.input + (b - Cell::kInputBlock) * r.wide + u);
      }
      for (int s = 0; s < Cell::kStates; ++s) now[s] = Load(r.state + s * r.wide + u);
      Cell::Step(x, now, {r.vectors + u, r.wide});
      for (int b = 0; b < Cell::kBlocks; ++b) Store(r.row + b * r.wide + u, x[b]);
      for (int s = 0; s < Cell::kStates; ++s) {
        Store(r.state + s * r.wide + u, now[s]);
        Store(r.row + (Cell::kBlocks + s) * r.wide + u, now[s]);
      }
    }
  }

  static void BackRow(const RowBack& r) {
    for (int64_t u = 0; u < r.wide; u += kLanes) {
      Vector x[Cell::kBlocks], old[Cell::kStates], now[Cell::kStates], dx[Cell::kBlocks], ds[Cell::kStates];
      for (int b = 0; b < Cell::kBlocks; ++b) x[b] = Load(r.row + b * r.wide + u);
      for (int s = 0; s < Cell::kStates; ++s) {
        old[s] = Load(r.before + s * r.wide + u);
        now[s] = Load(r.row + (Cell::kBlocks + s) * r.wide + u);
        ds[s] = Load(r.by_state + s * r.wide + u);
      }
      Cell::Back(x, old, now, ds, dx, {r.vectors + u, r.wide}, {r.vector_sums + u, r.wide});
      if (u + kLanes > r.units) {
        // Behind the last unit an infinite feature has made values that are no numbers.
        for (Vector& value : dx) value = FirstLanes(value, r.units - u);
        for (Vector& value : ds) value = FirstLanes(value, r.units - u);
      }
      for (int b = 0; b < Cell::kGates; ++b) {
        Store(r.by_part + b * r.wide + u, dx[b]);
        Store(r.by_input + b * r.wide + u, dx[Cell::kInputBlock + b]);
      }
      for (int s = 0; s < Cell::kStates; ++s) Store(r.by_state + s * r.wide + u, ds[s]);
    }
  }
};

struct Simple : ByUnit<Simple> {
  static constexpr int kGates = 1, kBlocks = 1, kStates = 1, kInputBlock = 0;
  static constexpr int kStateBlock[] = {0};

  static void Step(Vector* x, Vector* state, UnitVectors) { x[0] = state[0] = Tanh(x[0]); }

  // `d` is the gradient by the states after the step; it becomes that by the states before it, but for the product.
  static void Back(const Vector* x, const Vector*, const Vector*, Vector* d, Vector* dx, UnitVectors,
                   UnitSums) {
    dx[0] = d[0] * (1.0f - x[0] * x[0]);
    d[0] = Vector{};
  }
};

struct LSTM : ByUnit<LSTM> {
  static constexpr int kGates = 4, kBlocks = 4, kStates = 2, kInputBlock = 0;
  static constexpr int kStateBlock[] = {0, 1, 2, 3};

  static void Step(Vector* x, Vector* state, UnitVectors) {
    x[0] = Sigmoid(x[0]);
    x[1] = Sigmoid(x[1]);
    x[2] = Tanh(x[2]);
    x[3] = Sigmoid(x[3]);
    state[1] = x[1] * state[1] + x[0] * x[2];
    state[0] = x[3] * Tanh(state[1]);
  }

  static void Back(const Vector* x, const Vector* before, const Vector* after, Vector* d, Vector* dx, UnitVectors,
                   UnitSums) {
    const Vector shown = Tanh(after[1]);
    const Vector memory = d[1] + d[0] * x[3] * (1.0f - shown * shown);
    dx[0] = memory * x[2] * x[0] * (1.0f - x[0]);
    dx[1] = memory * before[1] * x[1] * (1.0f - x[1]);
    dx[2] = memory * x[0] * (1.0f - x[2] * x[2]);
    dx[3] = d[0] * shown * x[3] * (1.0f - x[3]);
    d[0] = Vector{};
    d[1] = memory * x[1];
  }
};

// The LSTM whose gates see the memory: i and f that before the step, o that after it.
struct PeepholeLSTM : ByUnit<PeepholeLSTM> {
  static constexpr int kGates = 4, kBlocks = 4, kStates = 2, kInputBlock = 0, kVectors = 3;
  static constexpr int kStateBlock[] = {0, 1, 2, 3};

  static void Step(Vector* x, Vector* state, UnitVectors peephole) {
    x[0] = Sigmoid(x[0] + peephole[0] * state[1]);
    x[1] = Sigmoid(x[1] + peephole[1] * state[1]);
    x[2] = Tanh(x[2]);
    state[1] = x[1] * state[1] + x[0] * x[2];
    x[3] = Sigmoid(x[3] + peephole[2] * state[1]);
    state[0] = x[3] * Tanh(state[1]);
  }

  static void Back(const Vector* x, const Vector* before, const Vector* after, Vector* d, Vector* dx, UnitVectors peephole,
                   UnitSums sums) {
    const Vector shown = Tanh(after[1]);
    dx[3] = d[0] * shown * x[3] * (1.0f - x[3]);
    const Vector memory = d[1] + d[0] * x[3] * (1.0f - shown * shown) + dx[3] * peephole[2];
    dx[0] = memory * x[2] * x[0] * (1.0f - x[0]);
    dx[1] = memory * before[1] * x[1] * (1.0f - x[1]);
    dx[2] = memory * x[0] * (1.0f - x[2] * x[2]);
    d[0] = Vector{};
    d[1] = memory * x[1] + dx[0] * peephole[0] + dx[1] * peephole[1];
    sums.Add(0, dx[0] * before[1]);
    sums.Add(1, dx[1] * before[1]);
    sums.Add(2, dx[3] * after[1]);
  }
};

// Gates z, r, g; the state's part of g is multiplied by r, so it has a block of its own, the first.
struct GRU : ByUnit<GRU> {
  static constexpr int kGates = 3, kBlocks = 4, kStates = 1, kInputBlock = 1;
  static constexpr bool kHasRecurrentBias = true;
  static constexpr int kStateBlock[] = {1, 2, 0};

  static void Step(Vector* x, Vector* state, UnitVectors) {
    x[1] = Sigmoid(x[1]);
    x[2] = Sigmoid(x[2]);
    x[3] = Tanh(x[3] + x[2] * x[0]);
    state[0] = x[3] + x[1] * (state[0] - x[3]);
  }

  static void Back(const Vector* x, const Vector* before, const Vector*, Vector* d, Vector* dx, UnitVectors,
                   UnitSums) {
    const Vector candidate = d[0] * (1.0f - x[1]) * (1.0f - x[3] * x[3]);
    dx[0] = candidate * x[2];
    dx[1] = d[0] * (before[0] - x[3]) * x[1] * (1.0f - x[1]);
    dx[2] = candidate * x[0] * x[2] * (1.0f - x[2]);
    dx[3] = candidate;
    d[0] = d[0] * x[1];
  }
};

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_CELLS_H_
