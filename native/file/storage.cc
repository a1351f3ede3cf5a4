// Storage: segments, the open files behind them, and what the next checkpoint has to sync and remove.
#include "file/storage.h"

#include <algorithm>
#include <atomic>
#include <list>
#include <mutex>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/invariant.h"

namespace pgdata {

namespace {

// Few new blocks are written, so that they get their place on disk when their
// contents do; many are allocated at once. Source: mdzeroextend.
constexpr uint32_t written_blocks_max = 8;

constexpr int slices_max = 64;

alignas(direct_io_alignment) constexpr std::byte zero_blocks[written_blocks_max * 32768] = {};

struct SegmentKey {
  RelFileLocator relation;
  ForkNumber fork;
  uint32_t segment;
  friend bool operator==(const SegmentKey&, const SegmentKey&) = default;
};

struct SegmentKeyHash {
  size_t operator()(const SegmentKey& key) const {
    uint64_t hash = (uint64_t{key.relation.relNumber} << 32) ^
                    (uint64_t{key.segment} << 3 | static_cast<uint64_t>(key.fork));
    hash ^= uint64_t{key.relation.dbOid} * 0x9E3779B97F4A7C15u;
    hash ^= uint64_t{key.relation.spcOid} * 0xC2B2AE3D27D4EB4Fu;
    hash *= 0xFF51AFD7ED558CCDu;
    return static_cast<size_t>(hash ^ (hash >> 32));
  }
};

// Files stay open while somebody uses them, also when the cache lets go of them.
using FileRef = std::shared_ptr<File>;

// The open segment files, most recently used first.
class OpenFiles {
 public:
  explicit OpenFiles(size_t limit) : limit_(limit) { INVARIANT(limit > 0); }

  FileRef find(const SegmentKey& key) {
    const std::lock_guard guard(mutex_);
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    if (found->second != entries_.begin())
      entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->second;
  }

  // Keeps `file`, unless another thread was faster; returns the one that is kept.
  FileRef keep(const SegmentKey& key, FileRef file) {
    std::list<Entry> closed;  // After the mutex is free.
    const std::lock_guard guard(mutex_);
    const auto [place, is_new] = index_.try_emplace(key);
    if (!is_new) return place->second->second;
    entries_.emplace_front(key, file);
    place->second = entries_.begin();
    while (entries_.size() > limit_) close_last(&closed);
    return file;
  }

  template <typename Predicate>
  void close_if(Predicate predicate) {
    std::list<Entry> closed;
    const std::lock_guard guard(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto following = std::next(entry);
      if (predicate(entry->first)) {
        index_.erase(entry->first);
        closed.splice(closed.begin(), entries_, entry);
      }
      entry = following;
    }
  }

  // Makes room when the process may not open more; false when there is none to make.
  bool close_half() {
    std::list<Entry> closed;
    const std::lock_guard guard(mutex_);
    const size_t rest = entries_.size() / 2;
    while (entries_.size() > rest) close_last(&closed);
    return !closed.empty();
  }

 private:
  using Entry = std::pair<SegmentKey, FileRef>;

  void close_last(std::list<Entry>* closed) {
    index_.erase(entries_.back().first);
    closed->splice(closed->begin(), entries_, std::prev(entries_.end()));
  }

  const size_t limit_;
  std::mutex mutex_;
  std::list<Entry> entries_;
  std::unordered_map<SegmentKey, std::list<Entry>::iterator, SegmentKeyHash> index_;
};

// What the next checkpoint has to do. Forgetting a segment also reaches a sync
// that is under way, which otherwise would miss its file.
class PendingWork {
 public:
  void add_segment(const SegmentKey& key) {
    const std::lock_guard guard(mutex_);
    segments_.insert(key);
  }

  void add_directory(const std::string& path) {
    const std::lock_guard guard(mutex_);
    directories_.insert(path);
  }

  bool has_directory(const std::string& path) {
    const std::lock_guard guard(mutex_);
    return directories_.count(path) != 0;
  }

  void add_unlink(RelFileLocator relation) {
    const std::lock_guard guard(mutex_);
    if (sharing_ != nullptr && sharing_->add_unlink(relation)) return;
    unlinks_.push_back({relation, cycle_});
  }

