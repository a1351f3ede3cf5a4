// RebuildObject: a few milliseconds of work at a time, so that JavaScript can do other things in between.
#include "addon/rebuild_object.h"

#include <chrono>
#include <utility>

#include "addon/environment.h"
#include "shmem/wait_scope.h"
#include "statistics/counting.h"

namespace pgdata {

namespace {

constexpr auto step_time = std::chrono::milliseconds(5);
constexpr uint32_t step_pages = 8;

}  // namespace

Napi::Function RebuildObject::define(Napi::Env env) {
  return DefineClass(env, "NativeRebuild", {InstanceMethod("step", &RebuildObject::step)});
}

RebuildObject::RebuildObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<RebuildObject>(info) {}

RebuildObject* RebuildObject::make(Napi::Env env, std::shared_ptr<SessionState> session,
                                   std::shared_ptr<Table> source, std::shared_ptr<Table> target,
                                   Napi::Object* object) {
  *object = environment(env).rebuild_class.New({});
  RebuildObject* made = Unwrap(*object);
  made->engine_ = session->core->shared_engine();
  made->transaction_ = session->transaction;
  made->subtransaction_ = session->subtransaction;
  made->session_ = std::move(session);
  made->source_ = std::move(source);
  made->target_ = std::move(target);
  return made;
}

Napi::Value RebuildObject::of_index(Napi::Env env, std::shared_ptr<SessionState> session,
                                    std::shared_ptr<Table> table,
                                    std::unique_ptr<IndexRebuild> rebuild) {
  Napi::Object object;
  make(env, std::move(session), std::move(table), nullptr, &object)->index_ = std::move(rebuild);
  return object;
}

Napi::Value RebuildObject::of_heap(Napi::Env env, std::shared_ptr<SessionState> session,
                                   std::shared_ptr<Table> source, std::shared_ptr<Table> target,
                                   std::unique_ptr<HeapCopy> copy) {
  Napi::Object object;
  make(env, std::move(session), std::move(source), std::move(target), &object)->heap_ =
      std::move(copy);
  return object;
}

// step(): null while there is more to do, then what was done
Napi::Value RebuildObject::step(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *session_->core, [&]() -> Napi::Value {
    THROW_IF_ERROR(env, session_->check());
    const CountingScope counting(session_->counters());
    const WaitReport reporting(session_->activity);
    const bool is_same_transaction = session_->explicit_transaction &&
                                     session_->transaction == transaction_ && !session_->failed &&
                                     session_->subtransaction == subtransaction_;
    if (!is_same_transaction || (index_ == nullptr && heap_ == nullptr))
      THROW_IF_ERROR(env, Status::error(ErrorCode::invalid_transaction_state,
                                        "the transaction of the work has ended"));
    THROW_IF_ERROR(env, session_->check_not_failed());
    session_->last_used_ms = coarse_milliseconds();
    bool done = false;
    Status status = go_on(&done);
    if (status.is_ok() && !done) return env.Null();
    Napi::Value result = env.Null();
    if (status.is_ok()) {
      session_->backend->use_command();
      result = outcome(env);
    } else if (index_ != nullptr && !index_->duplicates().empty()) {
      THROW_IF_ERROR(env, session_->writer->find_duplicates(source_, index_->duplicates()));
    }
    index_.reset();
    heap_.reset();
    THROW_IF_ERROR(env, std::move(status));
    return result;
  });
}

Status RebuildObject::go_on(bool* done) {
  Rebuild& rebuild = index_ != nullptr ? static_cast<Rebuild&>(*index_) : *heap_;
  const auto end = std::chrono::steady_clock::now() + step_time;
  do {
    RETURN_IF_ERROR(rebuild.step(step_pages, done));
  } while (!*done && std::chrono::steady_clock::now() < end);
  return Status::ok;
}

Napi::Object RebuildObject::outcome(Napi::Env env) const {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, double value) {
    object.Set(name, Napi::Number::New(env, value));
  };
  if (index_ != nullptr) {
    set("pages", index_->result().blocks);
    set("tuples", static_cast<double>(index_->result().tuples));
    set("liveRows", static_cast<double>(index_->live_rows()));
    object.Set("hasBrokenChains", Napi::Boolean::New(env, index_->has_broken_chains()));
    return object;
  }
  const HeapRewrite& rewrite = heap_->rewrite();
  set("pages", rewrite.blocks());
  set("liveRows", static_cast<double>(rewrite.live()));
  set("recentlyDead", static_cast<double>(rewrite.recently_dead()));
  set("dead", static_cast<double>(rewrite.dead()));
  set("frozen", static_cast<double>(rewrite.frozen()));
  set("relfrozenxid", value_of(rewrite.relfrozenxid()));
  set("relminmxid", rewrite.relminmxid());
  return object;
}

}  // namespace pgdata
