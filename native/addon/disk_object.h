// DiskObject: NativeDisk of src-ts/binding/native.ts, the file system of a cluster under test: it keeps a journal of
// what changes files, and fails the operations that it is told to.
#pragma once

#include <napi.h>

#include <memory>

#include "base/status.h"
#include "file/watched_file_system.h"

namespace pgdata {

class DiskObject final : public Napi::ObjectWrap<DiskObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // new NativeDisk(journal: string | undefined)
  explicit DiskObject(const Napi::CallbackInfo& info);

  // The file system of options.disk; none when it is undefined.
  static Status read(const Napi::Object& options, std::shared_ptr<WatchedFileSystem>* files);

 private:
  Napi::Value fail(const Napi::CallbackInfo& info);
  Napi::Value clear_faults(const Napi::CallbackInfo& info);
  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value faults_met(const Napi::CallbackInfo& info);
  Napi::Value journal_records(const Napi::CallbackInfo& info);
  Napi::Value flush_journal(const Napi::CallbackInfo& info);

  std::shared_ptr<WatchedFileSystem> files_;
};

}  // namespace pgdata
