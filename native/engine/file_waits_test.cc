// Goal: as long as a session's operation is at a file, or waits for a buffer that somebody else is at, its entry in shared
// memory tells of what it waits, and no longer. Method: a file system that holds the operation that it is told to, until
// the entry has been looked at; nothing is left to chance.
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/test.h"
#include "engine/checkpoint.h"
#include "engine/control_file.h"
#include "file/fault_plan.h"
#include "shmem/activity_table.h"
#include "shmem/wait_scope.h"
#include "space/truncate.h"
#include "xact/test_cluster.h"

namespace pgdata {
namespace {

constexpr RelFileLocator relation{default_tablespace_oid, 5, 16384};
constexpr uint32_t entries = 4;
// So long that only a machine that has stopped is slower.
constexpr std::chrono::seconds patience{60};

// Stands before the real file system.
class HoldingFileSystem final : public FileSystem {
 public:
  // The next operation of that kind on a path with this part waits for `release`.
  void hold(OperationKind kind, std::string path_part) {
    const std::lock_guard guard(mutex_);
    kind_ = kind;
    path_part_ = std::move(path_part);
    state_ = State::armed;
  }
  bool wait_until_held() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [this] { return state_ == State::held; });
  }
  void release() {
    const std::lock_guard guard(mutex_);
    state_ = State::idle;
    changed_.notify_all();
  }
  void pass(OperationKind kind, const std::string& path) {
    std::unique_lock lock(mutex_);
    if (state_ != State::armed || kind != kind_ || path.find(path_part_) == std::string::npos)
      return;
    state_ = State::held;
    changed_.notify_all();
    changed_.wait(lock, [this] { return state_ != State::held; });
  }

  Status open(const std::string& path, OpenFlags flags, std::unique_ptr<File>* file) override;
  Status info(const std::string& path, FileInfo* info) override { return real_.info(path, info); }
  Status make_directory(const std::string& path) override { return real_.make_directory(path); }
  Status remove_file(const std::string& path) override { return real_.remove_file(path); }
  Status remove_directory(const std::string& path) override { return real_.remove_directory(path); }
  Status rename(const std::string& from, const std::string& to) override {
    return real_.rename(from, to);
  }
  Status link_symbolic(const std::string& target, const std::string& path) override {
    return real_.link_symbolic(target, path);
  }
  Status read_link(const std::string& path, std::string* target) override {
    return real_.read_link(path, target);
  }
  Status list(const std::string& path, std::vector<std::string>* names) override {
    return real_.list(path, names);
  }
  Status sync_directory(const std::string& path) override { return real_.sync_directory(path); }
  Status sync_file_system(const std::string& path) override { return real_.sync_file_system(path); }

 private:
  enum class State : uint8_t { idle, armed, held };

  FileSystem& real_ = posix_file_system();
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::idle;
  OperationKind kind_ = OperationKind::read;
  std::string path_part_;
};

class HoldingFile final : public File {
 public:
  HoldingFile(HoldingFileSystem& files, std::string path, std::unique_ptr<File> real)
      : files_(files), path_(std::move(path)), real_(std::move(real)) {}

  Status read(void* bytes, size_t size, uint64_t offset, size_t* done) override {
    files_.pass(OperationKind::read, path_);
    return real_->read(bytes, size, offset, done);
  }
  Status write(const void* bytes, size_t size, uint64_t offset) override {
    files_.pass(OperationKind::write, path_);
    return real_->write(bytes, size, offset);
  }
  Status read_vector(const IoSlice* slices, int count, uint64_t offset, size_t* done) override {
    files_.pass(OperationKind::read, path_);
    return real_->read_vector(slices, count, offset, done);
  }
  Status write_vector(const IoSlice* slices, int count, uint64_t offset) override {
    files_.pass(OperationKind::write, path_);
    return real_->write_vector(slices, count, offset);
  }
  Status sync() override {
    files_.pass(OperationKind::sync, path_);
    return real_->sync();
  }
  Status data_sync() override {
    files_.pass(OperationKind::sync, path_);
    return real_->data_sync();
  }
  Status truncate(uint64_t size) override {
    files_.pass(OperationKind::truncate, path_);
    return real_->truncate(size);
  }
  Status allocate(uint64_t offset, uint64_t size) override {
    files_.pass(OperationKind::allocate, path_);
    return real_->allocate(offset, size);
  }
  Status size(uint64_t* bytes) override { return real_->size(bytes); }
  void prefetch(uint64_t offset, uint64_t size) override { real_->prefetch(offset, size); }
  void start_write_back(uint64_t offset, uint64_t size) override {
    real_->start_write_back(offset, size);
  }

