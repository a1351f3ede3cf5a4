// PreparedTable: entries in the segment, states in the log and in files.
#include "xact/prepared_table.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/invariant.h"
#include "layout/wal_record.h"
#include "shmem/lwlock.h"
#include "statistics/session_counters.h"
#include "wal/wal_reader.h"
#include "xact/commit_timestamps.h"
#include "xact/outcome_record.h"
#include "xact/process_array.h"
#include "xact/serializable.h"
#include "xact/transaction_system.h"

namespace pgdata {

namespace {

constexpr const char* directory = "pg_twophase";
constexpr size_t file_name_length = 16;

Status too_many(uint32_t prepared_max) {
  return Status::error(ErrorCode::out_of_memory, "maximum number of prepared transactions reached")
      .with_hint("Increase \"max_prepared_transactions\" (currently " +
                 std::to_string(prepared_max) + ").");
}

}  // namespace

struct PreparedTable::Shared {
  LwLock lock;  // protects the entries; held during the file IO of a checkpoint
};

struct PreparedTable::Entry {
  FullTransactionId xid;  // 0: free
  Oid owner;
  Oid database;
  TimestampTz prepared_at;
  Lsn start;  // of its record; invalid when it came from a file
  Lsn end;
  int32_t slot;
  bool valid;  // prepared; before, its name alone is taken
  bool busy;   // somebody is about to end it
  bool on_disk;
  char gid[GIDSIZE];
};

void PreparedTable::plan(SegmentPlan& plan, uint32_t prepared_max) {
  plan.reserve("prepared transactions",
               align_up(sizeof(Shared), 64) + prepared_max * sizeof(Entry));
}

PreparedTable::PreparedTable(Segment& segment, StorageServices& services,
                             TransactionSystem& transactions, uint32_t prepared_max)
    : services_(services), transactions_(transactions), prepared_max_(prepared_max) {
  std::byte* at = segment.find("prepared transactions");
  shared_ = reinterpret_cast<Shared*>(at);
  entries_ = reinterpret_cast<Entry*>(at + align_up(sizeof(Shared), 64));
}

std::string PreparedTable::path(FullTransactionId xid) const {
  char name[file_name_length + 1];
  std::snprintf(name, sizeof(name), "%016" PRIX64, xid);
  return services_.storage.options().data_directory + "/" + directory + "/" + name;
}

Status PreparedTable::remove_file(FullTransactionId xid) {
  Status status = services_.storage.files().remove_file(path(xid));
  if (status.code() == ErrorCode::undefined_file) return Status::ok;
  return status;
}

Status PreparedTable::read_files(std::vector<Loaded>* loaded) {
  loaded->clear();
  FileSystem& files = services_.storage.files();
  std::vector<std::string> names;
  Status listed = files.list(services_.storage.options().data_directory + "/" + directory, &names);
  if (listed.code() == ErrorCode::undefined_file) return Status::ok;
  RETURN_IF_ERROR(std::move(listed));
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name.size() != file_name_length ||
        name.find_first_not_of("0123456789ABCDEF") != std::string::npos)
      continue;
    Loaded one;
    one.xid = std::strtoull(name.c_str(), nullptr, 16);
    std::string bytes;
    RETURN_IF_ERROR(read_whole_file(files, path(one.xid), &bytes));
    if (!TwoPhaseState::parse_file(bytes, &one.state).is_ok() || one.state.xid != xid_of(one.xid)) {
      return Status::error(ErrorCode::data_corrupted, "invalid data in file \"%s/%s\"", directory,
                           name.c_str());
    }
    loaded->push_back(std::move(one));
  }
  return Status::ok;
}

Status PreparedTable::list_files(std::vector<PreparedTransaction>* prepared) {
  prepared->clear();
  std::vector<Loaded> loaded;
  RETURN_IF_ERROR(read_files(&loaded));
  for (Loaded& one : loaded) {
    prepared->push_back({one.state.xid, std::move(one.state.gid), one.state.prepared_at,
                         one.state.owner, one.state.database});
  }
  return Status::ok;
}

