// Tests of the write-ahead log.
// Goal: what was inserted, by however many threads, is read back exactly and in the order of its positions;
// nothing acknowledged is lost by any restart; failures poison. Method: seeded random records against a
// plain list of what was inserted, with page rings and segments as small as they may be.
#include "wal/wal.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "base/test.h"
#include "file/faulty_file_system.h"
#include "layout/wal_page.h"
#include "layout/wal_xlog_records.h"
#include "wal/wal_geometry.h"
#include "wal/wal_reader.h"

namespace pgdata {
namespace {

constexpr uint32_t small_segment = 1u << 20;
constexpr uint64_t system_identifier = 0x1234567890ABCDEF;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/pgdata-wal-XXXXXX";
    path_ = mkdtemp(name);
    std::filesystem::create_directory(path_ + "/archive_status");
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::vector<std::string> segments() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::string path_;
};

// One life of a log: a new shared segment over a directory that stays.
struct Log {
  explicit Log(const TemporaryDirectory& directory, uint32_t buffer_pages = 4,
               FileSystem& files = posix_file_system(),
               WalSyncMethod method = WalSyncMethod::adaptive)
      : Log(directory.path(), buffer_pages, files, method) {}
  Log(const std::string& directory, uint32_t buffer_pages, FileSystem& files,
      WalSyncMethod method = WalSyncMethod::adaptive) {
    options.directory = directory;
    options.segment_bytes = small_segment;
    options.buffer_pages = buffer_pages;
    options.system_identifier = system_identifier;
    options.sync_method = method;
    options.min_wal_bytes = 4 * small_segment;
    options.max_wal_bytes = 16 * small_segment;
    SegmentPlan plan;
    Wal::plan(plan, options);
    EXPECT_OK(Segment::create("", plan, &segment));
    wal = std::make_unique<Wal>(files, *segment, state, options);
  }
  static WalReaderOptions reader_options(const std::string& directory) {
    WalReaderOptions reader;
    reader.directory = directory;
    reader.segment_bytes = small_segment;
    reader.system_identifier = system_identifier;
    return reader;
  }
  WalReaderOptions reader_options() const { return reader_options(options.directory); }

