// RowCopier: tuples in pages to rows of a batch, for the operators that read tables.
#pragma once

#include <memory>
#include <vector>

#include "executor/batch.h"
#include "executor/expression.h"
#include "heap/heap_scan.h"
#include "table/table.h"

namespace pgdata {

// Among the attributes: the row's address, as pack_tid makes a number of it.
constexpr int tid_attribute = -1;
constexpr Datum pack_tid(ItemPointer tid) {
  return Datum{value_of(tid.block())} << 16 | tid.offset();
}
constexpr ItemPointer unpack_tid(Datum packed) {
  return ItemPointer(BlockNumber{static_cast<uint32_t>(packed >> 16)},
                     static_cast<OffsetNumber>(packed & 0xffff));
}

class RowCopier {
 public:
  RowCopier(const Table& table, std::vector<int> attributes, MemoryAccount& account);

  // To the rows at hand, whose values stay in the page where they can.
  Status add(const ReadContext& context, const HeapTuple& tuple);
  // The same of all tuples of a scan's current page.
  Status add_page(const ReadContext& context, const HeapScan& scan);
  // The same of a row that lies elsewhere, of which the values of all columns are given, and copied.
  void add_values(const std::vector<Datum>& values, const std::vector<uint8_t>& nulls);
  // Copies those of the rows at hand that meet the conditions to the end of the batch, which has room for all of them;
  // then there are none at hand. `recheck` (may be null) is tested before, and counted apart.
  Status copy(Conditions& conditions, uint32_t* removed, Conditions* recheck = nullptr,
              uint32_t* rechecked_away = nullptr);

  BatchStorage& out() { return out_; }

 private:
  Status fetch(const ReadContext& context, Datum* value);

  const Table& table_;
  std::vector<int> attributes_;
  int needed_ = 0;
  ColumnDeformer deformer_;
  // What the deformer writes to, and which of it are varlenas.
  std::vector<Column> deformed_;
  std::vector<Column> varlenas_;
  std::vector<Datum> values_;
  std::unique_ptr<bool[]> nulls_;
  BatchStorage found_;
  BatchStorage out_;
  std::vector<std::byte> fetched_;
};

}  // namespace pgdata