  // Not the owner: whether `key` has to be handed to the owner, for the first time in this cycle.
  bool is_new_in_cycle(const SegmentKey& key) {
    const std::lock_guard guard(mutex_);
    const uint64_t cycle = sharing_->cycle();
    if (std::exchange(cycle_, cycle) != cycle) handed_over_.clear();
    return handed_over_.insert(key).second;
  }

  void share(StorageSharing* sharing) { sharing_ = sharing; }

  void forget_unlinked_of(Oid dbOid) {
    if (sharing_ != nullptr) sharing_->forget_unlinks(dbOid);
    forget_unlinks(dbOid);
  }

  template <typename Predicate>
  void forget_segments(Predicate predicate) {
    const std::lock_guard guard(mutex_);
    std::erase_if(segments_, predicate);
    std::erase_if(segments_in_sync_, predicate);
  }

  void forget_unlinks(Oid dbOid) {
    const std::lock_guard guard(mutex_);
    std::erase_if(unlinks_,
                  [dbOid](const Unlink& unlink) { return unlink.relation.dbOid == dbOid; });
  }

  void begin_checkpoint() {
    const std::lock_guard guard(mutex_);
    if (sharing_ != nullptr) sharing_->begin_cycle();
    cycle_++;
  }

  // Moves all segments to those in sync, together with what an earlier sync left.
  std::vector<SegmentKey> take_segments() {
    const std::lock_guard guard(mutex_);
    segments_in_sync_.merge(segments_);
    segments_.clear();
    return {segments_in_sync_.begin(), segments_in_sync_.end()};
  }

  bool is_in_sync(const SegmentKey& key) {
    const std::lock_guard guard(mutex_);
    return segments_in_sync_.count(key) != 0;
  }

  void segment_synced(const SegmentKey& key) {
    const std::lock_guard guard(mutex_);
    segments_in_sync_.erase(key);
  }

  std::vector<std::string> take_directories() {
    const std::lock_guard guard(mutex_);
    const std::set<std::string> taken = std::exchange(directories_, {});
    return {taken.begin(), taken.end()};
  }

  // The relations whose unlink was asked before the checkpoint began.
  std::vector<RelFileLocator> take_unlinks() {
    const std::lock_guard guard(mutex_);
    std::vector<RelFileLocator> taken;
    std::erase_if(unlinks_, [&](const Unlink& unlink) {
      if (unlink.cycle == cycle_) return false;
      taken.push_back(unlink.relation);
      return true;
    });
    if (sharing_ != nullptr) sharing_->take_unlinks(&taken);
    return taken;
  }

 private:
  struct Unlink {
    RelFileLocator relation;
    uint64_t cycle;
  };

  std::mutex mutex_;
  std::unordered_set<SegmentKey, SegmentKeyHash> segments_;
  std::unordered_set<SegmentKey, SegmentKeyHash> segments_in_sync_;
  std::set<std::string> directories_;
  std::vector<Unlink> unlinks_;
  uint64_t cycle_ = 0;
  StorageSharing* sharing_ = nullptr;
  std::unordered_set<SegmentKey, SegmentKeyHash> handed_over_;  // in this cycle
};

constexpr ForkNumber all_forks[fork_count] = {ForkNumber::main, ForkNumber::fsm,
                                              ForkNumber::visibility_map, ForkNumber::init};
constexpr const char* fork_suffixes[fork_count] = {"", "_fsm", "_vm", "_init"};

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// Another error's code and hint under the words that our caller understands.
Status restated(Status cause, std::string message) {
  Status status = Status::error(cause.code(), "%s", message.c_str());
  return std::move(status)
      .with_detail("The operating system's report: " + cause.report().message + ".")
      .with_hint(cause.report().hint);
}

std::string block_words(BlockNumber first, int count) {
  const std::string start = std::to_string(value_of(first));
  if (count == 1) return "block " + start;
  return "blocks " + start + ".." +
         std::to_string(value_of(first) + static_cast<uint32_t>(count) - 1);
}

}  // namespace

struct Storage::State {
  State(FileSystem& file_system, StorageOptions storage_options)
      : files(file_system),
        options(std::move(storage_options)),
        open_files(options.open_files_max) {}

