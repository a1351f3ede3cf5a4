// TransactionSystem: counters, and the parts that keep outcomes, joined.
#include "xact/transaction_system.h"

#include <atomic>
#include <cstring>

#include "base/invariant.h"
#include "layout/wal_xlog_records.h"
#include "shmem/lwlock.h"
#include "wal/wal.h"
#include "xact/commit_log.h"
#include "xact/commit_timestamps.h"
#include "xact/multixact.h"
#include "xact/prepared_table.h"
#include "xact/process_array.h"
#include "xact/slru.h"
#include "xact/subtransactions.h"

namespace pgdata {

namespace {

// OIDs that one XLOG_NEXTOID record allows to be given out (VAR_OID_PREFETCH).
constexpr uint32_t oid_prefetch = 8192;
// How long before the oldest xid would seem to lie in the future new ones are refused.
constexpr uint32_t xid_stop_margin = 3'000'000;
// How long before the oldest multixact would seem to lie in the future new ones are refused.
constexpr uint32_t multixact_stop_margin = 3'000'000;
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

TransactionId stop_limit_for(TransactionId oldest) {
  uint32_t wrap = value_of(oldest) + (0xFFFFFFFFu >> 1);
  if (wrap < 3) wrap += 3;
  uint32_t stop = wrap - xid_stop_margin;
  if (stop < 3) stop -= 3;
  return TransactionId{stop};
}

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
  TransactionId xid_stop_limit;
  alignas(64) LwLock oid_lock;
  Oid next_oid;
  uint32_t logged_oids;  // that may be given out before another record is due
  bool initializing;
  alignas(64) LwLock multi_lock;  // also of the announcements of multixacts
  MultiXactId next_multi;
  uint32_t next_multi_offset;
  MultiXactId oldest_multi;
  Oid oldest_multi_database;
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
    shared.oldest_multi = counters.oldestMulti;
    shared.oldest_multi_database = counters.oldestMultiDB;
  }
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
  shared.xid_stop_limit = stop_limit_for(oldest);
}

Status TransactionSystem::assign_xid(int slot, TransactionId parent, TransactionId* xid) {
  Shared& shared = *local_->shared;
  INVARIANT(!local_->options.read_only);
  RETURN_IF_ERROR(local_->services.state.check());
  LwLockGuard guard(shared.xid_lock, LockMode::exclusive);
  const FullTransactionId full = shared.next_xid.load(std::memory_order_relaxed);
  const TransactionId assigned = xid_of(full);
  if (!precedes(assigned, shared.xid_stop_limit)) {
    return Status::error(
               ErrorCode::program_limit_exceeded,
               "database is not accepting commands that assign new transaction IDs to avoid "
               "wraparound data loss in database with OID %u",
               shared.oldest_xid_database)
        .with_hint(
            "Execute a database-wide VACUUM in that database.\n"
            "You might also need to commit or roll back old prepared transactions, or drop stale "
            "replication slots.");
  }
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
  // Before the xid is on any page: of a slot that lists too many, pg_subtrans alone tells that it runs.
  return is_valid(parent) ? local_->subtransactions.set_parent(assigned, parent) : Status();
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

void TransactionSystem::announce_all_multixacts(int slot) {
  LwLockGuard guard(local_->shared->multi_lock, LockMode::exclusive);
  local_->oldest_members[slot].store(local_->shared->oldest_multi, std::memory_order_relaxed);
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
  {
    LwLockGuard guard(shared.multi_lock, LockMode::exclusive);
    *multi = shared.next_multi;
    const MultiXactId stop = shared.oldest_multi + (0xFFFFFFFFu >> 1) - multixact_stop_margin;
    if (!multixact_precedes(*multi, stop)) {
      return Status::error(
                 ErrorCode::program_limit_exceeded,
                 "database is not accepting commands that assign new MultiXactIds to avoid "
                 "wraparound data loss in database with OID %u",
                 shared.oldest_multi_database)
          .with_hint(
              "Execute a database-wide VACUUM in that database.\n"
              "You might also need to commit or roll back old prepared transactions, or drop "
              "stale replication slots.");
    }
    // Offset 0 means that there is none, so the first members begin at 1.
    const uint32_t first = shared.next_multi_offset;
    offset = first == 0 ? 1 : first;
    const uint32_t count = static_cast<uint32_t>(members.size()) + (first == 0 ? 1 : 0);
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
  if (!status.is_ok()) local_->services.state.poison("a multixact could not be written");
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

Status TransactionSystem::write_all_dirty() {
  RETURN_IF_ERROR(local_->commit_log.pages().write_all_dirty());
  RETURN_IF_ERROR(local_->commit_timestamps.pages().write_all_dirty());
  RETURN_IF_ERROR(local_->subtransactions.write_all_dirty());
  RETURN_IF_ERROR(local_->multixacts.write_all_dirty());
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
  Shared& shared = *local_->shared;
  LwLockGuard guard(shared.multi_lock, LockMode::exclusive);
  if (static_cast<int32_t>(shared.oldest_multi - oldest) >= 0) return;
  shared.oldest_multi = oldest;
  shared.oldest_multi_database = database;
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
