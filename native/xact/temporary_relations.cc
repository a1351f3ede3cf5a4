// TemporaryRelations: private memory, as a segment that is not shared.
#include "xact/temporary_relations.h"

#include <string>
#include <utility>

namespace pgdata {

Status TemporaryRelations::create(StorageServices& shared, int session, uint32_t buffers,
                                  std::unique_ptr<TemporaryRelations>* relations) {
  std::unique_ptr<TemporaryRelations> made(new TemporaryRelations());
  StorageOptions files = shared.storage.options();
  files.fsync = false;
  files.file_prefix = std::string("t").append(std::to_string(session)).append("_");
  made->storage_ = std::make_unique<Storage>(shared.storage.files(), std::move(files));

  BufferPoolOptions options = shared.pool.options();
  options.buffers = buffers;
  options.log_hints = false;
  options.local = true;
  SegmentPlan plan;
  BufferPool::plan(plan, options);
  // The system gives memory to a page when it is first used.
  RETURN_IF_ERROR(Segment::create("", plan, &made->segment_));
  made->pool_ = std::make_unique<BufferPool>(*made->segment_, *made->storage_, nullptr,
                                             shared.state, options);
  made->services_.reset(
      new StorageServices{shared.state, *made->storage_, shared.wal, *made->pool_});
  made->services_->statistics = shared.statistics;
  made->services_->log = shared.log;
  *relations = std::move(made);
  return Status::ok;
}

}  // namespace pgdata
