// WalObject: NativeWal of src-ts/binding/native.ts, a log being read.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "layout/wal_batch.h"
#include "rmgrdesc/describe_record.h"
#include "wal/wal_reader.h"

namespace pgdata {

// Which records are wanted; what is not set does not matter.
struct WalFilter {
  bool by_rmgr = false;
  bool rmgrs[256] = {};
  std::optional<uint32_t> xid;
  std::optional<RelFileLocator> relation;
  std::optional<uint32_t> block;
  std::optional<uint32_t> fork;
  bool full_page = false;
  Lsn end = ~Lsn{0};

  bool accepts(const DecodedWalRecord& record) const;
};

class WalObject final : public Napi::ObjectWrap<WalObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // new NativeWal(options, filter)
  explicit WalObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value begin(const Napi::CallbackInfo& info);
  Napi::Value next(const Napi::CallbackInfo& info);
  Napi::Value position(const Napi::CallbackInfo& info);
  Napi::Value end_reason(const Napi::CallbackInfo& info);
  Napi::Value major(const Napi::CallbackInfo& info);

  // Reads on to the next record that is wanted.
  Status advance(WalBatchState* state, uint32_t* budget);

  std::unique_ptr<WalReader> reader_;
  uint32_t catalog_version_ = 0;
  WalFilter filter_;
  bool pending_ = false;  // the reader's record is wanted and not handed over
  std::string text_;
};

// readWal(options, filter): NativeWal
Napi::Value read_wal(const Napi::CallbackInfo& info);

// resourceManagerNames(): string[], by id
Napi::Value resource_manager_names(const Napi::CallbackInfo& info);

// walRelease(magic: number): number
Napi::Value wal_release(const Napi::CallbackInfo& info);

}  // namespace pgdata
