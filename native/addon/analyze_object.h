// AnalyzeObject: NativeAnalyze of src-ts/binding/native.ts, one look at a table's rows.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/cluster_core.h"
#include "analyze/analyze_relation.h"
#include "table/table.h"

namespace pgdata {

class AnalyzeObject final : public Napi::ObjectWrap<AnalyzeObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit AnalyzeObject(const Napi::CallbackInfo& info);

  static Napi::Value make(Napi::Env env, std::shared_ptr<ClusterCore> core, Oid database,
                          std::shared_ptr<Table> table, bool is_autovacuum,
                          std::weak_ptr<TemporaryRelations> temporary = {});

 private:
  // What the pool thread works with: it outlives this object, which JavaScript may drop.
  struct State {
    std::shared_ptr<ClusterCore> core;
    Oid database = invalid_oid;
    std::shared_ptr<Table> table;
    bool is_autovacuum = false;
    std::weak_ptr<TemporaryRelations> temporary;  // of a temporary table
    AnalyzeProgress progress;
  };

  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value progress(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value set_cost_limit(const Napi::CallbackInfo& info);

  std::shared_ptr<State> state_;
};

}  // namespace pgdata
