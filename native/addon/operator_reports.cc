// What the operators of a plan did: as objects.
#include "addon/operator_reports.h"

#include <algorithm>
#include <utility>

namespace pgdata {

namespace {

constexpr double ns_per_ms = 1e6;

// NativeOperatorReport of src-ts/binding/native.ts
Napi::Object describe_report(Napi::Env env, const OperatorReport& report) {
  const Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, auto value) {
    object.Set(name, Napi::Number::New(env, static_cast<double>(value)));
  };
  set("rows", report.counters.rows);
  set("rowsRemoved", report.counters.rows_removed);
  set("loops", report.counters.loops);
  set("startupMs", report.counters.startup_ms);
  set("totalMs", report.counters.total_ms);
  set("peakBytes", report.peak_bytes);
  set("diskBytes", report.disk_bytes);
  set("batches", report.batches);
  set("indexSearches", report.index_searches);
  set("heapFetches", report.heap_fetches);
  set("exactBlocks", report.exact_blocks);
  set("lossyBlocks", report.lossy_blocks);
  set("rowsRecheckedAway", report.rows_rechecked_away);
  set("conflicts", report.conflicts);
  const Usage& usage = report.counters.usage;
  set("sharedHit", std::max<int64_t>(usage.shared_hit, 0));
  set("sharedRead", usage.shared_read);
  set("sharedDirtied", usage.shared_dirtied);
  set("sharedWritten", usage.shared_written);
  set("localHit", usage.local_hit);
  set("localRead", usage.local_read);
  set("localDirtied", usage.local_dirtied);
  set("localWritten", usage.local_written);
  set("tempReadBytes", usage.temp_read_bytes);
  set("tempWrittenBytes", usage.temp_written_bytes);
  set("walRecords", usage.wal_records);
  set("walImages", usage.wal_images);
  set("walBytes", usage.wal_bytes);
  set("readMs", static_cast<double>(usage.read_ns) / ns_per_ms);
  set("writeMs", static_cast<double>(usage.write_ns) / ns_per_ms);
  if (report.sort_method != nullptr) object.Set("sortMethod", report.sort_method);
  return object;
}

}  // namespace

Napi::Function reports_function(Napi::Env env,
                                std::shared_ptr<const std::vector<OperatorReport>> reports) {
  return Napi::Function::New(env, [reports = std::move(reports)](const Napi::CallbackInfo& call) {
    const Napi::Array array = Napi::Array::New(call.Env());
    for (uint32_t i = 0; i < reports->size(); i++)
      array.Set(i, describe_report(call.Env(), (*reports)[i]));
    return array;
  });
}

}  // namespace pgdata
