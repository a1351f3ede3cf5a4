// pglz: a hash of the next four bytes finds earlier places, newest first; the search is content
// with ever shorter matches the longer it goes on. Every choice here is visible in the output,
// which must equal stock's.
#include "tuple/pglz.h"

#include <algorithm>
#include <cstring>

#include "base/invariant.h"

namespace pgdata {

namespace {

constexpr uint32_t window_size = 4096;     // positions remembered
constexpr uint32_t distance_max = 0x0FFE;  // the search ends at 0x0FFF
constexpr uint32_t match_max = 273;
constexpr uint32_t hash_size_max = 8192;

// The default strategy.
constexpr size_t input_min = 32;
constexpr size_t first_success_by = 1024;   // give up if nothing matched in so much output
constexpr uint32_t good_match_start = 128;  // a match this long ends the search at once
constexpr uint32_t good_match_drop = 10;    // per cent off with each place visited

// Where each four-byte hash was last seen, and for each remembered position the one before it
// with the same hash. Positions count from 1; 0 ends a chain, and so does one out of the window.
struct History {
  uint32_t newest[hash_size_max];
  uint32_t previous[window_size];
};

uint32_t table_size(size_t raw_size) {
  if (raw_size < 128) return 512;
  if (raw_size < 256) return 1024;
  if (raw_size < 512) return 2048;
  if (raw_size < 1024) return 4096;
  return hash_size_max;
}

// Bytes count as signed here, as stock's do on the platforms we compare with.
inline uint32_t hash_at(const uint8_t* at, size_t left, uint32_t mask) {
  const auto byte = [at](int i) {
    return static_cast<uint32_t>(static_cast<int32_t>(static_cast<int8_t>(at[i])));
  };
  const uint32_t hash =
      left < 4 ? byte(0) : (byte(0) << 6) ^ (byte(1) << 4) ^ (byte(2) << 2) ^ byte(3);
  return hash & mask;
}

struct Match {
  uint32_t length = 0;
  uint32_t distance = 0;
};

inline uint32_t common_length(const uint8_t* a, const uint8_t* b, uint32_t from, uint32_t limit) {
  uint32_t length = from;
  while (length + 8 <= limit) {
    uint64_t x;
    uint64_t y;
    std::memcpy(&x, a + length, 8);
    std::memcpy(&y, b + length, 8);
    if (x != y) return length + static_cast<uint32_t>(__builtin_ctzll(x ^ y)) / 8;
    length += 8;
  }
  while (length < limit && a[length] == b[length]) ++length;
  return length;
}

inline Match find_match(const History& history, const uint8_t* raw, size_t position, size_t size,
                        uint32_t mask) {
  Match best;
  uint32_t good_match = good_match_start;
  const uint8_t* here = raw + position;
  const uint32_t limit = static_cast<uint32_t>(std::min<size_t>(size - position, match_max));
  const uint32_t now = static_cast<uint32_t>(position) + 1;
  uint32_t candidate = history.newest[hash_at(here, size - position, mask)];
  while (candidate != 0 && now - candidate <= distance_max) {
    const uint8_t* there = raw + (candidate - 1);
    // Only a longer match than the best matters, so the byte that would make it longer is
    // looked at first.
    if (best.length < limit && there[best.length] == here[best.length]) {
      const uint32_t length = common_length(here, there, 0, limit);
      if (length > best.length) best = Match{length, now - candidate};
    }
    const uint32_t older = history.previous[candidate % window_size];
    if (older == 0 || now - older > window_size || older >= candidate) break;
    if (best.length >= good_match) break;
    good_match -= good_match * good_match_drop / 100;
    candidate = older;
  }
  return best;
}

// Writes items and the control byte before each eight of them.
class Writer {
 public:
  explicit Writer(uint8_t* at) : start_(at), at_(at) {}
  size_t size() const { return static_cast<size_t>(at_ - start_); }
  void literal(uint8_t byte) {
    next_item();
    *at_++ = byte;
    ++items_;
  }
  void match(const Match& match) {
    next_item();
    control_ |= static_cast<uint8_t>(1u << items_);
    const uint32_t nibble = match.length > 17 ? 15 : match.length - 3;
    *at_++ = static_cast<uint8_t>(((match.distance & 0xF00) >> 4) | nibble);
    *at_++ = static_cast<uint8_t>(match.distance);
    if (nibble == 15) *at_++ = static_cast<uint8_t>(match.length - 18);
    ++items_;
  }
  void finish() {
    if (control_at_ != nullptr) *control_at_ = control_;
  }

