// readControlFile: fields under PostgreSQL's names; 64-bit ones as bigint, positions too.
#include "addon/control_object.h"

#include "addon/error.h"
#include "engine/control_file.h"

namespace pgdata {

namespace {

class Setter {
 public:
  Setter(Napi::Env env, Napi::Object object) : env_(env), object_(object) {}
  void number(const char* name, double value) { object_.Set(name, Napi::Number::New(env_, value)); }
  void big(const char* name, uint64_t value) { object_.Set(name, Napi::BigInt::New(env_, value)); }
  void flag(const char* name, bool value) { object_.Set(name, Napi::Boolean::New(env_, value)); }
  void text(const char* name, const std::string& value) {
    object_.Set(name, Napi::String::New(env_, value));
  }

 private:
  Napi::Env env_;
  Napi::Object object_;
};

std::string hexadecimal(const uint8_t* bytes, size_t size) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < size; i++) {
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return text;
}

}  // namespace

Napi::Value read_control_file_object(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ControlFile control;
  THROW_IF_ERROR(env,
                 read_control_file(posix_file_system(), info[0].ToString().Utf8Value(), &control));
  const Napi::Object object = Napi::Object::New(env);
  Setter set(env, object);
  set.number("major", major_of(control));
  set.big("system_identifier", control.system_identifier);
  set.number("pg_control_version", control.pg_control_version);
  set.number("catalog_version_no", control.catalog_version_no);
  set.text("state", db_state_name(control.state));
  set.number("time", static_cast<double>(control.time));
  set.big("checkPoint", control.checkPoint);
  const CheckPoint& checkpoint = control.checkPointCopy;
  set.big("redo", checkpoint.redo);
  set.number("ThisTimeLineID", checkpoint.ThisTimeLineID);
  set.number("PrevTimeLineID", checkpoint.PrevTimeLineID);
  set.flag("fullPageWrites", checkpoint.fullPageWrites != 0);
  set.big("nextXid", checkpoint.nextXid);
  set.number("nextOid", checkpoint.nextOid);
  set.number("nextMulti", checkpoint.nextMulti);
  set.number("nextMultiOffset", checkpoint.nextMultiOffset);
  set.number("oldestXid", value_of(checkpoint.oldestXid));
  set.number("oldestXidDB", checkpoint.oldestXidDB);
  set.number("oldestMulti", checkpoint.oldestMulti);
  set.number("oldestMultiDB", checkpoint.oldestMultiDB);
  set.number("oldestActiveXid", value_of(checkpoint.oldestActiveXid));
  set.number("oldestCommitTsXid", value_of(checkpoint.oldestCommitTsXid));
  set.number("newestCommitTsXid", value_of(checkpoint.newestCommitTsXid));
  set.number("checkPointTime", static_cast<double>(checkpoint.time));
  set.big("unloggedLSN", control.unloggedLSN);
  set.big("minRecoveryPoint", control.minRecoveryPoint);
  set.number("minRecoveryPointTLI", control.minRecoveryPointTLI);
  set.big("backupStartPoint", control.backupStartPoint);
  set.big("backupEndPoint", control.backupEndPoint);
  set.flag("backupEndRequired", control.backupEndRequired != 0);
  set.text("wal_level", wal_level_name(control.wal_level));
  set.flag("wal_log_hints", control.wal_log_hints != 0);
  set.number("MaxConnections", control.MaxConnections);
  set.number("max_worker_processes", control.max_worker_processes);
  set.number("max_wal_senders", control.max_wal_senders);
  set.number("max_prepared_xacts", control.max_prepared_xacts);
  set.number("max_locks_per_xact", control.max_locks_per_xact);
  set.flag("track_commit_timestamp", control.track_commit_timestamp != 0);
  set.number("maxAlign", control.maxAlign);
  set.number("blcksz", control.blcksz);
  set.number("relseg_size", control.relseg_size);
  set.number("xlog_blcksz", control.xlog_blcksz);
  set.number("xlog_seg_size", control.xlog_seg_size);
  set.number("nameDataLen", control.nameDataLen);
  set.number("indexMaxKeys", control.indexMaxKeys);
  set.number("toast_max_chunk_size", control.toast_max_chunk_size);
  set.number("loblksize", control.loblksize);
  set.flag("float8ByVal", control.float8ByVal != 0);
  set.number("data_checksum_version", control.data_checksum_version);
  set.flag("default_char_signedness", control.default_char_signedness != 0);
  set.text("mock_authentication_nonce", hexadecimal(control.mock_authentication_nonce,
                                                    sizeof(control.mock_authentication_nonce)));
  return object;
}

}  // namespace pgdata
