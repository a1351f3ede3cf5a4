// Change: the order in which a page is dirtied, its record inserted, and its LSN stamped.
//
// Dirtied before the insert, so that a checkpoint that begins after it sees the page dirty; the
// exclusive lock keeps everybody from writing the page before it has its LSN.
#include "change/change.h"

#include "base/stop_point.h"

namespace pgdata {

namespace {
// Source: src/include/catalog/pg_control.h, PostgreSQL 18.
constexpr uint8_t XLOG_FPI = 0xB0;
}  // namespace

Change::Change(StorageServices& services, TransactionId xid, RmgrId rmgr, uint8_t info, bool logged)
    : services_(services), xid_(xid), rmgr_(rmgr), info_(info), logged_(logged) {
  if (logged_) record_.begin(rmgr_, info_, xid_);
}

Change::~Change() {
  if (in_critical_section_)
    services_.state.poison("a change of pages was given up between modifying and logging them");
}

void Change::block(uint8_t id, BufferRef& buffer, uint8_t flags) {
  INVARIANT(id < WalRecord::blocks_max);
  INVARIANT(!finished_);
  INVARIANT(buffer.is_valid());
  INVARIANT((flags & REGBUF_NO_CHANGE) != 0 || buffer.is_locked_exclusive());
  for (; block_count_ <= id; ++block_count_) blocks_[block_count_] = {nullptr, 0, false};
  Block& block = blocks_[id];
  INVARIANT(block.buffer == nullptr || block.buffer == &buffer);
  INVARIANT(!block.in_record);
  block.buffer = &buffer;
  block.flags = flags;
}

void Change::begin() {
  INVARIANT(!in_critical_section_);
  INVARIANT(!finished_);
  in_critical_section_ = true;
  stop_point("change begun");
}

void Change::data(const void* bytes, size_t size) {
  if (logged_) record_.data(bytes, size);
}

void Change::block_data(uint8_t id, const void* bytes, size_t size) {
  INVARIANT(id < block_count_);
  INVARIANT(blocks_[id].buffer != nullptr);
  if (!logged_) return;
  if (!blocks_[id].in_record) add_to_record(id);
  record_.block_data(id, bytes, size);
}

void Change::add_to_record(uint8_t id) {
  Block& block = blocks_[id];
  const BufferRef& buffer = *block.buffer;
  record_.block(id, buffer.relation(), buffer.fork(), buffer.block(), buffer.page(), block.flags);
  block.in_record = true;
}

Status Change::finish(Lsn* end) {
  INVARIANT(in_critical_section_);
  for (int id = 0; id < block_count_; ++id) {
    Block& block = blocks_[id];
    if (block.buffer == nullptr) continue;
    if ((block.flags & REGBUF_NO_CHANGE) == 0) block.buffer->pool().mark_dirty(*block.buffer);
    if (logged_ && !block.in_record) add_to_record(static_cast<uint8_t>(id));
  }
  stop_point("change made");
  Lsn record_end = invalid_lsn;
  if (logged_) {
    record_.set_info(info_);
    record_.set_flags(flags_);
    Status status = services_.wal.insert(record_, &record_end);
    if (!status.is_ok()) {
      services_.state.poison(status.report().message.c_str());
      in_critical_section_ = false;
      finished_ = true;
      return status;
    }
    stop_point("change logged");
    for (int id = 0; id < block_count_; ++id) {
      const Block& block = blocks_[id];
      if (block.buffer == nullptr || (block.flags & REGBUF_NO_CHANGE) != 0) continue;
      block.buffer->page().set_lsn(record_end);
    }
  }
  in_critical_section_ = false;
  finished_ = true;
  if (end != nullptr) *end = record_end;
  return Status::ok;
}

Status log_new_page(StorageServices& services, TransactionId xid, BufferRef& buffer,
                    bool standard_page) {
  INVARIANT(!buffer.page().is_new());
  Change change(services, xid, RmgrId::xlog, XLOG_FPI);
  change.block(0, buffer, REGBUF_FORCE_IMAGE | (standard_page ? REGBUF_STANDARD : 0));
  change.begin();
  return change.finish();
}

}  // namespace pgdata
