// See kernel.h. This file knows no TensorFlow, so that it can be compiled for the very processor it runs on.

#include "kernel.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace lengthwise {
namespace {

// ---------------------------------------------------------------------------------------------- vectors

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

// ---------------------------------------------------------------------------------------------- matrices

// A factor of a product by its strides, so that one function takes a matrix and its transpose.
struct Strided {
  const float* data;
  int64_t row, column;
};

template <int Rows, int Vectors>
inline void Tile(Strided a, const float* b, int64_t b_row, int64_t depth, const float* first, int64_t first_row, float* c,
                 int64_t c_row) {
  Vector sums[Rows][Vectors];
  for (int i = 0; i < Rows; ++i)
    for (int j = 0; j < Vectors; ++j) sums[i][j] = first ? Load(first + i * first_row + j * kLanes) : Vector{};
  for (int64_t k = 0; k < depth; ++k) {
    Vector right[Vectors];
    for (int j = 0; j < Vectors; ++j) right[j] = Load(b + k * b_row + j * kLanes);
    for (int i = 0; i < Rows; ++i) {
      const Vector left = Splat(a.data[i * a.row + k * a.column]);
      for (int j = 0; j < Vectors; ++j) sums[i][j] += left * right[j];
    }
  }
  for (int i = 0; i < Rows; ++i)
    for (int j = 0; j < Vectors; ++j) Store(c + i * c_row + j * kLanes, sums[i][j]);
}

template <int Rows>
inline void TilesOf(int vectors, Strided a, const float* b, int64_t b_row, int64_t depth, const float* first,
                    int64_t first_row, float* c, int64_t c_row) {
  if constexpr (kTileVectors > 2) {
    if (vectors == 4) return Tile<Rows, 4>(a, b, b_row, depth, first, first_row, c, c_row);
    if (vectors == 3) return Tile<Rows, 3>(a, b, b_row, depth, first, first_row, c, c_row);
  }
  if (vectors == 2) return Tile<Rows, 2>(a, b, b_row, depth, first, first_row, c, c_row);
  return Tile<Rows, 1>(a, b, b_row, depth, first, first_row, c, c_row);
}

// c = first + a b, for `rows` rows of a, of `depth` columns, and b of `columns` columns, a multiple of the lanes. `first`
// may be c (to add to it), a single row (its stride 0) or null.
void Multiply(int64_t rows, int64_t depth, int64_t columns, Strided a, const float* b, int64_t b_row, const float* first,
              int64_t first_row, float* c, int64_t c_row) {
  constexpr int64_t kDepth = 256;  // A panel of b stays in the first cache.
  for (int64_t from = 0; from < depth || from == 0; from += kDepth) {
    const int64_t part = std::min(kDepth, depth - from);
    const Strided left = {a.data + from * a.column, a.row, a.column};
    for (int64_t column = 0; column < columns; column += kTileVectors * kLanes) {
      const int vectors = static_cast<int>(std::min<int64_t>(kTileVectors, (columns - column) / kLanes));
      const float* panel = b + from * b_row + column;
      for (int64_t row = 0; row < rows; row += kTileRows) {
        const Strided here = {left.data + row * left.row, left.row, left.column};
        const float* begin = first ? first + row * first_row + column : nullptr;
        float* out = c + row * c_row + column;
        switch (std::min<int64_t>(kTileRows, rows - row)) {
          case 1: TilesOf<1>(vectors, here, panel, b_row, part, begin, first_row, out, c_row); break;
          case 2: TilesOf<2>(vectors, here, panel, b_row, part, begin, first_row, out, c_row); break;
          case 3: TilesOf<3>(vectors, here, panel, b_row, part, begin, first_row, out, c_row); break;
          case 4: TilesOf<4>(vectors, here, panel, b_row, part, begin, first_row, out, c_row); break;
          case 5: TilesOf<5>(vectors, here, panel, b_row, part, begin, first_row, out, c_row); break;
          case 6: TilesOf<6>(vectors, here, panel, b_row, part, begin, first_row, out, c_row); break;
        }
      }
    }
    first = c;
    first_row = c_row;
  }
}

// ---------------------------------------------------------------------------------------------- cells

// A cell computes in blocks of U values. The input's part of gate g is added to block `kInputBlock + g`, the state's part
// to block `kStateBlock[g]`; these are the first G blocks, so that each of the two parts stands together. Going forward
// the blocks become what `Back` needs; going back they become the gradients by both parts.

struct Simple {
  static constexpr int kGates = 1, kBlocks = 1, kStates = 1, kInputBlock = 0;
  static constexpr int kStateBlock[] = {0};

