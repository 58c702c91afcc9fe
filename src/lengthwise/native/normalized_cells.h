// Cells with layer normalization, which look at all units of a row before they know one.
//
// The first two normalize both parts of the gates, each by itself, so that no block has both: the state's part, once it
// is normalized, stands in the first G blocks, what became of the gates in the last G. Their vectors are G gains and G
// offsets of the input's part, then of the state's; the offsets are packed with the biases that are added to them.

#ifndef LENGTHWISE_NORMALIZED_CELLS_H_
#define LENGTHWISE_NORMALIZED_CELLS_H_

#include <cstdint>

#include "cells.h"
#include "normalization.h"
#include "vectors.h"

namespace lengthwise {
namespace {

inline void AddTo(float* sums, Vector value) { Store(sums, Load(sums) + value); }

// The memory is normalized too where the output sees it, by the last two vectors. The offsets of both parts have one
// gradient, for they are added to one sum.
struct LayerNormLSTM {
  static constexpr int kGates = 4, kBlocks = 8, kStates = 2, kInputBlock = 4, kVectors = 18;
  static constexpr bool kNormalizesParts = true, kHasStatistics = true, kHasRecurrentBias = false;
  static constexpr int kStateBlock[] = {0, 1, 2, 3};

  static void NormalizeInput(int64_t units, int64_t wide, const float* gain, const float* offset, float* gates,
                             float* kept) {
    Normalize<4>(units, wide, gain, offset, gates, kept, kept ? kept + 4 * wide : nullptr);
  }

  static void NormalizeInputBack(int64_t units, int64_t wide, const float* gain, const float* kept, float* by_gates,
                                 float* gain_sums) {
    NormalizeBack<4>(units, wide, gain, kept, kept[4 * wide], by_gates, gain_sums);
  }

  // Statistics: the rate of the state's part, the mean and the rate of the memory.
  static void StepRow(const RowStep& r) {
    const int64_t wide = r.wide;
    const float *gain = r.vectors + 8 * wide, *shown_gain = r.vectors + 16 * wide, *shown_offset = r.vectors + 17 * wide;
    float *gates = r.row + 4 * wide, *output = r.row + 8 * wide, *memory = r.row + 9 * wide, *statistics = r.row + 10 * wide;
    const Spread part = SpreadOf<4>(r.part, r.units, wide);
    float sum;
    ForUnits<1>(wide, &sum, [&](int64_t u, Vector* added) {
      Vector x[4];
      for (int b = 0; b < 4; ++b) {
        const int64_t at = b * wide + u;
        const Vector plain = Inside(part.Of(Load(r.part + at)), u, r.units);
        Store(r.row + at, plain);
        x[b] = plain * Load(gain + at) + Load(r.recurrent_bias + at) + Load(r.input + at);
        x[b] = b == 2 ? Tanh(x[b]) : Sigmoid(x[b]);
        Store(gates + at, x[b]);
      }
      const Vector now = x[1] * Load(r.state + wide + u) + x[0] * x[2];
      Store(r.state + wide + u, now);
      Store(memory + u, now);
      added[0] = Inside(now, u, r.units);
    });
    const Spread shown = SpreadOf<1>(memory, r.units, wide, sum);
    for (int64_t u = 0; u < wide; u += kLanes) {
      const Vector seen = shown.Of(Load(memory + u)) * Load(shown_gain + u) + Load(shown_offset + u);
      const Vector now = Load(gates + 3 * wide + u) * Tanh(seen);
      Store(r.state + u, now);
      Store(output + u, now);
    }
    statistics[0] = part.rate;
    statistics[1] = shown.mean;
    statistics[2] = shown.rate;
  }