Status PreparedTable::load(FullTransactionId next_xid, TransactionId* oldest) {
  std::vector<Loaded> found;
  RETURN_IF_ERROR(read_files(&found));
  *oldest = xid_of(next_xid);
  loaded_.clear();
  for (Loaded& one : found) {
    // Of a history that was left behind, or ended just before its file could be removed.
    bool stale = one.xid >= next_xid;
    if (!stale) {
      TransactionStatus status = TransactionStatus::in_progress;
      RETURN_IF_ERROR(transactions_.status_of(one.state.xid, &status));
      stale = status == TransactionStatus::committed || status == TransactionStatus::aborted;
    }
    if (stale) {
      RETURN_IF_ERROR(remove_file(one.xid));
      continue;
    }
    if (precedes(one.state.xid, *oldest)) *oldest = one.state.xid;
    loaded_.push_back(std::move(one));
  }
  return Status::ok;
}

Status PreparedTable::enter() {
  std::vector<Loaded> loaded;
  loaded.swap(loaded_);
  if (loaded.size() > prepared_max_) return too_many(prepared_max_);
  for (const Loaded& one : loaded) {
    uint32_t index = 0;
    RETURN_IF_ERROR(reserve(one.state, one.xid, &index));
    // Whatever tree they were, only whom they belong to matters now.
    for (const TransactionId subxact : one.state.subxacts)
      RETURN_IF_ERROR(transactions_.set_parent(subxact, one.state.xid));
    publish(index, one.state, invalid_lsn, invalid_lsn);
    for (const TwoPhaseRecord& record : one.state.records) {
      if (record.rmid == TWOPHASE_RM_MULTIXACT_ID && record.data.size() == sizeof(MultiXactId)) {
        transactions_.announce_oldest_member(entries_[index].slot,
                                             pgdata::load<MultiXactId>(record.data.data()));
      }
      if (record.rmid != TWOPHASE_RM_LOCK_ID || record.data.size() != sizeof(TwoPhaseLockRecord))
        continue;
      const auto lock = pgdata::load<TwoPhaseLockRecord>(record.data.data());
      if (lock.locktag_type != LOCKTAG_TRANSACTION)
        locks_at_start_.push_back({one.state.gid, lock});
    }
    if (SerializableTransactions* const serializable = transactions_.serializable_transactions())
      RETURN_IF_ERROR(serializable->recover_prepared(one.state));
    LwLockGuard guard(shared_->lock, LockMode::exclusive);
    entries_[index].on_disk = true;
  }
  return Status::ok;
}

Status PreparedTable::find_free(const std::string& gid, uint32_t* entry) {
  *entry = prepared_max_;
  for (uint32_t i = 0; i < prepared_max_; ++i) {
    if (entries_[i].xid == 0) {
      if (*entry == prepared_max_) *entry = i;
    } else if (gid == entries_[i].gid) {
      return Status::error(ErrorCode::duplicate_object,
                           "transaction identifier \"%s\" is already in use", gid.c_str());
    }
  }
  return *entry == prepared_max_ ? too_many(prepared_max_) : Status();
}

Status PreparedTable::reserve(const TwoPhaseState& state, FullTransactionId xid, uint32_t* entry) {
  if (state.gid.size() >= GIDSIZE) {
    return Status::error(ErrorCode::invalid_parameter_value,
                         "transaction identifier \"%s\" is too long", state.gid.c_str());
  }
  if (prepared_max_ == 0) {
    return Status::error(ErrorCode::object_not_in_prerequisite_state,
                         "prepared transactions are disabled")
        .with_hint("Set \"max_prepared_transactions\" to a nonzero value.");
  }
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  RETURN_IF_ERROR(find_free(state.gid, entry));
  int slot = -1;
  if (!transactions_.processes().take_prepared_slot(state.database, &slot))
    return too_many(prepared_max_);
  Entry& taken = entries_[*entry];
  taken = Entry{};
  taken.xid = xid;
  taken.owner = state.owner;
  taken.database = state.database;
  taken.prepared_at = state.prepared_at;
  taken.slot = slot;
  std::memcpy(taken.gid, state.gid.c_str(), state.gid.size() + 1);
  return Status::ok;
}

