// PageComparison: whether replay gives the pages that the log was written from.
//
// With wal_consistency_checking a record carries images of its pages as they were after the change, marked not to
// be applied. After redo each is compared with the page in the pool, both masked by the resource manager; the
// first difference stops recovery. Source: src/backend/access/transam/xlogrecovery.c
// (verifyBackupPageConsistency), PostgreSQL 18.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "recovery/redo_context.h"
#include "recovery/resource_managers.h"

namespace pgdata {

// Of one kind of record.
struct ComparedPages {
  uint8_t manager;
  uint8_t operation;  // the resource manager's bits of xl_info
  uint64_t records;
  uint64_t pages;
};

class PageComparison {
 public:
  struct Count {
    uint64_t records = 0;  // of which at least one page was compared
    uint64_t pages = 0;
  };
  static constexpr int resource_managers = 22;
  static constexpr int operations = 16;

  explicit PageComparison(uint32_t block_size);

  // Compares the pages of the record that was just replayed, which has XLR_CHECK_CONSISTENCY.
  // data_corrupted, naming page and byte, when one differs.
  Status check(RedoContext& redo, const ResourceManager& manager);

  // What was compared, by resource manager and the high half of xl_info; and only what is not zero.
  const Count& count(int manager, int operation) const {
    return counts_[static_cast<size_t>(manager)][static_cast<size_t>(operation)];
  }
  std::vector<ComparedPages> compared() const;

 private:
  Status check_block(RedoContext& redo, const ResourceManager& manager, int id, bool* compared);

  uint32_t block_size_;
  std::unique_ptr<std::byte[]> replayed_;
  std::unique_ptr<std::byte[]> logged_;
  std::array<std::array<Count, operations>, resource_managers> counts_{};
};

}  // namespace pgdata
