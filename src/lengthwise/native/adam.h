// Adam for a part of a weight.

#ifndef LENGTHWISE_ADAM_H_
#define LENGTHWISE_ADAM_H_

#include <cmath>
#include <cstdint>

#include "kernel.h"

namespace lengthwise {

void ApplyAdam(const Adam& adam, int64_t count, const float* __restrict gradient, float* __restrict weight,
               float* __restrict momentum, float* __restrict velocity) {
  for (int64_t k = 0; k < count; ++k) {
    momentum[k] += (gradient[k] - momentum[k]) * adam.rest_1;
    velocity[k] += (gradient[k] * gradient[k] - velocity[k]) * adam.rest_2;
    weight[k] -= momentum[k] * adam.rate / (std::sqrt(velocity[k]) + adam.epsilon);
  }
}

}  // namespace lengthwise

#endif  // LENGTHWISE_ADAM_H_
