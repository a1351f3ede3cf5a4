// WindowKeys: the columns by which rows belong to one partition, or are peers.
#pragma once

#include <vector>

#include "executor/arena.h"
#include "executor/batch.h"
#include "executor/value_type.h"

namespace pgdata {

struct WindowKeys {
  std::vector<size_t> columns;
  std::vector<KeyColumn> equality;

  static Status make(const std::vector<ValueType>& types, std::vector<size_t> columns,
                     WindowKeys* keys);
};

// The keys of a row that is gone.
class KeptKeys {
 public:
  // `types`: of all the row's columns.
  KeptKeys(const std::vector<ValueType>& types, WindowKeys keys, MemoryAccount& account);

  // Whether a row's keys are others; before any were kept, they are.
  bool differ(const std::vector<Column>& columns, uint32_t row) const;
  void keep(const std::vector<Column>& columns, uint32_t row);

 private:
  const std::vector<ValueType>& types_;
  const WindowKeys keys_;
  bool has_any_ = false;
  std::vector<Datum> values_;
  std::vector<uint8_t> nulls_;
  Arena memory_;
};

}  // namespace pgdata
