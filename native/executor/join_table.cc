// JoinTable: chains.
#include "executor/join_table.h"

#include <cstring>

namespace pgdata {

void JoinTable::add(const std::vector<Column>& columns, const std::vector<Column>& keys,
                    uint32_t row, uint64_t hash, bool has_null) {
  uint32_t size = 0;
  const std::byte* packed = packer_.pack(columns, row, &size);
  const size_t head = sizeof(JoinRow) + keys_.size() * sizeof(Datum);
  std::byte* const bytes = memory_.allocate(head + size);
  auto* const added = reinterpret_cast<JoinRow*>(bytes);
  *added = {nullptr, last_, hash, has_null, false};
  auto* const values = reinterpret_cast<Datum*>(added + 1);
  std::memcpy(bytes + head, packed, size);
  for (size_t i = 0; i < keys_.size(); i++)
    values[i] = has_null ? 0 : keys_[i].type.copy(keys[i].values[row], memory_);
  last_ = added;
  rows_++;
}

void JoinTable::clear() {
  memory_.reset();
  rows_ = 0;
  last_ = nullptr;
  next_to_hash_ = nullptr;
  heads_ = {};
  account_.give(charged_);
  charged_ = 0;
}

void JoinTable::hash_rows(size_t rows, bool* done) {
  if (heads_.empty()) {
    heads_.assign(heads_for(rows_), nullptr);
    charged_ = heads_.size() * sizeof(JoinRow*);
    account_.take(charged_);
    next_to_hash_ = last_;
  }
  // From the last one on, so that chains are in order of arrival.
  for (; rows > 0 && next_to_hash_ != nullptr; rows--) {
    JoinRow* const row = next_to_hash_;
    next_to_hash_ = row->added_earlier;
    if (row->has_null) continue;
    JoinRow*& head = heads_[row->hash & (heads_.size() - 1)];
    row->next = head;
    head = row;
  }
  *done = next_to_hash_ == nullptr;
}

JoinRow* JoinTable::match_from(JoinRow* at, const std::vector<Column>& keys, uint32_t row,
                               uint64_t hash) const {
  for (; at != nullptr; at = at->next) {
    if (at->hash != hash) continue;
    const Datum* const values = keys_of(at);
    bool is_equal = true;
    for (size_t i = 0; i < keys_.size() && is_equal; i++) {
      const KeyColumn& equality = keys_[i].equality;
      is_equal = equality.compare(keys[i].values[row], values[i], equality) == 0;
    }
    if (is_equal) return at;
  }
  return nullptr;
}

}  // namespace pgdata
