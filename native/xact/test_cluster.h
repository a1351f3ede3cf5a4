// What tests of transactions and of what stands on them use: a small cluster in a directory of its own.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "base/invariant.h"
#include "base/test.h"
#include "buffer/buffer_pool.h"
#include "change/change.h"
#include "file/file_system.h"
#include "file/storage.h"
#include "layout/control_file.h"
#include "layout/wal_xlog_records.h"
#include "shmem/cluster_state.h"
#include "shmem/segment.h"
#include "wal/wal.h"
#include "xact/backend.h"
#include "xact/prepared_table.h"
#include "xact/transaction_system.h"

namespace pgdata::test {

class TestCluster;

struct TestClusterOptions {
  uint32_t buffers = 256;
  uint32_t backends = 16;
  uint32_t clog_buffers = 16;
  uint32_t prepared = 8;
  bool data_checksums = true;
  bool fsync = false;
  WalSyncMethod wal_sync_method = WalSyncMethod::adaptive;
  FileSystem* files = &posix_file_system();
  uint32_t consistency_checking = 0;
  // What rooms further down keep in the segment, and what they make of it, again after each restart.
  std::function<void(SegmentPlan&)> plan;
  std::function<void(TestCluster&)> opened;
};

// Directories, log, pool and transactions of one cluster. `restart` is a clean shutdown and start; the
// directory goes when the cluster does.
class TestCluster {
 public:
  explicit TestCluster(TestClusterOptions options = {}, const TransactionCounters& counters = {})
      : options_(options) {
    std::string pattern = (std::filesystem::temp_directory_path() / "pgdata_xact_XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    for (const char* name :
         {"pg_wal", "pg_xact", "pg_subtrans", "pg_multixact", "pg_multixact/offsets",
          "pg_multixact/members", "pg_twophase", "base", "base/5", "global"}) {
      std::filesystem::create_directory(directory_ + "/" + name);
    }
    open();
    must(wal_->create_log());
    TransactionCounters first = counters;
    first.nextXid = 3;
    must(transactions_->create(first));
    log_checkpoint();
    if (counters.nextXid != 3) restart_with(counters);
  }
  ~TestCluster() {
    close();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  TestCluster(const TestCluster&) = delete;

  // No Backend may be left.
  void restart() {
    must(pool_->write_all_dirty());
    must(transactions_->write_all_dirty());
    restart_with(transactions_->counters());
  }
  // Starts with counters that another history would have led to.
  void restart_with(const TransactionCounters& counters) {
    must(transactions_->write_all_dirty());
    log_checkpoint();
    must(transactions_->prepared().checkpoint(wal_->positions().redo));
    close();
    open();
    must(wal_->continue_log(checkpoint_, checkpoint_));
    must(transactions_->start(counters));
  }

  std::unique_ptr<Backend> backend(Oid database = 5) {
    std::unique_ptr<Backend> made;
    must(Backend::create(*services_, *transactions_, database, &made));
    return made;
  }

  const std::string& directory() const { return directory_; }
  StorageServices& services() { return *services_; }
  TransactionSystem& transactions() { return *transactions_; }
  Storage& storage() { return *storage_; }
  BufferPool& pool() { return *pool_; }
  Wal& wal() { return *wal_; }
  ClusterState& state() { return *state_; }
  Segment& segment() { return *segment_; }

  // What the cluster itself needs must succeed; a test goes no further without it.
  static void must(const Status& status) {
    if (status.is_ok()) return;
    report_failure(__FILE__, __LINE__, status.report().message + " " + status.report().detail);
    invariant_failed("what a test stands on succeeds", __FILE__, __LINE__);
  }

 private:
  void open() {
    StorageOptions storage_options;
    storage_options.data_directory = directory_;
    storage_options.fsync = options_.fsync;
    WalOptions wal_options;
    wal_options.directory = directory_ + "/pg_wal";
    wal_options.segment_bytes = 1u << 20;
    wal_options.buffer_pages = 64;
    wal_options.fsync = options_.fsync;
    wal_options.sync_method = options_.wal_sync_method;
    wal_options.consistency_checking = options_.consistency_checking;
    BufferPoolOptions pool_options;
    pool_options.buffers = options_.buffers;
    pool_options.data_checksums = options_.data_checksums;
    pool_options.log_hints = options_.data_checksums;
    TransactionSystemOptions transaction_options;
    transaction_options.max_backends = options_.backends;
    transaction_options.clog_buffers = options_.clog_buffers;
    transaction_options.max_prepared_transactions = options_.prepared;

    SegmentPlan plan;
    plan.reserve("cluster state", sizeof(ClusterState));
    Wal::plan(plan, wal_options);
    BufferPool::plan(plan, pool_options);
    TransactionSystem::plan(plan, transaction_options);
    if (options_.plan) options_.plan(plan);
    must(Segment::create("", plan, &segment_));
    state_ = new (segment_->find("cluster state")) ClusterState;
    storage_ = std::make_unique<Storage>(*options_.files, storage_options);
    wal_ = std::make_unique<Wal>(*options_.files, *segment_, *state_, wal_options);
    pool_ = std::make_unique<BufferPool>(*segment_, *storage_, wal_.get(), *state_, pool_options);
    services_.reset(new StorageServices{*state_, *storage_, *wal_, *pool_});
    transactions_ = std::make_unique<TransactionSystem>(*segment_, *services_, transaction_options);
    if (options_.opened) options_.opened(*this);
  }

  void close() {
    transactions_.reset();
    services_.reset();
    pool_.reset();
    wal_.reset();
    storage_.reset();
    segment_.reset();
  }

  void log_checkpoint() {
    CheckPoint body;
    must(wal_->begin_checkpoint(true, &body.redo));
    WalRecord record;
    record.begin(RmgrId::xlog, XLOG_CHECKPOINT_SHUTDOWN, invalid_transaction_id);
    record.data(&body, sizeof(body));
    Lsn end = invalid_lsn;
    must(wal_->insert(record, &end, &checkpoint_));
    must(wal_->flush(end));
  }

  TestClusterOptions options_;
  std::string directory_;
  Lsn checkpoint_ = invalid_lsn;
  std::unique_ptr<Segment> segment_;
  ClusterState* state_ = nullptr;
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<Wal> wal_;
  std::unique_ptr<BufferPool> pool_;
  std::unique_ptr<StorageServices> services_;
  std::unique_ptr<TransactionSystem> transactions_;
};

}  // namespace pgdata::test
