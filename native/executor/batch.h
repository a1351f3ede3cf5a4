// Batch: a few hundred rows on their way from one operator to the next, column by column.
//
// A column is an array of Datums and one of null bytes (1 = null). By-reference values are plain: neither compressed nor
// out of line, in memory of whoever made the batch. A batch is read only for whoever gets it, and good until the
// operator that made it is asked for the next one.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "executor/arena.h"
#include "layout/heap_tuple.h"
#include "tuple/deform_columns.h"

namespace pgdata {

constexpr uint32_t batch_rows_max = 2048;
// Operators that collect rows stop once they have so many: those of one more page have room then.
constexpr uint32_t batch_rows_wanted = 850;
static_assert(batch_rows_wanted + heap_tuples_per_page_max(block_size_max) <= batch_rows_max);

struct Batch {
  uint32_t rows = 0;
  std::vector<Column> columns;
};

// Which rows of a batch are meant: all of the first `count`, or those listed.
struct Selection {
  const uint16_t* list = nullptr;
  uint32_t count = 0;

  template <typename Body>
  void for_each(Body&& body) const {
    if (list == nullptr) {
      for (uint32_t row = 0; row < count; row++) body(row);
    } else {
      for (uint32_t i = 0; i < count; i++) body(uint32_t{list[i]});
    }
  }
};

// Memory for one column of batch_rows_max rows.
class ColumnStorage {
 public:
  explicit ColumnStorage(MemoryAccount& account)
      : account_(&account),
        values_(new Datum[batch_rows_max]),
        nulls_(new uint8_t[batch_rows_max]) {
    account_->take(bytes);
  }
  ColumnStorage(ColumnStorage&& other) noexcept
      : account_(std::exchange(other.account_, nullptr)),
        values_(std::move(other.values_)),
        nulls_(std::move(other.nulls_)) {}
  ~ColumnStorage() {
    if (account_ != nullptr) account_->give(bytes);
  }
  Column column() { return {values_.get(), nulls_.get()}; }

 private:
  static constexpr size_t bytes = batch_rows_max * (sizeof(Datum) + sizeof(uint8_t));
  MemoryAccount* account_;
  std::unique_ptr<Datum[]> values_;
  std::unique_ptr<uint8_t[]> nulls_;
};

// A batch with memory for its columns and for what their values point to.
class BatchStorage {
 public:
  BatchStorage(MemoryAccount& account, size_t columns) : arena_(account) {
    for (size_t i = 0; i < columns; i++) {
      storage_.emplace_back(account);
      batch_.columns.push_back(storage_.back().column());
    }
  }
  Batch& batch() { return batch_; }
  Arena& arena() { return arena_; }
  void clear() {
    batch_.rows = 0;
    arena_.reset();
  }

 private:
  Arena arena_;
  std::vector<ColumnStorage> storage_;
  Batch batch_;
};

}  // namespace pgdata
