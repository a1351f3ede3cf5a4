// WindowKeys: comparing rows by them.
#include "executor/window_keys.h"

#include <utility>

namespace pgdata {

Status WindowKeys::make(const std::vector<ValueType>& types, std::vector<size_t> columns,
                        WindowKeys* keys) {
  for (const size_t column : columns) {
    KeyColumn equality;
    RETURN_IF_ERROR(equality_of_type(types[column], &equality));
    keys->equality.push_back(equality);
  }
  keys->columns = std::move(columns);
  return Status::ok;
}

KeptKeys::KeptKeys(const std::vector<ValueType>& types, WindowKeys keys, MemoryAccount& account)
    : types_(types),
      keys_(std::move(keys)),
      values_(keys_.columns.size()),
      nulls_(keys_.columns.size()),
      memory_(account) {}

bool KeptKeys::differ(const std::vector<Column>& columns, uint32_t row) const {
  if (!has_any_) return true;
  for (size_t i = 0; i < keys_.columns.size(); i++) {
    const Column& column = columns[keys_.columns[i]];
    if (column.nulls[row] != nulls_[i]) return true;
    const KeyColumn& equality = keys_.equality[i];
    if (nulls_[i] == 0 && equality.compare(column.values[row], values_[i], equality) != 0)
      return true;
  }
  return false;
}

void KeptKeys::keep(const std::vector<Column>& columns, uint32_t row) {
  has_any_ = true;
  memory_.reset();
  for (size_t i = 0; i < keys_.columns.size(); i++) {
    const size_t at = keys_.columns[i];
    const Column& column = columns[at];
    nulls_[i] = column.nulls[row];
    values_[i] = column.nulls[row] != 0 ? 0 : types_[at].copy(column.values[row], memory_);
  }
}

}  // namespace pgdata