void PreparedTable::give_up(uint32_t entry) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  INVARIANT(entries_[entry].xid != 0);
  INVARIANT(!entries_[entry].valid);
  transactions_.processes().release_slot(entries_[entry].slot);
  entries_[entry].xid = 0;
}

void PreparedTable::publish(uint32_t entry, const TwoPhaseState& state, Lsn start, Lsn end) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  Entry& prepared = entries_[entry];
  prepared.start = start;
  prepared.end = end;
  transactions_.processes().enter_prepared(prepared.slot, state.xid, state.subxacts);
  prepared.valid = true;
}

int PreparedTable::slot_of(uint32_t entry) const { return entries_[entry].slot; }

std::vector<PreparedTransaction> PreparedTable::list() const {
  std::vector<PreparedTransaction> prepared;
  LwLockGuard guard(shared_->lock, LockMode::shared);
  for (uint32_t i = 0; i < prepared_max_; ++i) {
    const Entry& entry = entries_[i];
    if (entry.xid == 0 || !entry.valid) continue;
    prepared.push_back(
        {xid_of(entry.xid), entry.gid, entry.prepared_at, entry.owner, entry.database});
  }
  return prepared;
}

// The main data of its PREPARE record.
Status PreparedTable::read_state(const Entry& entry, std::string* data) {
  if (entry.on_disk) {
    RETURN_IF_ERROR(read_whole_file(services_.storage.files(), path(entry.xid), data));
    TwoPhaseState state;
    RETURN_IF_ERROR(TwoPhaseState::parse_file(*data, &state));
    data->resize(data->size() - sizeof(uint32_t));
    return Status::ok;
  }
  RETURN_IF_ERROR(services_.wal.flush(entry.end));
  const WalOptions& wal = services_.wal.options();
  WalReaderOptions options;
  options.directory = wal.directory;
  options.block_size = wal.block_size;
  options.segment_bytes = wal.segment_bytes;
  options.timeline = wal.timeline;
  options.system_identifier = wal.system_identifier;
  WalReader reader(services_.storage.files(), options);
  reader.begin_at(entry.start);
  bool found = false;
  RETURN_IF_ERROR(reader.next(&found));
  const DecodedWalRecord& record = reader.record();
  if (!found || record.rmgr() != static_cast<uint8_t>(RmgrId::transaction) ||
      (record.info() & XLOG_XACT_OPMASK) != XLOG_XACT_PREPARE) {
    return Status::error(
        ErrorCode::data_corrupted, "expected two-phase state data is not present in WAL at %X/%08X",
        static_cast<uint32_t>(entry.start >> 32), static_cast<uint32_t>(entry.start));
  }
  data->assign(reinterpret_cast<const char*>(record.main_data), record.main_data_length);
  return Status::ok;
}

Status PreparedTable::claim(const std::string& gid, uint32_t* entry) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  for (uint32_t i = 0; i < prepared_max_; ++i) {
    if (entries_[i].xid == 0 || !entries_[i].valid || gid != entries_[i].gid) continue;
    if (entries_[i].busy) {
      return Status::error(ErrorCode::object_not_in_prerequisite_state,
                           "prepared transaction with identifier \"%s\" is busy", gid.c_str());
    }
    entries_[i].busy = true;
    *entry = i;
    return Status::ok;
  }
  return Status::error(ErrorCode::undefined_object,
                       "prepared transaction with identifier \"%s\" does not exist", gid.c_str());
}

