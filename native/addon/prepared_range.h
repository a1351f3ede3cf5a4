// PreparedRange: the rows between two keys of an index, a function of four numbers that fills the first batch.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>

#include "addon/prepared_read.h"

namespace pgdata {

// The arguments are how many key columns the lower and the upper bound have, flags, and how many rows are wanted at most.
// The bounds are staged in `keys`, a row each. The function returns how many rows there are, all of them in the batch; the
// NativeScan that goes on after those in the batch, when there may be more; else NoAnswer.
class PreparedRange final : public PreparedRead {
 public:
  enum Flags : int32_t { backward = 1, lower_inclusive = 2, upper_inclusive = 4 };

  PreparedRange(const std::shared_ptr<SessionState>& session, const std::shared_ptr<Table>& table,
                size_t index, const Staged& keys, const Staged& batch)
      : PreparedRead(session, table, true), index_(index), keys_(keys), batch_(batch) {}

 private:
  Napi::Value read(Napi::Env env, const int32_t* arguments, ReadLock* lock) override;
  Napi::Value go_on(Napi::Env env, std::unique_ptr<TableScan> scan, ReadLock* lock);

  size_t index_;
  Staged keys_;
  Staged batch_;
};

}  // namespace pgdata
