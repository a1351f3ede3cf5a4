// WaitEvent: what a session or a background worker waits for, by PostgreSQL's names.
//
// Source: src/backend/utils/activity/wait_event_names.txt, PostgreSQL 18; those of locks are LockTagTypeNames in
// src/backend/utils/adt/lockfuncs.c, in the order of LockTagType.
#pragma once

#include <cstdint>

namespace pgdata {

enum class WaitEvent : uint32_t {
  none,
  archiver_main,
  autovacuum_main,
  bgwriter_hibernate,
  bgwriter_main,
  checkpointer_main,
  wal_writer_main,
  client_read,
  client_write,
  archive_command,
  checkpoint_write_delay,
  wal_sync,
  // The rest: one for each type of lock.
  lock_relation,
  lock_extend,
  lock_frozenid,
  lock_page,
  lock_tuple,
  lock_transactionid,
  lock_virtualxid,
  lock_spectoken,
  lock_object,
  lock_userlock,
  lock_advisory,
};

// wait_event_type and wait_event; empty strings for `none` and for what is no WaitEvent.
const char* type_of(WaitEvent event);
const char* name_of(WaitEvent event);

}  // namespace pgdata
