// Question: how fast does the log take records, and what does it add to the write and sync of a commit?
//
// Predicted: a small record costs 150 ns, most of it checksum, lock and copying; page images go at memory
// speed less the write to the page cache, 1 GB/s or more; a commit of a single writer takes 2 us more than
// pwrite and fdatasync alone; 16 writers commit several times as often as one, since one sync serves many.
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "page/page.h"
#include "wal/wal.h"

namespace {

using namespace pgdata;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void must(const Status& status) {
  if (status.is_ok()) return;
  std::fprintf(stderr, "%s\n", status.report().message.c_str());
  std::exit(1);
}

// A log in a directory of its own below the working one (a real disk, where /tmp may be memory).
struct Log {
  Log(WalSyncMethod method, bool fsync, uint32_t buffer_pages = 2048) {
    char name[] = "wal_bench_XXXXXX";
    directory = mkdtemp(name);
    WalOptions options;
    options.directory = directory;
    options.sync_method = method;
    options.fsync = fsync;
    options.buffer_pages = buffer_pages;
    SegmentPlan plan;
    Wal::plan(plan, options);
    must(Segment::create("", plan, &segment));
    wal = std::make_unique<Wal>(posix_file_system(), *segment, state, options);
    must(wal->create_log());
  }
  ~Log() { std::filesystem::remove_all(directory); }

  std::string directory;
  ClusterState state;
  std::unique_ptr<Segment> segment;
  std::unique_ptr<Wal> wal;
};

constexpr RelFileLocator relation{default_tablespace_oid, 5, 16384};

// What an INSERT of a short row logs: a block with 40 bytes of data, 3 of main data.
void insert_small(Wal& wal, Page page, Lsn* end) {
  static const std::byte row[40] = {};
  WalRecord record;
  record.begin(RmgrId::heap, 0, TransactionId{700});
  record.block(0, relation, ForkNumber::main, BlockNumber{1}, page, REGBUF_STANDARD);
  record.data(row, 3);
  record.block_data(0, row, sizeof(row));
  must(wal.insert(record, end));
}

// With `in_memory` the page ring holds all of it, and nothing is written.
void measure_insertion(int threads, bool image, bool in_memory) {
  Log log(WalSyncMethod::fdatasync, false, in_memory ? 32768 : 2048);
  const int records = (image ? 20'000 : 1'000'000) / threads;
  std::vector<std::thread> workers;
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < threads; i++) {
    workers.emplace_back([&] {
      alignas(8) std::byte bytes[8192] = {};
      Page page(bytes, sizeof(bytes));
      page.set_lsn(UINT64_MAX);
      for (int n = 0; n < records; n++) {
        Lsn end;
        if (!image) {
          insert_small(*log.wal, page, &end);
          continue;
        }
        WalRecord record;
        record.begin(RmgrId::xlog, 0xB0, invalid_transaction_id);
        record.block(0, relation, ForkNumber::main, BlockNumber{1}, page, REGBUF_FORCE_IMAGE);
        must(log.wal->insert(record, &end));
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  const double seconds = seconds_since(start);
  const double total = static_cast<double>(records) * threads;
  std::printf("insert %-14s %-9s %2d threads   %8.0f ns/record  %8.0f MB/s\n",
              image ? "page images" : "small records", in_memory ? "in memory" : "to files",
              threads, seconds * 1e9 / total,
              static_cast<double>(log.wal->statistics().bytes) / seconds / 1e6);
}

void measure_commit(const char* name, WalSyncMethod method, int threads) {
  Log log(method, true);
  std::vector<std::thread> workers;
  std::atomic<int> commits{0};
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < threads; i++) {
    workers.emplace_back([&] {
      alignas(8) std::byte bytes[8192] = {};
      Page page(bytes, sizeof(bytes));
      page.set_lsn(UINT64_MAX);
      while (seconds_since(start) < 1.0) {
        Lsn end;
        insert_small(*log.wal, page, &end);
        must(log.wal->flush(end));
        commits.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  const double seconds = seconds_since(start);
  const WalStatistics statistics = log.wal->statistics();
  std::printf("commit %-22s %2d threads   %8.0f /s  %7.1f us  %5.1f a write\n", name, threads,
              commits.load() / seconds, seconds * 1e6 * threads / commits.load(),
              static_cast<double>(commits.load()) / static_cast<double>(statistics.writes));
}

// What a commit cannot be faster than: 4 KiB written into a filled file and synced.
void measure_bare_sync() {
  char name[] = "wal_bench_XXXXXX";
  const int descriptor = mkstemp(name);
  std::vector<std::byte> zeroes(1 << 20);
  for (int i = 0; i < 16; i++)
    if (write(descriptor, zeroes.data(), zeroes.size()) < 0) std::exit(1);
  fsync(descriptor);
  int rounds = 0;
  const Clock::time_point start = Clock::now();
  for (; seconds_since(start) < 1.0; rounds++) {
    if (pwrite(descriptor, zeroes.data(), 96, (rounds * 96) % (16 << 20)) < 0) std::exit(1);
#if defined(__APPLE__)
    fsync(descriptor);
#else
    fdatasync(descriptor);
#endif
  }
  const double seconds = seconds_since(start);
  close(descriptor);
  unlink(name);
  std::printf("bare pwrite and fdatasync              1 threads   %8.0f /s  %7.1f us\n",
              rounds / seconds, seconds * 1e6 / rounds);
}

}  // namespace

int main() {
  for (const bool in_memory : {true, false}) {
    for (const int threads : {1, 2, 4}) measure_insertion(threads, false, in_memory);
    for (const int threads : {1, 2}) measure_insertion(threads, true, in_memory);
  }
  measure_bare_sync();
  for (const int threads : {1, 2, 16, 64})
    measure_commit("fdatasync", WalSyncMethod::fdatasync, threads);
  measure_commit("fsync", WalSyncMethod::fsync, 1);
  measure_commit("open_datasync", WalSyncMethod::open_datasync, 1);
  measure_commit("open_datasync, direct", WalSyncMethod::open_datasync_direct, 1);
  measure_commit("open_datasync, direct", WalSyncMethod::open_datasync_direct, 16);
  measure_bare_sync();
  return 0;
}
