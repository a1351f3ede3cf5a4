// TwoPhaseState: to bytes and back.
#include "xact/two_phase_state.h"

#include "base/crc32c.h"

namespace pgdata {

namespace {

void append(std::string* data, const void* bytes, size_t size) {
  data->append(static_cast<const char*>(bytes), size);
  data->resize(max_align(data->size()), '\0');
}

template <typename T>
void append_all(std::string* data, const std::vector<T>& items) {
  append(data, items.data(), items.size() * sizeof(T));
}

uint32_t checksum_of(std::string_view bytes) {
  return crc32c_finish(crc32c(crc32c_initial, bytes.data(), bytes.size()));
}

// Takes pieces off the front, each ending where the next aligned one begins.
class Pieces {
 public:
  explicit Pieces(std::string_view data) : data_(data) {}
  bool take(size_t size, const char** bytes) {
    if (size > data_.size() - at_) return false;
    *bytes = data_.data() + at_;
    at_ = max_align(at_ + size);
    if (at_ > data_.size()) at_ = data_.size();
    return true;
  }
  template <typename T>
  bool take_all(int32_t count, std::vector<T>* items) {
    const char* bytes = nullptr;
    if (count < 0 || !take(static_cast<size_t>(count) * sizeof(T), &bytes)) return false;
    items->resize(static_cast<size_t>(count));
    if (count > 0) std::memcpy(items->data(), bytes, items->size() * sizeof(T));
    return true;
  }

