// Wal: insertion into the page ring, writing it out, flushing, starting, checkpoint support.
//
// Positions only grow, in this order:
//
//   flush_result <= write_result <= finished insertions <= reserved end <= initialized_upto
//
// Who may move what: the reserved end, under `reserve`; pages of the ring and
// initialized_upto, under `mapping`; a page's bytes, the inserter that reserved
// them, under its insertion lock; write_result, flush_result and the files, in
// the writing turn. A page is made anew only when it has been written.
// Waiting order: mapping is never held while waiting for the turn or for
// insertions; the turn's holder waits only for insertions that need no turn.
#include "wal/wal.h"

#include <algorithm>
#include <functional>
#include <thread>

#include "base/crc32c.h"
#include "base/invariant.h"
#include "base/stop_point.h"
#include "layout/wal_page.h"
#include "layout/wal_xlog_records.h"
#include "shmem/lwlock.h"
#include "shmem/wait_scope.h"
#include "statistics/counting.h"
#include "wal/wal_geometry.h"
#include "wal/wal_locks.h"
#include "wal/wal_reader.h"
#include "wal/wal_segment_files.h"

namespace pgdata {
namespace {

constexpr int insertion_locks = 8;
// In place of a lock's number: the caller holds all of them, and reports progress through the last.
constexpr int all_locks = -1;
constexpr uint64_t no_previous_record = UINT64_MAX;
constexpr uint32_t block_size_max_bytes = 65536;

// Up to here WalSyncMethod::adaptive makes a flush durable by one direct write. What is larger gains from the
// operating system's cache, which takes it before the device has.
constexpr Lsn adaptive_flush_bytes_max = 128 * 1024;

alignas(direct_io_alignment) const std::byte zeroes[block_size_max_bytes] = {};

// The insertion lock this thread tries first; moves on when it was found taken.
thread_local uint32_t preferred_lock =
    static_cast<uint32_t>(std::hash<std::thread::id>{}(std::this_thread::get_id()));

}  // namespace

struct Wal::Shared {
  // Reservation.
  alignas(64) SpinLock reserve;
  uint64_t current_position;   // byte positions, see WalGeometry
  uint64_t previous_position;  // of the record before, or no_previous_record
  // Read at every insertion, changed while all insertion locks are held.
  alignas(64) std::atomic<Lsn> redo;
  std::atomic<uint32_t> full_page_writes;
  // The page ring.
  alignas(64) LwLock mapping;
  std::atomic<Lsn> initialized_upto;
  Lsn missing_contrecord;  // the page, not made yet, that begins in place of a record's continuation; or 0
  // The files.
  alignas(64) TurnLock turn;
  alignas(64) std::atomic<Lsn> write_result;
  std::atomic<Lsn> flush_result;
  std::atomic<uint64_t> writes;
  std::atomic<uint64_t> syncs;
  Lsn tail_zeroed;  // the file is zero from write_result to here
  alignas(64) WalSegmentFiles::Shared segments;
  InsertionLock locks[insertion_locks];
};

struct Wal::Local {
  Local(FileSystem& files, ClusterState& cluster_state, Shared& shared_state,
        const WalOptions& wal_options)
      : state(cluster_state),
        shared(shared_state),
        options(wal_options),
        geometry(options.block_size, options.segment_bytes),
        files_system(files),
        segment_files(files, shared_state.segments, options.directory, geometry, options.timeline,
                      options.fsync) {}

  ClusterState& state;
  Shared& shared;
  const WalOptions options;
  const WalGeometry geometry;
  FileSystem& files_system;
  std::atomic<Lsn>* page_ends = nullptr;  // one for each page of the ring: the end of what it holds
  std::byte* pages = nullptr;
  bool direct = false;             // `file` is
  bool writes_are_synced = false;  // through `file`
  bool adaptive = false;           // small flushes go through `synced_file`
  WalSegmentFiles segment_files;
  std::function<Status(Lsn)> recovery_flush;
  // Used in the turn alone.
  std::unique_ptr<File> file;
  std::unique_ptr<File> synced_file;  // the same segment, by direct and synced IO
  uint64_t file_segment = UINT64_MAX;
  alignas(direct_io_alignment) std::byte bounce[direct_io_alignment];