  static void BackRow(const RowBack& r) {
    const int64_t wide = r.wide;
    const float *gain = r.vectors + 8 * wide, *shown_gain = r.vectors + 16 * wide, *shown_offset = r.vectors + 17 * wide;
    const float *gates = r.row + 4 * wide, *memory = r.row + 9 * wide, *statistics = r.row + 10 * wide;
    float *gain_sums = r.vector_sums + 8 * wide, *by_gates = r.by_input;
    const Spread shown = {statistics[1], statistics[2]};
    float sums[2];
    ForUnits<2>(wide, sums, [&](int64_t u, Vector* added) {
      const Vector plain = shown.Of(Load(memory + u)), open = Load(gates + 3 * wide + u), by = Load(r.by_state + u);
      const Vector seen = Tanh(plain * Load(shown_gain + u) + Load(shown_offset + u));
      Store(by_gates + 3 * wide + u, Inside(by * seen * open * (1.0f - open), u, r.units));
      const Vector by_seen = Inside(by * open * (1.0f - seen * seen), u, r.units), scaled = by_seen * Load(shown_gain + u);
      AddTo(r.vector_sums + 16 * wide + u, by_seen * plain);
      AddTo(r.vector_sums + 17 * wide + u, by_seen);
      Store(r.by_part + u, scaled);
      added[0] = scaled;
      added[1] = Inside(scaled * plain, u, r.units);
    });
    const SpreadBack shown_back = SpreadBack::Of<1>(shown.rate, r.units, sums);
    ForUnits<2>(wide, sums, [&](int64_t u, Vector* added) {
      const Vector i = Load(gates + u), f = Load(gates + wide + u), g = Load(gates + 2 * wide + u);
      const Vector by_memory =
          Load(r.by_state + wide + u) + shown_back.By(Load(r.by_part + u), shown.Of(Load(memory + u)));
      const Vector by[4] = {by_memory * g * i * (1.0f - i), by_memory * Load(r.before + wide + u) * f * (1.0f - f),
                            by_memory * i * (1.0f - g * g), Load(by_gates + 3 * wide + u)};
      Store(r.by_state + u, Vector{});
      Store(r.by_state + wide + u, Inside(by_memory * f, u, r.units));
      added[0] = added[1] = Vector{};
      for (int b = 0; b < 4; ++b) {
        const int64_t at = b * wide + u;
        const Vector own = Inside(by[b], u, r.units), plain = Load(r.row + at), scaled = own * Load(gain + at);
        Store(by_gates + at, own);
        Store(r.by_part + at, scaled);
        AddTo(gain_sums + at, own * plain);
        added[0] += scaled;
        added[1] += scaled * plain;
      }
    });
    const SpreadBack back = SpreadBack::Of<4>(statistics[0], r.units, sums);
    for (int b = 0; b < 4; ++b)
      for (int64_t at = b * wide, u = 0; u < wide; u += kLanes)
        Store(r.by_part + at + u, Inside(back.By(Load(r.by_part + at + u), Load(r.row + at + u)), u, r.units));
  }
};

// The gates z and r are normalized together, the candidate by itself.
struct LayerNormGRU {
  static constexpr int kGates = 3, kBlocks = 6, kStates = 1, kInputBlock = 3, kVectors = 12;
  static constexpr bool kNormalizesParts = true, kHasStatistics = true, kHasRecurrentBias = true;
  static constexpr int kStateBlock[] = {0, 1, 2};

  static void NormalizeInput(int64_t units, int64_t wide, const float* gain, const float* offset, float* gates,
                             float* kept) {
    float *rates = kept ? kept + 3 * wide : nullptr, *second_rate = kept ? rates + 1 : nullptr;
    float* candidate = kept ? kept + 2 * wide : nullptr;
    Normalize<2>(units, wide, gain, offset, gates, kept, rates);
    Normalize<1>(units, wide, gain + 2 * wide, offset + 2 * wide, gates + 2 * wide, candidate, second_rate);
  }

  static void NormalizeInputBack(int64_t units, int64_t wide, const float* gain, const float* kept, float* by_gates,
                                 float* gain_sums) {
    const float* rates = kept + 3 * wide;
    NormalizeBack<2>(units, wide, gain, kept, rates[0], by_gates, gain_sums);
    NormalizeBack<1>(units, wide, gain + 2 * wide, kept + 2 * wide, rates[1], by_gates + 2 * wide, gain_sums + 2 * wide);
  }

  // Statistics: the rates of the state's two parts.
  static void StepRow(const RowStep& r) {
    const int64_t wide = r.wide;
    const float* gain = r.vectors + 6 * wide;
    float *gates = r.row + 3 * wide, *output = r.row + 6 * wide, *statistics = r.row + 7 * wide;
    const Spread part = SpreadOf<2>(r.part, r.units, wide), candidate = SpreadOf<1>(r.part + 2 * wide, r.units, wide);
    for (int64_t u = 0; u < wide; u += kLanes) {
      Vector x[3];
      for (int b = 0; b < 3; ++b) {
        const int64_t at = b * wide + u;
        const Vector plain = Inside((b < 2 ? part : candidate).Of(Load(r.part + at)), u, r.units);
        Store(r.row + at, plain);
        x[b] = plain * Load(gain + at) + Load(r.recurrent_bias + at);
      }
      x[0] = Sigmoid(x[0] + Load(r.input + u));
      x[1] = Sigmoid(x[1] + Load(r.input + wide + u));
      x[2] = Tanh(Load(r.input + 2 * wide + u) + x[1] * x[2]);
      for (int b = 0; b < 3; ++b) Store(gates + b * wide + u, x[b]);
      const Vector now = x[2] + x[0] * (Load(r.state + u) - x[2]);
      Store(r.state + u, now);
      Store(output + u, now);
    }
    statistics[0] = part.rate;
    statistics[1] = candidate.rate;
  }