  WalOptions options;
  ClusterState state;
  std::unique_ptr<Segment> segment;
  std::unique_ptr<Wal> wal;
};

struct Inserted {
  Lsn end;
  uint8_t info;
  uint32_t xid;
  std::vector<std::byte> main;
  std::vector<std::byte> block_data;  // of block 0, if not empty
};

std::vector<std::byte> random_bytes(std::mt19937_64& random, size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

constexpr RelFileLocator relation{default_tablespace_oid, 5, 16384};

// Inserts a record of random shape, by `worker`, into `log`, and notes it under its start position.
Status insert_random(Wal& wal, std::mt19937_64& random, uint32_t worker, size_t size_max,
                     std::map<Lsn, Inserted>* inserted, std::mutex* mutex) {
  Inserted made;
  made.xid = worker;
  made.info = static_cast<uint8_t>((random() % 16) << 4);
  const size_t size = random() % 8 == 0 ? random() % size_max : random() % 200;
  made.main = random_bytes(random, size + 1);
  alignas(8) std::byte page_bytes[8192] = {};
  Page page(page_bytes, sizeof(page_bytes));
  page.set_lsn(UINT64_MAX);  // Needs no image.

  WalRecord record;
  record.begin(RmgrId::generic, made.info, TransactionId{worker});
  const size_t cut = random() % made.main.size();
  record.data(made.main.data(), cut);
  record.data(made.main.data() + cut, made.main.size() - cut);
  if (random() % 2 == 0) {
    made.block_data = random_bytes(random, 1 + random() % 500);
    record.block(0, relation, ForkNumber::main, BlockNumber{worker}, page, REGBUF_STANDARD);
    record.block_data(0, made.block_data.data(), made.block_data.size());
  }
  Lsn start = invalid_lsn;
  RETURN_IF_ERROR(wal.insert(record, &made.end, &start));
  std::lock_guard<std::mutex> guard(*mutex);
  inserted->emplace(start, std::move(made));
  return Status::ok;
}

// Reads from the first record and compares one by one.
void expect_log_is(const Log& log, const std::map<Lsn, Inserted>& inserted) {
  WalReader reader(posix_file_system(), log.reader_options());
  ASSERT(!inserted.empty());
  reader.begin_at(inserted.begin()->first);
  Lsn previous = invalid_lsn;
  for (const auto& [start, expected] : inserted) {
    bool found = false;
    ASSERT_OK(reader.next(&found));
    if (!found) test::report_failure(__FILE__, __LINE__, reader.end_reason());
    ASSERT(found);
    const DecodedWalRecord& record = reader.record();
    ASSERT_EQ(record.lsn, start);
    ASSERT_EQ(record.end_lsn, expected.end);
    ASSERT_EQ(value_of(record.header.xl_xid), expected.xid);
    ASSERT_EQ(record.info(), expected.info);
    if (previous != invalid_lsn) ASSERT_EQ(record.header.xl_prev, previous);
    ASSERT_EQ(record.main_data_length, expected.main.size());
    ASSERT(std::memcmp(record.main_data, expected.main.data(), expected.main.size()) == 0);
    ASSERT_EQ(record.block_count, expected.block_data.empty() ? 0 : 1);
    if (!expected.block_data.empty()) {
      ASSERT_EQ(record.blocks[0].data_length, expected.block_data.size());
      ASSERT(std::memcmp(record.blocks[0].data, expected.block_data.data(),
                         expected.block_data.size()) == 0);
      ASSERT(record.blocks[0].relation == relation);
      ASSERT_EQ(value_of(record.blocks[0].number), expected.xid);
    }
    previous = start;
  }
  bool found = true;
  ASSERT_OK(reader.next(&found));
  EXPECT(!found);
}

TEST(byte_positions_and_log_positions_agree) {
  std::mt19937_64 random = test::random_engine();
  for (const uint32_t block_size : {1024u, 8192u, 32768u}) {
    const WalGeometry geometry(block_size, small_segment);
    uint64_t position = geometry.byte_position(small_segment);
    for (int i = 0; i < 20000; i++) {
      const Lsn start = geometry.start_lsn(position);
      const Lsn end = geometry.end_lsn(position);
      ASSERT_EQ(geometry.byte_position(start), position);
      ASSERT_EQ(geometry.byte_position(end), position);
      ASSERT(geometry.page_offset(start) >= geometry.page_header_size(start));
      ASSERT(end == start || geometry.page_offset(end) == 0);
      position += 8 * (1 + random() % 300);
    }
  }
  EXPECT_EQ(wal_file_name(1, 1, 16u << 20), std::string("000000010000000000000001"));
  EXPECT_EQ(wal_file_name(2, 256 + 7, 16u << 20), std::string("000000020000000100000007"));
  uint32_t timeline = 0;
  uint64_t segment = 0;
  EXPECT(parse_wal_file_name("000000020000000100000007", 16u << 20, &timeline, &segment));
  EXPECT_EQ(timeline, 2);
  EXPECT_EQ(segment, 263);
  EXPECT(!parse_wal_file_name("0000000200000001000001FF", 16u << 20, &timeline, &segment));
  EXPECT(!parse_wal_file_name("00000002.history", 16u << 20, &timeline, &segment));
}

TEST(records_of_one_thread_are_read_back) {
  TemporaryDirectory directory;
  for (const WalSyncMethod method :
       {WalSyncMethod::adaptive, WalSyncMethod::fdatasync, WalSyncMethod::fsync,
        WalSyncMethod::open_datasync, WalSyncMethod::open_datasync_direct}) {
    TemporaryDirectory own;
    std::mt19937_64 random = test::random_engine();
    Log log(own, 4 + static_cast<uint32_t>(random() % 8), posix_file_system(), method);
    ASSERT_OK(log.wal->create_log());
    std::map<Lsn, Inserted> inserted;
    std::mutex mutex;
    while (log.wal->positions().insert < 4 * small_segment) {
      ASSERT_OK(insert_random(*log.wal, random, 7, 100000, &inserted, &mutex));
      if (random() % 10 == 0) {
        const Lsn end = inserted.rbegin()->second.end;
        ASSERT_OK(log.wal->flush(end));
        ASSERT(log.wal->flushed() >= end);
      }
      if (random() % 100 == 0) ASSERT_OK(log.wal->flush(log.wal->positions().insert));
      if (random() % 20 == 0) ASSERT_OK(log.wal->preallocate());
    }
    ASSERT_OK(log.wal->flush(log.wal->positions().insert));
    ASSERT_EQ(inserted.begin()->first, small_segment + SizeOfXLogLongPHD);
    EXPECT_EQ(log.wal->statistics().records, inserted.size());
    expect_log_is(log, inserted);
  }
}

TEST(records_of_four_threads_are_read_back) {
  TemporaryDirectory directory;
  Log log(directory, 6);
  ASSERT_OK(log.wal->create_log());
  std::map<Lsn, Inserted> inserted;
  std::mutex mutex;
  std::vector<std::thread> threads;
  const uint64_t seed = test::random_engine()();
  for (uint32_t worker = 1; worker <= 4; worker++) {
    threads.emplace_back([&, worker] {
      std::mt19937_64 random(seed + worker);
      for (int i = 0; i < 1500; i++) {
        EXPECT_OK(insert_random(*log.wal, random, worker, 20000, &inserted, &mutex));
        if (random() % 8 == 0) {
          Lsn upto;
          {
            std::lock_guard<std::mutex> guard(mutex);
            upto = inserted.rbegin()->second.end;
          }
          EXPECT_OK(log.wal->flush(upto));
          EXPECT(log.wal->flushed() >= upto);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK(log.wal->flush(log.wal->positions().insert));
  expect_log_is(log, inserted);
}

TEST(a_log_is_continued_where_it_ended) {
  TemporaryDirectory directory;
  std::mt19937_64 random = test::random_engine();
  std::map<Lsn, Inserted> inserted;
  std::mutex mutex;
  for (int life = 0; life < 12; life++) {
    // What a crash while a segment was filled left behind.
    const std::string left_over = directory.path() + "/xlogtemp.4711";
    if (life == 1) ASSERT_OK(replace_file_durably(posix_file_system(), left_over, "x"));
    Log log(directory);
    if (life == 0) {
      ASSERT_OK(log.wal->create_log());
    } else {
      const Lsn last = inserted.rbegin()->first;
      ASSERT_OK(log.wal->continue_log(last, last));
      EXPECT_EQ(log.wal->flushed(), inserted.rbegin()->second.end);
      EXPECT(!std::filesystem::exists(left_over));
    }
    const int records = 1 + static_cast<int>(random() % 300);
    for (int i = 0; i < records; i++)
      ASSERT_OK(insert_random(*log.wal, random, 1, 20000, &inserted, &mutex));
    if (life % 3 == 2) {
      // End exactly on a page: the next life starts with a page that has nothing on it yet.
      const WalGeometry geometry(8192, small_segment);
      const Lsn at = log.wal->positions().insert;
      const uint32_t room = 8192 - geometry.page_offset(at);
      const uint32_t overhead = SizeOfXLogRecord + SizeOfXLogRecordDataHeaderLong;
      if (room > overhead + 300) {
        Inserted made;
        made.xid = 1;
        made.info = 0;
        made.main = random_bytes(random, room - overhead);
        WalRecord record;
        record.begin(RmgrId::generic, 0, TransactionId{1});
        record.data(made.main.data(), made.main.size());
        Lsn start;
        ASSERT_OK(log.wal->insert(record, &made.end, &start));
        ASSERT_EQ(geometry.page_offset(made.end), 0);
        inserted.emplace(start, std::move(made));
      }
    }
    ASSERT_OK(log.wal->flush(inserted.rbegin()->second.end));
    expect_log_is(log, inserted);
  }
  Log log(directory);
  Status status = log.wal->continue_log(inserted.rbegin()->first + 8, small_segment);
  ASSERT(!status.is_ok());
  EXPECT(status.code() == ErrorCode::data_corrupted);
}

TEST(what_lies_beyond_the_log_in_its_last_page_is_zero) {
  TemporaryDirectory directory;
  // A stale file, as recycling leaves them.
  std::string stale(small_segment, '\xAB');
  ASSERT_OK(replace_file_durably(posix_file_system(),
                                 directory.path() + "/000000010000000000000001", stale));
  for (const WalSyncMethod method :
       {WalSyncMethod::adaptive, WalSyncMethod::fdatasync, WalSyncMethod::open_datasync_direct}) {
    Log log(directory, 4, posix_file_system(), method);
    ASSERT_OK(log.wal->create_log());
    std::mt19937_64 random = test::random_engine();
    std::map<Lsn, Inserted> inserted;
    std::mutex mutex;
    for (int i = 0; i < 100; i++) {
      ASSERT_OK(insert_random(*log.wal, random, 1, 3000, &inserted, &mutex));
      const Lsn end = inserted.rbegin()->second.end;
      ASSERT_OK(log.wal->flush(end));
      std::string contents;
      ASSERT_OK(read_whole_file(posix_file_system(), directory.path() + "/000000010000000000000001",
                                &contents));
      ASSERT_EQ(contents.size(), small_segment);
      const size_t used = end - small_segment;
      const size_t page_end = align_up(used, 8192);
      const size_t nonzero = contents.find_first_not_of('\0', used);
      EXPECT(nonzero == std::string::npos || nonzero >= page_end);
    }
    expect_log_is(log, inserted);
  }
}

TEST(images_are_taken_after_a_checkpoint_and_restored) {
  TemporaryDirectory directory;
  std::mt19937_64 random = test::random_engine();
  Log log(directory);
  ASSERT_OK(log.wal->create_log());
  alignas(8) std::byte bytes[8192] = {};
  Page page(bytes, sizeof(bytes));
  page.initialize(16);
  page.header().pd_lower = static_cast<uint16_t>(page.header().pd_lower + 40);
  page.header().pd_upper = static_cast<uint16_t>(page.header().pd_upper - 1000);
  for (size_t i = page.header().pd_upper; i < sizeof(bytes); i++)
    bytes[i] = static_cast<std::byte>(random());

  struct Expected {
    bool image;
    bool hole;
    bool data;
  };
  std::vector<Expected> expected;
  std::vector<Lsn> starts;
  std::vector<std::vector<std::byte>> pages;
  const auto log_change = [&](uint8_t flags) {
    WalRecord record;
    record.begin(RmgrId::heap, 0, TransactionId{3});
    const uint32_t data = 0xC0FFEE;
    record.block(1, relation, ForkNumber::visibility_map, BlockNumber{9}, page, flags);
    record.block_data(1, &data, sizeof(data));
    Lsn end = 0;
    Lsn start = 0;
    EXPECT_OK(log.wal->insert(record, &end, &start));
    starts.push_back(start);
    pages.emplace_back(bytes, bytes + sizeof(bytes));
    page.set_lsn(end);
  };
  log_change(REGBUF_STANDARD);  // LSN 0: an image.
  expected.push_back({true, true, false});
  log_change(REGBUF_STANDARD);
  expected.push_back({false, false, true});
  log_change(REGBUF_FORCE_IMAGE);
  expected.push_back({true, false, false});
  Lsn redo = 0;
  EXPECT(!log.wal->needs_full_page_image(page.lsn()));
  ASSERT_OK(log.wal->begin_checkpoint(false, &redo));
  EXPECT(log.wal->needs_full_page_image(page.lsn()));
  EXPECT_EQ(log.wal->positions().redo, redo);
  log_change(REGBUF_WILL_INIT);
  expected.push_back({false, false, true});
  ASSERT_OK(log.wal->begin_checkpoint(true, &redo));
  EXPECT_EQ(redo, log.wal->positions().insert);
  log_change(REGBUF_STANDARD | REGBUF_KEEP_DATA);
  expected.push_back({true, true, true});
  ASSERT_OK(log.wal->flush(log.wal->positions().insert));
  EXPECT_EQ(log.wal->statistics().full_page_images, 3);

  for (size_t i = 0; i < starts.size(); i++) {
    WalReader reader(posix_file_system(), log.reader_options());
    reader.begin_at(starts[i]);
    bool found = false;
    ASSERT_OK(reader.next(&found));
    ASSERT(found);
    const DecodedWalRecord& record = reader.record();
    ASSERT_EQ(record.block_count, 2);
    EXPECT(!record.blocks[0].in_use);
    const WalBlock& block = record.blocks[1];
    EXPECT_EQ(block.fork, ForkNumber::visibility_map);
    EXPECT_EQ(block.has_image, expected[i].image);
    EXPECT_EQ(block.data != nullptr, expected[i].data);
    EXPECT_EQ((block.fork_flags & BKPBLOCK_WILL_INIT) != 0, i == 3);
    if (!expected[i].image) continue;
    EXPECT(block.apply_image);
    EXPECT_EQ(block.hole_length > 0, expected[i].hole);
    std::vector<std::byte> restored(8192, std::byte{0xEE});
    ASSERT_OK(reader.restore_image(1, restored.data()));
    EXPECT(restored == pages[i]);
  }
}

// A record whose page was last logged before the redo pointer must carry an image, however the checkpoint
// and the insertion meet.
TEST(no_image_is_missed_while_checkpoints_run) {
  TemporaryDirectory directory;
  Log log(directory, 32);
  ASSERT_OK(log.wal->create_log());
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (uint32_t worker = 0; worker < 3; worker++) {
    threads.emplace_back([&, worker] {
      alignas(8) std::byte bytes[8192] = {};
      Page page(bytes, sizeof(bytes));
      page.initialize(0);
      while (!stop.load()) {
        WalRecord record;
        record.begin(RmgrId::heap, 0, TransactionId{3});
        record.block(0, relation, ForkNumber::main, BlockNumber{worker}, page, REGBUF_STANDARD);
        record.block_data(0, &worker, sizeof(worker));
        Lsn end = 0;
        EXPECT_OK(log.wal->insert(record, &end));
        page.set_lsn(end);
      }
    });
  }
  for (int i = 0; i < 200; i++) {
    Lsn redo = 0;
    EXPECT_OK(log.wal->begin_checkpoint(false, &redo));
    EXPECT_OK(log.wal->flush(log.wal->positions().insert));
  }
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK(log.wal->flush(log.wal->positions().insert));

  WalReader reader(posix_file_system(), log.reader_options());
  reader.begin_at(small_segment + SizeOfXLogLongPHD);
  Lsn redo = small_segment + SizeOfXLogLongPHD;
  std::map<uint32_t, Lsn> page_lsns;
  uint64_t records = 0;
  for (;;) {
    bool found = false;
    ASSERT_OK(reader.next(&found));
    if (!found) break;
    records++;
    const DecodedWalRecord& record = reader.record();
    if (record.rmgr() == static_cast<uint8_t>(RmgrId::xlog)) {
      ASSERT_EQ(record.info(), XLOG_CHECKPOINT_REDO);
      redo = record.lsn;
      continue;
    }
    Lsn& page_lsn = page_lsns[value_of(record.blocks[0].number)];
    ASSERT_EQ(record.blocks[0].has_image, page_lsn <= redo);
    page_lsn = record.end_lsn;
  }
  EXPECT_EQ(records, log.wal->statistics().records);
}

TEST(a_switch_uses_up_the_segment) {
  TemporaryDirectory directory;
  std::map<Lsn, Inserted> inserted;
  std::mutex mutex;
  std::mt19937_64 random = test::random_engine();
  Log log(directory);
  ASSERT_OK(log.wal->create_log());
  ASSERT_OK(insert_random(*log.wal, random, 1, 100, &inserted, &mutex));
  Lsn end = 0;
  ASSERT_OK(log.wal->switch_segment(&end));
  EXPECT_EQ(end, inserted.rbegin()->second.end + SizeOfXLogRecord);
  EXPECT_EQ(log.wal->flushed(), 2 * small_segment);
  Lsn again = 0;
  ASSERT_OK(log.wal->switch_segment(&again));
  EXPECT_EQ(again, 2 * small_segment);
  ASSERT_OK(insert_random(*log.wal, random, 1, 100, &inserted, &mutex));
  EXPECT_EQ(inserted.rbegin()->first, 2 * small_segment + SizeOfXLogLongPHD);
  ASSERT_OK(log.wal->flush(inserted.rbegin()->second.end));

  WalReader reader(posix_file_system(), log.reader_options());
  reader.begin_at(inserted.begin()->first);
  for (const Lsn start :
       {inserted.begin()->first, inserted.begin()->second.end, inserted.rbegin()->first}) {
    bool found = false;
    ASSERT_OK(reader.next(&found));
    ASSERT(found);
    EXPECT_EQ(reader.record().lsn, start);
  }
  bool found = false;
  ASSERT_OK(reader.begin_after(inserted.begin()->first + 1, &found));
  EXPECT(found);
  ASSERT_OK(reader.next(&found));
  ASSERT(found);
  EXPECT_EQ(reader.record().lsn, inserted.begin()->second.end);
}

TEST(old_segments_are_recycled_or_removed) {
  TemporaryDirectory directory;
  std::map<Lsn, Inserted> inserted;
  std::mutex mutex;
  std::mt19937_64 random = test::random_engine();
  Log log(directory, 16);
  ASSERT_OK(log.wal->create_log());
  const auto fill_to = [&](Lsn lsn) {
    while (log.wal->positions().insert < lsn)
      ASSERT_OK(insert_random(*log.wal, random, 1, 100000, &inserted, &mutex));
    ASSERT_OK(log.wal->flush(log.wal->positions().insert));
  };
  fill_to(7 * small_segment);
  const uint64_t last_segment = (log.wal->flushed() - 1) / small_segment;
  ASSERT_EQ(directory.segments().size(), last_segment);
  // A segment that waits for the archiver stays.
  ASSERT_OK(replace_file_durably(
      posix_file_system(), directory.path() + "/archive_status/000000010000000000000002.ready",
      ""));
  const Lsn redo = (--inserted.end())->first;
  ASSERT_OK(log.wal->remove_old_segments(redo, log.wal->flushed()));
  std::vector<std::string> segments = directory.segments();
  EXPECT(std::find(segments.begin(), segments.end(), "000000010000000000000002") != segments.end());
  EXPECT(std::find(segments.begin(), segments.end(), "000000010000000000000001") == segments.end());
  EXPECT(segments.size() <= last_segment);
  EXPECT(segments.size() >= 4);
  for (const std::string& name : segments)
    EXPECT_EQ(std::filesystem::file_size(directory.path() + "/" + name), small_segment);

  // Recycled segments hold old records, which must not be taken for new ones.
  std::map<Lsn, Inserted> kept{*inserted.rbegin()};
  inserted = kept;
  fill_to(12 * small_segment);
  expect_log_is(log, inserted);
}

TEST(a_failed_write_or_sync_poisons) {
  const struct {
    WalSyncMethod method;
    bool fail_sync;
  } cases[] = {
      {WalSyncMethod::adaptive, false},  // its small writes need no sync
      {WalSyncMethod::fdatasync, false},
      {WalSyncMethod::fdatasync, true},
  };
  for (const auto& [method, fail_sync] : cases) {
    FaultyFileSystem disk;
    ASSERT_OK(disk.make_directory("/wal"));
    Log log("/wal", 4, disk, method);
    ASSERT_OK(log.wal->create_log());
    std::map<Lsn, Inserted> inserted;
    std::mutex mutex;
    std::mt19937_64 random = test::random_engine();
    ASSERT_OK(insert_random(*log.wal, random, 1, 100, &inserted, &mutex));
    ASSERT_OK(log.wal->flush(inserted.rbegin()->second.end));
    const Lsn durable = log.wal->flushed();
    // The next operation is the write, the one after it the sync.
    disk.fail(disk.step() + (fail_sync ? 1 : 0), fail_sync ? Fault::io_error : Fault::no_space);
    ASSERT_OK(insert_random(*log.wal, random, 1, 100, &inserted, &mutex));
    Status status = log.wal->flush(inserted.rbegin()->second.end);
    ASSERT(!status.is_ok());
    EXPECT(status.code() == (fail_sync ? ErrorCode::io_error : ErrorCode::disk_full));
    EXPECT(log.state.is_poisoned());
    EXPECT_EQ(log.wal->flushed(), durable);
    status = log.wal->flush(inserted.rbegin()->second.end);
    EXPECT(status.code() == ErrorCode::crash_shutdown);
    status = insert_random(*log.wal, random, 1, 100, &inserted, &mutex);
    EXPECT(status.code() == ErrorCode::crash_shutdown);
  }
}

TEST(threads_that_wait_learn_of_a_failure) {
  FaultyFileSystem disk;
  ASSERT_OK(disk.make_directory("/wal"));
  Log log("/wal", 4, disk);
  ASSERT_OK(log.wal->create_log());
  std::map<Lsn, Inserted> inserted;
  std::mutex mutex;
  const uint64_t seed = test::random_engine()();
  disk.fail(disk.step() + 300, Fault::power_failure);
  std::vector<std::thread> threads;
  for (uint32_t worker = 1; worker <= 4; worker++) {
    threads.emplace_back([&, worker] {
      std::mt19937_64 random(seed + worker);
      for (int i = 0; i < 100000; i++) {
        if (!insert_random(*log.wal, random, worker, 20000, &inserted, &mutex).is_ok()) return;
        if (random() % 4 == 0 && !log.wal->flush(log.wal->positions().insert).is_ok()) return;
      }
      test::report_failure(__FILE__, __LINE__, "the failure was not noticed");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT(log.state.is_poisoned());
}

// Whatever a power failure leaves of what was not synced: every acknowledged record is there, what else is read
// was inserted, and the log goes on from its last record without stumbling over what lies behind.
TEST(a_power_failure_loses_nothing_acknowledged) {
  std::mt19937_64 random = test::random_engine();
  for (int round = 0; round < 20; round++) {
    FaultyFileSystem disk;
    ASSERT_OK(disk.make_directory("/wal"));
    ASSERT_OK(disk.sync_directory("/"));
    const WalSyncMethod method =
        round % 3 == 0 ? WalSyncMethod::open_datasync : WalSyncMethod::fdatasync;
    std::map<Lsn, Inserted> inserted;
    std::mutex mutex;
    Lsn redo = small_segment + SizeOfXLogLongPHD;
    for (int life = 0; life < 4; life++) {
      Lsn durable = 0;
      {
        Log log("/wal", 4 + static_cast<uint32_t>(random() % 8), disk, method);
        if (life == 0) {
          ASSERT_OK(log.wal->create_log());
        } else {
          ASSERT_OK(log.wal->continue_log(inserted.rbegin()->first, redo));
        }
        durable = log.wal->flushed();
        disk.fail(disk.step() + random() % 150, Fault::power_failure);
        bool is_up = true;
        while (is_up) {
          is_up = insert_random(*log.wal, random, 1, 200000, &inserted, &mutex).is_ok();
          if (is_up && random() % 4 == 0) {
            const Lsn upto = inserted.rbegin()->second.end;
            is_up = log.wal->flush(upto).is_ok();
            if (is_up) durable = std::max(durable, upto);
          }
          if (is_up && random() % 8 == 0) is_up = log.wal->preallocate().is_ok();
          if (is_up && random() % 50 == 0) {
            redo = inserted.rbegin()->first;
            is_up = log.wal->flush(inserted.rbegin()->second.end).is_ok();
            if (is_up) is_up = log.wal->remove_old_segments(redo, log.wal->flushed()).is_ok();
            inserted.erase(inserted.begin(), inserted.find(redo));
          }
        }
      }
      disk.crash(random() % 4 == 0 ? Survival::nothing : Survival::random, random());

      if (inserted.empty() || durable == 0 || inserted.begin()->second.end > durable) break;
      WalReader reader(disk, Log::reader_options("/wal"));
      reader.begin_at(inserted.begin()->first);
      auto expected = inserted.begin();
      for (; expected != inserted.end(); ++expected) {
        bool found = false;
        ASSERT_OK(reader.next(&found));
        if (!found) break;
        const DecodedWalRecord& record = reader.record();
        ASSERT_EQ(record.lsn, expected->first);
        ASSERT_EQ(record.main_data_length, expected->second.main.size());
        ASSERT(std::memcmp(record.main_data, expected->second.main.data(),
                           expected->second.main.size()) == 0);
      }
      if (expected != inserted.end() && expected->second.end <= durable)
        test::report_failure(__FILE__, __LINE__,
                             "lost an acknowledged record: " + reader.end_reason());
      ASSERT(expected == inserted.end() || expected->second.end > durable);
      inserted.erase(expected, inserted.end());
    }
  }
}

TEST(a_flush_beyond_the_log_is_refused) {
  TemporaryDirectory directory;
  Log log(directory);
  ASSERT_OK(log.wal->create_log());
  ASSERT_OK(log.wal->flush(log.wal->positions().insert));
  Status status = log.wal->flush(0x7000000);
  EXPECT(status.code() == ErrorCode::data_corrupted);
  EXPECT(!log.state.is_poisoned());
}

TEST(damaged_files_end_the_log_or_change_nothing) {
  TemporaryDirectory directory;
  std::map<Lsn, Inserted> inserted;
  std::mutex mutex;
  std::mt19937_64 random = test::random_engine();
  Log log(directory, 16);
  ASSERT_OK(log.wal->create_log());
  for (int i = 0; i < 300; i++)
    ASSERT_OK(insert_random(*log.wal, random, 1, 20000, &inserted, &mutex));
  ASSERT_OK(log.wal->flush(log.wal->positions().insert));
  const std::string path = directory.path() + "/000000010000000000000001";
  std::string good;
  ASSERT_OK(read_whole_file(posix_file_system(), path, &good));
  for (int round = 0; round < 200; round++) {
    std::string bad = good;
    const size_t area = std::min<size_t>(bad.size(), inserted.rbegin()->second.end - small_segment);
    for (int i = 0; i < 3; i++) bad[random() % area] = static_cast<char>(random());
    std::unique_ptr<File> file;
    ASSERT_OK(posix_file_system().open(path, OpenFlags::read_write, &file));
    ASSERT_OK(file->write(bad.data(), bad.size(), 0));
    file.reset();
    WalReader reader(posix_file_system(), log.reader_options());
    reader.begin_at(inserted.begin()->first);
    for (const auto& [start, expected] : inserted) {
      bool found = false;
      ASSERT_OK(reader.next(&found));
      if (!found) break;
      // What is given out is what was inserted.
      ASSERT_EQ(reader.record().lsn, start);
      ASSERT_EQ(reader.record().main_data_length, expected.main.size());
      ASSERT(std::memcmp(reader.record().main_data, expected.main.data(), expected.main.size()) ==
             0);
    }
  }
}

}  // namespace
}  // namespace pgdata
