// DiskObject: fault rules out of JavaScript objects.
#include "addon/disk_object.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "addon/environment.h"
#include "addon/error.h"

namespace pgdata {

namespace {

Napi::Value number_of(Napi::Env env, uint64_t value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

struct FaultName {
  const char* name;
  Fault fault;
};
constexpr FaultName fault_names[] = {
    {"io_error", Fault::io_error},           {"no_space", Fault::no_space},
    {"short_write", Fault::short_write},     {"delay", Fault::delay},
    {"power_failure", Fault::power_failure}, {"broken_invariant", Fault::broken_invariant},
};

bool find_fault(const std::string& name, Fault* fault) {
  for (const FaultName& known : fault_names) {
    if (name != known.name) continue;
    *fault = known.fault;
    return true;
  }
  return false;
}

bool find_kind(const std::string& name, uint32_t* kinds) {
  for (uint32_t kind = 0; kind < operation_kinds; kind++) {
    if (name != name_of(static_cast<OperationKind>(kind))) continue;
    *kinds |= bit_of(static_cast<OperationKind>(kind));
    return true;
  }
  return false;
}

uint64_t count_of(const Napi::Value& value, uint64_t unless_given) {
  if (!value.IsNumber()) return unless_given;
  const double count = value.As<Napi::Number>().DoubleValue();
  if (!(count < 9e15)) return std::numeric_limits<uint64_t>::max();
  return count <= 0 ? 0 : static_cast<uint64_t>(count);
}

// { fault, kinds, path?, skip?, times?, probability?, seed?, delayMs? }
Status read_rule(const Napi::Object& object, FaultRule* rule) {
  if (!find_fault(object.Get("fault").ToString().Utf8Value(), &rule->fault))
    return bad_argument("fault");
  const Napi::Value kinds = object.Get("kinds");
  if (!kinds.IsArray()) return bad_argument("kinds");
  rule->kinds = 0;
  const auto names = kinds.As<Napi::Array>();
  for (uint32_t i = 0; i < names.Length(); i++)
    if (!find_kind(names.Get(i).ToString().Utf8Value(), &rule->kinds)) return bad_argument("kinds");
  if (const Napi::Value path = object.Get("path"); path.IsString())
    rule->path_part = path.As<Napi::String>().Utf8Value();
  rule->skip = count_of(object.Get("skip"), 0);
  rule->times = count_of(object.Get("times"), 1);
  rule->seed = count_of(object.Get("seed"), 0);
  rule->delay_ms = static_cast<uint32_t>(count_of(object.Get("delayMs"), 1));
  if (const Napi::Value probability = object.Get("probability"); probability.IsNumber())
    rule->probability = probability.As<Napi::Number>().DoubleValue();
  if (!(rule->probability >= 0.0 && rule->probability <= 1.0)) return bad_argument("probability");
  return Status::ok;
}

}  // namespace

Napi::Function DiskObject::define(Napi::Env env) {
  return DefineClass(env, "NativeDisk",
                     {
                         InstanceMethod("fail", &DiskObject::fail),
                         InstanceMethod("clearFaults", &DiskObject::clear_faults),
                         InstanceMethod("step", &DiskObject::step),
                         InstanceMethod("faultsMet", &DiskObject::faults_met),
                         InstanceMethod("journalRecords", &DiskObject::journal_records),
                         InstanceMethod("flushJournal", &DiskObject::flush_journal),
                     });
}

DiskObject::DiskObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<DiskObject>(info),
      files_(std::make_shared<WatchedFileSystem>(posix_file_system())) {
  if (!info[0].IsString()) return;
  const Status status = files_->start_journal(info[0].As<Napi::String>().Utf8Value());
  if (!status.is_ok()) throw_error(info.Env(), status);
}

Status DiskObject::read(const Napi::Object& options, std::shared_ptr<WatchedFileSystem>* files) {
  const Napi::Value disk = options.Get("disk");
  if (disk.IsUndefined()) return Status::ok;
  if (!disk.IsObject() ||
      !disk.As<Napi::Object>().InstanceOf(environment(options.Env()).disk_class.Value()))
    return bad_argument("disk");
  *files = Unwrap(disk.As<Napi::Object>())->files_;
  return Status::ok;
}

Napi::Value DiskObject::fail(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) THROW_IF_ERROR(env, bad_argument("rule"));
  FaultRule rule;
  THROW_IF_ERROR(env, read_rule(info[0].As<Napi::Object>(), &rule));
  files_->fail(std::move(rule));
  return env.Undefined();
}

Napi::Value DiskObject::clear_faults(const Napi::CallbackInfo& info) {
  files_->clear_faults();
  return info.Env().Undefined();
}

Napi::Value DiskObject::step(const Napi::CallbackInfo& info) {
  return number_of(info.Env(), files_->step());
}

Napi::Value DiskObject::faults_met(const Napi::CallbackInfo& info) {
  return number_of(info.Env(), files_->faults_met());
}

Napi::Value DiskObject::journal_records(const Napi::CallbackInfo& info) {
  return number_of(info.Env(), files_->journal_records());
}

Napi::Value DiskObject::flush_journal(const Napi::CallbackInfo& info) {
  THROW_IF_ERROR(info.Env(), files_->flush_journal());
  return info.Env().Undefined();
}

}  // namespace pgdata