  bool is_direct() const {
    return options.io_mode == IoMode::direct && options.block_size % direct_io_alignment == 0;
  }

  std::string directory(Oid dbOid, Oid spcOid) const;
  std::string path(RelFileLocator relation, ForkNumber fork) const;
  std::string path(const SegmentKey& key) const;
  std::string absolute(const std::string& below_data_directory) const {
    return options.data_directory + "/" + below_data_directory;
  }

  Status open_uncached(const SegmentKey& key, OpenFlags extra, std::unique_ptr<File>* file);
  Status open(const SegmentKey& key, OpenFlags extra, FileRef* file);
  Status create(const SegmentKey& key, OpenFlags extra, FileRef* file);
  Status segment_blocks(const SegmentKey& key, File& file, uint32_t* blocks);
  Status extend_segment(const SegmentKey& key, uint32_t first, uint32_t count);
  Status truncate_segment(const SegmentKey& key, uint32_t blocks);
  Status remove_segments(RelFileLocator relation, ForkNumber fork, bool keep_first);
  Status sync_one(const SegmentKey& key);
  void register_sync(const SegmentKey& key);
  void register_directory(const std::string& below_data_directory);
  bool is_for_others() const { return sharing != nullptr && !sharing->is_owner(); }
  void forget_syncs_of(RelFileLocator relation);
  void take_handed_over();
  Status sync_file_systems();

  // Splits blocks into pieces that lie in one segment and fit one call.
  template <typename Transfer>
  Status for_each_piece(RelFileLocator relation, ForkNumber fork, BlockNumber first,
                        std::byte* const* pages, int count, Transfer transfer);

