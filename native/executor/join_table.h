// JoinTable: the rows of a join's right input, found by the hashes of their keys.
#pragma once

#include <bit>
#include <vector>

#include "executor/packed_row.h"
#include "executor/value_hash.h"

namespace pgdata {

struct JoinTableKey {
  ValueType type;
  KeyColumn equality;
  HashFunction hash;
};

// After it come the keys' Datums, then the packed row.
struct JoinRow {
  JoinRow* next;           // of those that hash alike
  JoinRow* added_earlier;  // of all
  uint64_t hash;
  bool has_null;  // among its keys
  bool is_matched;
};

class JoinTable {
 public:
  JoinTable(std::vector<JoinTableKey> keys, std::vector<ValueType> types, size_t block_bytes,
            MemoryAccount& account)
      : keys_(std::move(keys)),
        packer_(std::move(types)),
        account_(account),
        memory_(account, block_bytes) {}
  ~JoinTable() { account_.give(charged_); }

  const std::vector<JoinTableKey>& keys() const { return keys_; }
  const RowPacker& packer() const { return packer_; }
  size_t rows() const { return rows_; }
  // With what finding will take.
  size_t bytes() const { return memory_.held() + heads_for(rows_ + 1) * sizeof(JoinRow*); }
  void add(const std::vector<Column>& columns, const std::vector<Column>& keys, uint32_t row,
           uint64_t hash, bool has_null);
  void clear();

  // After the last row: makes some more of them findable.
  void hash_rows(size_t rows, bool* done);
  JoinRow* first_match(const std::vector<Column>& keys, uint32_t row, uint64_t hash) const {
    return match_from(heads_[hash & (heads_.size() - 1)], keys, row, hash);
  }
  JoinRow* next_match(const JoinRow* match, const std::vector<Column>& keys, uint32_t row) const {
    return match_from(match->next, keys, row, match->hash);
  }

  // All rows, from the last one that was added.
  JoinRow* last() const { return last_; }
  const std::byte* packed(const JoinRow* row) const {
    return reinterpret_cast<const std::byte*>(keys_of(row) + keys_.size());
  }

 private:
  static size_t heads_for(size_t rows) { return std::bit_ceil(rows < 16 ? 16 : rows); }
  static const Datum* keys_of(const JoinRow* row) {
    return reinterpret_cast<const Datum*>(row + 1);
  }
  JoinRow* match_from(JoinRow* at, const std::vector<Column>& keys, uint32_t row,
                      uint64_t hash) const;

  std::vector<JoinTableKey> keys_;
  RowPacker packer_;
  MemoryAccount& account_;
  size_t charged_ = 0;
  Arena memory_;
  size_t rows_ = 0;
  JoinRow* last_ = nullptr;
  std::vector<JoinRow*> heads_;
  JoinRow* next_to_hash_ = nullptr;
};

}  // namespace pgdata
