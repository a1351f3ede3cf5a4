// Prepared transactions at a start: their files, read and entered.
#include "recovery/prepared_start.h"

#include <string>
#include <vector>

#include "xact/process_array.h"

namespace pgdata {

namespace {

constexpr size_t file_name_length = 16;
constexpr size_t header_bytes = 72;
// With more, whose they are is looked up in pg_subtrans, which a start has emptied.
constexpr uint32_t subxacts_max = 64;

}  // namespace

Status enter_prepared_transactions(StorageServices& services, TransactionSystem& transactions) {
  FileSystem& files = services.storage.files();
  const std::string directory = services.storage.options().data_directory + "/pg_twophase";
  std::vector<std::string> names;
  Status listed = files.list(directory, &names);
  if (listed.code() == ErrorCode::undefined_file) return Status::ok;
  RETURN_IF_ERROR(std::move(listed));
  for (const std::string& name : names) {
    if (name.size() != file_name_length ||
        name.find_first_not_of("0123456789ABCDEF") != std::string::npos)
      continue;
    std::string state;
    RETURN_IF_ERROR(read_whole_file(files, directory + "/" + name, &state));
    if (state.size() < header_bytes)
      return Status::error(Status::data_corrupted, "incorrect size of file \"pg_twophase/%s\"",
                           name.c_str());
    const auto xid = load<TransactionId>(state.data() + 8);
    const auto database = load<Oid>(state.data() + 12);
    const auto count = load<uint32_t>(state.data() + 28);
    const size_t at = header_bytes + max_align(load<uint16_t>(state.data() + 54));
    if (!is_normal(xid) || count > state.size() / sizeof(TransactionId) ||
        at + count * sizeof(TransactionId) > state.size())
      return Status::error(Status::data_corrupted, "invalid data in file \"pg_twophase/%s\"",
                           name.c_str());
    if (count > subxacts_max)
      return Status::error(ErrorCode::feature_not_supported,
                           "prepared transaction %u has more than %u subtransactions",
                           value_of(xid), subxacts_max)
          .with_hint("Commit it or roll it back with stock PostgreSQL 18.");
    std::vector<TransactionId> subxids;
    for (uint32_t i = 0; i < count; i++)
      subxids.push_back(load<TransactionId>(state.data() + at + i * sizeof(TransactionId)));
    int slot = -1;
    if (!transactions.processes().take_prepared_slot(database, &slot))
      return Status::error(ErrorCode::configuration_limit_exceeded,
                           "maximum number of prepared transactions reached");
    transactions.processes().enter_prepared(slot, xid, subxids);
  }
  return Status::ok;
}

}  // namespace pgdata
