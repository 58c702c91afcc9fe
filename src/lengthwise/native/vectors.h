// Numbers that are computed at once, as many as the processor has lanes for; the logistic function and `tanh` of them.

#ifndef LENGTHWISE_VECTORS_H_
#define LENGTHWISE_VECTORS_H_

#include <cstdint>

namespace lengthwise {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kTileRows = 6, kTileVectors = 4;
#elif defined(__AVX__)
constexpr int kLanes = 8, kTileRows = 6, kTileVectors = 2;
#elif defined(__aarch64__)
constexpr int kLanes = 4, kTileRows = 6, kTileVectors = 4;
#else
constexpr int kLanes = 4, kTileRows = 6, kTileVectors = 2;
#endif

constexpr int kBytes = kLanes * sizeof(float);
typedef float Vector __attribute__((vector_size(kBytes)));
typedef int32_t Integers __attribute__((vector_size(kBytes)));
typedef float Unaligned __attribute__((vector_size(kBytes), aligned(4), may_alias));

inline Vector Load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
inline void Store(float* to, Vector value) { *reinterpret_cast<Unaligned*>(to) = value; }
inline Vector Splat(float value) { return value - Vector{}; }

// The first `count` values, and 0 for the others, whatever they are.
inline Vector FirstLanes(Vector value, int64_t count) {
  Integers lane;
  for (int k = 0; k < kLanes; ++k) lane[k] = k;
  return (Vector)((Integers)value & (lane < static_cast<int32_t>(count)));
}

// exp(x) = scale * (1 + rest), scale a power of two. Taylor's series to the seventh power is exact to 6e-9 for
// |x - n log 2| <= log(2) / 2. Not-a-number stays so.
inline void SplitExp(Vector x, Vector* scale, Vector* rest) {
  const Vector shift = Splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number.
  const Vector shifted = x * 1.44269504f + shift;
  const Vector n = shifted - shift;
  const Vector r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  Vector series = Splat(1.0f / 5040);
  series = series * r + 1.0f / 720;
  series = series * r + 1.0f / 120;
  series = series * r + 1.0f / 24;
  series = series * r + 1.0f / 6;
  series = series * r + 0.5f;
  *rest = series * (r * r) + r;
  *scale = (Vector)(((Integers)shifted - (Integers)shift + 127) << 23);
}

inline Vector Sigmoid(Vector x) {
  x = x > 87.0f ? Splat(87.0f) : x;
  x = x < -87.0f ? Splat(-87.0f) : x;
  Vector scale, rest;
  SplitExp(-x, &scale, &rest);
  return 1.0f / (1.0f + scale + scale * rest);
}

// (e - 1) / (e + 1) with e = exp(2 |x|), from e - 1 itself, so that small values keep their precision.
inline Vector Tanh(Vector x) {
  const Integers sign = (Integers)x & INT32_MIN;
  Vector twice = (Vector)((Integers)x ^ sign) * 2.0f;
  twice = twice > 20.0f ? Splat(20.0f) : twice;
  Vector scale, rest;
  SplitExp(twice, &scale, &rest);
  const Vector less = scale * rest + (scale - 1.0f);
  return (Vector)((Integers)(less / (less + 2.0f)) | sign);
}

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_VECTORS_H_
