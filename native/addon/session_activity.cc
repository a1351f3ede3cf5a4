// SessionObject: what cluster.activity() tells of the session.
//
// Reported are operations on rows and transactions, and commands, which consist of many of them and name themselves.
#include <utility>

#include "addon/session_call.h"

namespace pgdata {

void SessionState::begin_operation(const OperationName& name, Oid relation, bool is_brief) {
  if (activity == nullptr || told.commands > 0) return;
  // Catalogs are read on behalf of something else.
  if (relation != invalid_oid && relation < first_normal_object_id) return;
  tell_operation(name, relation);
  told.is_brief = is_brief;
}

void SessionState::tell_operation(const OperationName& name, Oid relation) {
  told.state = ActivityState::active;
  told.wait = WaitEvent::none;
  told.is_brief = false;
  told.state_change = told.operation_start = coarse_timestamp();
  activity->begin_operation(name, relation, told.operation_start);
}

void SessionState::tell_wait(WaitEvent event) {
  if (activity == nullptr) return;
  told.wait = event;
  activity->set_wait(event);
}

void SessionState::tell_state() {
  if (activity == nullptr) return;
  // One that has failed as a whole is over, whatever the caller thinks.
  const bool is_over = failed && open_subtransactions.empty();
  const bool in_transaction = (explicit_transaction && !is_over) || implicit_scans > 0;
  ActivityState state = ActivityState::active;
  WaitEvent event = WaitEvent::none;
  if (lock_wait != WaitEvent::none || told.commands > 0) {
    event = lock_wait;
  } else if (explicit_transaction) {
    state = failed ? ActivityState::aborted : ActivityState::idle_in_transaction;
    event = WaitEvent::client_read;
  } else if (commits_in_flight > 0) {
    event = WaitEvent::wal_sync;
  } else if (implicit_scans > 0) {
    // There are rows for the caller to take.
    event = WaitEvent::client_write;
  } else {
    state = ActivityState::idle;
    event = WaitEvent::client_read;
  }
  const bool is_new = in_transaction != (told.xact_start != 0);
  if (state == told.state && event == told.wait && !is_new) return;
  if (is_new) told.xact_start = in_transaction ? told.operation_start : 0;
  // A brief operation ended when it began, to a few milliseconds.
  if (state != told.state && !told.is_brief) told.state_change = coarse_timestamp();
  told.state = state;
  told.wait = event;
  activity->set_state(state, event, told.xact_start, told.state_change);
}

// beginCommand(name, oid): until as many calls of endCommand, operations are parts of it. `oid` may be 0; without a name
// it is part of the command around it.
Napi::Value SessionObject::begin_command(const Napi::CallbackInfo& info) {
  if (!state_->ended && state_->activity != nullptr) {
    const std::string name = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
    state_->told.commands++;
    if (!name.empty())
      state_->tell_operation(OperationName(name), info[1].ToNumber().Uint32Value());
  }
  return info.Env().Undefined();
}

Napi::Value SessionObject::end_command(const Napi::CallbackInfo& info) {
  if (!state_->ended && state_->told.commands > 0) {
    state_->told.commands--;
    state_->tell_state();
  }
  return info.Env().Undefined();
}

}  // namespace pgdata
