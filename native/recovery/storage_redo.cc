// Redo of resource managers Storage and RelMap: files made and cut, relation maps replaced.
// Source: smgr_redo in src/backend/catalog/storage.c, relmap_redo in src/backend/utils/cache/relmapper.c, PostgreSQL 18.
#include <string>
#include <string_view>

#include "base/crc32c.h"
#include "layout/wal_storage_records.h"
#include "recovery/redo_context.h"
#include "recovery/redo_driver.h"
#include "recovery/redo_functions.h"
#include "space/free_space_map.h"
#include "space/visibility_map.h"

namespace pgdata {

namespace {

// The map file: 64 mappings between a magic number and a checksum at its end.
// Source: RelMapFile in src/backend/utils/cache/relmapper.c.
constexpr uint32_t RELMAPPER_FILEMAGIC = 0x592717;
constexpr size_t relation_map_bytes = 524;

Status redo_truncate(RedoContext& redo) {
  const xl_smgr_truncate* body = redo.main_data<xl_smgr_truncate>();
  if (body == nullptr) return redo.corrupted("truncation too short");
  const auto truncate = load<xl_smgr_truncate>(body);
  if (truncate.blkno == invalid_block_number) return redo.corrupted("truncation to no block");
  const RelFileLocator relation = truncate.rlocator;
  StorageServices& services = redo.services();
  RedoDriver& driver = redo.driver();
  // It may have been dropped later in the log.
  RETURN_IF_ERROR(driver.make_fork(relation, ForkNumber::main));
  if ((truncate.flags & SMGR_TRUNCATE_HEAP) != 0)
    RETURN_IF_ERROR(driver.truncate_fork(relation, ForkNumber::main, truncate.blkno));
  bool exists = false;
  RETURN_IF_ERROR(services.storage.exists(relation, ForkNumber::fsm, &exists));
  const bool cut_space = exists && (truncate.flags & SMGR_TRUNCATE_FSM) != 0;
  if (cut_space) {
    BlockNumber blocks = invalid_block_number;
    FreeSpaceMap space(services.pool, relation);
    RETURN_IF_ERROR(space.prepare_truncate(services, truncate.blkno, false, &blocks));
    if (blocks != invalid_block_number)
      RETURN_IF_ERROR(driver.truncate_fork(relation, ForkNumber::fsm, blocks));
  }
  RETURN_IF_ERROR(services.storage.exists(relation, ForkNumber::visibility_map, &exists));
  if (exists && (truncate.flags & SMGR_TRUNCATE_VM) != 0) {
    BlockNumber blocks = invalid_block_number;
    VisibilityMap visibility(services.pool, relation);
    RETURN_IF_ERROR(visibility.prepare_truncate(services, truncate.blkno, false, &blocks));
    if (blocks != invalid_block_number)
      RETURN_IF_ERROR(driver.truncate_fork(relation, ForkNumber::visibility_map, blocks));
  }
  if (!cut_space) return Status::ok;
  return FreeSpaceMap(services.pool, relation).vacuum_range(truncate.blkno, invalid_block_number);
}

}  // namespace

Status storage_redo(RedoContext& redo) {
  switch (redo.info()) {
    case XLOG_SMGR_CREATE: {
      const xl_smgr_create* body = redo.main_data<xl_smgr_create>();
      if (body == nullptr) return redo.corrupted("creation too short");
      const auto create = load<xl_smgr_create>(body);
      if (create.forkNum < 0 || create.forkNum >= fork_count)
        return redo.corrupted("creation of an invalid fork");
      RETURN_IF_ERROR(
          redo.driver().make_fork(create.rlocator, static_cast<ForkNumber>(create.forkNum)));
      if (create.forkNum == static_cast<int32_t>(ForkNumber::main))
        redo.driver().note_created(create.rlocator, redo.xid());
      return Status::ok;
    }
    case XLOG_SMGR_TRUNCATE:
      return redo_truncate(redo);
    default:
      return redo.corrupted("unknown operation");
  }
}

Status relmap_redo(RedoContext& redo) {
  if (redo.info() != XLOG_RELMAP_UPDATE) return redo.corrupted("unknown operation");
  RedoBytes bytes(redo.record().main_data, redo.record().main_data_length);
  const std::byte* head = bytes.take(sizeof(xl_relmap_update));
  if (head == nullptr) return redo.corrupted("relation map too short");
  const auto update = load<xl_relmap_update>(head);
  const std::byte* map = bytes.take(relation_map_bytes);
  if (update.nbytes != static_cast<int32_t>(relation_map_bytes) || map == nullptr)
    return redo.corrupted("relation map of the wrong size");
  if (load<uint32_t>(map) != RELMAPPER_FILEMAGIC) return redo.corrupted("no relation map");
  // The record's copy may have been made before its checksum was.
  std::string contents(reinterpret_cast<const char*>(map), relation_map_bytes);
  constexpr size_t end = relation_map_bytes - sizeof(uint32_t);
  store(contents.data() + end, crc32c_finish(crc32c(crc32c_initial, contents.data(), end)));
  redo.driver().note_relation_map(redo.xid());
  Storage& storage = redo.services().storage;
  const std::string directory =
      update.dbid == invalid_oid ? "global" : storage.database_path(update.dbid, update.tsid);
  RETURN_IF_ERROR(redo.driver().make_directories(directory));
  return replace_file_durably(
      storage.files(), storage.options().data_directory + "/" + directory + "/pg_filenode.map",
      contents);
}

}  // namespace pgdata