  static void Step(Vector* x, Vector* state) { x[0] = state[0] = Tanh(x[0]); }

  // `d` is the gradient by the states after the step; it becomes that by the states before it, but for the product.
  static void Back(const Vector* x, const Vector*, const Vector*, Vector* d, Vector* dx) {
    dx[0] = d[0] * (1.0f - x[0] * x[0]);
    d[0] = Vector{};
  }
};

struct LSTM {
  static constexpr int kGates = 4, kBlocks = 4, kStates = 2, kInputBlock = 0;
  static constexpr int kStateBlock[] = {0, 1, 2, 3};

  static void Step(Vector* x, Vector* state) {
    x[0] = Sigmoid(x[0]);
    x[1] = Sigmoid(x[1]);
    x[2] = Tanh(x[2]);
    x[3] = Sigmoid(x[3]);
    state[1] = x[1] * state[1] + x[0] * x[2];
    state[0] = x[3] * Tanh(state[1]);
  }

  static void Back(const Vector* x, const Vector* before, const Vector* after, Vector* d, Vector* dx) {
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

// Gates z, r, g; the state's part of g is multiplied by r, so it has a block of its own, the first.
struct GRU {
  static constexpr int kGates = 3, kBlocks = 4, kStates = 1, kInputBlock = 1;
  static constexpr int kStateBlock[] = {1, 2, 0};

  static void Step(Vector* x, Vector* state) {
    x[1] = Sigmoid(x[1]);
    x[2] = Sigmoid(x[2]);
    x[3] = Tanh(x[3] + x[2] * x[0]);
    state[0] = x[3] + x[1] * (state[0] - x[3]);
  }

  static void Back(const Vector* x, const Vector* before, const Vector*, Vector* d, Vector* dx) {
    const Vector candidate = d[0] * (1.0f - x[1]) * (1.0f - x[3] * x[3]);
    dx[0] = candidate * x[2];
    dx[1] = d[0] * (before[0] - x[3]) * x[1] * (1.0f - x[1]);
    dx[2] = candidate * x[0] * x[2] * (1.0f - x[2]);
    dx[3] = candidate;
    d[0] = d[0] * x[1];
  }
};

// ---------------------------------------------------------------------------------------------- layout of memory

constexpr int64_t kChunk = 128;    // Steps whose gradients by the weights are taken together, at least.
constexpr int64_t kTogether = 48;  // Rows that go through a step, or items that are projected, and stay in the first cache.

int64_t Padded(int64_t size) { return (size + kLanes - 1) / kLanes * kLanes; }

template <class Cell>
struct Sizes {
  int64_t units, features, wide_units, wide_features, gates, blocks, saved;

  explicit Sizes(const Problem& p)
      : units(p.units),
        features(p.projected ? 0 : p.features),
        wide_units(Padded(p.units)),
        wide_features(Padded(features)),
        gates(Cell::kGates * wide_units),
        blocks(Cell::kBlocks * wide_units),
        saved((Cell::kBlocks + Cell::kStates) * wide_units) {}

  int64_t states() const { return Cell::kStates * wide_units; }
  // Packed, in both directions: the initial states. Forward: the biases, the kernel (D, G), the recurrent one (U, G).
  int64_t bias() const { return states(); }
  int64_t recurrent_bias() const { return bias() + gates; }
  int64_t kernel() const { return recurrent_bias() + gates; }
  int64_t recurrent() const { return kernel() + features * gates; }
  // Backward: the kernels transposed.
  int64_t kernel_transposed() const { return states(); }
  int64_t recurrent_transposed() const { return kernel_transposed() + gates * wide_features; }
  int64_t packed(bool back) const {
    return back ? recurrent_transposed() + gates * wide_units : recurrent() + units * gates;
  }
  // Sums over a shard, and a share of the items: by the same.
  int64_t recurrent_sums() const { return features * gates; }
  int64_t bias_sums() const { return recurrent_sums() + units * gates; }
  int64_t recurrent_bias_sums() const { return bias_sums() + gates; }
  int64_t initial_sums() const { return recurrent_bias_sums() + gates; }
  int64_t sums() const { return initial_sums() + states(); }
};

// The rows of a shard and how many of them are active.
struct Share {
  int64_t shard, shards, rows;
  Share(const Problem& p, int64_t shard) : shard(shard), shards(p.shards), rows(Of(p.rows)) {}
  int64_t Of(int64_t active) const { return active > shard ? (active - shard + shards - 1) / shards : 0; }
  int64_t Row(int64_t place) const { return shard + place * shards; }
};

int64_t MostRows(const Problem& p) { return (p.rows + p.shards - 1) / p.shards; }

// Steps of the shards before this one.
int64_t StepsBefore(const Problem& p, int64_t shard) {
  int64_t steps = 0;
  for (int64_t s = 0; s < shard; ++s) {
    const Share share(p, s);
    for (int64_t t = 0; t < p.times; ++t) steps += share.Of(p.active[t]);
  }
  return steps;
}

void CopyRow(float* to, const float* from, int64_t size, int64_t wide) {
  std::memcpy(to, from, size * sizeof(float));
  std::memset(to + size, 0, (wide - size) * sizeof(float));
}

template <class Cell>
void PackCell(const Problem& p, bool back, float* packed) {
  const Sizes<Cell> z(p);
  std::memset(packed, 0, z.packed(back) * sizeof(float));
  for (int s = 0; s < Cell::kStates; ++s)
    CopyRow(packed + s * z.wide_units, p.initial + s * p.units, p.units, z.wide_units);
  const int64_t columns = Cell::kGates * p.units;
  const auto copy = [&](const float* from, float* to, int64_t rows, int64_t wide) {
    for (int64_t k = 0; k < rows; ++k)
      for (int64_t u = 0; u < p.units; ++u) to[back ? u * wide + k : k * z.gates + u] = from[k * columns + u];
  };
  for (int g = 0; g < Cell::kGates; ++g) {
    const int64_t input = g * z.wide_units, state = Cell::kStateBlock[g] * z.wide_units, from = g * p.units;
    if (back) {
      copy(p.kernel + from, packed + z.kernel_transposed() + input * z.wide_features, z.features, z.wide_features);
      copy(p.recurrent_kernel + from, packed + z.recurrent_transposed() + state * z.wide_units, p.units, z.wide_units);
      continue;
    }
    copy(p.kernel + from, packed + z.kernel() + input, z.features, 0);
    copy(p.recurrent_kernel + from, packed + z.recurrent() + state, p.units, 0);
    std::memcpy(packed + z.bias() + input, p.bias + from, p.units * sizeof(float));
    if (p.recurrent_bias)
      std::memcpy(packed + z.recurrent_bias() + state, p.recurrent_bias + from, p.units * sizeof(float));
  }
}

// A share of the K items that are used.
struct ItemShare {
  int64_t begin, end;
  ItemShare(const Problem& p, int64_t share) : begin(p.used * share / p.shards), end(p.used * (share + 1) / p.shards) {}
};

// ---------------------------------------------------------------------------------------------- forward

template <class Cell>
int64_t ForwardScratch(const Problem& p) {
  const Sizes<Cell> z(p);
  return std::max(Padded(kTogether * z.features), kTogether * z.saved + MostRows(p) * z.states());
}

template <class Cell>
void ProjectItems(const Problem& p, const float* packed, float* projected, float* scratch, int64_t share) {
  const Sizes<Cell> z(p);
  const ItemShare items(p, share);
  for (int64_t from = items.begin; from < items.end; from += kTogether) {
    const int64_t count = std::min(kTogether, items.end - from);
    float* out = projected + from * z.gates;
    for (int64_t i = 0; i < count; ++i) {
      const float* item = p.inputs + int64_t{p.items_used[from + i]} * p.features;
      if (!p.projected) {
        std::memcpy(scratch + i * p.features, item, p.features * sizeof(float));
        continue;
      }
      for (int g = 0; g < Cell::kGates; ++g) {
        float* to = out + i * z.gates + g * z.wide_units;
        CopyRow(to, item + g * p.units, p.units, z.wide_units);
        for (int64_t u = 0; u < p.units; ++u) to[u] += packed[z.bias() + g * z.wide_units + u];
      }
    }
    if (!p.projected)
      Multiply(count, p.features, z.gates, {scratch, p.features, 1}, packed + z.kernel(), z.gates, packed + z.bias(), 0,
               out, z.gates);
  }
}

template <class Cell>
void ForwardShard(const Problem& p, const float* packed, const float* projected, const Outputs& out, float* scratch,
                  int64_t shard) {
  const Sizes<Cell> z(p);
  const Share share(p, shard);
  float* unsaved = scratch;
  float* states = unsaved + kTogether * z.saved;  // (rows, S, U)
  float* saved = out.saved ? out.saved + StepsBefore(p, shard) * z.saved : nullptr;
  const float* initial = packed;

  for (int64_t i = 0; i < share.rows; ++i)
    for (int s = 0; s < Cell::kStates; ++s)
      CopyRow(states + i * z.states() + s * z.wide_units, p.states + (s * p.rows + p.order[share.Row(i)]) * p.units,
              p.units, z.wide_units);

  int64_t flat = 0;  // The first step of time t, all shards' rows counted.
  for (int64_t t = 0; t < p.times; flat += p.active[t], ++t) {
    const int64_t active = share.Of(p.active[t]);
    for (int64_t from = 0; from < active; from += kTogether) {
      const int64_t to = std::min(from + kTogether, active);
      for (int64_t i = from; i < to; ++i)
        if (p.resets[flat + share.Row(i)])
          std::memcpy(states + i * z.states(), initial, z.states() * sizeof(float));
      float* row = saved ? saved : unsaved;
      if (saved) saved += (to - from) * z.saved;
      Multiply(to - from, p.units, z.gates, {states + from * z.states(), z.states(), 1}, packed + z.recurrent(), z.gates,
               packed + z.recurrent_bias(), 0, row, z.saved);
      for (int64_t i = from; i < to; ++i, row += z.saved) {
        const int64_t step = flat + share.Row(i);
        const float* input = projected + int64_t{p.slot[step]} * z.gates;
        float* state = states + i * z.states();
        for (int64_t u = 0; u < z.wide_units; u += kLanes) {
          Vector x[Cell::kBlocks], now[Cell::kStates];
          for (int b = 0; b < Cell::kBlocks; ++b) {
            // The state's part, which the first G blocks have, and the input's, which the last G have.
            x[b] = b < Cell::kGates ? Load(row + b * z.wide_units + u) : Vector{};
            if (b >= Cell::kInputBlock) x[b] += Load(input + (b - Cell::kInputBlock) * z.wide_units + u);
          }
          for (int s = 0; s < Cell::kStates; ++s) now[s] = Load(state + s * z.wide_units + u);
          Cell::Step(x, now);
          for (int b = 0; b < Cell::kBlocks; ++b) Store(row + b * z.wide_units + u, x[b]);
          for (int s = 0; s < Cell::kStates; ++s) {
            Store(state + s * z.wide_units + u, now[s]);
            Store(row + (Cell::kBlocks + s) * z.wide_units + u, now[s]);
          }
        }
        const int64_t said = p.read ? p.read[step] : step;
        if (said >= 0) std::memcpy(out.outputs + said * p.units, state, p.units * sizeof(float));
      }
    }
  }

  for (int64_t i = 0; i < share.rows; ++i)
    for (int s = 0; s < Cell::kStates; ++s)
      std::memcpy(out.last + (s * p.rows + p.order[share.Row(i)]) * p.units,
                  states + i * z.states() + s * z.wide_units, p.units * sizeof(float));
}

// ---------------------------------------------------------------------------------------------- backward

template <class Cell>
int64_t BackwardScratch(const Problem& p) {
  const Sizes<Cell> z(p);
  const int64_t by_rows = MostRows(p) * z.states() + (kChunk + MostRows(p)) * z.wide_units;
  const int64_t by_items = kTogether * (z.gates + 2 * z.wide_features);
  return Padded(z.sums()) + std::max(by_rows, by_items);
}

// sums += rows, `columns` wide.
void AddRows(const float* rows, int64_t apart, int64_t count, int64_t columns, float* sums) {
  for (int64_t column = 0; column < columns; column += kLanes) {
    Vector total = Load(sums + column);
    for (int64_t i = 0; i < count; ++i) total += Load(rows + i * apart + column);
    Store(sums + column, total);
  }
}

template <class Cell>
void BackwardShard(const Problem& p, const float* packed, const Gradients& g, float* scratch, int64_t shard) {
  const Sizes<Cell> z(p);
  const Share share(p, shard);
  float* sums = scratch;
  float* d = sums + Padded(z.sums());             // (rows, S, U)
  float* before = d + MostRows(p) * z.states();  // States before the steps of a chunk.
  std::memset(sums, 0, z.sums() * sizeof(float));
  float* initial_sums = sums + z.initial_sums();

  for (int64_t i = 0; i < share.rows; ++i)
    for (int s = 0; s < Cell::kStates; ++s)
      CopyRow(d + i * z.states() + s * z.wide_units, g.last + (s * p.rows + p.order[share.Row(i)]) * p.units, p.units,
              z.wide_units);

  int64_t steps = 0;  // Of this shard, before time t.
  for (int64_t t = 0; t < p.times; ++t) steps += share.Of(p.active[t]);
  const int64_t first = StepsBefore(p, shard);
  const float* saved = g.saved + first * z.saved;
  // Gradients by the gates stand in the order in which they come; by the recurrent weights a chunk is taken together.
  int64_t place = first, chunk = first;
  const auto flush = [&] {
    const float* gates = g.gates + chunk * z.blocks;
    float* recurrent = sums + z.recurrent_sums();
    Multiply(p.units, place - chunk, z.gates, {before, 1, z.wide_units}, gates, z.blocks, recurrent, z.gates, recurrent,
             z.gates);
    AddRows(gates, z.blocks, place - chunk, z.gates, sums + z.recurrent_bias_sums());
    chunk = place;
  };
  int64_t flat = p.steps;
  for (int64_t t = p.times - 1; t >= 0; --t) {
    const int64_t active = share.Of(p.active[t]);
    flat -= p.active[t];
    steps -= active;
    const float* here = saved + steps * z.saved;
    // The rows of the time before are as many or more, and stand in the same order.
    const float* there = t ? here - share.Of(p.active[t - 1]) * z.saved + z.blocks : nullptr;
    for (int64_t from = 0; from < active; from += kTogether) {
      const int64_t to = std::min(from + kTogether, active);
      float* gates = g.gates + place * z.blocks;
      for (int64_t i = from; i < to; ++i, ++place) {
        const int64_t step = flat + share.Row(i);
        const float* row = here + i * z.saved;
        float* di = d + i * z.states();
        const int64_t said = p.read ? p.read[step] : step;
        for (int64_t u = 0; said >= 0 && u < p.units; ++u) di[u] += g.outputs[said * p.units + u];
        const float* known = p.resets[step] ? packed : there ? there + i * z.saved : nullptr;
        float own[Cell::kStates * kLanes];
        for (int64_t u = 0; u < z.wide_units; u += kLanes) {
          Vector x[Cell::kBlocks], old[Cell::kStates], now[Cell::kStates], dx[Cell::kBlocks], ds[Cell::kStates];
          if (!known) {
            for (int s = 0; s < Cell::kStates; ++s) {
              const float* state = p.states + (s * p.rows + p.order[share.Row(i)]) * p.units;
              CopyRow(own + s * kLanes, state + u, std::min<int64_t>(kLanes, p.units - u), kLanes);
            }
          }
          for (int b = 0; b < Cell::kBlocks; ++b) x[b] = Load(row + b * z.wide_units + u);
          for (int s = 0; s < Cell::kStates; ++s) {
            old[s] = known ? Load(known + s * z.wide_units + u) : Load(own + s * kLanes);
            now[s] = Load(row + (Cell::kBlocks + s) * z.wide_units + u);
            ds[s] = Load(di + s * z.wide_units + u);
          }
          Cell::Back(x, old, now, ds, dx);
          if (u + kLanes > p.units) {
            // Behind the last unit an infinite feature has made values that are no numbers.
            for (Vector& value : dx) value = FirstLanes(value, p.units - u);
            for (Vector& value : ds) value = FirstLanes(value, p.units - u);
          }
          for (int b = 0; b < Cell::kBlocks; ++b) Store(g.gates + place * z.blocks + b * z.wide_units + u, dx[b]);
          for (int s = 0; s < Cell::kStates; ++s) Store(di + s * z.wide_units + u, ds[s]);
          Store(before + (place - chunk) * z.wide_units + u, old[0]);
        }
        g.place[step] = static_cast<int32_t>(place);
      }
      float* by_state = d + from * z.states();
      Multiply(to - from, z.gates, z.wide_units, {gates, z.blocks, 1}, packed + z.recurrent_transposed(), z.wide_units,
               by_state, z.states(), by_state, z.states());
      for (int64_t i = from; i < to; ++i) {
        if (!p.resets[flat + share.Row(i)]) continue;
        float* di = d + i * z.states();
        for (int64_t u = 0; u < z.states(); ++u) initial_sums[u] += di[u];
        std::memset(di, 0, z.states() * sizeof(float));
      }
      if (place - chunk >= kChunk) flush();
    }
  }
  flush();

  for (int64_t i = 0; i < share.rows; ++i)
    for (int s = 0; s < Cell::kStates; ++s)
      std::memcpy(g.states + (s * p.rows + p.order[share.Row(i)]) * p.units, d + i * z.states() + s * z.wide_units,
                  p.units * sizeof(float));
}

template <class Cell>
void ProjectItemsBackward(const Problem& p, const float* packed, const Gradients& g, float* scratch, int64_t share) {
  const Sizes<Cell> z(p);
  const ItemShare items(p, share);
  float* sums = scratch;
  float* by_gates = sums + Padded(z.sums());
  float* by_inputs = by_gates + kTogether * z.gates;
  float* features = by_inputs + kTogether * z.wide_features;
  const float* gates = g.gates + Cell::kInputBlock * z.wide_units;
  for (int64_t from = items.begin; from < items.end; from += kTogether) {
    const int64_t count = std::min(kTogether, items.end - from);
    for (int64_t i = 0; i < count; ++i) {
      const int32_t* reader = g.reader + g.reader_offset[from + i];
      const int32_t* last = g.reader + g.reader_offset[from + i + 1];
      float* to = by_gates + i * z.gates;
      std::memcpy(to, gates + int64_t{g.place[*reader]} * z.blocks, z.gates * sizeof(float));
      while (++reader < last) AddRows(gates + int64_t{g.place[*reader]} * z.blocks, 0, 1, z.gates, to);
    }
    AddRows(by_gates, z.gates, count, z.gates, sums + z.bias_sums());
    const int32_t* used = p.items_used + from;
    if (p.projected) {
      for (int64_t i = 0; i < count; ++i)
        for (int gate = 0; gate < Cell::kGates; ++gate)
          std::memcpy(g.inputs + int64_t{used[i]} * p.features + gate * p.units, by_gates + i * z.gates + gate * z.wide_units,
                      p.units * sizeof(float));
      continue;
    }
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(features + i * p.features, p.inputs + int64_t{used[i]} * p.features, p.features * sizeof(float));
    Multiply(p.features, count, z.gates, {features, 1, p.features}, by_gates, z.gates, sums, z.gates, sums, z.gates);
    Multiply(count, z.gates, z.wide_features, {by_gates, z.gates, 1}, packed + z.kernel_transposed(), z.wide_features,
             nullptr, 0, by_inputs, z.wide_features);
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(g.inputs + int64_t{used[i]} * p.features, by_inputs + i * z.wide_features, p.features * sizeof(float));
  }
}

template <class Cell>
void AddShardsOf(const Problem& p, const Gradients& g, const float* scratches) {
  const Sizes<Cell> z(p);
  const int64_t apart = BackwardScratch<Cell>(p), columns = Cell::kGates * p.units;
  // Sum of all shards at a place of their sums.
  const auto add = [&](int64_t place, float* to) {
    std::memcpy(to, scratches + place, p.units * sizeof(float));
    for (int64_t s = 1; s < p.shards; ++s)
      for (int64_t u = 0; u < p.units; ++u) to[u] += scratches[s * apart + place + u];
  };
  for (int gate = 0; gate < Cell::kGates; ++gate) {
    const int64_t input = gate * z.wide_units, state = Cell::kStateBlock[gate] * z.wide_units;
    for (int64_t k = 0; k < z.features; ++k) add(k * z.gates + input, g.kernel + k * columns + gate * p.units);
    for (int64_t k = 0; k < p.units; ++k)
      add(z.recurrent_sums() + k * z.gates + state, g.recurrent_kernel + k * columns + gate * p.units);
    add(z.bias_sums() + input, g.bias + gate * p.units);
    if (g.recurrent_bias) add(z.recurrent_bias_sums() + state, g.recurrent_bias + gate * p.units);
  }
  for (int s = 0; s < Cell::kStates; ++s) add(z.initial_sums() + s * z.wide_units, g.initial + s * p.units);
}

}  // namespace

// ---------------------------------------------------------------------------------------------- by kind

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
    default: {                         \
      using Cell = GRU;                \
      return call;                     \
    }                                  \
  }

int GatesOf(Kind kind) { LENGTHWISE_BY_KIND(kind, Cell::kGates) }
int StatesOf(Kind kind) { LENGTHWISE_BY_KIND(kind, Cell::kStates) }

int64_t SavedFloats(const Problem& p) { LENGTHWISE_BY_KIND(p.kind, p.steps * Sizes<Cell>(p).saved) }
int64_t PackedFloats(const Problem& p) { LENGTHWISE_BY_KIND(p.kind, std::max(Sizes<Cell>(p).packed(false), Sizes<Cell>(p).packed(true))) }
void Pack(const Problem& p, bool back, float* packed) { LENGTHWISE_BY_KIND(p.kind, PackCell<Cell>(p, back, packed)) }

int64_t ProjectedFloats(const Problem& p) { LENGTHWISE_BY_KIND(p.kind, p.used * Sizes<Cell>(p).gates) }
int64_t GatesFloats(const Problem& p) { LENGTHWISE_BY_KIND(p.kind, p.steps * Sizes<Cell>(p).blocks) }
int64_t ForwardScratchFloats(const Problem& p) { LENGTHWISE_BY_KIND(p.kind, ForwardScratch<Cell>(p)) }
int64_t BackwardScratchFloats(const Problem& p) { LENGTHWISE_BY_KIND(p.kind, BackwardScratch<Cell>(p)) }

void Project(const Problem& p, const float* packed, float* projected, float* scratch, int64_t share) {
  LENGTHWISE_BY_KIND(p.kind, (ProjectItems<Cell>(p, packed, projected, scratch, share)))
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

void ApplyAdam(const Adam& adam, int64_t count, const float* __restrict gradient, float* __restrict weight,
               float* __restrict momentum, float* __restrict velocity) {
  for (int64_t k = 0; k < count; ++k) {
    momentum[k] += (gradient[k] - momentum[k]) * adam.rest_1;
    velocity[k] += (gradient[k] * gradient[k] - velocity[k]) * adam.rest_2;
    weight[k] -= momentum[k] * adam.rate / (std::sqrt(velocity[k]) + adam.epsilon);
  }
}

}  // namespace lengthwise