  size_t page_index(Lsn lsn) const { return (lsn / geometry.block_size()) % options.buffer_pages; }
};

void Wal::plan(SegmentPlan& plan, const WalOptions& options) {
  plan.reserve("wal", sizeof(Shared));
  plan.reserve("wal page ends", options.buffer_pages * sizeof(std::atomic<Lsn>));
  plan.reserve("wal pages", static_cast<size_t>(options.buffer_pages) * options.block_size,
               direct_io_alignment);
}

Wal::Wal(FileSystem& files, Segment& segment, ClusterState& state, WalOptions options) {
  INVARIANT(is_valid_wal_segment_size(options.segment_bytes));
  INVARIANT((options.block_size & (options.block_size - 1)) == 0);
  INVARIANT(options.block_size >= 1024 && options.block_size <= block_size_max_bytes);
  INVARIANT(options.buffer_pages >= 4);
  Shared& shared = *reinterpret_cast<Shared*>(segment.find("wal"));
  local_ = std::make_unique<Local>(files, state, shared, options);
  local_->page_ends = reinterpret_cast<std::atomic<Lsn>*>(segment.find("wal page ends"));
  local_->pages = segment.find("wal pages");
  local_->writes_are_synced =
      options.fsync && (options.sync_method == WalSyncMethod::open_datasync ||
                        options.sync_method == WalSyncMethod::open_datasync_direct);
  // Pages smaller than what direct IO transfers would share a transfer with a page already replaced.
  local_->direct = options.sync_method == WalSyncMethod::open_datasync_direct &&
                   options.block_size >= direct_io_alignment;
  local_->adaptive = options.fsync && options.sync_method == WalSyncMethod::adaptive &&
                     options.block_size >= direct_io_alignment;
}

Wal::~Wal() = default;

const WalOptions& Wal::options() const { return local_->options; }
ClusterState& Wal::state() const { return local_->state; }

Status Wal::poison(Status status) {
  if (!status.is_ok()) local_->state.poison(status.report().message.c_str());
  return status;
}

// ---- Insertion ---------------------------------------------------------------------------------

Status Wal::insert(WalRecord& record, Lsn* end, Lsn* start) {
  Shared& shared = local_->shared;
  InsertKind kind = InsertKind::ordinary;
  if (record.rmgr_ == RmgrId::xlog) [[unlikely]] {
    const uint8_t operation = record.info_ & XLR_RMGR_INFO_MASK;
    if (operation == XLOG_CHECKPOINT_REDO) kind = InsertKind::checkpoint_redo;
    if (operation == XLOG_SWITCH) kind = InsertKind::segment_switch;
  }
  INVARIANT(kind == InsertKind::segment_switch || record.data_size_ > 0 || record.block_count_ > 0);
  if (((local_->options.consistency_checking >> static_cast<unsigned>(record.rmgr_)) & 1) != 0)
      [[unlikely]]
    record.info_ |= XLR_CHECK_CONSISTENCY;
  const bool unimportant = (record.flags_ & XLOG_MARK_UNIMPORTANT) != 0;

  WalRecord::Assembled assembled;
  for (;;) {
    RETURN_IF_ERROR(local_->state.check());
    const bool full_page_writes = shared.full_page_writes.load(std::memory_order_relaxed) != 0;
    const Lsn redo = shared.redo.load(std::memory_order_acquire);
    record.assemble(full_page_writes, redo, &assembled);
    bool again = false;
    Lsn record_start = invalid_lsn;
    Lsn record_end = invalid_lsn;
    RETURN_IF_ERROR(insert_assembled(assembled, kind, unimportant, full_page_writes, redo, &again,
                                     &record_start, &record_end));
    if (again) continue;
    if (start != nullptr) *start = record_start;
    if (end != nullptr) *end = record_end;
    return Status::ok;
  }
}

Status Wal::lock_all() {
  for (int i = 0; i < insertion_locks; i++) {
    InsertionLock& lock = local_->shared.locks[i];
    if (!lock.acquire(local_->state)) {
      for (int held = 0; held < i; held++) local_->shared.locks[held].release();
      return local_->state.check();
    }
    // Nothing is being inserted under this lock; only the last one tells how far the holder is.
    if (i < insertion_locks - 1) lock.set_inserting_at(UINT64_MAX);
  }
  return Status::ok;
}

void Wal::unlock_all() {
  for (InsertionLock& lock : local_->shared.locks) lock.release();
}

// Reserves space for the record and copies it there. `*again`: the redo pointer moved or full-page writes
// were turned on since it was assembled, and it needs an image that it has not.
Status Wal::insert_assembled(WalRecord::Assembled& record, InsertKind kind, bool unimportant,
                             bool full_page_writes, Lsn redo, bool* again, Lsn* start, Lsn* end) {
  Shared& shared = local_->shared;
  const WalGeometry& geometry = local_->geometry;

  int lock_number = all_locks;
  if (kind == InsertKind::ordinary) [[likely]] {
    lock_number = static_cast<int>(preferred_lock % insertion_locks);
    InsertionLock& lock = shared.locks[lock_number];
    if (!lock.try_acquire()) {
      preferred_lock++;  // Next time another one.
      if (!lock.acquire(local_->state)) return local_->state.check();
    }
  } else {
    RETURN_IF_ERROR(lock_all());
  }
  const auto unlock = [&] {
    if (lock_number == all_locks) {
      unlock_all();
    } else {
      shared.locks[lock_number].release();
    }
  };

  // With a lock in hand, neither can change any more.
  const bool images_now = shared.full_page_writes.load(std::memory_order_relaxed) != 0;
  const Lsn redo_now = shared.redo.load(std::memory_order_relaxed);
  if (images_now && record.oldest_without_image != invalid_lsn &&
      (!full_page_writes || (redo_now != redo && record.oldest_without_image <= redo_now)))
      [[unlikely]] {
    unlock();
    *again = true;
    return Status::ok;
  }

  const uint64_t size = max_align(record.size);
  if (!shared.reserve.acquire(local_->state)) {
    unlock();
    return local_->state.check();
  }
  const uint64_t start_position = shared.current_position;
  uint64_t end_position = start_position + size;
  const uint64_t previous_position = shared.previous_position;
  Lsn reserved_end;
  if (kind == InsertKind::segment_switch) [[unlikely]] {
    const Lsn at = geometry.end_lsn(start_position);
    if (geometry.segment_offset(at) == 0) {
      // The log is at the start of a segment already.
      shared.reserve.release();
      unlock();
      *start = *end = at;
      return Status::ok;
    }
    reserved_end = align_up(geometry.end_lsn(end_position), geometry.segment_bytes());
    end_position = geometry.byte_position(reserved_end);
    shared.current_position = end_position;
    shared.previous_position = start_position;
    shared.reserve.release();
  } else {
    shared.current_position = end_position;
    shared.previous_position = start_position;
    shared.reserve.release();
    reserved_end = geometry.end_lsn(end_position);
  }
  *start = geometry.start_lsn(start_position);
  *end = reserved_end;

  store<Lsn>(record.header + offsetof(XLogRecord, xl_prev),
             previous_position == no_previous_record ? invalid_lsn
                                                     : geometry.start_lsn(previous_position));
  store<uint32_t>(record.header + offsetof(XLogRecord, xl_crc),
                  crc32c_finish(crc32c(record.crc, record.header, offsetof(XLogRecord, xl_crc))));

  stop_point("log reserved");
  // The space is reserved: what is not copied into it now is a hole in the log.
  Status status = poison(copy_record(record, kind, lock_number, *start, reserved_end));
  if (!status.is_ok()) {
    unlock();
    return status;
  }

  if (kind == InsertKind::checkpoint_redo) shared.redo.store(*start, std::memory_order_release);
  InsertionLock& counted =
      shared.locks[lock_number == all_locks ? insertion_locks - 1 : lock_number];
  const auto add = [](std::atomic<uint64_t>& counter, uint64_t amount) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  };
  add(counted.records, 1);
  add(counted.bytes, record.size);
  if (record.images > 0) add(counted.full_page_images, record.images);
  if (SessionCounters* const counters = current_counters()) {
    Usage& usage = counters->usage();
    usage.wal_records++;
    usage.wal_images += record.images;
    usage.wal_bytes += static_cast<int64_t>(record.size);
  }
  if (!unimportant) counted.last_important.store(*start, std::memory_order_relaxed);
  unlock();

