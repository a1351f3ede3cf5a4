// ReadAhead: looking ahead in the log.
#include "recovery/read_ahead.h"

#include <chrono>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "buffer/buffer_descriptor.h"
#include "layout/wal_record.h"

namespace pgdata {

namespace {

// How far ahead of replay: enough for a device to be busy, not so much that what was read is gone again.
constexpr Lsn distance_max = 8u << 20;
// Blocks asked for lately, by hash: a block changed by many records is asked for once.
constexpr size_t recent_blocks = 1u << 16;
constexpr size_t open_files_max = 64;
constexpr auto nap = std::chrono::milliseconds(1);

// Its own open files, the most recently used first.
class Files {
 public:
  Files(FileSystem& files, std::string root) : files_(files), root_(std::move(root)) {}

  // Null when it cannot be opened.
  File* open(const std::string& path) {
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (entry->first != path) continue;
      entries_.splice(entries_.begin(), entries_, entry);
      return entries_.front().second.get();
    }
    std::unique_ptr<File> file;
    if (!files_.open(root_ + "/" + path, OpenFlags::read_only, &file).is_ok()) return nullptr;
    entries_.emplace_front(path, std::move(file));
    if (entries_.size() > open_files_max) entries_.pop_back();
    return entries_.front().second.get();
  }

 private:
  FileSystem& files_;
  std::string root_;
  std::list<std::pair<std::string, std::unique_ptr<File>>> entries_;
};

}  // namespace

ReadAhead::ReadAhead(Storage& storage, WalReaderOptions log, Lsn start)
    : storage_(storage), log_(std::move(log)), start_(start), replayed_(start), thread_([this] {
        run();
      }) {}

ReadAhead::~ReadAhead() {
  stopping_.store(true, std::memory_order_relaxed);
  thread_.join();
}

void ReadAhead::run() {
  const StorageOptions& options = storage_.options();
  Files files(storage_.files(), options.data_directory);
  WalReader reader(storage_.files(), log_);
  std::vector<uint64_t> recent(recent_blocks, 0);
  reader.begin_at(start_);
  bool found = true;
  while (!stopping_.load(std::memory_order_relaxed)) {
    if (!reader.next(&found).is_ok() || !found) return;
    const DecodedWalRecord& record = reader.record();
    while (record.lsn > replayed_.load(std::memory_order_relaxed) + distance_max) {
      if (stopping_.load(std::memory_order_relaxed)) return;
      std::this_thread::sleep_for(nap);
    }
    if (record.end_lsn <= replayed_.load(std::memory_order_relaxed)) continue;
    for (int id = 0; id < record.block_count; id++) {
      const WalBlock& block = record.blocks[id];
      if (!block.in_use || block.apply_image || (block.fork_flags & BKPBLOCK_WILL_INIT) != 0)
        continue;
      // Replay says what is wrong with it.
      if (block.relation.spcOid == global_tablespace_oid && block.relation.dbOid != 0) continue;
      const uint64_t hash = BufferTag(block.relation, block.fork, block.number).hash();
      uint64_t& slot = recent[hash % recent_blocks];
      if (slot == hash) continue;
      slot = hash;
      const uint32_t segment = value_of(block.number) / options.segment_blocks;
      std::string path = storage_.relation_path(block.relation, block.fork);
      if (segment > 0) {
        path += '.';
        path += std::to_string(segment);
      }
      File* file = files.open(path);
      if (file == nullptr) continue;
      file->prefetch(uint64_t{value_of(block.number) % options.segment_blocks} * options.block_size,
                     options.block_size);
      blocks_.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

}  // namespace pgdata
