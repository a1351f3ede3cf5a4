// RunMerge: playing and replaying the tree.
#include "sort/run_merge.h"

#include <cstring>
#include <utility>

#include "base/invariant.h"

namespace pgdata {

void TapedTuple::store(std::byte* to) const {
  std::memcpy(to, &size, 4);
  std::memcpy(to + 4, &marks, 1);
  std::memcpy(to + 5, &bits, 8);
}

TapedTuple TapedTuple::load(const std::byte* from) {
  TapedTuple tuple{};
  std::memcpy(&tuple.size, from, 4);
  std::memcpy(&tuple.marks, from + 4, 1);
  std::memcpy(&tuple.bits, from + 5, 8);
  return tuple;
}

RunMerge::RunMerge(TapeSet& tapes, std::span<const Tape> runs, TupleOrder* order, bool consumes)
    : tapes_(tapes), order_(order), losers_(runs.size()) {
  INVARIANT(!runs.empty());
  inputs_.reserve(runs.size());
  for (const Tape& run : runs) inputs_.emplace_back(tapes, run, consumes);
}

Status RunMerge::open() {
  for (Input& input : inputs_) RETURN_IF_ERROR(advance(input));
  winner_ = play(1);
  return Status::ok;
}

Status RunMerge::advance(Input& input) {
  if (input.reader.is_at_end()) {
    input.is_at_end = true;
    return Status::ok;
  }
  std::byte header[TapedTuple::header_bytes];
  RETURN_IF_ERROR(input.reader.read(header, sizeof(header)));
  input.header = TapedTuple::load(header);
  if (input.header.size > input.reader.unread_bytes())
    return Status::error(Status::data_corrupted, "temporary file of a sort is damaged");
  input.key = {input.header.bits, static_cast<uint8_t>(input.header.marks & 1)};
  const size_t words = (size_t{input.header.size} + 7) / 8;
  if (input.tuple.size() < words) input.tuple.resize(words);
  return input.reader.read(input.tuple.data(), input.header.size);
}

bool RunMerge::before(uint32_t left, uint32_t right) const {
  const Input& a = inputs_[left];
  const Input& b = inputs_[right];
  if (a.is_at_end || b.is_at_end) return b.is_at_end && (!a.is_at_end || left < right);
  if (!(a.key == b.key)) return a.key < b.key;
  if (order_ != nullptr && !order_->are_equal(a.key)) {
    const int order = order_->compare({a.bytes(), a.header.size}, {b.bytes(), b.header.size});
    if (order != 0) return order < 0;
  }
  return left < right;
}

// Who wins below that node; notes who lost.
uint32_t RunMerge::play(uint32_t node) {
  const auto leaves = static_cast<uint32_t>(inputs_.size());
  if (node >= leaves) return node - leaves;
  uint32_t winner = play(2 * node);
  uint32_t loser = play(2 * node + 1);
  if (before(loser, winner)) std::swap(winner, loser);
  losers_[node] = loser;
  return winner;
}

Status RunMerge::next() {
  INVARIANT(!is_at_end());
  RETURN_IF_ERROR(advance(inputs_[winner_]));
  for (uint32_t node = (winner_ + static_cast<uint32_t>(inputs_.size())) / 2; node > 0; node /= 2)
    if (before(losers_[node], winner_)) std::swap(losers_[node], winner_);
  return Status::ok;
}

uint64_t RunMerge::memory_bytes() const {
  uint64_t bytes = 0;
  for (const Input& input : inputs_)
    bytes += tapes_.extent_bytes() + sizeof(Input) + input.tuple.capacity() * 8;
  return bytes;
}

}  // namespace pgdata