  static void BackRow(const RowBack& r) {
    const int64_t wide = r.wide;
    const float *gain = r.vectors + 6 * wide, *gates = r.row + 3 * wide, *statistics = r.row + 7 * wide;
    float *gain_sums = r.vector_sums + 6 * wide, *by_gates = r.by_input;
    float sums[4];
    ForUnits<4>(wide, sums, [&](int64_t u, Vector* added) {
      const Vector z = Load(gates + u), reset = Load(gates + wide + u), g = Load(gates + 2 * wide + u);
      const Vector by = Load(r.by_state + u), by_candidate = by * (1.0f - z) * (1.0f - g * g);
      const Vector part = Load(r.row + 2 * wide + u) * Load(gain + 2 * wide + u) + Load(r.recurrent_bias + 2 * wide + u);
      const Vector by_input[3] = {by * (Load(r.before + u) - g) * z * (1.0f - z),
                                  by_candidate * part * reset * (1.0f - reset), by_candidate};
      Store(r.by_state + u, Inside(by * z, u, r.units));
      Vector by_plain[3];
      for (int b = 0; b < 3; ++b) {
        const int64_t at = b * wide + u;
        const Vector own = Inside(by_input[b], u, r.units), state = b == 2 ? Inside(own * reset, u, r.units) : own;
        by_plain[b] = state * Load(gain + at);
        Store(by_gates + at, own);
        Store(r.by_part + at, by_plain[b]);
        AddTo(r.recurrent_bias_sums + at, state);
        AddTo(gain_sums + at, state * Load(r.row + at));
      }
      added[0] = by_plain[0] + by_plain[1];
      added[1] = by_plain[0] * Load(r.row + u) + by_plain[1] * Load(r.row + wide + u);
      added[2] = by_plain[2];
      added[3] = by_plain[2] * Load(r.row + 2 * wide + u);
    });
    const SpreadBack back = SpreadBack::Of<2>(statistics[0], r.units, sums);
    const SpreadBack candidate_back = SpreadBack::Of<1>(statistics[1], r.units, sums + 2);
    for (int b = 0; b < 3; ++b)
      for (int64_t at = b * wide, u = 0; u < wide; u += kLanes) {
        const SpreadBack& own = b < 2 ? back : candidate_back;
        Store(r.by_part + at + u, Inside(own.By(Load(r.by_part + at + u), Load(r.row + at + u)), u, r.units));
      }
  }
};

// The sum of both parts is normalized: gain and offset.
struct LayerNormSimple {
  static constexpr int kGates = 1, kBlocks = 1, kStates = 1, kInputBlock = 0, kVectors = 2;
  static constexpr bool kNormalizesParts = false, kHasStatistics = true, kHasRecurrentBias = false;
  static constexpr int kStateBlock[] = {0};

  // Statistics: the rate of the sum.
  static void StepRow(const RowStep& r) {
    const int64_t wide = r.wide;
    float sum, *output = r.row + wide;
    ForUnits<1>(wide, &sum, [&](int64_t u, Vector* added) {
      const Vector both = Load(r.part + u) + Load(r.input + u);
      Store(r.row + u, both);
      added[0] = Inside(both, u, r.units);
    });
    const Spread spread = SpreadOf<1>(r.row, r.units, wide, sum);
    for (int64_t u = 0; u < wide; u += kLanes) {
      const Vector plain = Inside(spread.Of(Load(r.row + u)), u, r.units);
      const Vector now = Tanh(plain * Load(r.vectors + u) + Load(r.vectors + wide + u));
      Store(r.row + u, plain);
      Store(r.state + u, now);
      Store(output + u, now);
    }
    r.row[2 * wide] = spread.rate;
  }

  static void BackRow(const RowBack& r) {
    const int64_t wide = r.wide;
    float sums[2];
    ForUnits<2>(wide, sums, [&](int64_t u, Vector* added) {
      const Vector now = Load(r.row + wide + u), plain = Load(r.row + u);
      const Vector own = Inside(Load(r.by_state + u) * (1.0f - now * now), u, r.units), scaled = own * Load(r.vectors + u);
      AddTo(r.vector_sums + u, own * plain);
      AddTo(r.vector_sums + wide + u, own);
      Store(r.by_state + u, Vector{});
      Store(r.by_part + u, scaled);
      added[0] = scaled;
      added[1] = scaled * plain;
    });
    const SpreadBack back = SpreadBack::Of<1>(r.row[2 * wide], r.units, sums);
    for (int64_t u = 0; u < wide; u += kLanes) {
      const Vector by_both = Inside(back.By(Load(r.by_part + u), Load(r.row + u)), u, r.units);
      Store(r.by_part + u, by_both);
      Store(r.by_input + u, by_both);
    }
  }
};

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_NORMALIZED_CELLS_H_