 private:
  std::string_view data_;
  size_t at_ = 0;
};

Status corrupted() { return Status::error(ErrorCode::data_corrupted, "corrupted two-phase state"); }

}  // namespace

SharedInvalidationMessage catalog_invalidation(Oid database, Oid catalog) {
  return {SHAREDINVALCATALOG_ID, 0, 0, {database, catalog, 0}};
}

SharedInvalidationMessage relation_cache_invalidation(Oid database) {
  return {SHAREDINVALRELCACHE_ID, 0, 0, {database, invalid_oid, 0}};
}

void TwoPhaseState::add_lock(const TwoPhaseLockRecord& lock) {
  records.push_back(
      {TWOPHASE_RM_LOCK_ID, 0, std::string(reinterpret_cast<const char*>(&lock), sizeof(lock))});
}

void TwoPhaseState::add_transaction_lock(TransactionId of) {
  TwoPhaseLockRecord lock;
  lock.locktag_field1 = value_of(of);
  lock.locktag_type = LOCKTAG_TRANSACTION;
  lock.lockmode = ExclusiveLock;
  add_lock(lock);
}

void TwoPhaseState::add_oldest_multixact(MultiXactId oldest) {
  records.push_back({TWOPHASE_RM_MULTIXACT_ID, 0,
                     std::string(reinterpret_cast<const char*>(&oldest), sizeof(oldest))});
}

void TwoPhaseState::add_changes(const TwoPhasePgStatRecord& changes) {
  records.push_back({TWOPHASE_RM_PGSTAT_ID, 0,
                     std::string(reinterpret_cast<const char*>(&changes), sizeof(changes))});
}

std::vector<TwoPhasePgStatRecord> TwoPhaseState::changes() const {
  std::vector<TwoPhasePgStatRecord> found;
  for (const TwoPhaseRecord& record : records) {
    if (record.rmid == TWOPHASE_RM_PGSTAT_ID && record.data.size() == sizeof(TwoPhasePgStatRecord))
      found.push_back(load<TwoPhasePgStatRecord>(record.data.data()));
  }
  return found;
}

std::string TwoPhaseState::format() const {
  xl_xact_prepare header{};
  header.magic = TWOPHASE_MAGIC;
  header.xid = xid;
  header.database = database;
  header.prepared_at = prepared_at;
  header.owner = owner;
  header.nsubxacts = static_cast<int32_t>(subxacts.size());
  header.ncommitrels = static_cast<int32_t>(commit_files.size());
  header.nabortrels = static_cast<int32_t>(abort_files.size());
  header.ncommitstats = static_cast<int32_t>(commit_stats.size());
  header.nabortstats = static_cast<int32_t>(abort_stats.size());
  header.ninvalmsgs = static_cast<int32_t>(invalidations.size());
  header.initfileinval = init_file_invalidated ? 1 : 0;
  header.gidlen = static_cast<uint16_t>(gid.size() + 1);
  header.origin_lsn = origin_lsn;
  header.origin_timestamp = origin_timestamp;

  std::string data;
  append(&data, &header, sizeof(header));
  append(&data, gid.c_str(), gid.size() + 1);
  append_all(&data, subxacts);
  append_all(&data, commit_files);
  append_all(&data, abort_files);
  append_all(&data, commit_stats);
  append_all(&data, abort_stats);
  append_all(&data, invalidations);
  const auto append_record = [&](uint8_t rmid, uint16_t info, std::string_view bytes) {
    TwoPhaseRecordOnDisk head;
    head.len = static_cast<uint32_t>(bytes.size());
    head.rmid = rmid;
    head.info = info;
    append(&data, &head, sizeof(head));
    append(&data, bytes.data(), bytes.size());
  };
  for (const TwoPhaseRecord& record : records) append_record(record.rmid, record.info, record.data);
  append_record(TWOPHASE_RM_END_ID, 0, {});

  header.total_len = static_cast<uint32_t>(data.size() + sizeof(uint32_t));
  std::memcpy(data.data(), &header, sizeof(header));
  return data;
}

std::string TwoPhaseState::with_checksum(std::string data) {
  const uint32_t checksum = checksum_of(data);
  data.append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
  return data;
}

Status TwoPhaseState::parse_file(std::string_view file, TwoPhaseState* state) {
  if (file.size() < sizeof(uint32_t)) return corrupted();
  const std::string_view data = file.substr(0, file.size() - sizeof(uint32_t));
  if (load<uint32_t>(file.data() + data.size()) != checksum_of(data)) return corrupted();
  return parse(data, state);
}

Status TwoPhaseState::parse(std::string_view data, TwoPhaseState* state) {
  *state = TwoPhaseState();
  Pieces pieces(data);
  const char* bytes = nullptr;
  if (!pieces.take(sizeof(xl_xact_prepare), &bytes)) return corrupted();
  const auto header = load<xl_xact_prepare>(bytes);
  if (header.magic != TWOPHASE_MAGIC || header.total_len != data.size() + sizeof(uint32_t) ||
      !is_normal(header.xid) || header.gidlen == 0 || header.gidlen > GIDSIZE)
    return corrupted();
  state->xid = header.xid;
  state->database = header.database;
  state->owner = header.owner;
  state->prepared_at = header.prepared_at;
  state->init_file_invalidated = header.initfileinval != 0;
  state->origin_lsn = header.origin_lsn;
  state->origin_timestamp = header.origin_timestamp;
  if (!pieces.take(header.gidlen, &bytes) || bytes[header.gidlen - 1] != '\0') return corrupted();
  state->gid = bytes;
  if (!pieces.take_all(header.nsubxacts, &state->subxacts) ||
      !pieces.take_all(header.ncommitrels, &state->commit_files) ||
      !pieces.take_all(header.nabortrels, &state->abort_files) ||
      !pieces.take_all(header.ncommitstats, &state->commit_stats) ||
      !pieces.take_all(header.nabortstats, &state->abort_stats) ||
      !pieces.take_all(header.ninvalmsgs, &state->invalidations))
    return corrupted();
  for (const TransactionId subxact : state->subxacts) {
    if (!is_normal(subxact) || !precedes(state->xid, subxact)) return corrupted();
  }
  for (;;) {
    if (!pieces.take(sizeof(TwoPhaseRecordOnDisk), &bytes)) return corrupted();
    const auto head = load<TwoPhaseRecordOnDisk>(bytes);
    if (head.rmid == TWOPHASE_RM_END_ID) return Status::ok;
    if (head.rmid > TWOPHASE_RM_PREDICATELOCK_ID || !pieces.take(head.len, &bytes))
      return corrupted();
    state->records.push_back({head.rmid, head.info, std::string(bytes, head.len)});
  }
}

}  // namespace pgdata
