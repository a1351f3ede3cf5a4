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
  buffer_pin,
  buffer_io,
  data_file_extend,
  data_file_read,
  data_file_sync,
  data_file_truncate,
  data_file_write,
  slru_read,
  slru_sync,
  slru_write,
  wal_init_sync,
  wal_init_write,
  wal_write,
  lwlock_buffer_content,
  lwlock_buffer_mapping,
  lwlock_commit_ts,
  lwlock_commit_ts_slru,
  lwlock_lock_fast_path,
  lwlock_lock_manager,
  lwlock_multixact_member_slru,
  lwlock_multixact_offset_slru,
  lwlock_notify_queue,
  lwlock_notify_slru,
  lwlock_pg_stats_data,
  lwlock_predicate_lock_manager,
  lwlock_proc_array,
  lwlock_serial_control,
  lwlock_serial_slru,
  lwlock_subtrans_slru,
  lwlock_two_phase_state,
  lwlock_wal_insert,
  lwlock_wal_write,
  lwlock_xact_slru,
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
