// ClusterObject: who does what, and who has locked what.
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "addon/cluster_object.h"
#include "addon/session_object.h"
#include "xact/process_array.h"

namespace pgdata {

namespace {

// As pg_stat_activity.state calls it; a worker has none.
const char* name_of(ActivityState state) {
  switch (state) {
    case ActivityState::active:
      return "active";
    case ActivityState::idle:
      return "idle";
    case ActivityState::idle_in_transaction:
      return "idle in transaction";
    case ActivityState::aborted:
      return "idle in transaction (aborted)";
    case ActivityState::none:
      break;
  }
  return "";
}

// What is not there is null.
Napi::Value name_value(Napi::Env env, const char* name) {
  return *name == 0 ? env.Null() : Napi::String::New(env, name);
}

Napi::Value time_value(Napi::Env env, TimestampTz time) {
  return time == 0 ? env.Null() : Napi::BigInt::New(env, int64_t{time});
}

Napi::Value xid_value(Napi::Env env, TransactionId xid) {
  return is_valid(xid) ? Napi::Number::New(env, value_of(xid)) : env.Null();
}

Napi::Object activity_object(Napi::Env env, const Activity& activity,
                             const ProcessArray& processes) {
  const bool has_slot = activity.slot >= 0;
  const Napi::Object object = Napi::Object::New(env);
  object.Set("session", has_slot ? Napi::Number::New(env, activity.slot + 1) : env.Null());
  object.Set("pid", Napi::Number::New(env, activity.pid));
  object.Set("backendType", name_of(activity.type));
  object.Set("database", Napi::Number::New(env, activity.database));
  object.Set("applicationName", activity.application_name);
  object.Set("state", name_value(env, name_of(activity.state)));
  object.Set("waitEventType", name_value(env, type_of(activity.wait_event)));
  object.Set("waitEvent", name_value(env, name_of(activity.wait_event)));
  object.Set("backendStart", time_value(env, activity.backend_start));
  object.Set("xactStart", time_value(env, activity.xact_start));
  object.Set("queryStart", time_value(env, activity.query_start));
  object.Set("stateChange", time_value(env, activity.state_change));
  object.Set("backendXid", has_slot ? xid_value(env, processes.xid_of(activity.slot)) : env.Null());
  object.Set("backendXmin",
             has_slot ? xid_value(env, processes.xmin_of(activity.slot)) : env.Null());
  object.Set("operation", activity.operation);
  object.Set("relation", Napi::Number::New(env, activity.relation));
  return object;
}

}  // namespace

// activity(): NativeActivity[]
Napi::Value ClusterObject::activity(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    Engine& engine = core_->engine();
    const Napi::Array array = Napi::Array::New(env);
    if (engine.activity() == nullptr) return array;
    for (const Activity& activity : engine.activity()->list())
      array.Set(array.Length(), activity_object(env, activity, engine.transactions().processes()));
    return array;
  });
}

// requestMemoryContexts(pid): boolean
Napi::Value ClusterObject::request_memory_contexts(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    const int32_t pid = info[0].ToNumber().Int32Value();
    return Napi::Boolean::New(env, core_->engine().processes().request_memory_contexts(pid));
  });
}

// takeMemoryContextRequest(): boolean
Napi::Value ClusterObject::take_memory_context_request(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    Engine& engine = core_->engine();
    return Napi::Boolean::New(env,
                              engine.processes().take_memory_context_request(engine.process()));
  });
}

// reportWorker(type: 'autovacuum launcher' | 'archiver', isResting)
Napi::Value ClusterObject::report_worker(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    const std::string type = info[0].ToString().Utf8Value();
    const bool is_resting = info[1].ToBoolean().Value();
    if (type == name_of(BackendType::autovac_launcher))
      core_->engine().report_worker(BackendType::autovac_launcher,
                                    is_resting ? WaitEvent::autovacuum_main : WaitEvent::none);
    else if (type == name_of(BackendType::archiver))
      core_->engine().report_worker(BackendType::archiver, is_resting ? WaitEvent::archiver_main
                                                                      : WaitEvent::archive_command);
    else
      THROW_IF_ERROR(env, bad_argument("type"));
    return env.Undefined();
  });
}

namespace {

// Those of the table, and each running transaction's on its ids, which are not in the table while nobody waits for them.
std::vector<LockEntry> locks_of(Engine& engine) {
  std::vector<LockEntry> all = engine.locks().entries();
  std::unordered_set<uint32_t> known;
  for (const LockEntry& entry : all) {
    if (entry.tag.type == LockTagType::transaction && entry.level == LockLevel::exclusive)
      known.insert(entry.tag.field1);
  }
  const ProcessArray& processes = engine.transactions().processes();
  const EngineOptions& options = engine.options();
  const auto slots = static_cast<int>(options.max_backends + options.max_prepared_transactions);
  for (int slot = 0; slot < slots; ++slot) {
    const TransactionId xid = processes.xid_of(slot);
    if (!is_valid(xid)) continue;
    std::vector<TransactionId> xids = processes.subxids_of(slot);
    xids.insert(xids.begin(), xid);
    for (const TransactionId each : xids) {
      if (known.contains(value_of(each))) continue;
      LockEntry entry = engine.locks().entry_of_slot(slot);
      entry.tag = LockTag::transaction(each);
      entry.level = LockLevel::exclusive;
      entry.granted = true;
      all.push_back(entry);
    }
  }
  return all;
}

}  // namespace

// locks(): NativeLock[]
Napi::Value ClusterObject::locks(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    Engine& engine = core_->engine();
    const std::vector<LockEntry> entries = locks_of(engine);
    const ProcessArray& processes = engine.transactions().processes();
    std::unordered_map<int, uint32_t> pids;
    if (engine.activity() != nullptr) {
      for (const Activity& activity : engine.activity()->list()) pids[activity.slot] = activity.pid;
    }
    Napi::Array array = Napi::Array::New(env, entries.size());
    for (uint32_t i = 0; i < entries.size(); i++) {
      const LockEntry& entry = entries[i];
      Napi::Object object = Napi::Object::New(env);
      object.Set("type", name_of(wait_event_of(entry.tag.type)));
      object.Set("field1", Napi::Number::New(env, entry.tag.field1));
      object.Set("field2", Napi::Number::New(env, entry.tag.field2));
      object.Set("field3", Napi::Number::New(env, entry.tag.field3));
      object.Set("field4", Napi::Number::New(env, entry.tag.field4));
      object.Set("session", Napi::Number::New(env, entry.number));
      object.Set("mode", name_of(entry.level));
      object.Set("granted", Napi::Boolean::New(env, entry.granted));
      const auto pid = pids.find(entry.slot);
      object.Set("pid", Napi::Number::New(env, pid == pids.end() ? 0 : pid->second));
      object.Set("localTransaction", Napi::Number::New(env, entry.local_transaction));
      object.Set("transaction", Napi::Number::New(env, value_of(processes.xid_of(entry.slot))));
      object.Set("fastPath", Napi::Boolean::New(env, entry.fast_path));
      object.Set("waitStart", time_value(env, entry.wait_start));
      array.Set(i, object);
    }
    return array;
  });
}

}  // namespace pgdata
