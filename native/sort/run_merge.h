// RunMerge: one sorted sequence made of several, each on a tape of its own.
//
// A tree of losers: each tuple costs one comparison per level. Of equal tuples those of earlier tapes come first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "sort/sort_entries.h"
#include "sort/tape_set.h"
#include "sort/tuple_order.h"

namespace pgdata {

// How a tuple stands on a tape, before its bytes.
struct TapedTuple {
  static constexpr size_t header_bytes = 13;
  uint32_t size;
  uint8_t marks;
  uint64_t bits;

  void store(std::byte* to) const;
  static TapedTuple load(const std::byte* from);
};

class RunMerge {
 public:
  // `order` may be null. `consumes`: what was read of the tapes is gone.
  RunMerge(TapeSet& tapes, std::span<const Tape> runs, TupleOrder* order, bool consumes);

  // Reads the first tuple of each. The errors of TemporaryFile; data_corrupted.
  Status open();
  bool is_at_end() const { return inputs_[winner_].is_at_end; }
  // The least of those that are left, until `next`.
  const TapedTuple& header() const { return inputs_[winner_].header; }
  const std::byte* bytes() const { return inputs_[winner_].bytes(); }
  Status next();
  uint64_t memory_bytes() const;

 private:
  struct Input {
    Input(TapeSet& tapes, const Tape& tape, bool consumes) : reader(tapes, tape, consumes) {}
    const std::byte* bytes() const { return reinterpret_cast<const std::byte*>(tuple.data()); }

    TapeReader reader;
    TapedTuple header{};
    LeadingKey key;
    std::vector<uint64_t> tuple;  // bytes at multiples of 8
    bool is_at_end = false;
  };

  Status advance(Input& input);
  bool before(uint32_t left, uint32_t right) const;
  uint32_t play(uint32_t node);

  TapeSet& tapes_;
  TupleOrder* const order_;
  std::vector<Input> inputs_;
  // Of a complete tree whose leaves are the inputs: who lost at each inner node, from 1.
  std::vector<uint32_t> losers_;
  uint32_t winner_ = 0;
};

}  // namespace pgdata