 private:
  HoldingFileSystem& files_;
  const std::string path_;
  const std::unique_ptr<File> real_;
};

Status HoldingFileSystem::open(const std::string& path, OpenFlags flags,
                               std::unique_ptr<File>* file) {
  std::unique_ptr<File> real;
  RETURN_IF_ERROR(real_.open(path, flags, &real));
  *file = std::make_unique<HoldingFile>(*this, path, std::move(real));
  return Status::ok;
}

struct Fixture {
  HoldingFileSystem files;
  std::unique_ptr<test::TestCluster> cluster;
  std::unique_ptr<ActivityTable> table;

  explicit Fixture(const TransactionCounters& counters = {}) {
    test::TestClusterOptions options;
    options.files = &files;
    options.fsync = true;
    // Each write of the log is followed by a sync.
    options.wal_sync_method = WalSyncMethod::fdatasync;
    options.plan = [](SegmentPlan& plan) { ActivityTable::plan(plan, entries); };
    cluster = std::make_unique<test::TestCluster>(options, counters);
    open_entries();
    test::TestCluster::must(cluster->storage().create(relation, ForkNumber::main));
  }

  void open_entries() {
    table = std::make_unique<ActivityTable>(cluster->segment(), entries);
    for (int slot = 0; slot < 2; slot++) table->of_slot(slot).open(BackendType::backend, 0, 5, "");
  }

  WaitEvent told(int slot = 0) const {
    // As another process reads it.
    for (const Activity& activity : ActivityTable(cluster->segment(), entries).list())
      if (activity.slot == slot) return activity.wait_event;
    return WaitEvent::none;
  }

  // `action`, on a thread of a session, comes to an operation of that kind on that file, where it is to wait for `event`.
  void expect_wait(WaitEvent event, OperationKind kind, const std::string& path_part,
                   const std::function<Status()>& action,
                   const std::function<void()>& meanwhile = nullptr) {
    files.hold(kind, path_part);
    std::thread session = run(0, action);
    EXPECT(files.wait_until_held());
    EXPECT_EQ(std::string(name_of(told())), std::string(name_of(event)));
    if (meanwhile) meanwhile();
    files.release();
    session.join();
    EXPECT(told() == WaitEvent::none);
  }

  std::thread run(int slot, const std::function<Status()>& action) const {
    ActivityEntry& entry = table->of_slot(slot);
    return std::thread([&entry, action] {
      const WaitReport reporting(&entry);
      EXPECT_OK(action());
    });
  }

  // Until a thread that has nothing else to do has come so far.
  bool comes_to(int slot, WaitEvent event) const {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (told(slot) != event) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  Status extend(uint32_t count) const {
    BufferRef buffer;
    BlockNumber block{};
    return cluster->pool().extend(relation, ForkNumber::main, count, nullptr, &buffer, &block);
  }
  Status read(BufferRef* buffer) const {
    return cluster->pool().read(relation, ForkNumber::main, BlockNumber{0}, ReadMode::normal,
                                nullptr, buffer);
  }
  Status read() const {
    BufferRef buffer;
    return read(&buffer);
  }
  void dirty_first_block() const {
    BufferRef buffer;
    test::TestCluster::must(read(&buffer));
    buffer.lock(LockMode::exclusive);
    buffer.page().initialize(0);
    cluster->pool().mark_dirty(buffer);
  }
  // So that the log has something to write.
  void log_something() const {
    std::unique_ptr<Backend> backend = cluster->backend();
    test::TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
    TransactionId xid = invalid_transaction_id;
    test::TestCluster::must(backend->assign_xid(&xid));
    Lsn upto = invalid_lsn;
    test::TestCluster::must(backend->commit(false, &upto));
  }
};

}  // namespace

