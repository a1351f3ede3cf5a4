// PreparedRead: a read of one table that is called again and again, as a function that has its buffers already.
#pragma once

#include <napi.h>

#include <memory>
#include <utility>

#include "addon/session_arguments.h"
#include "addon/session_call.h"
#include "addon/session_object.h"
#include "table/table.h"

namespace pgdata {

// What the functions return when there is no answer.
enum class NoAnswer : int32_t {
  too_long = -1,  // for the batch: see batchHeader.needed
  not_now =
      -2,  // something was or is just being redefined, or is not locked yet: other calls tell more
};

class PreparedRead {
 public:
  virtual ~PreparedRead() = default;
  PreparedRead(const PreparedRead&) = delete;

  // Whether a session can have prepared reads of a table: catalogs have files that change, and other locks; a session
  // without a backend reads what cannot change.
  static bool is_possible(const SessionState& session, const Table& table) {
    return session.backend != nullptr && table.definition().oid >= first_normal_object_id;
  }
  // The function, whose `read` is called. The buffers stay where they are as long as it lives.
  static Napi::Value make(Napi::Env env, std::unique_ptr<PreparedRead> read,
                          const Napi::Value& keys_buffer, const Napi::Value& batch_buffer);

 protected:
  // The relation's lock for one call.
  class ReadLock {
   public:
    ReadLock(ClusterState& state, LockSession& locks, const LockTag& tag)
        : state_(state), locks_(locks), tag_(tag) {}
    ~ReadLock() {
      if (is_held_) state_.contain([this] { end(); });
    }
    ReadLock(const ReadLock&) = delete;
    bool take() {
      is_held_ = locks_.table().fast_path().begin_read(locks_.slot(), tag_);
      return is_held_;
    }
    void end() {
      if (std::exchange(is_held_, false)) locks_.table().end_read(locks_.slot(), tag_);
    }

   private:
    ClusterState& state_;
    LockSession& locks_;
    const LockTag& tag_;
    bool is_held_ = false;
  };

  // `heeds_sessions`: the lock is taken although no other process is there.
  PreparedRead(const std::shared_ptr<SessionState>& session, const std::shared_ptr<Table>& table,
               bool heeds_sessions);

  // `arguments` are `argument_count`, zero where none was given. The table is locked, in the transaction or by `lock`.
  static constexpr size_t argument_count = 4;
  virtual Napi::Value read(Napi::Env env, const int32_t* arguments, ReadLock* lock) = 0;
  static Napi::Value to_value(Napi::Env env, int32_t answer);

  std::shared_ptr<SessionState> session_;
  std::shared_ptr<Table> table_;
  LockTag tag_;

 private:
  static napi_value call(napi_env env, napi_callback_info info);
  Napi::Value run(Napi::Env env, const int32_t* arguments);

  bool heeds_sessions_;
  Napi::Reference<Napi::Value> keys_buffer_;
  Napi::Reference<Napi::Value> batch_buffer_;
};

}  // namespace pgdata
