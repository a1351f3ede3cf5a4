// PreparedLookup: a point read through a unique index that is called again and again, in one call without arguments.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>

#include "addon/session_arguments.h"
#include "addon/session_object.h"
#include "table/row_output.h"
#include "table/table.h"

namespace pgdata {

class PreparedLookup {
 public:
  // What the function returns.
  enum class Answer : int32_t {
    absent = 0,
    found = 1,      // the row is in the batch
    too_long = -1,  // for the batch: see batchHeader.needed
    not_now =
        -2,  // something was or is just being redefined, or is not locked yet: other calls tell more
  };

  // A function for the key that is staged in `keys` when it is called. The buffers stay where they are as long as it lives.
  static Napi::Value make(Napi::Env env, const std::shared_ptr<SessionState>& session,
                          const std::shared_ptr<Table>& table, size_t index, const Staged& keys,
                          const Staged& batch, const Napi::Value& keys_buffer,
                          const Napi::Value& batch_buffer);

 private:
  class ReadLock;
  PreparedLookup(const std::shared_ptr<SessionState>& session, const std::shared_ptr<Table>& table,
                 size_t index, const Staged& keys, const Staged& batch);
  static napi_value call(napi_env env, napi_callback_info info);
  Napi::Value run(Napi::Env env);
  Napi::Value read(Napi::Env env);

  std::shared_ptr<SessionState> session_;
  std::shared_ptr<Table> table_;
  size_t index_;
  Staged keys_;
  Staged batch_;
  RowOutput output_;
  LockTag tag_;
  Napi::Reference<Napi::Value> keys_buffer_;
  Napi::Reference<Napi::Value> batch_buffer_;
};

}  // namespace pgdata
