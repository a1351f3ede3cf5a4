// Rebuilding, in steps between which the caller may do other things: an index from all of a table's row versions; a
// table's heap into a new file.
//
// The caller keeps everybody else from writing the table until its transaction ends, and goes on with the command that
// began. Nothing is pinned between steps.
// Source: heapam_index_build_range_scan, heapam_relation_copy_for_cluster in
// src/backend/access/heap/heapam_handler.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "btree/btree_build.h"
#include "btree/btree_scan.h"
#include "heap/freeze.h"
#include "heap/heap_rewrite.h"
#include "heap/heap_versions.h"
#include "table/index_values.h"
#include "table/table.h"
#include "xact/backend.h"

namespace pgdata {

class Rebuild {
 public:
  virtual ~Rebuild() = default;
  // Goes on for about so many pages. After an error the transaction must be rolled back.
  virtual Status step(uint32_t pages, bool* done) = 0;
};

// Fills an index whose storage is empty: an entry for each chain of versions of which somebody may see one. Rows that
// only older snapshots see do not count for uniqueness.
class IndexRebuild final : public Rebuild {
 public:
  // The table's index of that number. `memory_bytes`: maintenance_work_mem.
  IndexRebuild(Backend& backend, std::shared_ptr<Table> table, size_t index, TransactionId xid,
               uint64_t memory_bytes);
  // That of its TOAST table.
  static std::unique_ptr<IndexRebuild> of_toast(Backend& backend, std::shared_ptr<Table> table,
                                                TransactionId xid, uint64_t memory_bytes);
  // unique_violation: `duplicates` then says where two rows' chains begin that have the same key.
  Status step(uint32_t pages, bool* done) override;

  // Once it is done.
  const BtreeBuildResult& result() const { return result_; }
  // The table's rows for new snapshots.
  uint64_t live_rows() const { return live_rows_; }
  // Versions that only older snapshots see have no entry of their own in a chain whose newer members do, maybe by another
  // key: who has such a snapshot must not use the index (pg_index.indcheckxmin).
  bool has_broken_chains() const { return has_broken_chains_; }
  const std::vector<ItemPointer>& duplicates() const { return duplicates_; }

 private:
  IndexRebuild(Backend& backend, std::shared_ptr<Table> table, const HeapRelation& heap,
               const BtreeIndex& btree, const TableIndexDefinition* definition, TransactionId xid,
               uint64_t memory_bytes);
  Status add(const HeapVersion& version);
  Status finish(uint32_t pages, bool* done);

  Backend& backend_;
  std::shared_ptr<Table> table_;
  const HeapRelation& heap_;
  const BtreeIndex& btree_;
  const TransactionId xid_;
  // Null for the TOAST table's, whose keys are the first two columns.
  const TableIndexDefinition* definition_;
  HeapVersions versions_;
  BtreeBuilder builder_;
  std::unique_ptr<IndexValues> entry_;
  std::vector<Datum> values_;
  std::unique_ptr<bool[]> nulls_;
  int attributes_needed_ = 0;
  bool begun_ = false;
  bool is_read_ = false;  // all of the heap
  BtreeBuildResult result_;
  uint64_t live_rows_ = 0;
  bool has_broken_chains_ = false;
  std::vector<ItemPointer> duplicates_;
};

// Copies what is not dead of one heap into another, whose storage is empty.
class HeapCopy final : public Rebuild {
 public:
  // `order` (may be null): the source's index in whose order it is done. The tables must outlive it.
  HeapCopy(Backend& backend, const HeapRelation& source, const HeapRelation& target,
           const BtreeIndex* order, const VacuumCutoffs& cutoffs);
  Status step(uint32_t pages, bool* done) override;

  // Once it is done.
  const HeapRewrite& rewrite() const { return rewrite_; }

 private:
  Status next_page(bool* found);
  Status next_of_index(bool* found);

  VacuumCutoffs cutoffs_;
  HeapVersions versions_;
  HeapRewrite rewrite_;
  std::unique_ptr<BtreeScan> scan_;
  bool begun_ = false;
};

}  // namespace pgdata