Status PreparedTable::record_outcome(Entry& entry, const TwoPhaseState& state, bool commit) {
  OutcomeRecord outcome;
  outcome.committed = commit;
  outcome.time = current_timestamp();
  outcome.subxacts = state.subxacts;
  outcome.files = commit ? state.commit_files : state.abort_files;
  outcome.stats = commit ? state.commit_stats : state.abort_stats;
  outcome.prepared = state.xid;
  outcome.gid = state.gid;
  transactions_.processes().begin_checkpoint_delay(entry.slot);
  Lsn end = invalid_lsn;
  Status status = outcome.log(services_.wal, invalid_transaction_id, &end);
  if (status.is_ok() && commit) {
    status = transactions_.commit_timestamps().set_tree(state.xid, state.subxacts, outcome.time, 0);
  }
  if (status.is_ok()) status = services_.wal.flush(end);
  if (status.is_ok()) {
    status = transactions_.set_tree(
        state.xid, state.subxacts,
        commit ? TransactionStatus::committed : TransactionStatus::aborted, invalid_lsn);
  }
  transactions_.processes().end_checkpoint_delay(entry.slot);
  if (!status.is_ok()) services_.state.poison("a prepared transaction could not be ended");
  return status;
}

Status PreparedTable::finish(const std::string& gid, bool commit, TwoPhaseState* state,
                             const std::function<void(int slot)>& when_over) {
  RETURN_IF_ERROR(services_.state.check());
  uint32_t index = 0;
  RETURN_IF_ERROR(claim(gid, &index));
  Entry& entry = entries_[index];
  Entry seen;
  {
    LwLockGuard guard(shared_->lock, LockMode::shared);
    seen = entry;
  }
  std::string data;
  Status status = read_state(seen, &data);
  {
    // A checkpoint may meanwhile have made the file and removed the log.
    LwLockGuard guard(shared_->lock, LockMode::exclusive);
    if (!status.is_ok() && entry.on_disk) status = read_state(entry, &data);
    if (status.is_ok()) status = TwoPhaseState::parse(data, state);
    if (!status.is_ok()) {
      entry.busy = false;
      return status;
    }
  }
  RETURN_IF_ERROR(record_outcome(entry, *state, commit));
  transactions_.processes().end_transaction(
      entry.slot, state->xid, state->subxacts.empty() ? state->xid : state->subxacts.back());
  if (SerializableTransactions* const serializable = transactions_.serializable_transactions())
    serializable->end_prepared(state->xid, commit);
  if (services_.statistics != nullptr) {
    SessionCounters::finish_prepared(*services_.statistics, state->database, state->changes(),
                                     commit ? state->commit_stats : state->abort_stats, commit);
  }
  remove_relation_files(services_, commit ? state->commit_files : state->abort_files);
  if (when_over) when_over(entry.slot);
  const FullTransactionId xid = entry.xid;
  bool on_disk = false;
  {
    LwLockGuard guard(shared_->lock, LockMode::exclusive);
    on_disk = entry.on_disk;
    transactions_.end_multixact_use(entry.slot);
    transactions_.processes().release_slot(entry.slot);
    entry.xid = 0;
    entry.valid = false;
  }
  // It is over; a file that stays is found stale at the next start.
  if (on_disk) static_cast<void>(remove_file(xid).is_ok());
  return Status::ok;
}

Status PreparedTable::checkpoint(Lsn redo) {
  if (prepared_max_ == 0) return Status::ok;
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  for (uint32_t i = 0; i < prepared_max_; ++i) {
    Entry& entry = entries_[i];
    if (entry.xid == 0 || !entry.valid || entry.on_disk || entry.end > redo) continue;
    std::string data;
    RETURN_IF_ERROR(read_state(entry, &data));
    RETURN_IF_ERROR(replace_file_durably(services_.storage.files(), path(entry.xid),
                                         TwoPhaseState::with_checksum(std::move(data))));
    entry.on_disk = true;
    entry.start = invalid_lsn;
    entry.end = invalid_lsn;
  }
  return Status::ok;
}

}  // namespace pgdata
