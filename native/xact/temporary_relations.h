// TemporaryRelations: the buffers and files of one session's temporary relations.
//
// A pool in memory that nobody else maps, over files whose names begin with the session's number ("t3_16384"). Nothing
// of them is logged, synced or shared with other sessions. Several threads may use them, as they use the shared ones: the
// session's, and those that vacuum or analyze a table for it.
// Source for the role: src/backend/storage/buffer/localbuf.c, src/common/relpath.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "buffer/buffer_pool.h"
#include "change/change.h"
#include "file/storage.h"
#include "shmem/segment.h"

namespace pgdata {

class TemporaryRelations {
 public:
  // `session`: its number in the process array. out_of_memory.
  static Status create(StorageServices& shared, int session, uint32_t buffers,
                       std::unique_ptr<TemporaryRelations>* relations);
  TemporaryRelations(const TemporaryRelations&) = delete;

  // With a pool and storage of their own; nobody watches over what is read and written.
  StorageServices& services() { return *services_; }

 private:
  TemporaryRelations() = default;

  std::unique_ptr<Segment> segment_;
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<BufferPool> pool_;
  std::unique_ptr<StorageServices> services_;
};

}  // namespace pgdata
