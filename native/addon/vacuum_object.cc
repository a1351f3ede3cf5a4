// VacuumObject: running a vacuum on a pool thread, and looking at it meanwhile.
#include "addon/vacuum_object.h"

#include <utility>

#include "addon/descriptor.h"
#include "addon/environment.h"
#include "addon/upkeep_backend.h"
#include "statistics/counting.h"
#include "vacuum/truncate_heap.h"
#include "xact/process_array.h"

namespace pgdata {

namespace {

Napi::Object outcome_object(Napi::Env env, const VacuumOutcome& outcome) {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, double value) {
    object.Set(name, Napi::Number::New(env, value));
  };
  object.Set("aggressive", Napi::Boolean::New(env, outcome.aggressive));
  object.Set("failsafe", Napi::Boolean::New(env, outcome.failsafe));
  object.Set("truncatable", Napi::Boolean::New(env, outcome.truncatable));
  set("indexScans", outcome.index_scans);
  set("relPages", outcome.rel_pages);
  set("scannedPages", outcome.scanned_pages);
  set("nonemptyPages", outcome.nonempty_pages);
  set("liveTuples", outcome.live_tuples);
  set("tuplesDeleted", static_cast<double>(outcome.tuples_deleted));
  set("tuplesFrozen", static_cast<double>(outcome.tuples_frozen));
  set("recentlyDeadTuples", static_cast<double>(outcome.recently_dead_tuples));
  set("missedDeadTuples", static_cast<double>(outcome.missed_dead_tuples));
  set("deadItems", static_cast<double>(outcome.dead_items));
  set("allVisiblePages", outcome.all_visible_pages);
  set("allFrozenPages", outcome.all_frozen_pages);
  set("relfrozenxid", value_of(outcome.relfrozenxid));
  set("relminmxid", outcome.relminmxid);
  Napi::Array indexes = Napi::Array::New(env, outcome.indexes.size());
  for (uint32_t i = 0; i < outcome.indexes.size(); i++) {
    const BtreeVacuumResult& result = outcome.indexes[i];
    Napi::Object index = Napi::Object::New(env);
    index.Set("counted", Napi::Boolean::New(env, result.scanned && !result.tuples_are_estimated));
    index.Set("pages", Napi::Number::New(env, result.blocks));
    index.Set("tuples", Napi::Number::New(env, static_cast<double>(result.tuples)));
    index.Set("tuplesRemoved", Napi::Number::New(env, static_cast<double>(result.tuples_removed)));
    index.Set("pagesNewlyDeleted", Napi::Number::New(env, result.pages_newly_deleted));
    index.Set("pagesDeleted", Napi::Number::New(env, result.pages_deleted));
    index.Set("pagesFree", Napi::Number::New(env, result.pages_free));
    indexes.Set(i, index);
  }
  object.Set("indexes", indexes);
  return object;
}

}  // namespace

Napi::Function VacuumObject::define(Napi::Env env) {
  return DefineClass(env, "NativeVacuum",
                     {
                         InstanceMethod("run", &VacuumObject::run),
                         InstanceMethod("countNonempty", &VacuumObject::count_nonempty),
                         InstanceMethod("truncate", &VacuumObject::truncate),
                         InstanceMethod("progress", &VacuumObject::progress),
                         InstanceMethod("cancel", &VacuumObject::cancel),
                         InstanceMethod("setCostLimit", &VacuumObject::set_cost_limit),
                     });
}

VacuumObject::VacuumObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<VacuumObject>(info), state_(std::make_shared<State>()) {}

Napi::Value VacuumObject::make(Napi::Env env, std::shared_ptr<ClusterCore> core, Oid database,
                               std::shared_ptr<Table> table, bool of_toast, bool is_autovacuum,
                               std::weak_ptr<TemporaryRelations> temporary) {
  const Napi::Object object = environment(env).vacuum_class.New({});
  State& state = *Unwrap(object)->state_;
  state.core = std::move(core);
  state.database = database;
  state.table = std::move(table);
  state.of_toast = of_toast;
  state.is_autovacuum = is_autovacuum;
  state.temporary = std::move(temporary);
  return object;
}