  if (kind == InsertKind::segment_switch) {
    RETURN_IF_ERROR(flush(reserved_end));
    // The record's own end, not that of the space it uses up.
    *end = geometry.end_lsn(start_position + size);
  }
  return Status::ok;
}

Status Wal::copy_record(const WalRecord::Assembled& record, InsertKind kind, int lock, Lsn start,
                        Lsn end) {
  const WalGeometry& geometry = local_->geometry;
  const uint32_t block_size = geometry.block_size();
  Lsn at = start;
  std::byte* to;
  RETURN_IF_ERROR(page_address(at, lock, &to));
  uint32_t room = block_size - geometry.page_offset(at);
  uint32_t written = 0;
  for (int i = 0; i < record.count; i++) {
    const std::byte* from = record.pieces[i].bytes;
    uint32_t left = record.pieces[i].size;
    while (left > room) {
      std::memcpy(to, from, room);
      from += room;
      left -= room;
      written += room;
      at += room;
      // The next page begins with how much of the record is still to come.
      RETURN_IF_ERROR(page_address(at, lock, &to));
      XLogPageHeaderData header = load<XLogPageHeaderData>(to);
      header.xlp_rem_len = record.size - written;
      header.xlp_info |= XLP_FIRST_IS_CONTRECORD;
      store(to, header);
      const uint32_t header_size = geometry.page_header_size(at);
      to += header_size;
      at += header_size;
      room = block_size - header_size;
    }
    std::memcpy(to, from, left);
    to += left;
    written += left;
    at += left;
    room -= left;
  }
  INVARIANT(written == record.size);

  if (kind == InsertKind::segment_switch && geometry.segment_offset(at) != 0) {
    // Use up the rest of the segment; its pages lose their headers too, so that the file packs well.
    at += room;
    while (at < end) {
      RETURN_IF_ERROR(page_address(at, lock, &to));
      std::memset(to, 0, SizeOfXLogShortPHD);
      at += block_size;
    }
  } else {
    at = max_align(at);
  }
  INVARIANT(at == end);
  return Status::ok;
}

