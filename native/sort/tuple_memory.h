// TupleMemory: the tuples that a sort holds in memory, one behind the other, and what they take.
//
// A tuple is known by its place: where it is in order of arrival, how long it is, and a few bits of its owner's. Places of
// later tuples are greater. Tuples begin at multiples of 8 bytes; none can be given back alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/invariant.h"
#include "base/prefetch.h"

namespace pgdata {

// What a comparison is given. `bytes` are at a multiple of 8.
struct TupleView {
  const std::byte* bytes = nullptr;
  uint32_t size = 0;
};

// 40 bits of position in units of 8 bytes, 16 of size, 8 of marks.
enum class TuplePlace : uint64_t {};
inline uint8_t marks_of(TuplePlace place) { return static_cast<uint8_t>(place); }

class TupleMemory {
 public:
  static constexpr size_t slot_bytes = 8192;

  // Room for a tuple, to be filled. `marks` come along. `room_bytes`: how much may be added to `bytes` if need be; when that
  // is too little, it takes what it needs.
  std::byte* add(uint32_t size, uint8_t marks, uint64_t room_bytes, TuplePlace* place);
  TupleView at(TuplePlace place) const;
  // Starts loading a tuple's first bytes into the processor's caches.
  void prefetch(TuplePlace place) const {
    prefetch_line(address(static_cast<uint64_t>(place) >> 24));
  }
  // The tuple that was added last has not been.
  void take_back(TuplePlace place) { position_ = (static_cast<uint64_t>(place) >> 24) * 8; }
  // What `add` would add to `bytes` at least.
  uint64_t needed_for(uint32_t size) const;
  // Of the memory that was taken, for tuples or not yet.
  uint64_t bytes() const { return bytes_ + slots_.capacity() * sizeof(std::byte*); }
  void clear();

 private:
  // A size that does not fit in 16 bits stands before the tuple.
  static constexpr uint32_t size_beside = 0xFFFF;
  static constexpr size_t block_bytes_max = 1u << 20;

  static uint64_t stored_bytes(uint32_t size) {
    return (size + uint64_t{7}) / 8 * 8 + (size >= size_beside ? 8 : 0);
  }
  std::byte* address(uint64_t position) const {
    return slots_[static_cast<size_t>(position * 8 / slot_bytes)] + position * 8 % slot_bytes;
  }

  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  // Where each 8 KiB of positions are: blocks are whole numbers of slots, one behind the other.
  std::vector<std::byte*> slots_;
  uint64_t bytes_ = 0;
  uint64_t position_ = 0;  // of the next tuple, in bytes
  uint64_t end_ = 0;       // of the last block
};

}  // namespace pgdata
