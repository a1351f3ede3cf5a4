// Cutting a relation shorter: maps first, then the record, then the files.
#include "space/truncate.h"

#include "layout/wal_record.h"
#include "layout/wal_storage_records.h"
#include "shmem/wait_scope.h"
#include "space/free_space_map.h"
#include "space/visibility_map.h"

namespace pgdata {

namespace {

Status cut_fork(StorageServices& services, RelFileLocator relation, ForkNumber fork,
                BlockNumber blocks) {
  services.pool.drop_relation(relation, fork, blocks);
  const WaitScope waiting(WaitEvent::data_file_truncate);
  return services.storage.truncate(relation, fork, value_of(blocks));
}

}  // namespace

Status truncate_storage(Backend& backend, RelFileLocator relation, BlockNumber blocks, bool logged,
                        bool temporary) {
  StorageServices& services = backend.services_of(temporary);
  RETURN_IF_ERROR(services.state.check());
  FreeSpaceMap space(services.pool, relation);
  VisibilityMap visibility(services.pool, relation);
  BlockNumber space_blocks = invalid_block_number;
  BlockNumber visibility_blocks = invalid_block_number;
  RETURN_IF_ERROR(space.prepare_truncate(services, blocks, logged, &space_blocks));
  RETURN_IF_ERROR(visibility.prepare_truncate(services, blocks, logged, &visibility_blocks));
  {
    // A checkpoint that skipped the buffers we drop must not complete before the files are cut.
    CheckpointDelay delay(backend);
    if (logged) {
      const xl_smgr_truncate header{blocks, relation, SMGR_TRUNCATE_ALL};
      WalRecord record;
      record.begin(RmgrId::storage, XLOG_SMGR_TRUNCATE | XLR_SPECIAL_REL_UPDATE, backend.xid());
      record.data(&header, sizeof(header));
      Lsn end = invalid_lsn;
      RETURN_IF_ERROR(services.wal.insert(record, &end));
      // The files must not get shorter on disk before the record is there.
      RETURN_IF_ERROR(services.wal.flush(end));
    }
    Status status = cut_fork(services, relation, ForkNumber::main, blocks);
    if (status.is_ok() && space_blocks != invalid_block_number) {
      status = cut_fork(services, relation, ForkNumber::fsm, space_blocks);
    }
    if (status.is_ok() && visibility_blocks != invalid_block_number) {
      status = cut_fork(services, relation, ForkNumber::visibility_map, visibility_blocks);
    }
    if (!status.is_ok()) {
      // Dirty pages were dropped from the pool and their old images are still in the files.
      services.state.poison("a relation could not be truncated");
      return status;
    }
  }
  if (space_blocks == invalid_block_number) return Status::ok;
  return space.vacuum_range(blocks, invalid_block_number);
}

}  // namespace pgdata
