// RedoDriver: one record, and the blocks and files that records name.
#include "recovery/redo_driver.h"

#include <utility>

#include "recovery/redo_context.h"
#include "recovery/resource_managers.h"
#include "wal/wal_geometry.h"

namespace pgdata {

namespace {

// Whoever locked a page of such a record would wait for itself at the second reference.
bool refers_to_a_block_twice(const DecodedWalRecord& record) {
  for (int id = 1; id < record.block_count; id++) {
    const WalBlock& block = record.blocks[id];
    if (!block.in_use) continue;
    for (int other = 0; other < id; other++) {
      const WalBlock& before = record.blocks[other];
      if (before.in_use && before.number == block.number && before.fork == block.fork &&
          before.relation == block.relation)
        return true;
    }
  }
  return false;
}

// Maps are extended by FreeSpaceMap and VisibilityMap too, so their sizes are asked for.
bool size_is_ours(ForkNumber fork) { return fork == ForkNumber::main || fork == ForkNumber::init; }

}  // namespace

size_t RedoDriver::ForkKeyHash::operator()(const ForkKey& key) const {
  uint64_t hash = uint64_t{key.relation.relNumber} * 0x9E3779B97F4A7C15u;
  hash ^=
      (uint64_t{key.relation.dbOid} << 8 | static_cast<uint64_t>(key.fork)) * 0xC2B2AE3D27D4EB4Fu;
  hash ^= uint64_t{key.relation.spcOid} * 0xFF51AFD7ED558CCDu;
  return static_cast<size_t>(hash ^ (hash >> 29));
}

RedoDriver::RedoDriver(StorageServices& services, TransactionSystem& transactions,
                       ControlFile& control)
    : services_(services),
      transactions_(transactions),
      control_(control),
      prepared_(services),
      origins_(services),
      comparison_(services.pool.options().block_size) {}

Status RedoDriver::apply(const WalReader& reader) {
  const DecodedWalRecord& record = reader.record();
  transactions_.advance_next_xid_past(record.header.xl_xid);
  const ResourceManager* manager = resource_manager(record.rmgr());
  if (manager == nullptr)
    return Status::error(ErrorCode::feature_not_supported,
                         "resource manager with ID %u not registered", record.rmgr())
        .with_detail("A record at " + format_lsn(record.lsn) + " belongs to it.")
        .with_hint(
            "Start stock PostgreSQL with the extension's library in shared_preload_libraries.");
  if (manager->redo == nullptr)
    return Status::error(ErrorCode::feature_not_supported,
                         "cannot replay records of resource manager %s", manager->name)
        .with_detail("The first is at " + format_lsn(record.lsn) + ".");
  RedoContext context(*this, reader, services_, transactions_);
  if (refers_to_a_block_twice(record)) return context.corrupted("two references to one block");
  RETURN_IF_ERROR(manager->redo(context));
  if ((record.header.xl_info & XLR_CHECK_CONSISTENCY) == 0) return Status::ok;
  return comparison_.check(context, *manager);
}

// Blocks. ------------------------------------------------------------------------------------

Status RedoDriver::block_count(RelFileLocator relation, ForkNumber fork, uint32_t* blocks) {
  const auto known = main_sizes_.find({relation, fork});
  if (known != main_sizes_.end()) {
    *blocks = known->second;
    return Status::ok;
  }
  *blocks = 0;
  Status status = services_.storage.block_count(relation, fork, blocks);
  if (status.code() == ErrorCode::undefined_file) return Status::ok;
  RETURN_IF_ERROR(std::move(status));
  if (size_is_ours(fork)) main_sizes_[{relation, fork}] = *blocks;
  return Status::ok;
}

Status RedoDriver::find_block(RelFileLocator relation, ForkNumber fork, BlockNumber block,
                              BufferRef* buffer) {
  services_.pool.find(relation, fork, block, buffer);
  if (!buffer->is_valid()) {
    uint32_t blocks = 0;
    RETURN_IF_ERROR(block_count(relation, fork, &blocks));
    if (value_of(block) >= blocks) {
      remember_invalid(relation, fork, block, false);
      return Status::ok;
    }
    RETURN_IF_ERROR(services_.pool.read(relation, fork, block, ReadMode::normal, nullptr, buffer));
  }
  if (buffer->page().is_new()) {
    buffer->release();
    remember_invalid(relation, fork, block, true);
  }
  return Status::ok;
}

Status RedoDriver::make_directories(const std::string& path) {
  FileSystem& files = services_.storage.files();
  const std::string& root = services_.storage.options().data_directory;
  for (size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    Status status = files.make_directory(root + "/" + part);
    if (status.is_ok()) {
      const size_t parent = part.rfind('/');
      services_.storage.register_directory_sync(
          parent == std::string::npos ? std::string(".") : part.substr(0, parent));
    } else if (status.code() != ErrorCode::duplicate_file) {
      return status;
    }
    if (end == std::string::npos) return Status::ok;
  }
}

Status RedoDriver::make_fork(RelFileLocator relation, ForkNumber fork) {
  Status status = services_.storage.create(relation, fork, true);
  if (status.code() != ErrorCode::undefined_file) return status;
  // The database or tablespace went away later in the log.
  RETURN_IF_ERROR(
      make_directories(services_.storage.database_path(relation.dbOid, relation.spcOid)));
  return services_.storage.create(relation, fork, true);
}

Status RedoDriver::make_map_fork(RelFileLocator relation, ForkNumber fork) {
  if (map_forks_.contains({relation, fork})) return Status::ok;
  RETURN_IF_ERROR(make_fork(relation, fork));
  map_forks_.insert({relation, fork});
  return Status::ok;
}

Status RedoDriver::extend_to_hold(RelFileLocator relation, ForkNumber fork, BlockNumber block) {
  uint32_t blocks = 0;
  RETURN_IF_ERROR(block_count(relation, fork, &blocks));
  if (value_of(block) < blocks) return Status::ok;
  if (blocks == 0) RETURN_IF_ERROR(make_fork(relation, fork));
  const uint32_t wanted = value_of(block) + 1;
  RETURN_IF_ERROR(services_.storage.extend(relation, fork, BlockNumber{blocks}, wanted - blocks));
  if (size_is_ours(fork)) main_sizes_[{relation, fork}] = wanted;
  return Status::ok;
}

Status RedoDriver::find_or_make_block(RelFileLocator relation, ForkNumber fork, BlockNumber block,
                                      BufferRef* buffer) {
  services_.pool.find(relation, fork, block, buffer);
  if (buffer->is_valid()) return Status::ok;
  RETURN_IF_ERROR(extend_to_hold(relation, fork, block));
  return services_.pool.read(relation, fork, block, ReadMode::zero_on_error, nullptr, buffer);
}

Status RedoDriver::make_block(RelFileLocator relation, ForkNumber fork, BlockNumber block,
                              BufferRef* buffer) {
  services_.pool.find(relation, fork, block, buffer);
  if (!buffer->is_valid()) RETURN_IF_ERROR(extend_to_hold(relation, fork, block));
  return services_.pool.read(relation, fork, block, ReadMode::zero_and_lock, nullptr, buffer);
}

// What is not there. -------------------------------------------------------------------------

void RedoDriver::remember_invalid(RelFileLocator relation, ForkNumber fork, BlockNumber block,
                                  bool present) {
  invalid_pages_.try_emplace({relation, fork, value_of(block)}, present);
}

void RedoDriver::forget_invalid(RelFileLocator relation, ForkNumber fork, BlockNumber from) {
  invalid_pages_.erase(invalid_pages_.lower_bound({relation, fork, value_of(from)}),
                       invalid_pages_.upper_bound({relation, fork, 0xFFFFFFFFu}));
}

Status RedoDriver::check_invalid_pages() const {
  if (invalid_pages_.empty()) return Status::ok;
  const auto& [key, present] = *invalid_pages_.begin();
  const auto& [relation, fork, block] = key;
  return Status::error(Status::data_corrupted, "WAL contains references to invalid pages")
      .with_detail("Block " + std::to_string(block) + " of relation \"" +
                   services_.storage.relation_path(relation, fork) +
                   (present ? "\" is uninitialized" : "\" does not exist") + "; " +
                   std::to_string(invalid_pages_.size()) + " in all.");
}

// Whole files. -------------------------------------------------------------------------------

void RedoDriver::forget_sizes(RelFileLocator relation) {
  main_sizes_.erase({relation, ForkNumber::main});
  main_sizes_.erase({relation, ForkNumber::init});
  map_forks_.erase({relation, ForkNumber::fsm});
  map_forks_.erase({relation, ForkNumber::visibility_map});
}

Status RedoDriver::drop_relation(RelFileLocator relation) { return drop_relations(&relation, 1); }

Status RedoDriver::drop_relations(const RelFileLocator* relations, size_t count) {
  for (size_t i = 0; i < count; i++) {
    // In the record without alignment.
    const auto relation = load<RelFileLocator>(relations + i);
    services_.pool.drop_relation(relation);
    RETURN_IF_ERROR(services_.storage.unlink(relation, true));
    forget_sizes(relation);
    created_.erase(relation);
    for (int fork = 0; fork < fork_count; fork++)
      forget_invalid(relation, static_cast<ForkNumber>(fork), BlockNumber{0});
  }
  return Status::ok;
}

Status RedoDriver::remove_orphans() {
  // A relation map is replaced before its transaction commits, perhaps for files that a subtransaction made: it may
  // name them although the transaction never ended.
  for (const TransactionId xid : map_writers_) {
    TransactionStatus status;
    RETURN_IF_ERROR(transactions_.status_of(xid, &status));
    if (status == TransactionStatus::in_progress) return Status::ok;
  }
  std::vector<RelFileLocator> orphans;
  for (const auto& [relation, xid] : created_) {
    // What was made before the transaction had an id cannot be told from what another one made.
    if (!is_normal(xid) || prepared_.contains(xid)) continue;
    TransactionStatus status;
    RETURN_IF_ERROR(transactions_.status_of(xid, &status));
    if (status == TransactionStatus::in_progress) orphans.push_back(relation);
  }
  return drop_relations(orphans.data(), orphans.size());
}

Status RedoDriver::truncate_fork(RelFileLocator relation, ForkNumber fork, BlockNumber blocks) {
  services_.pool.drop_relation(relation, fork, blocks);
  forget_invalid(relation, fork, blocks);
  uint32_t now = 0;
  RETURN_IF_ERROR(block_count(relation, fork, &now));
  if (now <= value_of(blocks)) return Status::ok;
  RETURN_IF_ERROR(services_.storage.truncate(relation, fork, value_of(blocks)));
  if (size_is_ours(fork)) main_sizes_[{relation, fork}] = value_of(blocks);
  return Status::ok;
}

void RedoDriver::forget_database(Oid database) {
  services_.pool.drop_database(database);
  services_.storage.close_database(database);
  std::erase_if(main_sizes_,
                [&](const auto& entry) { return entry.first.relation.dbOid == database; });
  std::erase_if(created_, [&](const auto& entry) { return entry.first.dbOid == database; });
  std::erase_if(map_forks_, [&](const ForkKey& key) { return key.relation.dbOid == database; });
  std::erase_if(invalid_pages_,
                [&](const auto& entry) { return std::get<0>(entry.first).dbOid == database; });
}

}  // namespace pgdata
