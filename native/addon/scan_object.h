// ScanObject: NativeScan of src-ts/binding/native.ts, a scan in progress.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/session_object.h"
#include "executor/writing_operator.h"
#include "table/table_read.h"

namespace pgdata {

class ScanObject final : public Napi::ObjectWrap<ScanObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ScanObject(const Napi::CallbackInfo& info);
  ~ScanObject() override;

  // `layout`: of the batches; it keeps what it belongs to.
  static Napi::Value make(Napi::Env env, std::shared_ptr<SessionState> session,
                          std::shared_ptr<const RowLayout> layout, std::unique_ptr<TableScan> scan);
  // Of a statement that changes rows, which `writing` does, part of its scan.
  static Napi::Value make_writing(Napi::Env env, std::shared_ptr<SessionState> session,
                                  std::shared_ptr<const RowLayout> layout,
                                  std::unique_ptr<TableScan> scan, WritingOperator* writing);
  // The scan of an argument; null if it is none of a statement that changes rows, or has ended.
  static ScanObject* writing_scan_of(const Napi::Value& value);
  WritingOperator& writing() const { return *writing_; }
  // Fills a batch with `rows_max` rows at most.
  Status read(const Napi::Value& batch, uint32_t rows_max, uint32_t* rows);
  // Gives pins and snapshot back; the object stays, refusing calls.
  void finish();
  // How many subtransactions the session had begun when the scan began.
  uint64_t subtransaction() const { return subtransaction_; }
  // Gives the pins back at the end of the transaction `number`, if the scan belongs to it.
  void end_of_transaction(uint64_t number) {
    if (!implicit_ && transaction_ == number) scan_.reset();
  }

 private:
  Napi::Value next(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<SessionState> session_;
  std::shared_ptr<const RowLayout> layout_;
  std::unique_ptr<TableScan> scan_;
  WritingOperator* writing_ = nullptr;
  uint64_t transaction_ = 0;
  uint64_t subtransaction_ = 0;
  bool implicit_ = false;
};

}  // namespace pgdata
