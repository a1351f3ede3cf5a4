// BtreeIndex: what the data plane must know of one B-tree index to read and change it.
//
// Made once from the catalogs (pg_class, pg_index, pg_attribute, pg_opclass) and then shared by all
// who use the index in this process; only its two caches change, and they are atomic hints.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "layout/btree_page.h"
#include "predicate/predicate_transaction.h"
#include "tuple/compare.h"
#include "tuple/tuple_desc.h"
#include "tuple/tuple_layout.h"

namespace pgdata {

// pg_index.indoption bits.
inline constexpr uint16_t INDOPTION_DESC = 0x0001;
inline constexpr uint16_t INDOPTION_NULLS_FIRST = 0x0002;

struct BtreeKeyDefinition {
  ComparatorRequest comparator;
  uint16_t indoption = 0;
};

struct BtreeDefinition {
  Oid oid = invalid_oid;
  RelFileLocator relation;
  std::string name;   // pg_class.relname, for messages
  TupleDesc columns;  // all of pg_index.indnatts, as pg_attribute has them for the index
  std::vector<BtreeKeyDefinition> keys;  // the first indnkeyatts of them
  bool unique = false;
  bool nulls_not_distinct = false;
  bool deduplicate_items = true;  // storage parameter
  int fillfactor = BTREE_DEFAULT_FILLFACTOR;
  bool logged = true;      // false: unlogged, temporary, or synced as a whole by the caller
  bool temporary = false;  // its pages are the session's own
};

// A column of an index tuple, as much as walking over it needs.
struct IndexColumn {
  int16_t attlen = 0;
  bool attbyval = false;
  uint8_t alignment = 1;
};

class BtreeIndex {
 public:
  // feature_not_supported when a key column's order is not ours to know.
  static Status create(BtreeDefinition definition, uint32_t block_size,
                       std::unique_ptr<BtreeIndex>* index);
  BtreeIndex(const BtreeIndex&) = delete;

  const RelFileLocator& relation() const { return definition_.relation; }
  // As predicate locks name it; of a temporary one, which nobody else uses, they know nothing.
  PredicateRelation predicate_relation() const {
    return {definition_.relation.dbOid, definition_.temporary ? invalid_oid : definition_.oid};
  }
  const char* name() const { return definition_.name.c_str(); }
  const BtreeDefinition& definition() const { return definition_; }
  uint32_t block_size() const { return block_size_; }
  int natts() const { return static_cast<int>(columns_.size()); }
  int nkeyatts() const { return nkeyatts_; }
  const IndexColumn* columns() const { return columns_.data(); }
  const TupleLayout& layout() const { return *layout_; }
  const KeyColumn& key(int column) const { return keys_[static_cast<size_t>(column)]; }
  bool unique() const { return definition_.unique; }
  bool logged() const { return definition_.logged; }
  bool temporary() const { return definition_.temporary; }
  // What btm_allequalimage of a new index is to be.
  bool allequalimage() const { return allequalimage_; }

 private:
  friend class BtreeHints;
  BtreeIndex() = default;
  BtreeDefinition definition_;
  std::unique_ptr<TupleLayout> layout_;
  uint32_t block_size_ = 0;
  int nkeyatts_ = 0;
  bool allequalimage_ = false;
  std::vector<IndexColumn> columns_;
  std::vector<KeyColumn> keys_;
  // Fast root block (low half) and its level and flags (high half); 0 is none.
  mutable std::atomic<uint64_t> cached_root_{0};
  // The rightmost leaf, when the last insert went there; 0 is none.
  mutable std::atomic<uint32_t> cached_rightmost_{0};
};

// The caches of an index: hints that must be checked against the page they lead to.
class BtreeHints {
 public:
  struct Root {
    BlockNumber block;
    uint32_t level;
    bool allequalimage;  // of the metapage
  };
  static bool root(const BtreeIndex& index, Root* root) {
    const uint64_t word = index.cached_root_.load(std::memory_order_relaxed);
    if (word == 0) return false;
    *root = {BlockNumber{static_cast<uint32_t>(word)}, static_cast<uint32_t>(word >> 33),
             (word >> 32 & 1) != 0};
    return true;
  }
  static void set_root(const BtreeIndex& index, const Root& root) {
    index.cached_root_.store(value_of(root.block) | uint64_t{root.allequalimage} << 32 |
                                 static_cast<uint64_t>(root.level) << 33,
                             std::memory_order_relaxed);
  }
  static void forget_root(const BtreeIndex& index) {
    index.cached_root_.store(0, std::memory_order_relaxed);
  }
  static BlockNumber rightmost(const BtreeIndex& index) {
    return BlockNumber{index.cached_rightmost_.load(std::memory_order_relaxed)};
  }
  static void set_rightmost(const BtreeIndex& index, BlockNumber block) {
    index.cached_rightmost_.store(value_of(block), std::memory_order_relaxed);
  }
};

}  // namespace pgdata
