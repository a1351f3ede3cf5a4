// GroupTable: open addressing.
#include "executor/group_table.h"

#include <algorithm>
#include <utility>

namespace pgdata {

namespace {

constexpr size_t first_slots = 256;

}  // namespace

GroupTable::GroupTable(std::vector<GroupKey> keys, size_t block_bytes, MemoryAccount& account)
    : keys_(std::move(keys)), account_(account), memory_(account, block_bytes) {
  resize(first_slots);
}

void GroupTable::resize(size_t slots) {
  slots_ = std::vector<Slot>(slots);
  groups_.reserve(slots / 2);
  const size_t bytes = slots_.capacity() * sizeof(Slot) + groups_.capacity() * sizeof(Datum*);
  account_.take(bytes);
  account_.give(charged_);
  charged_ = bytes;
}

void GroupTable::clear() {
  groups_.clear();
  std::fill(slots_.begin(), slots_.end(), Slot{});
  memory_.reset();
}

size_t GroupTable::free_slot(uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].group != no_group) at = (at + 1) & mask;
  return at;
}

void GroupTable::grow() {
  const std::vector<Slot> before = std::move(slots_);
  resize(before.size() * 2);
  for (const Slot& slot : before)
    if (slot.group != no_group) slots_[free_slot(slot.hash)] = slot;
}

void GroupTable::hash(const std::vector<Column>& columns, uint32_t rows, uint64_t* hashes) const {
  std::fill_n(hashes, rows, uint64_t{0});
  for (size_t i = 0; i < keys_.size(); i++) {
    const Column& column = columns[i];
    const HashFunction hash_of = keys_[i].hash;
    for (uint32_t row = 0; row < rows; row++) {
      const uint64_t value = column.nulls[row] != 0 ? 1 : hash_of(column.values[row]);
      hashes[row] = combine_hashes(hashes[row], value);
    }
  }
}

bool GroupTable::is_group(uint32_t group, const std::vector<Column>& columns, uint32_t row) const {
  Datum* const values = groups_[group];
  const uint8_t* const nulls = nulls_of(values);
  for (size_t i = 0; i < keys_.size(); i++) {
    if (columns[i].nulls[row] != nulls[i]) return false;
    if (nulls[i] != 0) continue;
    const KeyColumn& equality = keys_[i].equality;
    if (equality.compare(columns[i].values[row], values[i], equality) != 0) return false;
  }
  return true;
}

uint32_t GroupTable::find(const std::vector<Column>& columns, uint32_t row, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; slots_[at].group != no_group; at = (at + 1) & mask) {
    if (slots_[at].hash == hash && is_group(slots_[at].group, columns, row))
      return slots_[at].group;
  }
  return no_group;
}

uint32_t GroupTable::add(const std::vector<Column>& columns, uint32_t row, uint64_t hash) {
  const size_t count = keys_.size();
  auto* const values = reinterpret_cast<Datum*>(memory_.allocate(count * 9));
  uint8_t* const nulls = nulls_of(values);
  for (size_t i = 0; i < count; i++) {
    nulls[i] = columns[i].nulls[row];
    values[i] = nulls[i] != 0 ? 0 : keys_[i].type.copy(columns[i].values[row], memory_);
  }
  const auto group = static_cast<uint32_t>(groups_.size());
  groups_.push_back(values);
  slots_[free_slot(hash)] = {hash, group};
  return group;
}

}  // namespace pgdata
