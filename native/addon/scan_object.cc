// ScanObject: batches on request.
#include "addon/scan_object.h"

#include <utility>

#include "addon/environment.h"
#include "shmem/wait_scope.h"
#include "statistics/counting.h"

namespace pgdata {

namespace {
constexpr napi_type_tag writing_tag = {0x63a8f0b1d2574c09, 0x8e5b7a41c6d32f90};
}  // namespace

Napi::Function ScanObject::define(Napi::Env env) {
  return DefineClass(
      env, "NativeScan",
      {InstanceMethod("next", &ScanObject::next), InstanceMethod("close", &ScanObject::close)});
}

ScanObject::ScanObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ScanObject>(info) {}

ScanObject::~ScanObject() { finish(); }

Napi::Value ScanObject::make(Napi::Env env, std::shared_ptr<SessionState> session,
                             std::shared_ptr<const RowLayout> layout,
                             std::unique_ptr<TableScan> scan) {
  const Napi::Object object = environment(env).scan_class.New({});
  ScanObject* made = Unwrap(object);
  made->implicit_ = !session->explicit_transaction;
  made->transaction_ = session->transaction;
  made->subtransaction_ = session->subtransaction;
  if (made->implicit_) session->implicit_scans++;
  session->scans.insert(made);
  made->session_ = std::move(session);
  made->layout_ = std::move(layout);
  made->scan_ = std::move(scan);
  return object;
}

Napi::Value ScanObject::make_writing(Napi::Env env, std::shared_ptr<SessionState> session,
                                     std::shared_ptr<const RowLayout> layout,
                                     std::unique_ptr<TableScan> scan, WritingOperator* writing) {
  const Napi::Value made = make(env, std::move(session), std::move(layout), std::move(scan));
  const auto object = made.As<Napi::Object>();
  object.TypeTag(&writing_tag);
  Unwrap(object)->writing_ = writing;
  return made;
}

ScanObject* ScanObject::writing_scan_of(const Napi::Value& value) {
  if (!value.IsObject()) return nullptr;
  const auto object = value.As<Napi::Object>();
  if (!object.CheckTypeTag(&writing_tag)) return nullptr;
  ScanObject* const scan = Unwrap(object);
  return scan->session_ == nullptr || scan->scan_ == nullptr ? nullptr : scan;
}

// next(batch: Uint8Array, rowsMax?: number): number of rows
Napi::Value ScanObject::next(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (session_ == nullptr)
    THROW_IF_ERROR(env, Status::error(ErrorCode::invalid_cursor_state, "the scan is closed"));
  return guarded(env, *session_->core, [&]() -> Napi::Value {
    THROW_IF_ERROR(env, session_->check());
    const CountingScope counting(session_->counters());
    const WaitReport reporting(session_->activity);
    if (info.Length() < 1 || info.Length() > 2) THROW_IF_ERROR(env, bad_argument("batch"));
    uint32_t rows_max = UINT32_MAX;
    if (info.Length() > 1) {
      if (!info[1].IsNumber()) THROW_IF_ERROR(env, bad_argument("number of rows"));
      rows_max = info[1].As<Napi::Number>().Uint32Value();
    }
    uint32_t rows = 0;
    THROW_IF_ERROR(env, read(info[0], rows_max, &rows));
    return Napi::Number::New(env, rows);
  });
}

Status ScanObject::read(const Napi::Value& value, uint32_t rows_max, uint32_t* rows) {
  if (session_ == nullptr)
    return Status::error(ErrorCode::invalid_cursor_state, "the scan is closed");
  if (!implicit_ && (!session_->explicit_transaction || session_->transaction != transaction_))
    return Status::error(ErrorCode::invalid_cursor_state, "the transaction of the scan has ended");
  if (scan_ == nullptr) return Status::error(ErrorCode::invalid_cursor_state, "the scan is closed");
  if (!value.IsTypedArray()) return bad_argument("batch");
  auto batch = value.As<Napi::Uint8Array>();
  if (batch.ByteLength() < layout_->heap()) return bad_argument("batch");
  RowWriter writer(*layout_, reinterpret_cast<std::byte*>(batch.Data()), batch.ByteLength(),
                   rows_max);
  Status status = scan_->next(&writer);
  *rows = writer.rows();
  // Nobody reads on after an error, and a pin that is kept would be in the way of others.
  if (!status.is_ok()) finish();
  return status;
}

Napi::Value ScanObject::close(const Napi::CallbackInfo& info) {
  finish();
  return info.Env().Undefined();
}

void ScanObject::finish() {
  if (session_ == nullptr) return;
  const InCall call(*session_->core);
  scan_.reset();
  session_->scans.erase(this);
  if (implicit_ && --session_->implicit_scans == 0 && !session_->ended && session_->backend &&
      !session_->explicit_transaction && session_->backend->in_transaction()) {
    ClusterState& cluster = session_->core->engine().state();
    cluster.contain([this, &cluster] {
      Backend& backend = *session_->backend;
      Lsn upto = invalid_lsn;
      // It wrote nothing, so nothing can fail; but what a crash of the cluster left open may be more than a scan's.
      if (cluster.is_poisoned() || !backend.commit(false, &upto).is_ok()) backend.abort();
      session_->locks->end_transaction();
    });
  } else if (!implicit_ && !session_->ended) {
    session_->core->engine().state().contain([this] { session_->end_statement(); });
  }
  session_->tell_state();
  session_.reset();
  layout_.reset();
}

}  // namespace pgdata