// run(bounds, settings, trackIoTiming, trackWalIoTiming): Promise<VacuumOutcome>
Napi::Value VacuumObject::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  THROW_IF_ERROR(env, state_->core->check());
  VacuumTarget target;
  VacuumSettings settings;
  THROW_IF_ERROR(env, read_vacuum_target(info[0], &target));
  THROW_IF_ERROR(env, read_vacuum_settings(info[1], &settings));
  target.heap = &state_->heap();
  if (state_->of_toast) {
    target.indexes.push_back(&state_->table->toast()->index());
  } else {
    for (const Table::Index& index : state_->table->indexes()) {
      if (index.btree)
        target.indexes.push_back(index.btree.get());
      else
        target.has_all_indexes = false;
    }
  }
  const bool times_relations = info[2].ToBoolean().Value();
  const bool times_wal = info[3].ToBoolean().Value();
  auto outcome = std::make_shared<VacuumOutcome>();
  // Nobody waits for one that nobody asked for.
  const auto run = state_->is_autovacuum ? run_on_engine_detached : run_on_engine;
  return run(
      env, *state_->core,
      [state = state_, background = state_->core->background(), target, settings, times_relations,
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
        LazyVacuum vacuum(*backend, target, settings, state->progress);
        return vacuum.run(outcome.get());
      },
      [outcome](Napi::Env here) { return outcome_object(here, *outcome); });
}

// countNonempty(relPages, nonemptyPages): Promise<number>
Napi::Value VacuumObject::count_nonempty(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  THROW_IF_ERROR(env, state_->core->check());
  const uint32_t rel_pages = info[0].ToNumber().Uint32Value();
  const uint32_t nonempty_pages = info[1].ToNumber().Uint32Value();
  auto found = std::make_shared<NonemptyPages>();
  state_->progress.phase = VacuumPhase::truncating_heap;
  return run_on_engine(
      env, *state_->core,
      [state = state_, background = state_->core->background(), rel_pages, nonempty_pages,
       found](Engine& engine) {
        state->progress.stopping = &background->stopping();
        const auto pause = [&] { return state->progress.check(); };
        std::unique_ptr<Backend> backend;
        RETURN_IF_ERROR(make_upkeep_backend(engine, state->database, *state->table,
                                            state->temporary, &backend));
        return count_nonempty_pages(
            backend->pool_of(state->heap().temporary), state->heap(), rel_pages, nonempty_pages,
            pause, [] { return false; }, found.get());
      },
      [found](Napi::Env here) { return Napi::Number::New(here, found->blocks); });
}

// truncate(relPages, nonemptyPages): number, the pages that are left. None go while somebody may be reading a catalog,
// which is not locked for that.
Napi::Value VacuumObject::truncate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *state_->core, [&]() -> Napi::Value {
    THROW_IF_ERROR(env, state_->core->check());
    Engine& engine = state_->core->engine();
    if (state_->table->definition().oid < first_normal_object_id &&
        engine.transactions().processes().anybody_has_snapshot())
      return info[0];
    std::unique_ptr<Backend> backend;
    THROW_IF_ERROR(env, make_upkeep_backend(engine, state_->database, *state_->table,
                                            state_->temporary, &backend));
    uint32_t blocks = 0;
    THROW_IF_ERROR(env, truncate_heap(*backend, state_->heap(), info[0].ToNumber().Uint32Value(),
                                      info[1].ToNumber().Uint32Value(), &blocks));
    return Napi::Number::New(env, blocks);
  });
}

// progress(): numbers named as the columns of pg_stat_progress_vacuum
Napi::Value VacuumObject::progress(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const VacuumProgress& progress = state_->progress;
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, double value) {
    object.Set(name, Napi::Number::New(env, value));
  };
  set("phase", static_cast<double>(progress.phase.load()));
  set("heap_blks_total", progress.heap_blks_total);
  set("heap_blks_scanned", progress.heap_blks_scanned);
  set("heap_blks_vacuumed", progress.heap_blks_vacuumed);
  set("index_vacuum_count", progress.index_vacuum_count);
  set("max_dead_tuple_bytes", static_cast<double>(progress.max_dead_tuple_bytes.load()));
  set("dead_tuple_bytes", static_cast<double>(progress.dead_tuple_bytes.load()));
  set("num_dead_item_ids", static_cast<double>(progress.num_dead_item_ids.load()));
  set("indexes_total", progress.indexes_total);
  set("indexes_processed", progress.indexes_processed);
  return object;
}

// setCostLimit(limit)
Napi::Value VacuumObject::set_cost_limit(const Napi::CallbackInfo& info) {
  state_->progress.cost_limit = info[0].ToNumber().Uint32Value();
  return info.Env().Undefined();
}

Napi::Value VacuumObject::cancel(const Napi::CallbackInfo& info) {
  state_->progress.canceled = true;
  return info.Env().Undefined();
}

}  // namespace pgdata