// The address of a position in the ring, after making its page if it is not there yet.
Status Wal::page_address(Lsn lsn, int lock, std::byte** address) {
  const WalGeometry& geometry = local_->geometry;
  const Lsn page_end = geometry.page_start(lsn) + geometry.block_size();
  const size_t index = local_->page_index(lsn);
  if (local_->page_ends[index].load(std::memory_order_acquire) != page_end) [[unlikely]] {
    // All before is copied. Whoever waits for older insertions, to make room for this very page, must not wait
    // for us. At the first byte after a page header, the page itself is not ours to have finished.
    const uint32_t offset = geometry.page_offset(lsn);
    const Lsn finished = offset == geometry.page_header_size(lsn) ? lsn - offset : lsn;
    local_->shared.locks[lock == all_locks ? insertion_locks - 1 : lock].set_inserting_at(finished);
    RETURN_IF_ERROR(make_pages_upto(lsn));
    INVARIANT(local_->page_ends[index].load(std::memory_order_acquire) == page_end);
  }
  *address = local_->pages + index * geometry.block_size() + geometry.page_offset(lsn);
  return Status::ok;
}

Status Wal::make_pages_upto(Lsn lsn) {
  Shared& shared = local_->shared;
  for (;;) {
    Lsn oldest_end;
    {
      LwLockGuard guard(shared.mapping, LockMode::exclusive);
      for (;;) {
        const Lsn page = shared.initialized_upto.load(std::memory_order_relaxed);
        if (page > lsn) return Status::ok;
        oldest_end = local_->page_ends[local_->page_index(page)].load(std::memory_order_relaxed);
        if (oldest_end > shared.write_result.load(std::memory_order_acquire)) break;
        start_page(page);
      }
    }
    RETURN_IF_ERROR(make_room(oldest_end));
  }
}

// Zeroes the ring's next page and gives it its header. Under `mapping`.
void Wal::start_page(Lsn page) {
  const WalGeometry& geometry = local_->geometry;
  const uint32_t block_size = geometry.block_size();
  const size_t index = local_->page_index(page);
  std::byte* bytes = local_->pages + index * block_size;
  local_->page_ends[index].store(invalid_lsn, std::memory_order_release);
  std::memset(bytes, 0, block_size);
  XLogLongPageHeaderData header{};
  header.std.xlp_magic = XLOG_PAGE_MAGIC;
  header.std.xlp_info = XLP_BKP_REMOVABLE;
  if (page == local_->shared.missing_contrecord) [[unlikely]] {
    header.std.xlp_info |= XLP_FIRST_IS_OVERWRITE_CONTRECORD;
    local_->shared.missing_contrecord = invalid_lsn;
  }
  header.std.xlp_tli = local_->options.timeline;
  header.std.xlp_pageaddr = page;
  if (geometry.segment_offset(page) == 0) {
    header.std.xlp_info |= XLP_LONG_HEADER;
    header.xlp_sysid = local_->options.system_identifier;
    header.xlp_seg_size = geometry.segment_bytes();
    header.xlp_xlog_blcksz = block_size;
    store(bytes, header);
  } else {
    store(bytes, header.std);
  }
  local_->page_ends[index].store(page + block_size, std::memory_order_release);
  local_->shared.initialized_upto.store(page + block_size, std::memory_order_release);
}

