// TransactionSystem: counters, and the parts that keep outcomes, joined.
#include "xact/transaction_system.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "base/invariant.h"
#include "layout/wal_xlog_records.h"
#include "shmem/lwlock.h"
#include "wal/wal.h"
#include "xact/commit_log.h"
#include "xact/commit_timestamps.h"
#include "xact/created_files.h"
#include "xact/multixact.h"
#include "xact/prepared_table.h"
#include "xact/process_array.h"
#include "xact/slru.h"
#include "xact/subtransactions.h"

namespace pgdata {

namespace {

// OIDs that one XLOG_NEXTOID record allows to be given out (VAR_OID_PREFETCH).
constexpr uint32_t oid_prefetch = 8192;
// Segment files of members that must be left before a new multixact warns (OFFSET_WARN_SEGMENTS).
constexpr uint32_t member_warn_segments = 20;
// NAMEDATALEN.
constexpr size_t name_bytes_max = 64;
constexpr const char* announced_range = "announced multixacts";

FullTransactionId advance(FullTransactionId full) {
  do {
    ++full;
  } while (!is_normal(xid_of(full)));
  return full;
}

// The xid before `xid`, passing over the permanent ones.
TransactionId previous(TransactionId xid) {
  const uint32_t before = value_of(xid) - 1;
  return TransactionId{before < 3 ? 0xFFFFFFFFu : before};
}

struct DatabaseName {
  Oid oid;
  char name[name_bytes_max];

  void set(const NamedDatabase& database) {
    oid = database.oid;
    const size_t size = std::min(database.name.size(), name_bytes_max - 1);
    std::memcpy(name, database.name.data(), size);
    name[size] = 0;
  }
};

// The last outcome this thread asked for and may rely on. Rows beside each other were mostly written by one
// transaction. `system` tells TransactionSystems apart that lived at one address.
struct CachedOutcome {
  uint64_t system = 0;
  TransactionId xid = invalid_transaction_id;
  TransactionStatus status = TransactionStatus::in_progress;
};
thread_local CachedOutcome cached_outcome;
std::atomic<uint64_t> systems_made{0};

}  // namespace

struct TransactionSystem::Shared {
  alignas(64) LwLock xid_lock;
  std::atomic<FullTransactionId> next_xid;
  TransactionId oldest_xid;
  Oid oldest_xid_database;
  XidLimits xid_limits;
  alignas(64) LwLock oid_lock;
  Oid next_oid;
  uint32_t logged_oids;  // that may be given out before another record is due
  bool initializing;
  alignas(64) LwLock multi_lock;  // also of the announcements of multixacts
  MultiXactId next_multi;
  uint32_t next_multi_offset;
  MultiXactId oldest_multi;
  Oid oldest_multi_database;
  MultiXactLimits multi_limits;
  // Where the members of the oldest multixact begin, and the limit that sets; not when its page is not there.
  bool member_limit_known;
  uint32_t oldest_member;
  uint32_t member_stop;
  alignas(64) LwLock
      truncation_lock;  // one truncation of the logs at a time; taken before all others
  LwLock names_lock;
  DatabaseName xid_database_name;
  DatabaseName multi_database_name;
};

struct TransactionSystem::Local {
  Local(TransactionSystem& system, Segment& segment, StorageServices& storage_services,
        const TransactionSystemOptions& wanted)
      : services(storage_services),
        options(wanted),
        shared(reinterpret_cast<Shared*>(segment.find("transactions"))),
        processes(segment, wanted.max_backends, wanted.max_prepared_transactions),
        commit_log(segment, storage_services, wanted.clog_buffers, wanted.read_only),
        commit_timestamps(segment, storage_services, wanted.read_only),
        subtransactions(segment, storage_services, wanted.read_only),
        multixacts(segment, storage_services, wanted.read_only),
        prepared(segment, storage_services, system, wanted.max_prepared_transactions),
        created_files(segment),
        oldest_members(reinterpret_cast<std::atomic<MultiXactId>*>(segment.find(announced_range))),
        oldest_read(oldest_members + wanted.max_backends + wanted.max_prepared_transactions),
        identity(systems_made.fetch_add(1, std::memory_order_relaxed) + 1) {}

