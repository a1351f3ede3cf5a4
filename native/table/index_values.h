// IndexValues: the columns of an index, taken from a row and made plain.
#pragma once

#include <vector>

#include "base/status.h"
#include "heap/heap_relation.h"
#include "layout/index_tuple.h"
#include "table/filter.h"
#include "table/table.h"

namespace pgdata {

class IndexValues {
 public:
  IndexValues(const ReadContext& context, const Table& table, const TableIndexDefinition& index)
      : context_(context), table_(table), index_(index), storage_(index.columns.size()) {}

  // Of all columns of the table's row. What `values` gives is valid until the next row.
  Status take(const Datum* values, const bool* nulls) {
    for (size_t i = 0; i < index_.columns.size(); i++) {
      const int attribute = index_.columns[i].attribute;
      nulls_[i] = nulls[attribute];
      values_[i] = 0;
      if (!nulls_[i])
        RETURN_IF_ERROR(
            plain_value(context_, table_, attribute, values[attribute], &storage_[i], &values_[i]));
    }
    return Status::ok;
  }
  const Datum* values() const { return values_; }
  const bool* nulls() const { return nulls_; }

 private:
  ReadContext context_;
  const Table& table_;
  const TableIndexDefinition& index_;
  std::vector<std::vector<std::byte>> storage_;
  Datum values_[INDEX_MAX_KEYS];
  bool nulls_[INDEX_MAX_KEYS];
};

}  // namespace pgdata
