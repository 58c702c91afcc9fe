// See kernel.h. This file knows no TensorFlow, so that it can be compiled for the very processor it runs on.

#include "kernel.h"

#include <algorithm>
#include <cstring>

#include "adam.h"
#include "backward_pass.h"
#include "cells.h"
#include "dropout.h"
#include "forward_pass.h"
#include "memory.h"
#include "normalized_cells.h"
#include "packing.h"

namespace lengthwise {

#define LENGTHWISE_BY_KIND(kind, call) \
  switch (kind) {                      \
    case Kind::kSimple: {              \
      using Cell = Simple;             \
      return call;                     \
    }                                  \
    case Kind::kLSTM: {                \
      using Cell = LSTM;               \
      return call;                     \
    }                                  \
    case Kind::kPeepholeLSTM: {        \
      using Cell = PeepholeLSTM;       \
      return call;                     \
    }                                  \
    case Kind::kLayerNormSimple: {     \
      using Cell = LayerNormSimple;    \
      return call;                     \
    }                                  \
    case Kind::kLayerNormLSTM: {       \
      using Cell = LayerNormLSTM;      \
      return call;                     \
    }                                  \
    case Kind::kLayerNormGRU: {        \
      using Cell = LayerNormGRU;       \
      return call;                     \
    }                                  \
    default: {                         \
      using Cell = GRU;                \
      return call;                     \
    }                                  \
  }

int GatesOf(Kind kind) { LENGTHWISE_BY_KIND(kind, Cell::kGates) }
int StatesOf(Kind kind) { LENGTHWISE_BY_KIND(kind, Cell::kStates) }
int VectorsOf(Kind kind) { LENGTHWISE_BY_KIND(kind, Cell::kVectors) }
bool HasRecurrentBias(Kind kind) { LENGTHWISE_BY_KIND(kind, Cell::kHasRecurrentBias) }

int64_t SavedFloats(const Problem& p) { LENGTHWISE_BY_KIND(p.kind, SavedFloatsOf<Cell>(p)) }
int64_t PackedFloats(const Problem& p) { LENGTHWISE_BY_KIND(p.kind, std::max(Sizes<Cell>(p).packed(false), Sizes<Cell>(p).packed(true))) }
void Pack(const Problem& p, bool back, float* packed) { LENGTHWISE_BY_KIND(p.kind, PackCell<Cell>(p, back, packed)) }

int64_t ProjectedFloats(const Problem& p) { LENGTHWISE_BY_KIND(p.kind, p.used * Sizes<Cell>(p).gates) }
int64_t GatesFloats(const Problem& p) { LENGTHWISE_BY_KIND(p.kind, p.steps * Sizes<Cell>(p).gates) }
int64_t ForwardScratchFloats(const Problem& p) { LENGTHWISE_BY_KIND(p.kind, ForwardScratch<Cell>(p)) }
int64_t BackwardScratchFloats(const Problem& p) { LENGTHWISE_BY_KIND(p.kind, BackwardScratch<Cell>(p)) }

void Project(const Problem& p, const float* packed, float* projected, float* saved, float* scratch,
             int64_t share) {
  LENGTHWISE_BY_KIND(p.kind, (ProjectItems<Cell>(p, packed, projected, saved, scratch, share)))
}

void Forward(const Problem& p, const float* packed, const float* projected, const Outputs& outputs, float* scratch,
             int64_t shard) {
  LENGTHWISE_BY_KIND(p.kind, (ForwardShard<Cell>(p, packed, projected, outputs, scratch, shard)))
}

void Backward(const Problem& p, const float* packed, const Gradients& gradients, float* scratch, int64_t shard) {
  // This share of the items begins at nothing; `ProjectBackward` fills in those that are used when all shards are done.
  const int64_t from = p.items * shard / p.shards, to = p.items * (shard + 1) / p.shards;
  std::memset(gradients.inputs + from * p.features, 0, (to - from) * p.features * sizeof(float));
  LENGTHWISE_BY_KIND(p.kind, (BackwardShard<Cell>(p, packed, gradients, scratch, shard)))
}

void ProjectBackward(const Problem& p, const float* packed, const Gradients& gradients, float* scratch, int64_t share) {
  LENGTHWISE_BY_KIND(p.kind, (ProjectItemsBackward<Cell>(p, packed, gradients, scratch, share)))
}

void AddShards(const Problem& p, const Gradients& gradients, const float* scratches) {
  LENGTHWISE_BY_KIND(p.kind, AddShardsOf<Cell>(p, gradients, scratches))
}

}  // namespace lengthwise
