// RedoContext: the pages of one record.
#include "recovery/redo_context.h"

#include "recovery/redo_driver.h"
#include "recovery/resource_managers.h"
#include "space/free_space_map.h"
#include "space/visibility_map.h"
#include "wal/wal_geometry.h"

namespace pgdata {

Status RedoContext::corrupted(const char* what) const {
  const ResourceManager* manager = resource_manager(record().rmgr());
  return Status::error(Status::data_corrupted, "invalid WAL record at %s: resource manager %s, %s",
                       format_lsn(record().lsn).c_str(),
                       manager == nullptr ? "unknown" : manager->name, what);
}

void RedoContext::changed(BufferRef& buffer) {
  buffer.page().set_lsn(end_lsn());
  services_.pool.mark_dirty(buffer);
}

Status RedoContext::restore(int id, BufferRef* buffer) {
  const WalBlock& wanted = block(id);
  RETURN_IF_ERROR(driver_.make_block(wanted.relation, wanted.fork, wanted.number, buffer));
  RETURN_IF_ERROR(reader_.restore_image(id, buffer->page().bytes()));
  const Page page = buffer->page();
  if (!verify_page(page.bytes(), page.size(), wanted.number, false, "").is_ok())
    return corrupted("an image is no valid page");
  // An image of an empty page stays one.
  if (!page.is_new()) page.set_lsn(end_lsn());
  services_.pool.mark_dirty(*buffer);
  return Status::ok;
}

Status RedoContext::begin(BufferRef& buffer, bool for_cleanup, RedoAction* action) {
  if (for_cleanup) {
    buffer.lock_for_cleanup();
  } else {
    buffer.lock(LockMode::exclusive);
  }
  *action = end_lsn() <= buffer.page().lsn() ? RedoAction::done : RedoAction::needs_redo;
  return Status::ok;
}

Status RedoContext::read_block(int id, BufferRef* buffer, RedoAction* action, bool for_cleanup) {
  buffer->release();
  *action = RedoAction::not_found;
  if (!has_block(id)) return corrupted("a block reference is missing");
  const WalBlock& wanted = block(id);
  if ((wanted.fork_flags & BKPBLOCK_WILL_INIT) != 0)
    return corrupted("a block that is to be initialized is read");
  if (wanted.apply_image) {
    *action = RedoAction::restored;
    return restore(id, buffer);
  }
  RETURN_IF_ERROR(driver_.find_block(wanted.relation, wanted.fork, wanted.number, buffer));
  if (!buffer->is_valid()) return Status::ok;
  return begin(*buffer, for_cleanup, action);
}

Status RedoContext::read_map_block(int id, BufferRef* buffer, RedoAction* action) {
  buffer->release();
  *action = RedoAction::not_found;
  if (!has_block(id)) return corrupted("a block reference is missing");
  const WalBlock& wanted = block(id);
  if (wanted.apply_image) {
    *action = RedoAction::restored;
    return restore(id, buffer);
  }
  RETURN_IF_ERROR(driver_.find_or_make_block(wanted.relation, wanted.fork, wanted.number, buffer));
  return begin(*buffer, false, action);
}

Status RedoContext::init_block(int id, BufferRef* buffer) {
  buffer->release();
  if (!has_block(id)) return corrupted("a block reference is missing");
  const WalBlock& wanted = block(id);
  if ((wanted.fork_flags & BKPBLOCK_WILL_INIT) == 0)
    return corrupted("a block that is not to be initialized would be");
  return driver_.make_block(wanted.relation, wanted.fork, wanted.number, buffer);
}

Status RedoContext::read_other(RelFileLocator relation, ForkNumber fork, BlockNumber number,
                               bool extend, BufferRef* buffer) {
  buffer->release();
  if (extend) {
    RETURN_IF_ERROR(driver_.find_or_make_block(relation, fork, number, buffer));
  } else {
    RETURN_IF_ERROR(driver_.find_block(relation, fork, number, buffer));
    if (!buffer->is_valid()) return Status::ok;
  }
  buffer->lock(LockMode::exclusive);
  return Status::ok;
}

Status RedoContext::clear_visibility(RelFileLocator relation, BlockNumber heap_block,
                                     uint8_t flags) {
  RETURN_IF_ERROR(driver_.make_map_fork(relation, ForkNumber::visibility_map));
  VisibilityMap map(services_.pool, relation);
  BufferRef map_page;
  RETURN_IF_ERROR(map.pin(heap_block, &map_page));
  map.clear(heap_block, map_page, flags);
  return Status::ok;
}

Status RedoContext::record_free_space(RelFileLocator relation, BlockNumber heap_block,
                                      size_t bytes) {
  RETURN_IF_ERROR(driver_.make_map_fork(relation, ForkNumber::fsm));
  return FreeSpaceMap(services_.pool, relation).record(heap_block, static_cast<uint32_t>(bytes));
}

}  // namespace pgdata
