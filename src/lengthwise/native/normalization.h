// Layer normalization (Ba, Kiros and Hinton, 2016, eq. 4) of a row: over blocks of `wide` values, of which the first
// `units` are some. What comes of those behind the last unit is 0.

#ifndef LENGTHWISE_NORMALIZATION_H_
#define LENGTHWISE_NORMALIZATION_H_

#include <cmath>
#include <cstdint>

#include "vectors.h"

namespace lengthwise {
namespace {

// As of Keras's layer in lengthwise.layers.cell.
constexpr float kEpsilon = 1e-3f;
// A sum over units goes to 16 places by the unit, which are added in pairs: in one order, whatever the lanes.
constexpr int kPlaces = 16, kTotals = kPlaces / kLanes;

inline Vector Inside(Vector value, int64_t u, int64_t units) {
  return u + kLanes > units ? FirstLanes(value, units - u) : value;
}

// Calls `work(u, added)` for every vector of units, and sums what it has written to `added`.
template <int Sums, class Work>
inline void ForUnits(int64_t wide, float* sums, const Work& work) {
  Vector totals[Sums][kTotals] = {};
  for (int64_t from = 0; from < wide; from += kPlaces)
    for (int k = 0; k < kTotals; ++k) {
      if (from + k * kLanes >= wide) break;
      Vector added[Sums];
      work(from + k * kLanes, added);
      for (int s = 0; s < Sums; ++s) totals[s][k] += added[s];
    }
  for (int s = 0; s < Sums; ++s) {
    float places[kPlaces];
    for (int k = 0; k < kTotals; ++k) Store(places + k * kLanes, totals[s][k]);
    for (int half = kPlaces / 2; half; half /= 2)
      for (int k = 0; k < half; ++k) places[k] += places[k + half];
    sums[s] = places[0];
  }
}

struct Spread {
  float mean, rate;  // one by the standard deviation
  Vector Of(Vector value) const { return (value - mean) * rate; }
};

// The spread of values whose sum is known.
template <int Blocks>
inline Spread SpreadOf(const float* values, int64_t units, int64_t wide, float sum) {
  const float count = static_cast<float>(Blocks * units), mean = sum / count;
  float squares;
  ForUnits<1>(wide, &squares, [&](int64_t u, Vector* added) {
    added[0] = Vector{};
    for (int b = 0; b < Blocks; ++b) {
      const Vector away = Inside(Load(values + b * wide + u) - mean, u, units);
      added[0] += away * away;
    }
  });
  return {mean, 1.0f / std::sqrt(squares / count + kEpsilon)};
}

template <int Blocks>
inline Spread SpreadOf(const float* values, int64_t units, int64_t wide) {
  float sum;
  ForUnits<1>(wide, &sum, [&](int64_t u, Vector* added) {
    added[0] = Vector{};
    for (int b = 0; b < Blocks; ++b) added[0] += Inside(Load(values + b * wide + u), u, units);
  });
  return SpreadOf<Blocks>(values, units, wide, sum);
}

// The gradient by values that were normalized to `kept`, of that by `kept` times its gain, whose sums are known.
struct SpreadBack {
  float rate, mean, slope;

  template <int Blocks>
  static SpreadBack Of(float rate, int64_t units, const float* sums) {
    const float count = static_cast<float>(Blocks * units);
    return {rate, sums[0] / count, sums[1] / count};
  }
  Vector By(Vector gradient, Vector kept) const { return (gradient - mean - kept * slope) * rate; }
};

// values = (values - mean) / deviation * gain + offset; what is between goes to `kept`, unless that is null.
template <int Blocks>
inline void Normalize(int64_t units, int64_t wide, const float* gain, const float* offset, float* values, float* kept,
                      float* kept_rate) {
  const Spread spread = SpreadOf<Blocks>(values, units, wide);
  for (int b = 0; b < Blocks; ++b)
    for (int64_t at = b * wide, u = 0; u < wide; u += kLanes) {
      const Vector plain = Inside(spread.Of(Load(values + at + u)), u, units);
      if (kept) Store(kept + at + u, plain);
      Store(values + at + u, plain * Load(gain + at + u) + Load(offset + at + u));
    }
  if (kept) *kept_rate = spread.rate;
}

// The way back, in place; the gradient by the gain is added to `gain_sums`.
template <int Blocks>
inline void NormalizeBack(int64_t units, int64_t wide, const float* gain, const float* kept, float rate, float* by_values,
                          float* gain_sums) {
  float sums[2];
  ForUnits<2>(wide, sums, [&](int64_t u, Vector* added) {
    added[0] = added[1] = Vector{};
    for (int b = 0; b < Blocks; ++b) {
      const int64_t at = b * wide + u;
      const Vector by = Load(by_values + at), plain = Load(kept + at), scaled = by * Load(gain + at);
      Store(gain_sums + at, Load(gain_sums + at) + by * plain);
      added[0] += scaled;
      added[1] += scaled * plain;
    }
  });
  const SpreadBack back = SpreadBack::Of<Blocks>(rate, units, sums);
  for (int b = 0; b < Blocks; ++b)
    for (int64_t at = b * wide, u = 0; u < wide; u += kLanes) {
      const Vector scaled = Load(by_values + at + u) * Load(gain + at + u);
      Store(by_values + at + u, Inside(back.By(scaled, Load(kept + at + u)), u, units));
    }
}

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_NORMALIZATION_H_
