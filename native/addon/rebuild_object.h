// RebuildObject: NativeRebuild of src-ts/binding/native.ts, an index or heap being written anew in a session's transaction.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/session_object.h"
#include "table/table_rebuild.h"

namespace pgdata {

class RebuildObject final : public Napi::ObjectWrap<RebuildObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit RebuildObject(const Napi::CallbackInfo& info);

  static Napi::Value of_index(Napi::Env env, std::shared_ptr<SessionState> session,
                              std::shared_ptr<Table> table, std::unique_ptr<IndexRebuild> rebuild);
  static Napi::Value of_heap(Napi::Env env, std::shared_ptr<SessionState> session,
                             std::shared_ptr<Table> source, std::shared_ptr<Table> target,
                             std::unique_ptr<HeapCopy> copy);

 private:
  static RebuildObject* make(Napi::Env env, std::shared_ptr<SessionState> session,
                             std::shared_ptr<Table> source, std::shared_ptr<Table> target,
                             Napi::Object* object);
  Napi::Value step(const Napi::CallbackInfo& info);
  Status go_on(bool* done);
  Napi::Object outcome(Napi::Env env) const;

  std::shared_ptr<SessionState> session_;
  // Keeps what the work stands on, however late this object is collected.
  std::shared_ptr<Engine> engine_;
  std::shared_ptr<Table> source_;
  std::shared_ptr<Table> target_;
  uint64_t transaction_ = 0;
  uint64_t subtransaction_ = 0;
  // One of the two; neither once it has ended.
  std::unique_ptr<IndexRebuild> index_;
  std::unique_ptr<HeapCopy> heap_;
};

}  // namespace pgdata
