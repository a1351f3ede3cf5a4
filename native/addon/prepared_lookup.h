// PreparedLookup: a point read through a unique index, a function without arguments.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>

#include "addon/prepared_read.h"
#include "table/row_output.h"

namespace pgdata {

// The function returns 1 when the row whose key is staged in `keys` is in the batch, 0 when there is none; else NoAnswer.
class PreparedLookup final : public PreparedRead {
 public:
  PreparedLookup(const std::shared_ptr<SessionState>& session, const std::shared_ptr<Table>& table,
                 size_t index, const Staged& keys, const Staged& batch)
      : PreparedRead(session, table, false),
        index_(index),
        keys_(keys),
        batch_(batch),
        output_(*table, *batch.layout) {}

 private:
  Napi::Value read(Napi::Env env, const int32_t* arguments, ReadLock* lock) override;

  size_t index_;
  Staged keys_;
  Staged batch_;
  RowOutput output_;
};

}  // namespace pgdata