  StorageServices& services;
  TransactionSystemOptions options;
  Shared* shared;
  ProcessArray processes;
  CommitLog commit_log;
  CommitTimestampLog commit_timestamps;
  SubtransactionLog subtransactions;
  MultiXactLog multixacts;
  PreparedTable prepared;
  CreatedFiles created_files;
  std::function<void(Status)> on_notice;
  uint32_t slots() const { return options.max_backends + options.max_prepared_transactions; }

  // By slot; 0 is none (OldestMemberMXactId, OldestVisibleMXactId).
  std::atomic<MultiXactId>* oldest_members;
  std::atomic<MultiXactId>* oldest_read;
  uint64_t identity;
};

void TransactionSystem::plan(SegmentPlan& plan, const TransactionSystemOptions& options) {
  plan.reserve("transactions", sizeof(Shared));
  ProcessArray::plan(plan, options.max_backends, options.max_prepared_transactions);
  CommitLog::plan(plan, options.clog_buffers, options.block_size);
  CommitTimestampLog::plan(plan, options.block_size);
  SubtransactionLog::plan(plan, options.block_size);
  MultiXactLog::plan(plan, options.block_size);
  PreparedTable::plan(plan, options.max_prepared_transactions);
  CreatedFiles::plan(plan);
  plan.reserve(
      announced_range,
      size_t{2} * (options.max_backends + options.max_prepared_transactions) * sizeof(MultiXactId));
}

TransactionSystem::TransactionSystem(Segment& segment, StorageServices& services,
                                     TransactionSystemOptions options)
    : local_(std::make_unique<Local>(*this, segment, services, options)) {
  INVARIANT(options.block_size == services.storage.options().block_size);
}

TransactionSystem::~TransactionSystem() = default;

ClusterState& TransactionSystem::state() const { return local_->services.state; }

ProcessArray& TransactionSystem::processes() const { return local_->processes; }

CreatedFiles& TransactionSystem::created_files() const { return local_->created_files; }

PreparedTable& TransactionSystem::prepared() const { return local_->prepared; }

Status TransactionSystem::set_parent(TransactionId xid, TransactionId parent) {
  return local_->subtransactions.set_parent(xid, parent);
}

FullTransactionId TransactionSystem::full_xid_of(TransactionId xid) const {
  const FullTransactionId next_xid = next_full_xid();
  FullTransactionId epoch = next_xid >> 32;
  if (value_of(xid) > value_of(xid_of(next_xid))) --epoch;
  return (epoch << 32) | value_of(xid);
}

void TransactionSystem::load_counters(const TransactionCounters& counters, bool initializing) {
  Shared& shared = *local_->shared;
  INVARIANT(is_normal(xid_of(counters.nextXid)));
  {
    LwLockGuard guard(shared.xid_lock, LockMode::exclusive);
    shared.next_xid.store(counters.nextXid, std::memory_order_relaxed);
  }
  set_oldest_xid(counters.oldestXid, counters.oldestXidDB);
  {
    LwLockGuard guard(shared.oid_lock, LockMode::exclusive);
    shared.next_oid = counters.nextOid;
    shared.logged_oids = 0;
    shared.initializing = initializing;
  }
  {
    LwLockGuard guard(shared.multi_lock, LockMode::exclusive);
    shared.next_multi = counters.nextMulti;
    shared.next_multi_offset = counters.nextMultiOffset;
    shared.member_limit_known = false;
  }
  set_oldest_multixact(counters.oldestMulti, counters.oldestMultiDB);
  local_->commit_timestamps.load(counters.oldestCommitTsXid, counters.newestCommitTsXid);
  local_->processes.initialize(previous(xid_of(counters.nextXid)));
}

Status TransactionSystem::create(const TransactionCounters& counters) {
  INVARIANT(!local_->options.read_only);
  load_counters(counters, true);
  RETURN_IF_ERROR(local_->commit_log.create_first_page());
  RETURN_IF_ERROR(local_->subtransactions.create_first_page());
  RETURN_IF_ERROR(local_->multixacts.create_first_pages());
  return write_all_dirty();
}

Status TransactionSystem::start(const TransactionCounters& counters) {
  load_counters(counters, false);
  if (local_->options.read_only) return Status::ok;
  RETURN_IF_ERROR(local_->multixacts.start(counters.nextMulti, counters.nextMultiOffset));
  RETURN_IF_ERROR(find_member_limit());
  const TransactionId next_xid = xid_of(counters.nextXid);
  RETURN_IF_ERROR(local_->commit_log.trim(next_xid));
  TransactionId oldest;
  RETURN_IF_ERROR(local_->prepared.load(counters.nextXid, &oldest));
  if (is_valid(counters.oldestActiveXid) && precedes(counters.oldestActiveXid, oldest))
    oldest = counters.oldestActiveXid;
  // What pg_subtrans said before a start means nothing.
  RETURN_IF_ERROR(local_->subtransactions.start(oldest, next_xid));
  return local_->prepared.enter();
}

TransactionCounters TransactionSystem::counters(CheckpointKind kind) const {
  Shared& shared = *local_->shared;
  TransactionCounters counters;
  {
    LwLockGuard guard(shared.xid_lock, LockMode::shared);
    counters.nextXid = shared.next_xid.load(std::memory_order_relaxed);
    counters.oldestXid = shared.oldest_xid;
    counters.oldestXidDB = shared.oldest_xid_database;
  }
  {
    LwLockGuard guard(shared.oid_lock, LockMode::shared);
    counters.nextOid = shared.next_oid;
    if (kind == CheckpointKind::online) counters.nextOid += shared.logged_oids;
  }
  {
    LwLockGuard guard(shared.multi_lock, LockMode::shared);
    counters.nextMulti = shared.next_multi;
    counters.nextMultiOffset = shared.next_multi_offset;
    counters.oldestMulti = shared.oldest_multi;
    counters.oldestMultiDB = shared.oldest_multi_database;
  }
  local_->commit_timestamps.limits(&counters.oldestCommitTsXid, &counters.newestCommitTsXid);
  counters.oldestActiveXid =
      kind == CheckpointKind::online ? local_->processes.oldest_running() : invalid_transaction_id;
  return counters;
}

FullTransactionId TransactionSystem::next_full_xid() const {
  return local_->shared->next_xid.load(std::memory_order_acquire);
}

void TransactionSystem::set_oldest_xid(TransactionId oldest, Oid database) {
  Shared& shared = *local_->shared;
  INVARIANT(is_normal(oldest));
  LwLockGuard guard(shared.xid_lock, LockMode::exclusive);
  shared.oldest_xid = oldest;
  shared.oldest_xid_database = database;
  shared.xid_limits = xid_limits(oldest, local_->options.autovacuum_freeze_max_age);
}

void TransactionSystem::set_oldest_multixact(MultiXactId oldest, Oid database) {
  Shared& shared = *local_->shared;
  LwLockGuard guard(shared.multi_lock, LockMode::exclusive);
  shared.oldest_multi = oldest;
  shared.oldest_multi_database = database;
  shared.multi_limits =
      multixact_limits(oldest, local_->options.autovacuum_multixact_freeze_max_age);
}

Status TransactionSystem::assign_xid(int slot, TransactionId parent, TransactionId* xid) {
  Shared& shared = *local_->shared;
  INVARIANT(!local_->options.read_only);
  RETURN_IF_ERROR(local_->services.state.check());
  LwLockGuard guard(shared.xid_lock, LockMode::exclusive);
  const FullTransactionId full = shared.next_xid.load(std::memory_order_relaxed);
  const TransactionId assigned = xid_of(full);
  const XidLimits limits = shared.xid_limits;
  const Oid oldest_database = shared.oldest_xid_database;
  if (!precedes(assigned, limits.stop)) return xids_exhausted(named(oldest_database, true));
  RETURN_IF_ERROR(local_->commit_log.extend(assigned));
  RETURN_IF_ERROR(local_->commit_timestamps.extend(assigned));
  RETURN_IF_ERROR(local_->subtransactions.extend(assigned));
  shared.next_xid.store(advance(full), std::memory_order_release);
  if (is_valid(parent))
    local_->processes.add_subxid(slot, assigned);
  else
    local_->processes.set_xid(slot, assigned);
  *xid = assigned;
  guard.release();
  if (!precedes(assigned, limits.warn)) [[unlikely]] {
    notify(few_xids_left(named(oldest_database, true), value_of(limits.wrap) - value_of(assigned)));
  }
  // Before the xid is on any page: of a slot that lists too many, pg_subtrans alone tells that it runs.
  return is_valid(parent) ? local_->subtransactions.set_parent(assigned, parent) : Status();
}

NamedDatabase TransactionSystem::named(Oid database, bool of_xid) const {
  Shared& shared = *local_->shared;
  LwLockGuard guard(shared.names_lock, LockMode::shared);
  const DatabaseName& known = of_xid ? shared.xid_database_name : shared.multi_database_name;
  return {database, known.oid == database ? known.name : ""};
}

void TransactionSystem::on_notice(std::function<void(Status)> handler) {
  local_->on_notice = std::move(handler);
}

void TransactionSystem::notify(Status notice) const {
  if (local_->on_notice) local_->on_notice(std::move(notice));
}

void TransactionSystem::oldest_databases(Oid* of_xid, Oid* of_multi) const {
  Shared& shared = *local_->shared;
  {
    LwLockGuard guard(shared.xid_lock, LockMode::shared);
    *of_xid = shared.oldest_xid_database;
  }
  LwLockGuard guard(shared.multi_lock, LockMode::shared);
  *of_multi = shared.oldest_multi_database;
}

void TransactionSystem::name_oldest_databases(const NamedDatabase& of_xid,
                                              const NamedDatabase& of_multi) {
  {
    LwLockGuard guard(local_->shared->names_lock, LockMode::exclusive);
    local_->shared->xid_database_name.set(of_xid);
    local_->shared->multi_database_name.set(of_multi);
  }
  warn_of_limits();
}

void TransactionSystem::warn_of_limits() const {
  Shared& shared = *local_->shared;
  const TransactionId next_xid = xid_of(next_full_xid());
  XidLimits limits;
  MultiXactLimits multi_limits;
  MultiXactId next_multi = 0;
  Oid of_xid = invalid_oid;
  Oid of_multi = invalid_oid;
  oldest_databases(&of_xid, &of_multi);
  {
    LwLockGuard guard(shared.xid_lock, LockMode::shared);
    limits = shared.xid_limits;
  }
  {
    LwLockGuard guard(shared.multi_lock, LockMode::shared);
    multi_limits = shared.multi_limits;
    next_multi = shared.next_multi;
  }
  if (!precedes(next_xid, limits.warn)) {
    notify(few_xids_left_at_limit(named(of_xid, true), value_of(limits.wrap) - value_of(next_xid)));
  }
  if (!multixact_precedes(next_multi, multi_limits.warn))
    notify(few_multixacts_left(named(of_multi, false), multi_limits.wrap - next_multi));
}

bool TransactionSystem::is_vacuum_due() const {
  Shared& shared = *local_->shared;
  LwLockGuard guard(shared.xid_lock, LockMode::shared);
  const TransactionId next_xid = xid_of(shared.next_xid.load(std::memory_order_relaxed));
  return !precedes(next_xid, shared.xid_limits.vacuum);
}

// Source: SetOffsetVacuumLimit.
Status TransactionSystem::find_member_limit() {
  Shared& shared = *local_->shared;
  MultiXactId oldest = 0;
  uint32_t offset = 0;
  bool known = true;
  {
    LwLockGuard guard(shared.multi_lock, LockMode::shared);
    oldest = shared.oldest_multi;
    offset = shared.next_multi_offset;
    known = oldest == shared.next_multi;
  }
  if (!known) RETURN_IF_ERROR(local_->multixacts.find_offset(oldest, &offset, &known));
  if (!known) return Status::ok;
  LwLockGuard guard(shared.multi_lock, LockMode::exclusive);
  shared.member_limit_known = true;
  shared.oldest_member = offset;
  shared.member_stop = member_stop_limit(offset, local_->multixacts.members_per_segment());
  return Status::ok;
}

Status TransactionSystem::truncate_logs(const OldestIds& oldest, int slot) {
  Shared& shared = *local_->shared;
  INVARIANT(is_normal(oldest.xid));
  INVARIANT(oldest.multi != 0);
  RETURN_IF_ERROR(local_->services.state.check());
  {
    LwLockGuard guard(shared.truncation_lock, LockMode::exclusive);
    const TransactionCounters before = counters();
    if (!precedes(oldest.xid, before.oldestXid)) {
      local_->commit_timestamps.advance_oldest(oldest.xid);
      RETURN_IF_ERROR(local_->commit_log.truncate(oldest.xid, oldest.xid_database.oid));
      RETURN_IF_ERROR(local_->commit_timestamps.truncate(oldest.xid));
    }
    RETURN_IF_ERROR(truncate_multixacts(oldest.multi, oldest.multi_database.oid, slot));
    if (!precedes(oldest.xid, before.oldestXid))
      set_oldest_xid(oldest.xid, oldest.xid_database.oid);
    if (!multixact_precedes(oldest.multi, before.oldestMulti)) {
      set_oldest_multixact(oldest.multi, oldest.multi_database.oid);
      RETURN_IF_ERROR(find_member_limit());
    }
  }
  name_oldest_databases(oldest.xid_database, oldest.multi_database);
  return Status::ok;
}

// Source: TruncateMultiXact.
Status TransactionSystem::truncate_multixacts(MultiXactId oldest, Oid database, int slot) {
  MultiXactLog& log = local_->multixacts;
  const TransactionCounters before = counters();
  if (!multixact_precedes(before.oldestMulti, oldest)) return Status::ok;
  MultiXactId kept = 0;
  bool any = false;
  RETURN_IF_ERROR(log.oldest_kept(&kept, &any));
  if (!any || multixact_precedes(before.oldestMulti, kept)) return Status::ok;
  const auto begin_of = [&](MultiXactId multi, uint32_t* offset, bool* known) {
    *offset = before.nextMultiOffset;
    *known = true;
    return multi == before.nextMulti ? Status() : log.find_offset(multi, offset, known);
  };
  uint32_t start_member = 0;
  uint32_t end_member = 0;
  bool known = false;
  RETURN_IF_ERROR(begin_of(before.oldestMulti, &start_member, &known));
  if (!known) return Status::ok;
  RETURN_IF_ERROR(begin_of(oldest, &end_member, &known));
  if (!known) return Status::ok;

  const xl_multixact_truncate body{database, before.oldestMulti, oldest, start_member, end_member};
  WalRecord record;
  record.begin(RmgrId::multixact, XLOG_MULTIXACT_TRUNCATE_ID, invalid_transaction_id);
  record.data(&body, sizeof(body));
  // A checkpoint in between would have a replay that begins there miss files that are half gone.
  local_->processes.begin_checkpoint_delay(slot);
  Lsn end = invalid_lsn;
  Status status = local_->services.wal.insert(record, &end);
  if (status.is_ok()) status = local_->services.wal.flush(end);
  if (status.is_ok()) {
    set_oldest_multixact(oldest, database);
    status = log.remove_before(oldest, start_member, end_member);
  }
  local_->processes.end_checkpoint_delay(slot);
  if (!status.is_ok()) local_->services.state.poison("multixacts could not be truncated");
  return status;
}

Status TransactionSystem::truncate_subtransactions() {
  if (local_->options.read_only) return Status::ok;
  return local_->subtransactions.truncate(oldest_xmin());
}

Status TransactionSystem::status_of(TransactionId xid, TransactionStatus* status, Lsn* lsn) {
  if (lsn != nullptr) *lsn = invalid_lsn;
  if (!is_normal(xid)) {
    *status = is_valid(xid) ? TransactionStatus::committed : TransactionStatus::aborted;
    return Status::ok;
  }
  if (cached_outcome.system == local_->identity && cached_outcome.xid == xid) {
    *status = cached_outcome.status;
    return Status::ok;
  }
  Lsn commit_lsn = invalid_lsn;
  RETURN_IF_ERROR(local_->commit_log.status_of(xid, status, &commit_lsn));
  if (*status == TransactionStatus::sub_committed) {
    // A commit over several pages was under way: it is the parent's that counts. When nobody runs it any more,
    // a crash has ended it.
    if (precedes(xid, local_->processes.oldest_running())) {
      *status = TransactionStatus::aborted;
      return Status::ok;
    }
    TransactionId parent;
    RETURN_IF_ERROR(local_->subtransactions.parent_of(xid, &parent));
    if (!is_valid(parent) || !precedes(parent, xid)) {
      *status = TransactionStatus::aborted;
      return Status::ok;
    }
    return status_of(parent, status, lsn);
  }
  if (commit_lsn != invalid_lsn && commit_lsn <= local_->services.wal.flushed())
    commit_lsn = invalid_lsn;
  if (lsn != nullptr) *lsn = commit_lsn;
  const bool final =
      *status == TransactionStatus::committed || *status == TransactionStatus::aborted;
  if (final && commit_lsn == invalid_lsn) cached_outcome = {local_->identity, xid, *status};
  return Status::ok;
}

Status TransactionSystem::set_status(TransactionId xid, TransactionStatus status, Lsn commit_lsn) {
  return local_->commit_log.set_status(xid, status, commit_lsn);
}

Status TransactionSystem::set_tree(TransactionId xid, const std::vector<TransactionId>& children,
                                   TransactionStatus status, Lsn commit_lsn) {
  return local_->commit_log.set_tree(xid, children, status, commit_lsn);
}

Status TransactionSystem::is_in_progress(TransactionId xid, bool* running) {
  TransactionId oldest;
  const Running known = local_->processes.is_running(xid, &oldest);
  *running = known == Running::yes;
  if (known != Running::maybe) return Status::ok;
  // A subtransaction that was rolled back has ended, though its parent runs.
  TransactionStatus status = TransactionStatus::in_progress;
  Lsn lsn = invalid_lsn;
  RETURN_IF_ERROR(local_->commit_log.status_of(xid, &status, &lsn));
  if (status == TransactionStatus::aborted) return Status::ok;
  TransactionId topmost;
  RETURN_IF_ERROR(local_->subtransactions.topmost_of(xid, oldest, &topmost));
  if (topmost != xid) *running = local_->processes.is_running(topmost, &oldest) == Running::yes;
  return Status::ok;
}

Status TransactionSystem::slot_of(TransactionId xid, int* slot) {
  *slot = local_->processes.slot_of(xid);
  if (*slot >= 0) return Status::ok;
  bool running = false;
  RETURN_IF_ERROR(is_in_progress(xid, &running));
  if (!running) return Status::ok;
  TransactionId topmost;
  RETURN_IF_ERROR(topmost_of(xid, &topmost));
  *slot = local_->processes.slot_of(topmost);
  return Status::ok;
}

Status TransactionSystem::in_overflowed_snapshot(const Snapshot& snapshot, TransactionId xid,
                                                 bool* running) {
  *running = !precedes(xid, snapshot.xmax);
  if (*running || precedes(xid, snapshot.xmin)) return Status::ok;
  TransactionId topmost;
  RETURN_IF_ERROR(local_->subtransactions.topmost_of(xid, snapshot.xmin, &topmost));
  *running = snapshot.contains(topmost);
  return Status::ok;
}

Status TransactionSystem::track_commit_timestamps(bool track) {
  if (!track) return local_->commit_timestamps.deactivate();
  return local_->commit_timestamps.activate(xid_of(next_full_xid()));
}

Status TransactionSystem::topmost_of(TransactionId xid, TransactionId* topmost) {
  return local_->subtransactions.topmost_of(xid, local_->processes.oldest_running(), topmost);
}

Status TransactionSystem::multixact_members(MultiXactId multi,
                                            std::vector<MultiXactMember>* members) {
  return local_->multixacts.members(multi, counters(), members);
}

void TransactionSystem::announce_multixact_member(int slot) {
  LwLockGuard guard(local_->shared->multi_lock, LockMode::exclusive);
  local_->oldest_members[slot].store(local_->shared->next_multi, std::memory_order_relaxed);
}

void TransactionSystem::announce_multixact_reader(int slot) {
  LwLockGuard guard(local_->shared->multi_lock, LockMode::exclusive);
  MultiXactId oldest = local_->shared->next_multi;
  for (uint32_t i = 0; i < local_->slots(); ++i) {
    const MultiXactId other = local_->oldest_members[i].load(std::memory_order_relaxed);
    if (other != 0 && multixact_precedes(other, oldest)) oldest = other;
  }
  local_->oldest_read[slot].store(oldest, std::memory_order_relaxed);
}

void TransactionSystem::end_multixact_use(int slot) {
  local_->oldest_members[slot].store(0, std::memory_order_release);
  local_->oldest_read[slot].store(0, std::memory_order_release);
}

void TransactionSystem::hand_over_multixact_use(int from, int to) {
  LwLockGuard guard(local_->shared->multi_lock, LockMode::exclusive);
  local_->oldest_members[to].store(local_->oldest_members[from].load(std::memory_order_relaxed),
                                   std::memory_order_relaxed);
}

MultiXactId TransactionSystem::oldest_member_of(int slot) const {
  return local_->oldest_members[slot].load(std::memory_order_relaxed);
}

void TransactionSystem::announce_oldest_member(int slot, MultiXactId oldest) {
  LwLockGuard guard(local_->shared->multi_lock, LockMode::exclusive);
  local_->oldest_members[slot].store(oldest, std::memory_order_relaxed);
}

MultiXactId TransactionSystem::oldest_multixact() const {
  LwLockGuard guard(local_->shared->multi_lock, LockMode::shared);
  MultiXactId oldest = local_->shared->next_multi;
  for (uint32_t i = 0; i < 2 * local_->slots(); ++i) {
    const MultiXactId announced = local_->oldest_members[i].load(std::memory_order_acquire);
    if (announced != 0 && multixact_precedes(announced, oldest)) oldest = announced;
  }
  return oldest;
}

Status TransactionSystem::create_multixact(TransactionId xid,
                                           std::span<const MultiXactMember> members,
                                           MultiXactId* multi) {
  Shared& shared = *local_->shared;
  INVARIANT(!members.empty());
  RETURN_IF_ERROR(local_->services.state.check());
  uint32_t offset = 0;
  MultiXactLimits limits;
  Oid oldest_database = invalid_oid;
  bool few_members = false;
  uint32_t members_left = 0;
  {
    LwLockGuard guard(shared.multi_lock, LockMode::exclusive);
    *multi = shared.next_multi;
    limits = shared.multi_limits;
    oldest_database = shared.oldest_multi_database;
    if (!multixact_precedes(*multi, limits.stop))
      return multixacts_exhausted(named(oldest_database, false));
    // Offset 0 means that there is none, so the first members begin at 1.
    const uint32_t first = shared.next_multi_offset;
    offset = first == 0 ? 1 : first;
    const uint32_t count = static_cast<uint32_t>(members.size()) + (first == 0 ? 1 : 0);
    const uint32_t left = shared.member_stop - first;
    if (shared.member_limit_known) {
      if (members_reach(shared.member_stop, first, count))
        return members_exhausted(oldest_database, count, left - 1);
      few_members =
          members_reach(shared.member_stop, first,
                        count + local_->multixacts.members_per_segment() * member_warn_segments);
      members_left = left + count;
    }
    RETURN_IF_ERROR(local_->multixacts.extend(*multi, first, count));
    shared.next_multi = next_multixact(*multi);
    shared.next_multi_offset = first + count;
  }
  const xl_multixact_create header{*multi, offset, static_cast<int32_t>(members.size())};
  WalRecord record;
  record.begin(RmgrId::multixact, XLOG_MULTIXACT_CREATE_ID, xid);
  record.data(&header, sizeof(header));
  record.data(members.data(), members.size_bytes());
  Status status = local_->services.wal.insert(record, nullptr);
  if (status.is_ok()) status = local_->multixacts.record(*multi, offset, members);
  if (!status.is_ok()) {
    local_->services.state.poison("a multixact could not be written");
    return status;
  }
  if (!multixact_precedes(*multi, limits.warn))
    notify(few_multixacts_left(named(oldest_database, false), limits.wrap - *multi));
  if (few_members) notify(few_members_left(oldest_database, members_left));
  return status;
}

Status TransactionSystem::new_oid(Oid* oid) {
  Shared& shared = *local_->shared;
  RETURN_IF_ERROR(local_->services.state.check());
  LwLockGuard guard(shared.oid_lock, LockMode::exclusive);
  // While a cluster is made the low OIDs are for its own objects; at the wrap they are passed over.
  const Oid lowest = shared.initializing ? first_genbki_object_id : first_normal_object_id;
  if (shared.next_oid < lowest) {
    shared.next_oid = first_normal_object_id;
    shared.logged_oids = 0;
  }
  if (shared.logged_oids == 0) {
    const Oid upto = shared.next_oid + oid_prefetch;
    WalRecord record;
    record.begin(RmgrId::xlog, XLOG_NEXTOID, invalid_transaction_id);
    record.data(&upto, sizeof(upto));
    RETURN_IF_ERROR(local_->services.wal.insert(record, nullptr));
    shared.logged_oids = oid_prefetch;
  }
  *oid = shared.next_oid++;
  --shared.logged_oids;
  return Status::ok;
}

void TransactionSystem::take_snapshot(Snapshot* snapshot) const {
  local_->processes.take_snapshot(-1, snapshot, nullptr);
}

TransactionId TransactionSystem::oldest_xmin() const { return local_->processes.oldest_xmin(); }

Status TransactionSystem::wait_for_commits_in_progress() const {
  return local_->processes.wait_for_checkpoint_delays(local_->services.state);
}

Status TransactionSystem::write_all_dirty(uint64_t* written) {
  RETURN_IF_ERROR(local_->commit_log.pages().write_all_dirty(written));
  RETURN_IF_ERROR(local_->commit_timestamps.pages().write_all_dirty(written));
  RETURN_IF_ERROR(local_->subtransactions.write_all_dirty(written));
  RETURN_IF_ERROR(local_->multixacts.write_all_dirty(written));
  RETURN_IF_ERROR(local_->commit_log.pages().sync());
  RETURN_IF_ERROR(local_->commit_timestamps.pages().sync());
  return local_->multixacts.sync();
}

CommitLog& TransactionSystem::commit_log() const { return local_->commit_log; }
CommitTimestampLog& TransactionSystem::commit_timestamps() const {
  return local_->commit_timestamps;
}
MultiXactLog& TransactionSystem::multixacts() const { return local_->multixacts; }

// Replay. ------------------------------------------------------------------------------------

void TransactionSystem::begin_recovery(const TransactionCounters& counters) {
  load_counters(counters, false);
}

void TransactionSystem::advance_next_xid_past(TransactionId xid) {
  if (!is_normal(xid)) return;
  std::atomic<FullTransactionId>& next_xid = local_->shared->next_xid;
  const FullTransactionId current = next_xid.load(std::memory_order_relaxed);
  if (precedes(xid, xid_of(current))) return;
  // Not far ahead of the next xid: a smaller number is of the next epoch.
  FullTransactionId full = (current & ~FullTransactionId{0xFFFFFFFFu}) | value_of(xid);
  if (value_of(xid) < value_of(xid_of(current))) full += FullTransactionId{1} << 32;
  next_xid.store(advance(full), std::memory_order_relaxed);
}

void TransactionSystem::set_next_xid(FullTransactionId next_xid) {
  local_->shared->next_xid.store(next_xid, std::memory_order_relaxed);
}

void TransactionSystem::set_next_oid(Oid next_oid) {
  LwLockGuard guard(local_->shared->oid_lock, LockMode::exclusive);
  local_->shared->next_oid = next_oid;
  local_->shared->logged_oids = 0;
}

void TransactionSystem::set_next_multixact(MultiXactId next, uint32_t next_offset) {
  LwLockGuard guard(local_->shared->multi_lock, LockMode::exclusive);
  local_->shared->next_multi = next;
  local_->shared->next_multi_offset = next_offset;
}

void TransactionSystem::advance_next_multixact(MultiXactId next, uint32_t next_offset) {
  Shared& shared = *local_->shared;
  LwLockGuard guard(shared.multi_lock, LockMode::exclusive);
  if (static_cast<int32_t>(shared.next_multi - next) < 0) shared.next_multi = next;
  if (static_cast<int32_t>(shared.next_multi_offset - next_offset) < 0)
    shared.next_multi_offset = next_offset;
}

void TransactionSystem::advance_oldest_multixact(MultiXactId oldest, Oid database) {
  if (multixact_precedes(counters().oldestMulti, oldest)) set_oldest_multixact(oldest, database);
}

Status TransactionSystem::log_running_transactions() {
  // No xid may be assigned between the list and its record, or a standby would miss it.
  LwLockGuard guard(local_->shared->xid_lock, LockMode::shared);
  const RunningTransactions running = local_->processes.running();
  xl_running_xacts header{};
  header.latestCompletedXid = running.latest_completed;
  header.xcnt = static_cast<int32_t>(running.xids.size());
  header.subxcnt = static_cast<int32_t>(running.subxids.size());
  header.subxid_overflow = running.suboverflowed ? 1 : 0;
  header.nextXid = xid_of(local_->shared->next_xid.load(std::memory_order_relaxed));
  header.oldestRunningXid = header.nextXid;
  for (const TransactionId xid : running.xids) {
    if (precedes(xid, header.oldestRunningXid)) header.oldestRunningXid = xid;
  }
  WalRecord record;
  record.begin(RmgrId::standby, XLOG_RUNNING_XACTS, invalid_transaction_id);
  record.set_flags(XLOG_MARK_UNIMPORTANT);
  record.data(&header, sizeof(header));
  for (const std::vector<TransactionId>* xids : {&running.xids, &running.subxids}) {
    if (!xids->empty()) record.data(xids->data(), xids->size() * sizeof(TransactionId));
  }
  return local_->services.wal.insert(record, nullptr);
}

}  // namespace pgdata
