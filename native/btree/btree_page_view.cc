// Reading and initialising B-tree pages.
#include "btree/btree_page_view.h"

namespace pgdata {

Status damaged_page(const BtreeIndex& index, BlockNumber block) {
  return Status::error(ErrorCode::index_corrupted,
                       "index \"%s\" contains corrupted page at block %u", index.name(),
                       value_of(block))
      .with_hint("Please REINDEX it.");
}

namespace {

Status check_special(const BtreeIndex& index, const BufferRef& buffer) {
  const Page page = buffer.page();
  if (page.is_new())
    return Status::error(ErrorCode::index_corrupted,
                         "index \"%s\" contains unexpected zero page at block %u", index.name(),
                         value_of(buffer.block()))
        .with_hint("Please REINDEX it.");
  if (page.special_size() != sizeof(BTPageOpaque)) return damaged_page(index, buffer.block());
  return Status::ok;
}

}  // namespace

Status read_btree_page(BufferPool& pool, const BtreeIndex& index, BlockNumber block, LockMode mode,
                       BufferRef* buffer) {
  RETURN_IF_ERROR(
      pool.read(index.relation(), ForkNumber::main, block, ReadMode::normal, nullptr, buffer));
  buffer->lock(mode);
  Status status = check_special(index, *buffer);
  if (status.is_ok() && view_of(*buffer).has(BTP_META)) status = damaged_page(index, block);
  if (!status.is_ok()) buffer->release();
  return status;
}

Status read_btree_meta(BufferPool& pool, const BtreeIndex& index, LockMode mode,
                       BufferRef* buffer) {
  RETURN_IF_ERROR(pool.read(index.relation(), ForkNumber::main, BTREE_METAPAGE, ReadMode::normal,
                            nullptr, buffer));
  buffer->lock(mode);
  Status status = check_special(index, *buffer);
  if (status.is_ok()) {
    const BTMetaPage& meta = btree_meta(*buffer);
    if (!view_of(*buffer).has(BTP_META) || meta.btm_magic != BTREE_MAGIC) {
      status =
          Status::error(ErrorCode::index_corrupted, "index \"%s\" is not a btree", index.name());
    } else if (meta.btm_version < BTREE_MIN_VERSION || meta.btm_version > BTREE_VERSION) {
      status = Status::error(ErrorCode::index_corrupted,
                             "version mismatch in index \"%s\": file version %u, current version "
                             "%u, minimal supported version %u",
                             index.name(), meta.btm_version, BTREE_VERSION, BTREE_MIN_VERSION);
    } else if (meta.btm_version < BTREE_VERSION) {
      status = Status::error(ErrorCode::feature_not_supported,
                             "index \"%s\" has btree version %u, which is not supported",
                             index.name(), meta.btm_version)
                   .with_hint("Please REINDEX it.");
    }
  }
  if (!status.is_ok()) buffer->release();
  return status;
}

xl_btree_metadata btree_metadata_record(const BTMetaPage& meta) {
  xl_btree_metadata record{};
  record.version = meta.btm_version;
  record.root = meta.btm_root;
  record.level = meta.btm_level;
  record.fastroot = meta.btm_fastroot;
  record.fastlevel = meta.btm_fastlevel;
  record.last_cleanup_num_delpages = meta.btm_last_cleanup_num_delpages;
  record.allequalimage = meta.btm_allequalimage;
  return record;
}

void initialize_btree_meta(Page page, BlockNumber root, uint32_t level, bool allequalimage) {
  page.initialize(sizeof(BTPageOpaque));
  auto& meta = *reinterpret_cast<BTMetaPage*>(page.bytes() + sizeof(PageHeader));
  meta = BTMetaPage{};
  meta.btm_magic = BTREE_MAGIC;
  meta.btm_version = BTREE_VERSION;
  meta.btm_root = root;
  meta.btm_level = level;
  meta.btm_fastroot = root;
  meta.btm_fastlevel = level;
  meta.btm_last_cleanup_num_heap_tuples = -1.0;
  meta.btm_allequalimage = allequalimage ? 1 : 0;
  BtreePageView(page).opaque() = {P_NONE, P_NONE, 0, BTP_META, 0};
  // The contents count as tuples' space used from below, so that a page image keeps them.
  page.header().pd_lower = sizeof(PageHeader) + sizeof(BTMetaPage);
}

void initialize_btree_page(Page page, uint32_t level, uint16_t flags) {
  page.initialize(sizeof(BTPageOpaque));
  BtreePageView(page).opaque() = {P_NONE, P_NONE, level, flags, 0};
}

Status SiblingWalk::step() {
  if (++steps_ <= steps_max_) return Status::ok;
  uint32_t blocks = 0;
  RETURN_IF_ERROR(pool_.storage().block_count(index_.relation(), ForkNumber::main, &blocks));
  if (steps_ > blocks)
    return Status::error(ErrorCode::index_corrupted, "circular link chain found in index \"%s\"",
                         index_.name())
        .with_hint("Please REINDEX it.");
  steps_max_ = blocks;
  return Status::ok;
}

}  // namespace pgdata