 private:
  void next_item() {
    if (control_at_ != nullptr && items_ < 8) return;
    finish();
    control_at_ = at_++;
    control_ = 0;
    items_ = 0;
  }
  uint8_t* start_;
  uint8_t* at_;
  uint8_t* control_at_ = nullptr;
  uint8_t control_ = 0;
  int items_ = 0;
};

}  // namespace

int64_t pglz_compress(std::span<const std::byte> raw, std::span<std::byte> output) {
  const size_t size = raw.size();
  if (size < input_min || size > INT32_MAX) return -1;
  INVARIANT(output.size() >= pglz_output_max(size));
  constexpr size_t exact_max = INT32_MAX / 100;
  const size_t result_max = size > exact_max ? size / 100 * 75 : size * 75 / 100;

  static thread_local History history;
  const uint32_t entries = table_size(size);
  const uint32_t mask = entries - 1;
  std::memset(history.newest, 0, entries * sizeof(history.newest[0]));

  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(raw.data());
  Writer writer(reinterpret_cast<uint8_t*>(output.data()));
  bool found = false;
  size_t position = 0;
  while (position < size) {
    if (writer.size() >= result_max) return -1;
    if (!found && writer.size() >= first_success_by) return -1;
    const Match match = find_match(history, bytes, position, size, mask);
    uint32_t consumed = 1;
    if (match.length > 2) {
      writer.match(match);
      consumed = match.length;
      found = true;
    } else {
      writer.literal(bytes[position]);
    }
    for (uint32_t i = 0; i < consumed; ++i, ++position) {
      uint32_t& newest = history.newest[hash_at(bytes + position, size - position, mask)];
      const uint32_t number = static_cast<uint32_t>(position) + 1;
      history.previous[number % window_size] = newest;
      newest = number;
    }
  }
  writer.finish();
  return writer.size() >= result_max ? -1 : static_cast<int64_t>(writer.size());
}

bool pglz_decompress(std::span<const std::byte> stream, std::span<std::byte> raw) {
  const uint8_t* in = reinterpret_cast<const uint8_t*>(stream.data());
  const uint8_t* const in_end = in + stream.size();
  uint8_t* const start = reinterpret_cast<uint8_t*>(raw.data());
  uint8_t* out = start;
  uint8_t* const out_end = start + raw.size();
  while (in < in_end && out < out_end) {
    unsigned control = *in++;
    if (control == 0 && in_end - in >= 8 && out_end - out >= 8) {
      std::memcpy(out, in, 8);
      in += 8;
      out += 8;
      continue;
    }
    for (int item = 0; item < 8 && in < in_end && out < out_end; ++item, control >>= 1) {
      if ((control & 1) == 0) {
        *out++ = *in++;
        continue;
      }
      if (in_end - in < 2) return false;
      size_t length = (in[0] & 0x0Fu) + 3;
      const size_t distance = ((in[0] & 0xF0u) << 4) | in[1];
      in += 2;
      if (length == 18) {
        if (in == in_end) return false;
        length += *in++;
      }
      if (distance == 0 || distance > static_cast<size_t>(out - start)) return false;
      length = std::min(length, static_cast<size_t>(out_end - out));
      const uint8_t* from = out - distance;
      if (distance >= length) {
        std::memcpy(out, from, length);
      } else {
        // The match overlaps what it writes: it repeats the last `distance` bytes.
        for (size_t i = 0; i < length; ++i) out[i] = from[i];
      }
      out += length;
    }
  }
  return in == in_end && out == out_end;
}

}  // namespace pgdata
