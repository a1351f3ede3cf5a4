// AnalyzeObject: analyzing on a pool thread, and looking at it meanwhile.
#include "addon/analyze_object.h"

#include <utility>

#include "addon/descriptor.h"
#include "addon/environment.h"
#include "addon/upkeep_backend.h"
#include "statistics/counting.h"

namespace pgdata {

namespace {

Napi::Value slot_object(Napi::Env env, const StatisticSlot& slot) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("kind", Napi::Number::New(env, static_cast<int16_t>(slot.kind)));
  Napi::Array numbers = Napi::Array::New(env, slot.numbers.size());
  for (uint32_t i = 0; i < slot.numbers.size(); i++)
    numbers.Set(i, Napi::Number::New(env, static_cast<double>(slot.numbers[i])));
  object.Set("numbers", numbers);
  if (slot.values.empty())
    object.Set("values", env.Null());
  else
    object.Set("values",
               Napi::Buffer<uint8_t>::Copy(
                   env, reinterpret_cast<const uint8_t*>(slot.values.data()), slot.values.size()));
  return object;
}

Napi::Value column_object(Napi::Env env, const ColumnStatistics& column) {
  if (!column.valid) return env.Null();
  Napi::Object object = Napi::Object::New(env);
  object.Set("nullFraction", Napi::Number::New(env, static_cast<double>(column.null_fraction)));
  object.Set("width", Napi::Number::New(env, column.width));
  object.Set("distinct", Napi::Number::New(env, static_cast<double>(column.distinct)));
  Napi::Array slots = Napi::Array::New(env, column.slots.size());
  for (uint32_t i = 0; i < column.slots.size(); i++)
    slots.Set(i, slot_object(env, column.slots[i]));
  object.Set("slots", slots);
  return object;
}

Napi::Object outcome_object(Napi::Env env, const AnalyzeOutcome& outcome) {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, double value) {
    object.Set(name, Napi::Number::New(env, value));
  };
  set("relPages", outcome.rel_pages);
  set("scannedPages", outcome.scanned_pages);
  set("sampledRows", outcome.sampled_rows);
  set("liveRows", outcome.live_rows);
  set("deadRows", outcome.dead_rows);
  set("allVisiblePages", outcome.all_visible_pages);
  set("allFrozenPages", outcome.all_frozen_pages);
  Napi::Array columns = Napi::Array::New(env, outcome.columns.size());
  for (uint32_t i = 0; i < outcome.columns.size(); i++)
    columns.Set(i, column_object(env, outcome.columns[i]));
  object.Set("columns", columns);
  Napi::Array index_pages = Napi::Array::New(env, outcome.index_pages.size());
  for (uint32_t i = 0; i < outcome.index_pages.size(); i++)
    index_pages.Set(i, Napi::Number::New(env, outcome.index_pages[i]));
  object.Set("indexPages", index_pages);
  return object;
}

}  // namespace

Napi::Function AnalyzeObject::define(Napi::Env env) {
  return DefineClass(env, "NativeAnalyze",
                     {
                         InstanceMethod("run", &AnalyzeObject::run),
                         InstanceMethod("progress", &AnalyzeObject::progress),
                         InstanceMethod("cancel", &AnalyzeObject::cancel),
                         InstanceMethod("setCostLimit", &AnalyzeObject::set_cost_limit),
                     });
}

AnalyzeObject::AnalyzeObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<AnalyzeObject>(info), state_(std::make_shared<State>()) {}

Napi::Value AnalyzeObject::make(Napi::Env env, std::shared_ptr<ClusterCore> core, Oid database,
                                std::shared_ptr<Table> table, bool is_autovacuum,
                                std::weak_ptr<TemporaryRelations> temporary) {
  const Napi::Object object = environment(env).analyze_class.New({});
  State& state = *Unwrap(object)->state_;
  state.core = std::move(core);
  state.database = database;
  state.table = std::move(table);
  state.is_autovacuum = is_autovacuum;
  state.temporary = std::move(temporary);
  return object;
}

// run(columns, settings, trackIoTiming, trackWalIoTiming): Promise<NativeAnalyzeOutcome>
Napi::Value AnalyzeObject::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  THROW_IF_ERROR(env, state_->core->check());
  std::vector<AnalyzedColumn> columns;
  CostSettings settings;
  THROW_IF_ERROR(env, read_analyzed_columns(info[0], *state_->table, &columns));
  THROW_IF_ERROR(env, read_cost_settings(info[1], &settings));
  const bool times_relations = info[2].ToBoolean().Value();
  const bool times_wal = info[3].ToBoolean().Value();
  auto outcome = std::make_shared<AnalyzeOutcome>();
  // Nobody waits for one that nobody asked for.
  const auto run = state_->is_autovacuum ? run_on_engine_detached : run_on_engine;
  return run(
      env, *state_->core,
      [state = state_, background = state_->core->background(), columns, settings, times_relations,
       times_wal, outcome](Engine& engine) {
        state->progress.stopping = &background->stopping();
        std::unique_ptr<Backend> backend;
        RETURN_IF_ERROR(make_upkeep_backend(engine, state->database, *state->table,
                                            state->temporary, &backend));
        if (SessionCounters* const counters = backend->counters()) {
          if (state->is_autovacuum) counters->set_type(BackendType::autovac_worker);
          counters->set_io_timings(times_relations, times_wal);
        }
        const CountingScope counting(backend->counters());
        RETURN_IF_ERROR(backend->begin(IsolationLevel::repeatable_read, true));
        RETURN_IF_ERROR(analyze_relation(*backend, *state->table, columns, settings,
                                         state->progress, outcome.get()));
        Lsn nothing_to_flush = invalid_lsn;
        return backend->commit(false, &nothing_to_flush);
      },
      [outcome](Napi::Env here) { return outcome_object(here, *outcome); });
}

// progress(): numbers named as the columns of pg_stat_progress_analyze
Napi::Value AnalyzeObject::progress(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const AnalyzeProgress& progress = state_->progress;
  Napi::Object object = Napi::Object::New(env);
  object.Set("phase", Napi::Number::New(env, static_cast<double>(progress.phase.load())));
  object.Set("sample_blks_total", Napi::Number::New(env, progress.sample_blks_total));
  object.Set("sample_blks_scanned", Napi::Number::New(env, progress.sample_blks_scanned));
  return object;
}

// setCostLimit(limit)
Napi::Value AnalyzeObject::set_cost_limit(const Napi::CallbackInfo& info) {
  state_->progress.cost_limit = info[0].ToNumber().Uint32Value();
  return info.Env().Undefined();
}

Napi::Value AnalyzeObject::cancel(const Napi::CallbackInfo& info) {
  state_->progress.canceled = true;
  return info.Env().Undefined();
}

}  // namespace pgdata