// Writes out the oldest pages of a full ring: at least up to `oldest_end`, and since a write costs much the
// same whatever its size, up to a quarter of the ring if that much is finished.
Status Wal::make_room(Lsn oldest_end) {
  Shared& shared = local_->shared;
  const WalGeometry& geometry = local_->geometry;
  Lsn finished;
  RETURN_IF_ERROR(wait_for_insertions(oldest_end, &finished));
  if (!shared.turn.acquire(local_->state)) return local_->state.check();
  Status status;
  if (shared.write_result.load(std::memory_order_relaxed) < oldest_end) {
    const Lsn quarter =
        oldest_end + static_cast<Lsn>(local_->options.buffer_pages / 4) * geometry.block_size();
    status = write(std::max(oldest_end, std::min(geometry.page_start(finished), quarter)), false);
  }
  shared.turn.release();
  return status;
}

// Waits until everything before `upto` is copied; `*finished` is how far it is, at least `upto`.
Status Wal::wait_for_insertions(Lsn upto, Lsn* finished) {
  Shared& shared = local_->shared;
  if (!shared.reserve.acquire(local_->state)) return local_->state.check();
  const uint64_t position = shared.current_position;
  shared.reserve.release();
  const Lsn reserved = local_->geometry.end_lsn(position);
  if (upto > reserved) [[unlikely]] {
    // A page of a damaged file may claim any LSN. The next record's start is no such claim.
    if (upto != local_->geometry.start_lsn(position))
      return Status::error(ErrorCode::data_corrupted,
                           "xlog flush request %s is not satisfied --- flushed only to %s",
                           format_lsn(upto).c_str(), format_lsn(reserved).c_str());
    upto = reserved;
  }
  Lsn least = reserved;
  for (InsertionLock& lock : shared.locks) {
    Lsn at;
    if (!lock.wait_past(upto, local_->state, &at)) return local_->state.check();
    if (at != 0 && at < least) least = at;
  }
  // An insertion that failed released its lock, but poisoned the cluster before.
  RETURN_IF_ERROR(local_->state.check());
  *finished = least;
  return Status::ok;
}

bool Wal::needs_full_page_image(Lsn page_lsn) const {
  const Shared& shared = local_->shared;
  return shared.full_page_writes.load(std::memory_order_relaxed) != 0 &&
         page_lsn <= shared.redo.load(std::memory_order_acquire);
}

// ---- Writing and flushing ----------------------------------------------------------------------

Status Wal::flush(Lsn upto) {
  Shared& shared = local_->shared;
  for (;;) {
    if (shared.flush_result.load(std::memory_order_acquire) >= upto) return Status::ok;
    if (local_->state.is_recovering()) [[unlikely]]
      return local_->recovery_flush ? local_->recovery_flush(upto) : Status();
    Lsn finished;
    RETURN_IF_ERROR(wait_for_insertions(upto, &finished));
    upto = std::min(upto, finished);  // `upto` may have been the start of a page's first record.
    const TurnLock::Outcome outcome = shared.turn.acquire_or_wait(local_->state);
    if (outcome == TurnLock::Outcome::poisoned) return local_->state.check();
    if (outcome == TurnLock::Outcome::released_by_other) continue;

    Status status;
    if (shared.flush_result.load(std::memory_order_relaxed) < upto) {
      // Take along what was finished while we waited for the turn. Up to `finished` nobody is waited for.
      status = wait_for_insertions(finished, &finished);
      if (status.is_ok()) status = write(finished, true);
    }
    shared.turn.release();
    return status;
  }
}

