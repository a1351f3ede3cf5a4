// VacuumObject: NativeVacuum of src-ts/binding/native.ts, one vacuum of a table or of its TOAST table.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/cluster_core.h"
#include "table/table.h"
#include "vacuum/lazy_vacuum.h"

namespace pgdata {

class VacuumObject final : public Napi::ObjectWrap<VacuumObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit VacuumObject(const Napi::CallbackInfo& info);

  static Napi::Value make(Napi::Env env, std::shared_ptr<ClusterCore> core, Oid database,
                          std::shared_ptr<Table> table, bool of_toast, bool is_autovacuum,
                          std::weak_ptr<TemporaryRelations> temporary = {});

 private:
  // What the pool thread works with: it outlives this object, which JavaScript may drop.
  struct State {
    std::shared_ptr<ClusterCore> core;
    Oid database = invalid_oid;
    std::shared_ptr<Table> table;
    bool of_toast = false;
    bool is_autovacuum = false;
    std::weak_ptr<TemporaryRelations> temporary;  // of a temporary table
    VacuumProgress progress;

    HeapRelation& heap() const { return of_toast ? table->toast()->heap() : table->heap(); }
  };

  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value count_nonempty(const Napi::CallbackInfo& info);
  Napi::Value truncate(const Napi::CallbackInfo& info);
  Napi::Value progress(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value set_cost_limit(const Napi::CallbackInfo& info);

  std::shared_ptr<State> state_;
};

}  // namespace pgdata
