// PreparedTransactions: states in memory and in pg_twophase.
#include "recovery/prepared_transactions.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/crc32c.h"
#include "layout/wal_transaction_records.h"
#include "xact/two_phase_state.h"

namespace pgdata {

namespace {

constexpr const char* directory = "pg_twophase";
constexpr size_t file_name_length = 16;

// Whether `bytes` (without checksum) begin as the state of `xid` must.
bool is_state(const std::byte* bytes, size_t size, TransactionId xid) {
  return size >= sizeof(xl_xact_prepare) && load<uint32_t>(bytes) == TWOPHASE_MAGIC &&
         load<uint32_t>(bytes + 4) == size + sizeof(uint32_t) &&
         load<TransactionId>(bytes + 8) == xid;
}

uint32_t checksum_of(const std::string& bytes) {
  return crc32c_finish(crc32c(crc32c_initial, bytes.data(), bytes.size()));
}

}  // namespace

FullTransactionId PreparedTransactions::full_xid(TransactionId xid, FullTransactionId next) {
  FullTransactionId epoch = next >> 32;
  if (value_of(xid) > value_of(xid_of(next)) && epoch > 0) --epoch;
  return epoch << 32 | value_of(xid);
}

std::string PreparedTransactions::path(FullTransactionId xid) const {
  char name[file_name_length + 1];
  std::snprintf(name, sizeof(name), "%016" PRIX64, xid);
  return services_.storage.options().data_directory + "/" + directory + "/" + name;
}

Status PreparedTransactions::remove_file(FullTransactionId xid) {
  Status status = services_.storage.files().remove_file(path(xid));
  if (status.code() == ErrorCode::undefined_file) return Status::ok;
  RETURN_IF_ERROR(std::move(status));
  services_.storage.register_directory_sync(directory);
  return Status::ok;
}

Status PreparedTransactions::load(FullTransactionId next_xid) {
  FileSystem& files = services_.storage.files();
  std::vector<std::string> names;
  Status listed = files.list(services_.storage.options().data_directory + "/" + directory, &names);
  if (listed.code() == ErrorCode::undefined_file) return Status::ok;
  RETURN_IF_ERROR(std::move(listed));
  for (const std::string& name : names) {
    if (name.size() != file_name_length ||
        name.find_first_not_of("0123456789ABCDEF") != std::string::npos)
      continue;
    const FullTransactionId xid = std::strtoull(name.c_str(), nullptr, 16);
    if (xid >= next_xid) {
      RETURN_IF_ERROR(remove_file(xid));
      continue;
    }
    std::string bytes;
    RETURN_IF_ERROR(read_whole_file(files, path(xid), &bytes));
    const size_t size = bytes.size() < sizeof(uint32_t) ? 0 : bytes.size() - sizeof(uint32_t);
    const uint32_t checksum = size == 0 ? 0 : pgdata::load<uint32_t>(bytes.data() + size);
    bytes.resize(size);
    if (!is_state(reinterpret_cast<const std::byte*>(bytes.data()), size, xid_of(xid)) ||
        checksum_of(bytes) != checksum)
      return Status::error(Status::data_corrupted, "invalid data in file \"%s/%s\"", directory,
                           name.c_str());
    states_[xid] = {std::move(bytes), true};
  }
  return Status::ok;
}

bool PreparedTransactions::add(FullTransactionId xid, const std::byte* state, size_t size) {
  if (!is_state(state, size, xid_of(xid))) return false;
  // One whose file is there already was made durable before the crash, as it is.
  const auto [place, is_new] = states_.try_emplace(xid);
  if (is_new) place->second.bytes.assign(reinterpret_cast<const char*>(state), size);
  return true;
}

Status PreparedTransactions::remove(FullTransactionId xid) {
  const auto found = states_.find(xid);
  if (found == states_.end()) return remove_file(xid);
  const bool on_disk = found->second.on_disk;
  states_.erase(found);
  return on_disk ? remove_file(xid) : Status::ok;
}

Status PreparedTransactions::settle(TransactionSystem& transactions, TransactionId* oldest) {
  *oldest = invalid_transaction_id;
  for (auto next = states_.begin(); next != states_.end();) {
    const auto [full, state] = *next;
    ++next;
    TransactionStatus status;
    RETURN_IF_ERROR(transactions.status_of(xid_of(full), &status));
    if (status == TransactionStatus::committed || status == TransactionStatus::aborted) {
      RETURN_IF_ERROR(remove(full));
      continue;
    }
    if (!is_valid(*oldest)) *oldest = xid_of(full);
    transactions.advance_next_xid_past(xid_of(full));
    prepared_xids_.insert(xid_of(full));
    TwoPhaseState parsed;
    if (!TwoPhaseState::parse(state.bytes, &parsed).is_ok())
      return Status::error(Status::data_corrupted, "corrupted two-phase state for transaction %u",
                           value_of(xid_of(full)));
    for (const TransactionId subxact : parsed.subxacts) {
      transactions.advance_next_xid_past(subxact);
      prepared_xids_.insert(subxact);
    }
  }
  return Status::ok;
}

Status PreparedTransactions::write() {
  FileSystem& files = services_.storage.files();
  for (auto& [xid, state] : states_) {
    if (state.on_disk) continue;
    const uint32_t checksum = checksum_of(state.bytes);
    std::string contents = state.bytes;
    contents.append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
    RETURN_IF_ERROR(replace_file_durably(files, path(xid), contents));
    state.on_disk = true;
  }
  return Status::ok;
}

}  // namespace pgdata