// Writes the ring up to `upto`, and with `sync` makes all written durable. In the turn.
Status Wal::write(Lsn upto, bool sync) {
  Shared& shared = local_->shared;
  const WalGeometry& geometry = local_->geometry;
  RETURN_IF_ERROR(local_->state.check());
  Lsn from = shared.write_result.load(std::memory_order_relaxed);
  while (from < upto) {
    const uint64_t segment = geometry.segment_of(from);
    const Lsn segment_end = (segment + 1) * geometry.segment_bytes();
    const Lsn to = std::min(upto, segment_end);
    RETURN_IF_ERROR(poison(use_segment(segment)));
    // A synced write makes itself durable and nothing before it.
    const bool is_synced = local_->writes_are_synced ||
                           (local_->adaptive && sync && to - from <= adaptive_flush_bytes_max &&
                            shared.flush_result.load(std::memory_order_relaxed) >= from);
    const bool through_synced_file = is_synced && !local_->writes_are_synced;
    File& file = through_synced_file ? *local_->synced_file : *local_->file;
    RETURN_IF_ERROR(poison(write_range(file, through_synced_file || local_->direct, from, to)));
    shared.write_result.store(to, std::memory_order_release);
    if (is_synced) {
      shared.syncs.fetch_add(1, std::memory_order_relaxed);
      shared.flush_result.store(to, std::memory_order_release);
    } else if (to == segment_end) {
      // A finished segment is synced before the next is begun, so that one sync is enough later.
      RETURN_IF_ERROR(poison(sync_segment(segment)));
      shared.flush_result.store(to, std::memory_order_release);
    }
    from = to;
  }
  if (sync && shared.flush_result.load(std::memory_order_relaxed) < from) {
    RETURN_IF_ERROR(poison(sync_segment(geometry.segment_before(from))));
    shared.flush_result.store(from, std::memory_order_release);
  }
  return Status::ok;
}

// Writes [from, to), within one segment, and at a page's first write zeroes to its end: a recycled file is
// full of old records.
Status Wal::write_range(File& file, bool direct, Lsn from, Lsn to) {
  Shared& shared = local_->shared;
  const WalGeometry& geometry = local_->geometry;
  const uint32_t block_size = geometry.block_size();
  const uint64_t ring_bytes = static_cast<uint64_t>(local_->options.buffer_pages) * block_size;

  Lsn data_end = to;
  if (direct) {
    from &= ~static_cast<Lsn>(direct_io_alignment - 1);
    data_end &= ~static_cast<Lsn>(direct_io_alignment - 1);
  }

  IoSlice slices[4];
  int count = 0;
  Lsn at = from;
  while (at < data_end) {
    const uint64_t ring_offset = at % ring_bytes;
    const uint64_t size = std::min(data_end - at, ring_bytes - ring_offset);
    slices[count++] = {local_->pages + ring_offset, static_cast<size_t>(size)};
    at += size;
  }
  if (data_end < to) {
    // The last transfer goes through a copy: inserters are at work behind `to`.
    const size_t size = static_cast<size_t>(to - data_end);
    std::memcpy(local_->bounce, local_->pages + data_end % ring_bytes, size);
    std::memset(local_->bounce + size, 0, direct_io_alignment - size);
    slices[count++] = {local_->bounce, direct_io_alignment};
    at += direct_io_alignment;
  }
  const Lsn page_end = align_up(to, block_size);
  if (shared.tail_zeroed < page_end) {
    if (at < page_end) {
      slices[count++] = {const_cast<std::byte*>(zeroes), static_cast<size_t>(page_end - at)};
    }
    shared.tail_zeroed = page_end;
  }

  const uint32_t offset = geometry.segment_offset(from);
  shared.writes.fetch_add(1, std::memory_order_relaxed);
  int64_t bytes = 0;
  for (int i = 0; i < count; i++) bytes += static_cast<int64_t>(slices[i].size);
  const WaitScope waiting(WaitEvent::wal_write);
  CountedIo io(IoObject::wal);
  RETURN_IF_ERROR(count == 1 ? file.write(slices[0].bytes, slices[0].size, offset)
                             : file.write_vector(slices, count, offset));
  io.done(IoContext::normal, IoOp::write, 1, bytes);
  return Status::ok;
}

Status Wal::use_segment(uint64_t segment) {
  if (local_->file_segment == segment) [[likely]]
    return Status::ok;
  local_->file.reset();
  local_->synced_file.reset();
  local_->file_segment = UINT64_MAX;
  OpenFlags extra = OpenFlags::read_only;
  if (local_->writes_are_synced) extra = extra | OpenFlags::dsync;
  if (local_->direct) extra = extra | OpenFlags::direct;
  Status status = local_->segment_files.open(segment, extra, &local_->file);
  if (!status.is_ok() && local_->direct) {
    // A file system without direct IO (tmpfs) serves as well through its cache.
    local_->direct = false;
    status = local_->segment_files.open(
        segment, local_->writes_are_synced ? OpenFlags::dsync : OpenFlags::read_only,
        &local_->file);
  }
  RETURN_IF_ERROR(std::move(status));
  if (local_->adaptive &&
      !local_->segment_files
           .open(segment, OpenFlags::direct | OpenFlags::dsync, &local_->synced_file)
           .is_ok())
    local_->adaptive = false;
  local_->file_segment = segment;
  return Status::ok;
}