TEST(relation_files_are_waited_for_by_name) {
  const auto fixture = std::make_unique<Fixture>();
  test::TestCluster& cluster = *fixture->cluster;
  const std::string path = "base/5/16384";
  fixture->expect_wait(WaitEvent::data_file_extend, OperationKind::write, path,
                       [&] { return fixture->extend(1); });
  fixture->expect_wait(WaitEvent::data_file_extend, OperationKind::allocate, path,
                       [&] { return fixture->extend(64); });
  fixture->dirty_first_block();
  fixture->expect_wait(WaitEvent::data_file_write, OperationKind::write, path,
                       [&] { return cluster.pool().flush_relation(relation); });
  cluster.pool().drop_relation(relation);
  fixture->expect_wait(WaitEvent::data_file_read, OperationKind::read, path,
                       [&] { return fixture->read(); });
  ControlFile control = new_control_file(7);
  fixture->expect_wait(WaitEvent::data_file_sync, OperationKind::sync, path, [&] {
    return create_checkpoint(fixture->files, cluster.directory(), cluster.services(),
                             cluster.transactions(), CheckpointKind::online, &control);
  });
  fixture->expect_wait(WaitEvent::data_file_truncate, OperationKind::truncate, path, [&] {
    const std::unique_ptr<Backend> backend = cluster.backend();
    return truncate_storage(*backend, relation, BlockNumber{1}, false);
  });
}

TEST(files_of_the_log_and_of_small_pages_are_waited_for_by_name) {
  const auto fixture = std::make_unique<Fixture>();
  test::TestCluster& cluster = *fixture->cluster;
  const auto flush = [&] { return cluster.wal().flush(cluster.wal().positions().insert); };
  fixture->log_something();
  fixture->expect_wait(WaitEvent::wal_write, OperationKind::write, "pg_wal/0", flush);
  fixture->log_something();
  fixture->expect_wait(WaitEvent::wal_sync, OperationKind::sync, "pg_wal/0", flush);
  // The log goes on in a segment that there is none of yet.
  const auto make_segment = [&]() -> Status {
    Lsn end = invalid_lsn;
    RETURN_IF_ERROR(cluster.wal().switch_segment(&end));
    fixture->log_something();
    return flush();
  };
  fixture->expect_wait(WaitEvent::wal_init_write, OperationKind::write, "pg_wal/xlogtemp",
                       make_segment);
  fixture->expect_wait(WaitEvent::wal_init_sync, OperationKind::sync, "pg_wal/xlogtemp",
                       make_segment);
  fixture->log_something();
  fixture->expect_wait(WaitEvent::slru_write, OperationKind::write, "pg_xact/0000",
                       [&] { return cluster.transactions().write_all_dirty(); });
  fixture->log_something();
  fixture->expect_wait(WaitEvent::slru_sync, OperationKind::sync, "pg_xact/0000",
                       [&] { return cluster.transactions().write_all_dirty(); });
}

TEST(a_small_page_that_is_read_is_waited_for_by_name) {
  TransactionCounters counters;
  // The next transactions are on the second page of pg_xact, the only one that a start reads.
  counters.nextXid = 32768 - 2;
  const auto fixture = std::make_unique<Fixture>(counters);
  test::TestCluster& cluster = *fixture->cluster;
  for (int i = 0; i < 4; i++) fixture->log_something();
  fixture->table.reset();
  cluster.restart();
  fixture->open_entries();
  fixture->expect_wait(WaitEvent::slru_read, OperationKind::read, "pg_xact/0000", [&] {
    TransactionStatus status{};
    return cluster.transactions().status_of(TransactionId{32768 - 1}, &status);
  });
}

TEST(buffers_that_others_are_at_are_waited_for_by_name) {
  const auto fixture = std::make_unique<Fixture>();
  test::TestCluster& cluster = *fixture->cluster;
  test::TestCluster::must(fixture->extend(1));
  fixture->dirty_first_block();
  test::TestCluster::must(cluster.pool().flush_relation(relation));
  cluster.pool().drop_relation(relation);
  // One reads the block, another one wants it.
  std::thread second;
  fixture->expect_wait(
      WaitEvent::data_file_read, OperationKind::read, "base/5/16384",
      [&] { return fixture->read(); },
      [&] {
        second = fixture->run(1, [&] { return fixture->read(); });
        EXPECT(fixture->comes_to(1, WaitEvent::buffer_io));
      });
  second.join();
  EXPECT(fixture->told(1) == WaitEvent::none);

  // One has it pinned, another one wants it alone.
  BufferRef pinned;
  test::TestCluster::must(fixture->read(&pinned));
  second = fixture->run(1, [&]() -> Status {
    BufferRef buffer;
    RETURN_IF_ERROR(fixture->read(&buffer));
    buffer.lock_for_cleanup();
    return Status::ok;
  });
  EXPECT(fixture->comes_to(1, WaitEvent::buffer_pin));
  pinned.release();
  second.join();
  EXPECT(fixture->told(1) == WaitEvent::none);
}

}  // namespace pgdata
