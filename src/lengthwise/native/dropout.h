// Dropout by a generator that needs no state.

#ifndef LENGTHWISE_DROPOUT_H_
#define LENGTHWISE_DROPOUT_H_

#include <algorithm>
#include <cstdint>

#include "kernel.h"

namespace lengthwise {

void Dropout(const uint32_t key[2], uint32_t keep, float scale, int64_t begin, int64_t end, const float* values, float* out) {
  // A group's 64 values are four words of 16 counters.
  constexpr int kCounters = 16;
  for (int64_t from = begin; from < end; from += kDropoutGroup) {
    uint32_t word[4][kCounters];
    for (int k = 0; k < kCounters; ++k) {
      const uint64_t counter = static_cast<uint64_t>(from / kDropoutGroup) * kCounters + k;
      uint32_t a = static_cast<uint32_t>(counter), b = static_cast<uint32_t>(counter >> 32), c = 0, d = 0;
      uint32_t key_0 = key[0], key_1 = key[1];
      for (int round = 0; round < 10; ++round) {
        const uint64_t left = uint64_t{0xD2511F53u} * a, right = uint64_t{0xCD9E8D57u} * c;
        a = static_cast<uint32_t>(right >> 32) ^ b ^ key_0;
        b = static_cast<uint32_t>(right);
        c = static_cast<uint32_t>(left >> 32) ^ d ^ key_1;
        d = static_cast<uint32_t>(left);
        key_0 += 0x9E3779B9u;
        key_1 += 0xBB67AE85u;
      }
      word[0][k] = a;
      word[1][k] = b;
      word[2][k] = c;
      word[3][k] = d;
    }
    const uint32_t* words = &word[0][0];
    const int64_t count = std::min(kDropoutGroup, end - from);
    for (int64_t k = 0; k < count; ++k) out[from + k] = words[k] < keep ? values[from + k] * scale : 0.0f;
  }
}

}  // namespace lengthwise

#endif  // LENGTHWISE_DROPOUT_H_