Status Wal::sync_segment(uint64_t segment) {
  if (!local_->options.fsync) return Status::ok;
  // What another process wrote since, a synced open has made durable; else any descriptor will do.
  if (local_->writes_are_synced) return Status::ok;
  RETURN_IF_ERROR(use_segment(segment));
  local_->shared.syncs.fetch_add(1, std::memory_order_relaxed);
  const WaitScope waiting(WaitEvent::wal_sync);
  CountedIo io(IoObject::wal);
  RETURN_IF_ERROR(local_->options.sync_method == WalSyncMethod::fsync ? local_->file->sync()
                                                                      : local_->file->data_sync());
  io.done(IoContext::normal, IoOp::fsync, 1, 0);
  return Status::ok;
}

void Wal::set_recovery_flush(std::function<Status(Lsn upto)> flush) {
  local_->recovery_flush = std::move(flush);
}

Lsn Wal::flushed() const { return local_->shared.flush_result.load(std::memory_order_acquire); }

WalPositions Wal::positions() const {
  Shared& shared = local_->shared;
  WalPositions positions{};
  if (shared.reserve.acquire(local_->state)) {
    const uint64_t position = shared.current_position;
    shared.reserve.release();
    positions.insert = local_->geometry.start_lsn(position);
  }
  positions.flush = shared.flush_result.load(std::memory_order_acquire);
  positions.write = shared.write_result.load(std::memory_order_acquire);
  positions.redo = shared.redo.load(std::memory_order_acquire);
  return positions;
}

WalStatistics Wal::statistics() const {
  const Shared& shared = local_->shared;
  WalStatistics statistics;
  for (const InsertionLock& lock : shared.locks) {
    statistics.records += lock.records.load(std::memory_order_relaxed);
    statistics.full_page_images += lock.full_page_images.load(std::memory_order_relaxed);
    statistics.bytes += lock.bytes.load(std::memory_order_relaxed);
  }
  statistics.writes = shared.writes.load(std::memory_order_relaxed);
  statistics.syncs = shared.syncs.load(std::memory_order_relaxed);
  return statistics;
}

Lsn Wal::last_important() const {
  Lsn last = invalid_lsn;
  for (const InsertionLock& lock : local_->shared.locks)
    last = std::max(last, lock.last_important.load(std::memory_order_relaxed));
  return last;
}

// ---- Starting ----------------------------------------------------------------------------------

void Wal::set_start(Lsn last_record, Lsn end, Lsn redo) {
  Shared& shared = local_->shared;
  const WalGeometry& geometry = local_->geometry;
  shared.current_position = geometry.byte_position(end);
  shared.previous_position =
      last_record == invalid_lsn ? no_previous_record : geometry.byte_position(last_record);
  shared.redo.store(redo);
  shared.full_page_writes.store(local_->options.full_page_writes ? 1 : 0);
  for (size_t i = 0; i < local_->options.buffer_pages; i++) local_->page_ends[i].store(invalid_lsn);
  shared.initialized_upto.store(geometry.page_start(end));
  shared.write_result.store(end);
  shared.flush_result.store(end);
  shared.tail_zeroed = invalid_lsn;
  shared.segments.preallocated_upto.store(geometry.segment_before(end));
  shared.segments.prior_redo.store(redo);
  for (InsertionLock& lock : shared.locks) lock.last_important.store(last_record);
  local_->file.reset();
  local_->synced_file.reset();
  local_->file_segment = UINT64_MAX;
}

Status Wal::create_log() {
  // Segment 0 is never used, so that no record is at position 0.
  const Lsn start = local_->geometry.segment_bytes();
  set_start(invalid_lsn, start, local_->geometry.start_lsn(local_->geometry.byte_position(start)));
  return local_->segment_files.ensure(1);
}