  FileSystem& files;
  const StorageOptions options;
  OpenFiles open_files;
  PendingWork pending;
  StorageSharing* sharing = nullptr;
  std::atomic<bool> sync_everything{false};
};

// A segment was written. Whoever takes no checkpoints tells who does.
void Storage::State::register_sync(const SegmentKey& key) {
  if (!options.fsync) return;
  if (!is_for_others())
    pending.add_segment(key);
  else if (pending.is_new_in_cycle(key))
    sharing->push({SyncRequest::Kind::segment, key.relation, key.fork, key.segment, {}});
}

void Storage::State::register_directory(const std::string& below_data_directory) {
  if (!options.fsync) return;
  if (!is_for_others())
    pending.add_directory(below_data_directory);
  else
    sharing->push({SyncRequest::Kind::directory, {}, ForkNumber::main, 0, below_data_directory});
}

// Its files are about to go.
void Storage::State::forget_syncs_of(RelFileLocator relation) {
  const bool is_database = relation.relNumber == invalid_oid;
  const auto kind =
      is_database ? SyncRequest::Kind::forget_database : SyncRequest::Kind::forget_relation;
  if (is_for_others()) sharing->push({kind, relation, ForkNumber::main, 0, {}});
  pending.forget_segments([&](const SegmentKey& key) {
    return is_database ? key.relation.dbOid == relation.dbOid : key.relation == relation;
  });
}

// The owner takes what others wrote and removed.
void Storage::State::take_handed_over() {
  if (sharing == nullptr) return;
  std::vector<SyncRequest> requests;
  sharing->take(&requests);
  for (const SyncRequest& request : requests) {
    switch (request.kind) {
      case SyncRequest::Kind::segment:
        pending.add_segment({request.relation, request.fork, request.segment});
        break;
      case SyncRequest::Kind::directory:
        pending.add_directory(request.path);
        break;
      case SyncRequest::Kind::forget_relation:
        pending.forget_segments(
            [&](const SegmentKey& key) { return key.relation == request.relation; });
        break;
      case SyncRequest::Kind::forget_database:
        pending.forget_segments(
            [&](const SegmentKey& key) { return key.relation.dbOid == request.relation.dbOid; });
        break;
    }
  }
}

Status Storage::State::sync_file_systems() {
  RETURN_IF_ERROR(files.sync_file_system(options.data_directory));
  FileInfo log;
  RETURN_IF_ERROR(files.info(absolute("pg_wal"), &log));
  if (log.kind == FileKind::symbolic_link)
    RETURN_IF_ERROR(files.sync_file_system(absolute("pg_wal")));
  const std::string links = absolute("pg_tblspc");
  std::vector<std::string> names;
  RETURN_IF_ERROR(files.list(links, &names));
  for (const std::string& name : names) {
    FileInfo info;
    RETURN_IF_ERROR(files.info(links + "/" + name, &info));
    if (info.kind != FileKind::symbolic_link) continue;
    // A tablespace whose directory is gone is the business of who reads it.
    Status status = files.sync_file_system(links + "/" + name);
    if (!status.is_ok() && status.code() != ErrorCode::undefined_file) return status;
  }
  return Status::ok;
}

std::string Storage::State::directory(Oid dbOid, Oid spcOid) const {
  if (spcOid == global_tablespace_oid) {
    INVARIANT(dbOid == 0);
    return "global";
  }
  if (spcOid == default_tablespace_oid) return "base/" + std::to_string(dbOid);
  return "pg_tblspc/" + std::to_string(spcOid) + "/" + options.tablespace_version_directory + "/" +
         std::to_string(dbOid);
}

std::string Storage::State::path(RelFileLocator relation, ForkNumber fork) const {
  return directory(relation.dbOid, relation.spcOid) + "/" + options.file_prefix +
         std::to_string(relation.relNumber) + fork_suffixes[static_cast<size_t>(fork)];
}

std::string Storage::State::path(const SegmentKey& key) const {
  const std::string first = path(key.relation, key.fork);
  return key.segment == 0 ? first : first + "." + std::to_string(key.segment);
}

Status Storage::State::open_uncached(const SegmentKey& key, OpenFlags extra,
                                     std::unique_ptr<File>* file) {
  OpenFlags flags = extra;
  if (!options.read_only) flags = flags | OpenFlags::read_write;
  if (is_direct()) flags = flags | OpenFlags::direct;
  const std::string where = absolute(path(key));
  Status status = files.open(where, flags, file);
  // Perhaps too many files are open, of which ours can be closed.
  if (status.code() == ErrorCode::io_error && open_files.close_half())
    status = files.open(where, flags, file);
  return status;
}

Status Storage::State::open(const SegmentKey& key, OpenFlags extra, FileRef* file) {
  *file = open_files.find(key);
  if (*file != nullptr) return Status::ok;
  std::unique_ptr<File> opened;
  RETURN_IF_ERROR(open_uncached(key, extra, &opened));
  *file = open_files.keep(key, std::move(opened));
  return Status::ok;
}

// A file that may be new: its directory has to be synced as well.
Status Storage::State::create(const SegmentKey& key, OpenFlags extra, FileRef* file) {
  INVARIANT(!options.read_only);
  RETURN_IF_ERROR(open(key, extra | OpenFlags::create, file));
  register_directory(directory(key.relation.dbOid, key.relation.spcOid));
  register_sync(key);
  return Status::ok;
}

// Complete blocks of one segment.
Status Storage::State::segment_blocks(const SegmentKey& key, File& file, uint32_t* blocks) {
  uint64_t bytes = 0;
  RETURN_IF_ERROR(file.size(&bytes));
  const uint64_t count = bytes / options.block_size;
  if (count > options.segment_blocks)
    return Status::error(ErrorCode::data_corrupted,
                         "segment \"%s\" has %llu blocks, more than a segment can have",
                         path(key).c_str(), static_cast<unsigned long long>(count));
  *blocks = static_cast<uint32_t>(count);
  return Status::ok;
}

template <typename Transfer>
Status Storage::State::for_each_piece(RelFileLocator relation, ForkNumber fork, BlockNumber first,
                                      std::byte* const* pages, int count, Transfer transfer) {
  INVARIANT(count >= 0);
  uint32_t block = value_of(first);
  while (count > 0) {
    const uint32_t within = block % options.segment_blocks;
    const int piece = static_cast<int>(std::min(
        {static_cast<uint32_t>(count), uint32_t{slices_max}, options.segment_blocks - within}));
    IoSlice slices[slices_max];
    for (int i = 0; i < piece; i++) slices[i] = IoSlice{pages[i], options.block_size};
    const SegmentKey key{relation, fork, block / options.segment_blocks};
    FileRef file;
    Status status = open(key, OpenFlags::read_only, &file);
    if (status.is_ok())
      status = transfer(key, *file, slices, piece, BlockNumber{block},
                        uint64_t{within} * options.block_size);
    RETURN_IF_ERROR(std::move(status));
    block += static_cast<uint32_t>(piece);
    pages += piece;
    count -= piece;
  }
  return Status::ok;
}

Storage::Storage(FileSystem& files, StorageOptions options) {
  INVARIANT(options.segment_blocks > 0);
  INVARIANT(options.block_size > 0);
  INVARIANT(options.block_size <= sizeof(zero_blocks) / written_blocks_max);
  state_ = std::make_unique<State>(files, std::move(options));
}

Storage::~Storage() = default;

void Storage::share(StorageSharing* sharing) {
  state_->sharing = sharing;
  state_->pending.share(sharing);
}

Status Storage::hand_over() {
  INVARIANT(state_->sharing != nullptr);
  state_->take_handed_over();
  for (const SegmentKey& key : state_->pending.take_segments()) {
    state_->pending.segment_synced(key);
    if (!state_->sharing->push_if_room(
            {SyncRequest::Kind::segment, key.relation, key.fork, key.segment, {}}))
      RETURN_IF_ERROR(state_->sync_one(key));
  }
  for (const std::string& path : state_->pending.take_directories()) {
    if (!state_->sharing->push_if_room(
            {SyncRequest::Kind::directory, {}, ForkNumber::main, 0, path}))
      RETURN_IF_ERROR(state_->files.sync_directory(state_->absolute(path)));
  }
  return Status::ok;
}

void Storage::take_handed_over() { state_->take_handed_over(); }

void Storage::sync_everything_next() { state_->sync_everything = true; }

Status Storage::sync_file_systems() { return state_->sync_file_systems(); }

const StorageOptions& Storage::options() const { return state_->options; }

FileSystem& Storage::files() { return state_->files; }

std::string Storage::relation_path(RelFileLocator relation, ForkNumber fork) const {
  return state_->path(relation, fork);
}

std::string Storage::database_path(Oid dbOid, Oid spcOid) const {
  return state_->directory(dbOid, spcOid);
}

Status Storage::create(RelFileLocator relation, ForkNumber fork, bool may_exist) {
  INVARIANT(relation.relNumber != invalid_oid);
  const SegmentKey key{relation, fork, 0};
  // An open file of that name would be one that was removed.
  state_->open_files.close_if(
      [&](const SegmentKey& open) { return open.relation == relation && open.fork == fork; });
  const OpenFlags extra = may_exist ? OpenFlags::read_only : OpenFlags::exclusive;
  FileRef file;
  Status status = state_->create(key, extra, &file);
  if (status.code() != ErrorCode::undefined_file || relation.spcOid == global_tablespace_oid)
    return status;
  // The database's first relation in this tablespace. Source: TablespaceCreateDbspace.
  const std::string directory = state_->directory(relation.dbOid, relation.spcOid);
  Status made = state_->files.make_directory(state_->absolute(directory));
  if (!made.is_ok() && made.code() != ErrorCode::duplicate_file) return status;
  state_->register_directory(directory_of(directory));
  return state_->create(key, extra, &file);
}

Status Storage::exists(RelFileLocator relation, ForkNumber fork, bool* exists) {
  FileInfo info;
  RETURN_IF_ERROR(state_->files.info(state_->absolute(state_->path(relation, fork)), &info));
  *exists = info.kind == FileKind::regular;
  return Status::ok;
}

Status Storage::block_count(RelFileLocator relation, ForkNumber fork, uint32_t* blocks) {
  const uint32_t segment_blocks = state_->options.segment_blocks;
  const uint32_t segments_max = block_number_max / segment_blocks + 1;
  *blocks = 0;
  for (uint32_t segment = 0; segment < segments_max; segment++) {
    const SegmentKey key{relation, fork, segment};
    FileRef file;
    Status status = state_->open(key, OpenFlags::read_only, &file);
    // After a full segment the next need not exist yet.
    if (segment > 0 && status.code() == ErrorCode::undefined_file) return Status::ok;
    RETURN_IF_ERROR(std::move(status));
    uint32_t here = 0;
    RETURN_IF_ERROR(state_->segment_blocks(key, *file, &here));
    *blocks += here;
    if (here < segment_blocks) return Status::ok;
  }
  return Status::error(ErrorCode::data_corrupted, "relation \"%s\" has more than %u blocks",
                       relation_path(relation, fork).c_str(), block_number_max);
}

Status Storage::read(RelFileLocator relation, ForkNumber fork, BlockNumber first,
                     std::byte* const* pages, int count) {
  const uint32_t block_size = state_->options.block_size;
  return state_->for_each_piece(
      relation, fork, first, pages, count,
      [&](const SegmentKey& key, File& file, const IoSlice* slices, int piece, BlockNumber block,
          uint64_t offset) {
        const size_t wanted = static_cast<size_t>(piece) * block_size;
        size_t done = 0;
        Status status = piece == 1 ? file.read(slices->bytes, block_size, offset, &done)
                                   : file.read_vector(slices, piece, offset, &done);
        if (status.is_ok() && done == wanted) return status;
        const std::string what = "could not read " + block_words(block, piece) + " of relation \"" +
                                 relation_path(key.relation, key.fork) + "\"";
        if (!status.is_ok()) return restated(std::move(status), what);
        return Status::error(ErrorCode::data_corrupted, "%s: read only %zu of %zu bytes",
                             what.c_str(), done, wanted);
      });
}

Status Storage::write(RelFileLocator relation, ForkNumber fork, BlockNumber first,
                      std::byte* const* pages, int count) {
  INVARIANT(!state_->options.read_only);
  return state_->for_each_piece(
      relation, fork, first, pages, count,
      [&](const SegmentKey& key, File& file, const IoSlice* slices, int piece, BlockNumber block,
          uint64_t offset) {
        Status status = piece == 1 ? file.write(slices->bytes, slices->size, offset)
                                   : file.write_vector(slices, piece, offset);
        // Also after a failure: some of it may have been written.
        state_->register_sync(key);
        if (status.is_ok()) return status;
        return restated(std::move(status), "could not write " + block_words(block, piece) +
                                               " of relation \"" +
                                               relation_path(key.relation, key.fork) + "\"");
      });
}

Status Storage::State::extend_segment(const SegmentKey& key, uint32_t first, uint32_t count) {
  FileRef file;
  RETURN_IF_ERROR(first == 0 && key.segment > 0 ? create(key, OpenFlags::read_only, &file)
                                                : open(key, OpenFlags::read_only, &file));
  const uint64_t offset = uint64_t{first} * options.block_size;
  const uint64_t bytes = uint64_t{count} * options.block_size;
  Status status = count <= written_blocks_max
                      ? file->write(zero_blocks, static_cast<size_t>(bytes), offset)
                      : file->allocate(offset, bytes);
  register_sync(key);
  return status;
}

Status Storage::extend(RelFileLocator relation, ForkNumber fork, BlockNumber first,
                       uint32_t count) {
  INVARIANT(!state_->options.read_only);
  if (count > block_number_max - value_of(first))
    return Status::error(ErrorCode::program_limit_exceeded,
                         "cannot extend relation \"%s\" beyond %u blocks",
                         relation_path(relation, fork).c_str(), block_number_max);
  const uint32_t segment_blocks = state_->options.segment_blocks;
  uint32_t block = value_of(first);
  const uint32_t end = block + count;
  while (block < end) {
    const uint32_t within = block % segment_blocks;
    const uint32_t piece = std::min(end - block, segment_blocks - within);
    const SegmentKey key{relation, fork, block / segment_blocks};
    Status status = state_->extend_segment(key, within, piece);
    if (!status.is_ok())
      return restated(std::move(status), "could not extend relation \"" +
                                             relation_path(relation, fork) + "\" to " +
                                             std::to_string(end) + " blocks");
    block += piece;
  }
  return Status::ok;
}

Status Storage::State::truncate_segment(const SegmentKey& key, uint32_t blocks) {
  FileRef file;
  RETURN_IF_ERROR(open(key, OpenFlags::read_only, &file));
  RETURN_IF_ERROR(file->truncate(uint64_t{blocks} * options.block_size));
  register_sync(key);
  return Status::ok;
}

Status Storage::truncate(RelFileLocator relation, ForkNumber fork, uint32_t blocks) {
  INVARIANT(!state_->options.read_only);
  uint32_t now = 0;
  RETURN_IF_ERROR(block_count(relation, fork, &now));
  const std::string what = "could not truncate relation \"" + relation_path(relation, fork) +
                           "\" to " + std::to_string(blocks) + " blocks";
  if (blocks > now)
    return Status::error(ErrorCode::internal_error, "%s: it has only %u blocks", what.c_str(), now);
  if (blocks == now) return Status::ok;
  // From the end, so that a failure leaves no gap.
  const uint32_t segment_blocks = state_->options.segment_blocks;
  const uint32_t kept_segment = blocks / segment_blocks;
  for (uint32_t segment = (now - 1) / segment_blocks + 1; segment-- > kept_segment;) {
    const uint32_t kept = segment == kept_segment ? blocks % segment_blocks : 0;
    Status status = state_->truncate_segment({relation, fork, segment}, kept);
    if (!status.is_ok()) return restated(std::move(status), what);
  }
  return Status::ok;
}

// Empties each segment before removing it, so that a process that has it open
// does not keep its space.
Status Storage::State::remove_segments(RelFileLocator relation, ForkNumber fork, bool keep_first) {
  const std::string folder = directory(relation.dbOid, relation.spcOid);
  const uint32_t segments_max = block_number_max / options.segment_blocks + 1;
  for (uint32_t segment = 0; segment < segments_max; segment++) {
    const SegmentKey key{relation, fork, segment};
    std::unique_ptr<File> file;
    Status status = open_uncached(key, OpenFlags::read_only, &file);
    if (status.code() == ErrorCode::undefined_file) return Status::ok;
    RETURN_IF_ERROR(std::move(status));
    RETURN_IF_ERROR(file->truncate(0));
    if (segment == 0 && keep_first) continue;
    RETURN_IF_ERROR(files.remove_file(absolute(path(key))));
    register_directory(folder);
  }
  return Status::ok;
}

Status Storage::unlink(RelFileLocator relation, bool at_once) {
  INVARIANT(!state_->options.read_only);
  close_relation(relation);
  state_->forget_syncs_of(relation);
  if (state_->sharing != nullptr) state_->sharing->announce_removal(relation);
  Status first_failure;
  for (ForkNumber fork : all_forks) {
    const bool keep_first = !at_once && fork == ForkNumber::main;
    Status status = state_->remove_segments(relation, fork, keep_first);
    if (!status.is_ok() && first_failure.is_ok()) first_failure = std::move(status);
  }
  if (!at_once) state_->pending.add_unlink(relation);
  return first_failure;
}

void Storage::prefetch(RelFileLocator relation, ForkNumber fork, BlockNumber first,
                       uint32_t count) {
  if (state_->is_direct()) return;
  const uint32_t segment_blocks = state_->options.segment_blocks;
  uint32_t block = value_of(first);
  while (count > 0) {
    const uint32_t within = block % segment_blocks;
    const uint32_t piece = std::min(count, segment_blocks - within);
    FileRef file;
    const Status status =
        state_->open({relation, fork, block / segment_blocks}, OpenFlags::read_only, &file);
    if (!status.is_ok()) return;  // Whoever reads will hear of it.
    file->prefetch(uint64_t{within} * state_->options.block_size,
                   uint64_t{piece} * state_->options.block_size);
    block += piece;
    count -= piece;
  }
}

// Not through the cache unless it is there: a file opened while it is being
// dropped must not stay.
Status Storage::State::sync_one(const SegmentKey& key) {
  if (const FileRef file = open_files.find(key)) return file->data_sync();
  std::unique_ptr<File> file;
  RETURN_IF_ERROR(open_uncached(key, OpenFlags::read_only, &file));
  return file->data_sync();
}

Status Storage::sync(RelFileLocator relation, ForkNumber fork) {
  if (!state_->options.fsync) return Status::ok;
  const uint32_t segments_max = block_number_max / state_->options.segment_blocks + 1;
  for (uint32_t segment = 0; segment < segments_max; segment++) {
    Status status = state_->sync_one({relation, fork, segment});
    if (segment > 0 && status.code() == ErrorCode::undefined_file) break;
    RETURN_IF_ERROR(std::move(status));
  }
  // The entries of a relation made since the last checkpoint have to last as well.
  const std::string directory = state_->directory(relation.dbOid, relation.spcOid);
  if (!state_->pending.has_directory(directory)) return Status::ok;
  return state_->files.sync_directory(state_->absolute(directory));
}

void Storage::close_relation(RelFileLocator relation) {
  state_->open_files.close_if([&](const SegmentKey& key) { return key.relation == relation; });
}

void Storage::close_database(Oid dbOid) {
  close_database_files(dbOid);
  const RelFileLocator all_of_it{0, dbOid, invalid_oid};
  state_->forget_syncs_of(all_of_it);
  state_->pending.forget_unlinked_of(dbOid);
  if (state_->sharing != nullptr) state_->sharing->announce_removal(all_of_it);
}

void Storage::close_database_files(Oid dbOid) {
  state_->open_files.close_if(
      [dbOid](const SegmentKey& key) { return key.relation.dbOid == dbOid; });
}

void Storage::close_all() {
  state_->open_files.close_if([](const SegmentKey&) { return true; });
}

void Storage::begin_checkpoint() { state_->pending.begin_checkpoint(); }

Status Storage::sync_pending(SyncReport* report) {
  state_->take_handed_over();
  if (state_->sync_everything.exchange(false) && state_->options.fsync)
    RETURN_IF_ERROR(state_->sync_file_systems());
  for (const SegmentKey& key : state_->pending.take_segments()) {
    if (!state_->pending.is_in_sync(key)) continue;  // Dropped meanwhile.
    const auto began = std::chrono::steady_clock::now();
    Status status = state_->sync_one(key);
    if (report != nullptr && status.is_ok()) {
      const auto took = std::chrono::steady_clock::now() - began;
      report->files++;
      report->longest = std::max(report->longest, took);
      report->total += took;
    }
    // Who drops a file says so before.
    if (status.code() == ErrorCode::undefined_file) state_->take_handed_over();
    if (!status.is_ok() &&
        (status.code() != ErrorCode::undefined_file || state_->pending.is_in_sync(key)))
      return status;
    state_->pending.segment_synced(key);
  }
  const std::vector<std::string> directories = state_->pending.take_directories();
  for (size_t i = 0; i < directories.size(); i++) {
    Status status = state_->files.sync_directory(state_->absolute(directories[i]));
    // A directory that is gone has no entries to keep.
    if (status.is_ok() || status.code() == ErrorCode::undefined_file) continue;
    for (; i < directories.size(); i++) state_->pending.add_directory(directories[i]);
    return status;
  }
  return Status::ok;
}

Status Storage::remove_unlinked() {
  Status first_failure;
  for (const RelFileLocator& relation : state_->pending.take_unlinks()) {
    close_relation(relation);
    const std::string path = state_->path(relation, ForkNumber::main);
    Status status = state_->files.remove_file(state_->absolute(path));
    // Its database may be gone already.
    if (status.code() == ErrorCode::undefined_file) continue;
    if (status.is_ok()) {
      state_->register_directory(directory_of(path));
      continue;
    }
    state_->pending.add_unlink(relation);
    if (first_failure.is_ok()) first_failure = std::move(status);
  }
  return first_failure;
}

void Storage::register_directory_sync(const std::string& path) { state_->register_directory(path); }

}  // namespace pgdata