Status Wal::continue_log(Lsn last_record, Lsn redo, Lsn missing_contrecord) {
  const WalGeometry& geometry = local_->geometry;
  WalReaderOptions reader_options;
  reader_options.directory = local_->options.directory;
  reader_options.block_size = geometry.block_size();
  reader_options.segment_bytes = geometry.segment_bytes();
  reader_options.timeline = local_->options.timeline;
  reader_options.system_identifier = local_->options.system_identifier;
  WalReader reader(local_->files_system, reader_options);
  reader.begin_at(last_record);
  bool found = false;
  RETURN_IF_ERROR(reader.next(&found));
  if (!found)
    return Status::error(ErrorCode::data_corrupted,
                         "could not locate a valid checkpoint record at %s",
                         format_lsn(last_record).c_str())
        .with_detail(reader.end_reason());
  if (reader.major() != 18)
    return Status::error(ErrorCode::feature_not_supported,
                         "cannot continue the write-ahead log of PostgreSQL %d", reader.major());

  RETURN_IF_ERROR(local_->segment_files.remove_temporary());
  const DecodedWalRecord& last = reader.record();
  Lsn end = missing_contrecord != invalid_lsn ? missing_contrecord : last.end_lsn;
  // A segment switch uses up its segment.
  if (last.rmgr() == static_cast<uint8_t>(RmgrId::xlog) && last.info() == XLOG_SWITCH)
    end = std::max<Lsn>(end, align_up(last.end_lsn, geometry.segment_bytes()));
  INVARIANT(end >= reader.record().end_lsn);
  set_start(last_record, end, redo);
  local_->shared.missing_contrecord = missing_contrecord;
  const uint32_t used = geometry.page_offset(end);
  if (used == 0) return Status::ok;

  // The page it ends on: what is used of it, then zeroes.
  const Lsn page = geometry.page_start(end);
  const size_t index = local_->page_index(page);
  std::byte* bytes = local_->pages + index * geometry.block_size();
  std::unique_ptr<File> file;
  const std::string path = local_->segment_files.path(geometry.segment_of(page));
  RETURN_IF_ERROR(local_->files_system.open(path, OpenFlags::read_only, &file));
  size_t done = 0;
  RETURN_IF_ERROR(file->read(bytes, used, geometry.segment_offset(page), &done));
  if (done != used)
    return Status::error(ErrorCode::data_corrupted, "could not read file \"%s\": read %zu of %u",
                         path.c_str(), done, used);
  std::memset(bytes + used, 0, geometry.block_size() - used);
  local_->page_ends[index].store(page + geometry.block_size(), std::memory_order_release);
  local_->shared.initialized_upto.store(page + geometry.block_size(), std::memory_order_release);
  return Status::ok;
}

// ---- Checkpoint support ------------------------------------------------------------------------

Status Wal::begin_checkpoint(bool shutdown, Lsn* redo) {
  Shared& shared = local_->shared;
  if (shutdown) {
    // No record can come between the redo point and the checkpoint record, which therefore is the redo point.
    RETURN_IF_ERROR(lock_all());
    if (!shared.reserve.acquire(local_->state)) {
      unlock_all();
      return local_->state.check();
    }
    *redo = local_->geometry.start_lsn(shared.current_position);
    shared.reserve.release();
    shared.redo.store(*redo, std::memory_order_release);
    unlock_all();
    return Status::ok;
  }
  const xl_checkpoint_redo body{local_->options.wal_level};
  WalRecord record;
  record.begin(RmgrId::xlog, XLOG_CHECKPOINT_REDO, invalid_transaction_id);
  record.data(&body, sizeof(body));
  return insert(record, nullptr, redo);
}

Status Wal::remove_old_segments(Lsn redo, Lsn end_of_log, SegmentReport* report) {
  return local_->segment_files.remove_before(redo, end_of_log, local_->options.min_wal_bytes,
                                             local_->options.max_wal_bytes,
                                             local_->options.archiving, report);
}

Status Wal::preallocate(SegmentReport* report) {
  RETURN_IF_ERROR(local_->state.check());
  const WalGeometry& geometry = local_->geometry;
  const Lsn insert = positions().insert;
  if (insert == invalid_lsn) return Status::ok;
  const uint64_t segment = geometry.segment_before(insert);
  if (geometry.segment_offset(insert - 1) < geometry.segment_bytes() / 4 * 3) return Status::ok;
  if (local_->shared.segments.preallocated_upto.load(std::memory_order_acquire) > segment)
    return Status::ok;
  return local_->segment_files.ensure(segment + 1, report);
}

Status Wal::switch_segment(Lsn* end) {
  WalRecord record;
  record.begin(RmgrId::xlog, XLOG_SWITCH, invalid_transaction_id);
  return insert(record, end);
}

}  // namespace pgdata
